"""Requests that a language model words, and the judge that reads them [O].

A sample comes from phrases first. The model says the same in the words of some person. The program stays the reference,
so a text is kept only where it says every value that the draft says, and no number that the draft does not.
"""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2

from itool.chat import Chat, Replies, Reply
from itool.engine import seed_of
from itool.errors import UserError, one_line
from itool.files import read_json, read_text
from itool.toolcall.checker import check
from itool.toolcall.template import THOUGHTS
from itool.toolcall.types import Answer, Kind
from stages.synthesis import generic
from stages.synthesis.dialogue import Sample
from stages.synthesis.measure import text_of
from stages.synthesis.pool import Pool, PoolTool
from stages.synthesis.programs import Program
from stages.synthesis.values import YEAR, Entities, Parameter, contains, fits, words
from stages.synthesis.verify import Rejection, verify

PROMPTS = Path("data/prompts")
FREE_TEXT = ("topic", "project", "subject", "message", "label")  # kinds of values of which only a name is known
VALUES = 16  # asked for such a parameter
FEWEST_VALUES = 4  # two for each side
QUOTES = "\"'`\u201c\u201d\u2018\u2019"
LISTED = re.compile(r"^\s*(?:[-*\u2022]|\d+[.)])\s+")


class Prompts:
    """The files of data/prompts. Raises UserError naming the file for one that cannot be read or filled in."""

    def __init__(self, folder: Path = PROMPTS) -> None:
        self.folder = folder
        self.environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, autoescape=False)

    @cached_property
    def styles(self) -> dict[str, list[str]]:
        """side -> what a writer is told about the person and the text."""
        file = self.folder / "styles.json"
        styles = read_json(file)
        for side in YEAR:
            lines = styles.get(side) if isinstance(styles, dict) else None
            if not isinstance(lines, list) or not lines or not all(isinstance(line, str) for line in lines):
                raise UserError(f"{file}: {side}: found {str(lines)[:80]}, expected a list of texts")
        return styles

    def chat(self, template: str, seed: int, /, **values: Any) -> Chat:
        """A chat of one message, a template filled with the values."""
        file = self.folder / f"{template}.jinja"
        try:
            text = self.environment.from_string(read_text(file)).render(values)
        except jinja2.TemplateError as error:
            line = getattr(error, "lineno", None)
            raise UserError(f"{file}: {f'line {line}: ' if line else ''}{one_line(error)}") from None
        return Chat(({"role": "user", "content": text},), seed=seed)


class Writer:
    """Words samples anew. `attempts`: replies asked for one sample. `languages`: one of them for each request."""

    def __init__(
        self, replies: Replies, prompts: Prompts, entities: Entities, attempts: int, languages: Sequence[str]
    ) -> None:
        self.replies, self.prompts, self.entities = replies, prompts, entities
        self.attempts, self.languages = attempts, languages

    def word(self, samples: Sequence[Sample]) -> list[Sample | Rejection]:
        """Each sample in the model's words, or why none of its attempts would do."""
        results: dict[int, Sample | Rejection] = {}
        for attempt in range(self.attempts):
            waiting = [i for i in range(len(samples)) if not isinstance(results.get(i), Sample)]
            chats = [self._chats(samples[i], attempt) for i in waiting]
            flat = self.replies.to([chat for each in chats for chat in each], f"writing, attempt {attempt + 1}")
            found = iter(flat)
            for i, asked in zip(waiting, chats, strict=True):
                results[i] = self._reworded(samples[i], [next(found) for _ in asked])
        return [results[i] for i in range(len(samples))]

    def _chats(self, sample: Sample, attempt: int) -> list[Chat]:
        """What the writer is asked for each turn of the user. The style depends on the sample alone."""
        side = sample.program.side
        seed = seed_of("writer", text_of(sample.task), attempt)
        rng = random.Random(seed)
        style, language = rng.choice(self.prompts.styles[side]), rng.choice(self.languages)
        drafts = said_by_user(sample)
        return [
            self.prompts.chat(
                "request",
                seed,
                draft=draft,
                earlier=drafts[:turn],
                exactly=to_be_said(sample.program, draft),
                style=style,
                language=language,
            )
            for turn, draft in enumerate(drafts)
        ]

    def _reworded(self, sample: Sample, replies: Sequence[Reply]) -> Sample | Rejection:
        """The sample with the replies as its user's turns, or what is wrong with them."""
        drafts, texts = said_by_user(sample), [cleaned(reply.text) for reply in replies]
        for draft, text, reply in zip(drafts, texts, replies, strict=True):
            if problem := reply.problem or unfaithful(sample.program, draft, text):
                return Rejection(sample.task.scenario, "writing", problem, text or draft)
        said = iter(texts)
        messages = tuple(
            message | {"content": next(said)} if message["role"] == "user" else message
            for message in sample.task.messages
        )
        reworded = replace(sample, task=replace(sample.task, messages=messages), phrases=())
        return verify(reworded, self.entities) or reworded


