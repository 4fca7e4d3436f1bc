"""Chats with a language model that helps to make data: a model folder, or what an OpenAI-compatible endpoint serves.

Every reply is kept on disk by what was asked. So an interrupted stage goes on where it was, and a second run asks
nothing and gives the same bytes [O].
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from itool import params
from itool.engine import open_engine, seed_of
from itool.engine.base import Completion, Request, Sampling
from itool.engine.environment import model_files
from itool.errors import UserError
from itool.files import parse_json
from itool.log import Progress
from itool.scratch import fingerprint
from itool.toolcall.dialects import read_answer
from itool.toolcall.prompt import open_prompter
from itool.toolcall.template import with_ids, with_text_arguments
from itool.toolcall.types import Answer, Call, Task, Tool, Unparseable

REPLIES = Path(".scratch/chat/replies.sqlite")
CUT = "cut off by writer.max_tokens"
Arrived = Callable[[int, "Reply"], None]


@dataclass(frozen=True)
class Chat:
    """Messages that the model is to answer, with the tools that it is shown. Of two equal chats that differ in `seed`
    the replies are two samples.
    """

    messages: tuple[dict[str, Any], ...]
    tools: tuple[Tool, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Reply:
    """What the model answered: text, or the calls that it wants, or the problem with what it wrote. `read` and
    `written`: tokens.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    problem: str = ""
    read: int = 0
    written: int = 0


class ChatModel(Protocol):
    """A language model. `identity`: what decides its replies, beside the chat."""

    identity: str

    def reply(self, chats: Sequence[Chat], arrived: Arrived) -> None:
        """Tells `arrived` the place and the reply of every chat, in any order."""
        ...


class Served:
    """Fills ChatModel with an OpenAI-compatible endpoint. Raises UserError when its key is not in the environment."""

    def __init__(self, url: str, writer: params.Writer) -> None:
        from itool.endpoint import Endpoint  # which takes a quarter of a second to import, and folders do not need

        server = params.Server(url=url, concurrency=writer.concurrency, timeout=writer.timeout, retries=writer.retries)
        if writer.key and writer.key not in os.environ:
            raise UserError(
                f"params.yaml: writer.key: found no {writer.key} in the environment, expected the key there"
            )
        headers = {"Authorization": f"Bearer {os.environ[writer.key]}"} if writer.key else None
        self.endpoint = Endpoint(server, "writer.url", headers)
        self.sampling = {"model": writer.model, "temperature": writer.temperature, "max_tokens": writer.max_tokens}
        self.identity = json.dumps(self.sampling)  # another address serves the same model

    def reply(self, chats: Sequence[Chat], arrived: Arrived) -> None:
        bodies = [
            self.sampling | {"seed": chat.seed, "messages": _openai(chat.messages)} | _tools(chat) for chat in chats
        ]
        requests = [("POST", "/chat/completions", body) for body in bodies]
        self.endpoint.send(requests, lambda place, answer: arrived(place, self._read(answer)))

    def _read(self, answer: Any) -> Reply:
        try:
            choice, usage = answer["choices"][0], answer.get("usage") or {}
            message = choice["message"]
            text, asked = message.get("content") or "", message.get("tool_calls") or []
            calls = [(call["function"]["name"], call["function"]["arguments"]) for call in asked]
            tokens = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            where = f"{self.endpoint.url}/chat/completions"
            raise UserError(f"{where}: found {str(answer)[:200]}, expected choices[0].message") from None
        if choice.get("finish_reason") == "length":
            return Reply(problem=CUT, read=tokens[0], written=tokens[1])
        try:
            wanted = tuple(Call(name, _arguments(arguments)) for name, arguments in calls)
        except UserError as error:
            return Reply(problem=str(error), read=tokens[0], written=tokens[1])
        return Reply(str(text), wanted, "", *tokens)


