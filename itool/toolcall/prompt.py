"""From tasks and answers to token ids, through the model's own chat template; and back to text.

A completion is tokenised on its own and never together with its prompt, no space is added anywhere, and nothing that a
model generated is tokenised a second time. Only the chat template and the dialect write special tokens: where messages,
tools and answers hold the text of one, it is tokenised as any other text, so that it can neither end nor begin a turn.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from itool import params
from itool.errors import UserError
from itool.files import read_json, read_text
from itool.toolcall.dialects import DIALECTS
from itool.toolcall.scanner import join_bytes, token_bytes
from itool.toolcall.template import CALLS, PROBES, SPECS, TEXT, ChatTemplate, Writes, asked, calling
from itool.toolcall.types import Answer, Call, Task

SELF_EVALUATION_QUESTION = "Is this answer correct?"


def load_tokenizer(path: str | Path, chat_template: str | None = None) -> Any:
    """The tokenizer of a local model folder, with the chat template in a file instead of its own if one is given.

    Raises UserError when there is none, or none with a chat template.

    A folder with a tokenizer.json is read as that file says. AutoTokenizer would read the same, but it imports all that
    trains a model, which takes longer than most stages without a model.
    """
    import transformers

    fast = (Path(path) / "tokenizer.json").is_file()
    reader: Any = transformers.PreTrainedTokenizerFast if fast else transformers.AutoTokenizer
    try:
        tokenizer = reader.from_pretrained(str(path), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        why = f"no readable tokenizer: {' '.join(str(error).split())[:200]}"
        raise UserError(f"{path}: {why if Path(path).is_dir() else 'no such folder'}") from None
    if chat_template:
        tokenizer.chat_template = read_text(Path(chat_template))
    if not tokenizer.chat_template:
        raise UserError(
            f"{path}: the tokenizer has no chat template, expected a model that takes chat messages and tools"
        )
    return tokenizer


def open_prompter(folder: str | Path, model: params.Model) -> "Prompter":
    """The Prompter of the tokenizer in a model folder, as params.yaml has it. Raises UserError as both do."""
    tokenizer = load_tokenizer(folder, model.chat_template)
    return Prompter(tokenizer, model.dialect, model.max_length, model.thinking, model.preamble)


class Prompter:
    """Writes prompts and completions for one model.

    `end_id` ends an assistant turn of text and `call_end_id` one of calls; `end_ids` are all ids at which generation
    stops: those, and those that the tokenizer and the generation config beside it name; `yes` and `no` are the first
    ids of the two answers to the self-evaluation question; `token_bytes[i]` are the bytes of token i. `dialect_name`
    "auto" takes the dialect of the model's own template. `thinking`: answers may begin with a thought. `preamble`:
    calls may come after text, and after a thought also without `thinking`.
    """

    def __init__(
        self, tokenizer: Any, dialect_name: str, max_length: int, thinking: bool = False, preamble: bool = True
    ):
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.token_bytes = token_bytes(tokenizer)
        self._special = {i: token.content for i, token in tokenizer.added_tokens_decoder.items() if token.special}
        self._stand_ins = {text: f"\ufdd0{i}\ufdd1" for i, text in self._special.items()}
        self._special_text, self._stand_in = _any_of(self._stand_ins), _any_of(self._stand_ins.values())
        try:
            self._chat = ChatTemplate(tokenizer, self._special_text, thinking)
            self.end_id, self._question_ids = self._self_evaluation_turn()
        except UserError as error:
            raise UserError(f"the tokenizer's chat template refuses a plain conversation: {error}") from None
        if PROBES[0].name not in self._chat.prompt:
            raise UserError("the tokenizer's chat template leaves out the tools, expected one that shows them")
        self.dialect_name, self._writes = self._language(dialect_name)
        self.dialect = replace(
            DIALECTS[self.dialect_name],
            thought_end=self._thought_end(thinking),
            preamble=preamble,
            thoughts=preamble or thinking,
        )
        self._before_text = self._text_beginning(dialect_name == "auto")
        self.call_end_id = self._call_end()
        ends = {self.end_id, self.call_end_id, tokenizer.eos_token_id, *_generation_ends(tokenizer)}
        self.end_ids = frozenset(ends - {None})
        self.yes, self.no = self._encode("yes")[0], self._encode("no")[0]
        if self.yes == self.no:
            raise UserError('the tokenizer writes "yes" and "no" with the same first token, expected different ones')

    def prompt_ids(self, task: Task) -> tuple[int, ...]:
        """Everything up to the assistant's turn.

        Raises UserError naming the task when the template refuses it or it is too long.
        """
        specs = [self._content(tool.spec()) for tool in task.tools]
        try:
            text = self._chat.render(self._messages(task.messages), specs)
        except UserError as error:
            raise UserError(f"task {task.task_id}: the chat template refuses its messages: {error}") from None
        ids = self._encode(text)
        self.check_length(task.task_id, ids)
        return ids

    def completion_ids(self, answer: Answer) -> tuple[int, ...]:
        """The assistant's turn after a prompt, with the token that ends it."""
        if not answer.calls:
            return (*self._encode(self._before_text + self._content(answer.text)), self.end_id)
        calls = tuple(Call(self._content(call.name), self._content(call.arguments)) for call in answer.calls)
        return (*self._encode(self._calls(calls)), self.call_end_id)

    def _calls(self, calls: tuple[Call, ...]) -> str:
        """Calls as the model's own template writes them, or as the dialect does where the template writes none."""
        if not self._writes:
            return self.dialect.render_calls(calls)
        return self._chat.turn(calling(calls)).removesuffix(self._writes.tail)

    def sample(self, task: Task) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Prompt and completion that train on the task's reference. Raises UserError naming the task when they are too
        long together.
        """
        prompt, completion = self.prompt_ids(task), self.completion_ids(task.reference.answer())
        self.check_length(task.task_id, prompt, completion)
        return prompt, completion

    def selfeval_ids(self, prompt: tuple[int, ...], completion: tuple[int, ...]) -> tuple[int, ...]:
        """A prompt, the answer given (generated ids, or `completion_ids`) and the question whether it is correct.

        The next token is `yes` or `no`; C = p(yes) / (p(yes) + p(no)) [O]. The prompt's ids stay as they are, so that
        an engine can reuse its cache.
        """
        ended = completion[-1:] and completion[-1] in self.end_ids
        answer = completion[:-1] if ended else completion
        return (*prompt, *answer, self.end_id, *self._question_ids)

    def selfeval_completion_ids(self, right: bool) -> tuple[int, ...]:
        """The answer to the self-evaluation question, with the token that ends it, for training."""
        return (self.yes if right else self.no, self.end_id)

    def check_length(self, task_id: str, *parts: tuple[int, ...]) -> None:
        """Raises UserError naming the task when the parts together exceed the model's max_length."""
        length = sum(len(part) for part in parts)
        if length > self.max_length:
            raise UserError(f"task {task_id}: {length} tokens, expected at most model.max_length = {self.max_length}")

    def decode(self, ids: Iterable[int]) -> str:
        """The text of generated ids without end-of-turn tokens; broken UTF-8 becomes U+FFFD."""
        return join_bytes(ids, self.token_bytes, self.end_ids).decode("utf-8", "replace")

    def _content(self, value: Any) -> Any:
        """A JSON value with a stand-in for every text of a special token in its strings.

        Stand-ins begin and end with characters that Unicode reserves for such use; `_encode` resolves them.
        """
        if isinstance(value, str):
            return self._special_text.sub(lambda found: self._stand_ins[found[0]], value)
        if isinstance(value, list):
            return [self._content(item) for item in value]
        if isinstance(value, dict):
            return {self._content(key): self._content(item) for key, item in value.items()}
        return value

    def _encode(self, text: str) -> tuple[int, ...]:
        """The ids of a text. What stand-ins stand for becomes text, any other special token its id."""
        plain: list[range] = []  # the characters that stand-ins stand for
        whole, end = "", 0
        for found in self._stand_in.finditer(text):
            whole += text[end : found.start()]
            special = self._special[int(found[0][1:-1])]
            plain.append(range(len(whole), len(whole) + len(special)))
            whole, end = whole + special, found.end()
        if not plain:
            return tuple(self.tokenizer(text, add_special_tokens=False).input_ids)
        whole += text[end:]
        encoded = self.tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
        ids: list[int] = []
        for i, (start, stop) in zip(encoded.input_ids, encoded.offset_mapping, strict=True):
            if i in self._special and any(start <= span.start < stop for span in plain):
                written = whole[start:stop]
                ids += self.tokenizer(written, add_special_tokens=False, split_special_tokens=True).input_ids
            else:
                ids.append(i)
        return tuple(ids)

    def _messages(self, messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Messages as the template takes them: content is text everywhere, and earlier calls stand in the dialect,
        after the text beside them.

        A template that writes them in the dialect's form itself is given the calls.
        """
        shown = []
        for original in messages:
            message = self._content(original)
            content = message.get("content") or ""
            if not isinstance(content, str):
                content = json.dumps(content, ensure_ascii=False)
            given = {key: message[key] for key in ("name", "tool_call_id") if key in message}
            entry = {"role": message["role"], "content": content} | given
            if message.get("tool_calls"):
                if self._writes:
                    entry["tool_calls"] = message["tool_calls"]
                else:
                    functions = [call["function"] for call in message["tool_calls"]]
                    calls = tuple(Call(function["name"], function["arguments"]) for function in functions)
                    entry["content"] = "\n".join([content, self.dialect.render_calls(calls)]).lstrip("\n")
            shown.append(entry)
        return shown

    def _language(self, dialect_name: str) -> tuple[str, Writes | None]:
        """The dialect, and how the template writes calls in it, or None where it does not and the dialect does.

        Raises UserError for "auto" where the template loses something or no dialect reads it, and for a dialect by name
        where a call or a result is lost even so.
        """
        if dialect_name != "auto":
            return dialect_name, self._writes_in(dialect_name)
        try:
            writes = self._chat.writes(DIALECTS)
            lost = self._chat.lost(calling(CALLS))
        except UserError as error:
            if single := self._single_dialect():
                return single, None
            raise UserError(
                f"model.dialect auto: the chat template refuses a conversation with calls: {error}"
            ) from None
        if lost:
            raise UserError(f"model.dialect auto: the chat template leaves out {' and '.join(lost)}")
        if not writes:
            turn = self._chat.turn(calling(CALLS)).strip()
            raise UserError(f"model.dialect auto: no dialect reads the calls of the chat template: {turn[:120]!r}")
        return writes.dialect, writes

    def _writes_in(self, dialect_name: str) -> Writes | None:
        """How the template writes calls in a dialect that was named, or None where it is shown them as text."""
        try:
            writes = self._chat.writes([dialect_name])
        except UserError:
            writes = None
        as_text = {"role": "assistant", "content": DIALECTS[dialect_name].render_calls(CALLS)}
        try:
            lost = set(self._chat.lost(calling(CALLS) if writes else as_text)) - {"the system prompt"}
        except UserError:  # it takes no system prompt, or no results: tasks that have them are errors by name
            lost = set()
        if lost:
            raise UserError(f"the chat template leaves out {' and '.join(sorted(lost))}")
        return writes

    def _single_dialect(self) -> str | None:
        """The dialect of a template that takes one call a turn, such as Llama's."""
        try:
            return self._chat.reads_single(DIALECTS)
        except UserError:
            return None

    def _thought_end(self, thinking: bool) -> str:
        """The tag that ends the thought which prompts open, or "". Raises UserError where they open one and `thinking`
        is off.
        """
        tag = self._chat.thought_end()
        if tag and not thinking:
            raise UserError("the chat template's prompt ends in an open thought, expected model.thinking: on")
        return tag

    def _text_beginning(self, auto: bool) -> str:
        """What the template writes before a text: space, or the end of a thought that the prompt opened. With `auto`,
        raises UserError where it writes more.
        """
        try:
            before = self._chat.turn({"role": "assistant", "content": TEXT}).partition(TEXT)[0]
        except UserError:
            before = ""
        more = before.replace(self.dialect.thought_end, "").strip()
        if more and auto:
            raise UserError(f"model.dialect auto: the chat template writes text answers after {more[:80]!r}")
        return "" if more else before

    def _call_end(self) -> int:
        """The id that ends a turn of calls: what the template has after them, else what ends a text."""
        ends = {text: i for i, text in self._special.items()}
        return ends[self._writes.end] if self._writes and self._writes.end else self.end_id

    def _self_evaluation_turn(self) -> tuple[int, tuple[int, ...]]:
        """The id that ends an assistant turn, and the ids between it and the answer to the self-evaluation question."""
        messages = [{"role": "assistant", "content": TEXT}, {"role": "user", "content": SELF_EVALUATION_QUESTION}]
        turn = self._chat.render(asked(*messages), SPECS).rpartition(TEXT)[2]
        ids = self._encode(turn)
        before_question = len(self._encode(turn.partition(SELF_EVALUATION_QUESTION)[0]))
        for i in range(before_question):
            if ids[i] in self._special:
                return ids[i], ids[i + 1 :]
        if self.tokenizer.eos_token_id is None:
            raise UserError("the tokenizer has no end-of-turn token, expected one in its chat template or eos_token")
        return self.tokenizer.eos_token_id, ids


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Matches the longest of the texts; nothing when there are none."""
    return re.compile("|".join(map(re.escape, sorted(texts, key=len, reverse=True))) or r"(?!)")


def _generation_ends(tokenizer: Any) -> list[int | None]:
    """What the generation config in the tokenizer's folder, if there is one, names as ends."""
    file = Path(tokenizer.name_or_path) / "generation_config.json"
    config = read_json(file) if file.is_file() else {}
    if not isinstance(config, dict):
        raise UserError(f"{file}: found {type(config).__name__}, expected an object")
    ends = config.get("eos_token_id")
    return ends if isinstance(ends, list) else [ends]