def said_by_user(sample: Sample) -> list[str]:
    """The user's turns."""
    return [message["content"] for message in sample.task.messages if message["role"] == "user"]


def to_be_said(program: Program, draft: str) -> list[str]:
    """The words of a draft that say the program's values, in the order of the parameters."""
    found: list[str] = []
    for step in program.steps:
        for parameter in step.tool.parameters:
            if parameter.name in step.said:
                found += _words_of(parameter, step.said[parameter.name], draft)
    return list(dict.fromkeys(found))


def _words_of(parameter: Parameter, value: Any, draft: str) -> list[str]:
    if isinstance(value, dict):
        return [each for p in parameter.fields if p.name in value for each in _words_of(p, value[p.name], draft)]
    if isinstance(value, list):
        return [each for item in value for each in _words_of(parameter, item, draft)]
    if parameter.kind == "bool":
        phrases = {phrase for side in YEAR for phrase in parameter.phrases[side][str(value).lower()] if phrase in draft}
        return sorted(phrases, key=len)[-1:]
    return [words(value)] if contains(draft, words(value)) else []


def unfaithful(program: Program, draft: str, text: str) -> str:
    """What a text says less or more than its draft; "" where it says the same."""
    if not text:
        return "says nothing"
    if any(each not in text for each in to_be_said(program, draft)):
        return "value not said"
    if set(re.findall(r"\d+", text)) - set(re.findall(r"\d+", draft)):
        return "a number that nobody wants"
    return ""


def cleaned(text: str) -> str:
    """A reply without the thought before it, the quotation marks around it, and space at its ends."""
    text = text.strip()
    for opening, closing in THOUGHTS:
        if text.startswith(opening):
            text = text.partition(closing)[2].strip()
    while len(text) > 1 and text[0] in QUOTES and text[-1] in QUOTES:
        text = text[1:-1].strip()
    return text


def judged(samples: Sequence[Sample], replies: Replies) -> list[Sample | Rejection]:
    """Each sample, or its rejection where the model, shown the tools, does otherwise than the reference: where it calls
    otherwise, or calls at all where text is wanted.
    """
    chats = [Chat(sample.task.messages, sample.task.tools) for sample in samples]
    return [
        _agreed(sample, reply) for sample, reply in zip(samples, replies.to(chats, "judging requests"), strict=True)
    ]


def _agreed(sample: Sample, reply: Reply) -> Sample | Rejection:
    task = sample.task
    if task.reference.kind is Kind.CALLS:
        verdict = check(Answer(reply.calls, reply.text), task.reference, task.tools, strict=False)
        same = verdict.right
    else:
        same = not reply.calls
    if same and not reply.problem:
        return sample
    written = [{"name": call.name, "arguments": call.arguments} for call in reply.calls]
    detail = reply.problem or (json.dumps(written, ensure_ascii=False) if written else reply.text)
    reason = "the judge's answer cannot be read" if reply.problem else "the judge does otherwise"
    return Rejection(task.scenario, "writing", reason, f"{said_by_user(sample)[-1]} -> {detail}")


def with_written_values(pool: Pool, replies: Replies, prompts: Prompts) -> Pool:
    """The pool with values that the model found for free texts of own tools, of which only name and description are
    known.
    """
    asked = [
        (tool, parameter)
        for tool in pool.tools
        if tool.function is generic.simulate
        for parameter in tool.parameters
        if parameter.kind in FREE_TEXT
    ]
    chats = [_values_chat(tool, parameter, prompts) for tool, parameter in asked]
    found: Entities = {}
    kinds: dict[Parameter, str] = {}
    for (tool, parameter), reply in zip(asked, replies.to(chats, "values of parameters"), strict=True):
        if values := _values(reply, parameter):
            kind = f"{tool.name}.{parameter.name}"
            found[kind] = {"train": values[::2], "test": values[1::2]}
            kinds[parameter] = kind
    tools = tuple(
        replace(tool, parameters=tuple(replace(p, kind=kinds.get(p, p.kind)) for p in tool.parameters))
        if any(p in kinds for p in tool.parameters)
        else tool
        for tool in pool.tools
    )
    return replace(pool, tools=tools, entities=pool.entities | found)


def _values_chat(tool: PoolTool, parameter: Parameter, prompts: Prompts) -> Chat:
    return prompts.chat(
        "values",
        0,
        tool=tool.name,
        about=tool.tool.description,
        name=parameter.name,
        description=parameter.schema.get("description", ""),
        count=VALUES,
    )


def _values(reply: Reply, parameter: Parameter) -> list[str]:
    """The values that a reply lists, or none where they are too few."""
    lines = [cleaned(LISTED.sub("", line)) for line in reply.text.splitlines()]
    short = [line for line in dict.fromkeys(lines) if 1 < len(line) <= 60 and len(line.split()) <= 6]
    values = [line for line in short if fits(line, parameter.schema) and not set(line) & set("{}\n")]
    return values if len(values) >= FEWEST_VALUES and not reply.problem else []