class Local:
    """Fills ChatModel with a model folder, whose chat template must show tools, over the engine of params.yaml."""

    def __init__(self, settings: params.Params) -> None:
        writer = settings.writer
        folder = Path(str(writer.model))
        chat = {"dialect": "auto", "chat_template": None, "thinking": False, "preamble": True}
        self.prompter = open_prompter(folder, settings.model.model_copy(update=chat))
        self.engine = open_engine(folder, settings.engine, self.prompter.end_ids)
        self.batch = settings.engine.batch
        self.sampling = Sampling(writer.max_tokens, writer.temperature)
        self.identity = fingerprint([self.sampling], model_files(folder))

    def reply(self, chats: Sequence[Chat], arrived: Arrived) -> None:
        for start in range(0, len(chats), self.batch):
            some = chats[start : start + self.batch]
            tasks = [
                Task(f"chat {start + place}", "", "", chat.tools, chat.messages) for place, chat in enumerate(some)
            ]
            prompts = [self.prompter.prompt_ids(task) for task in tasks]
            requests = [Request(prompt, seed=seed_of(chat.seed)) for prompt, chat in zip(prompts, some, strict=True)]
            for place, (found,) in enumerate(self.engine.generate(requests, self.sampling)):
                arrived(start + place, self._read(prompts[place], found, some[place].tools))

    def _read(self, prompt: Sequence[int], found: Completion, tools: Sequence[Tool]) -> Reply:
        tokens = (len(prompt), len(found.ids))
        text = self.prompter.decode(found.ids)
        if found.finish == "length":
            return Reply("", (), CUT, *tokens)
        answer = read_answer(self.prompter.dialect, text, True, tools) if tools else Answer(text=text)
        if isinstance(answer, Unparseable):
            return Reply("", (), str(answer), *tokens)
        return Reply(answer.text, answer.calls, "", *tokens)


class Replies:
    """The replies of a model, kept in a file. `costs`: of all that were used, as they were when they were first asked
    for.
    """

    def __init__(self, model: ChatModel, file: Path) -> None:
        self.model, self.file = model, file
        self.costs = {"replies": 0, "tokens_read": 0, "tokens_written": 0}

    def to(self, chats: Sequence[Chat], what: str) -> list[Reply]:
        """One reply to each chat, in order. `what` names the work in the log."""
        keys = [_key(self.model.identity, chat) for chat in chats]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.file)) as kept, Progress(what, len(chats), "answer") as progress:
            kept.execute("create table if not exists replies (key text primary key, reply text not null)")
            new = {key: chat for key, chat in zip(keys, chats, strict=True) if not _kept(kept, key)}
            progress.skip(len(chats) - len(new))
            order = list(new)

            def arrived(place: int, reply: Reply) -> None:
                with kept:
                    kept.execute("insert or replace into replies values (?, ?)", (order[place], _written(reply)))
                progress.advance(1, f"{reply.written} tokens")

            self.model.reply(list(new.values()), arrived)
            replies = [_reply(_kept(kept, key)) for key in keys]
        self.costs["replies"] += len(replies)
        self.costs["tokens_read"] += sum(reply.read for reply in replies)
        self.costs["tokens_written"] += sum(reply.written for reply in replies)
        return replies


def open_replies(settings: params.Params) -> Replies:
    """The model of the section `writer`. Raises UserError when that names none, or one that cannot be opened."""
    writer = settings.writer
    if not writer.model:
        wanted = "the folder of a model, or with writer.url the name of a served one"
        raise UserError(f"params.yaml: writer.model: found none, expected {wanted}")
    return Replies(Served(writer.url, writer) if writer.url else Local(settings), REPLIES)


def _openai(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages as endpoints take them: calls have ids, and arguments are JSON texts."""
    return [with_text_arguments(message) for message in with_ids(messages)]


def _tools(chat: Chat) -> dict[str, Any]:
    return {"tools": [tool.spec() for tool in chat.tools]} if chat.tools else {}


def _arguments(written: Any) -> dict[str, Any]:
    """The arguments of a served call, a JSON text; some servers send the object itself."""
    arguments = parse_json(written or "{}", "arguments") if isinstance(written, str | None) else written
    if not isinstance(arguments, dict):
        raise UserError(f"arguments: found {str(arguments)[:80]}, expected an object")
    return arguments


def _key(identity: str, chat: Chat) -> str:
    asked = [identity, chat.messages, [tool.spec() for tool in chat.tools], chat.seed]
    return hashlib.blake2b(json.dumps(asked).encode(), digest_size=16).hexdigest()


def _kept(kept: sqlite3.Connection, key: str) -> str:
    row = kept.execute("select reply from replies where key = ?", (key,)).fetchone()
    return row[0] if row else ""


def _written(reply: Reply) -> str:
    return json.dumps(asdict(reply), ensure_ascii=False)


def _reply(written: str) -> Reply:
    fields = json.loads(written)
    return Reply(**fields | {"calls": tuple(Call(**call) for call in fields["calls"])})
