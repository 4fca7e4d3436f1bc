"""Which chat templates the pipeline speaks, and why it refuses the others: the table of docs/models.md.

    python -m benchmarks.models [FILE_OR_FOLDER ...]

Without arguments, the templates that the installed TRL ships. A template comes without its tokenizer, so one is made
that knows the bytes and what looks like special tokens in the template.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from itool.errors import UserError
from itool.toolcall.checker import check
from itool.toolcall.dialects import read_answer
from itool.toolcall.prompt import Prompter
from itool.toolcall.scanner import cut
from itool.toolcall.types import Answer, Call, Kind, Reference, ReferenceCall, Task, Tool

SPECIAL = re.compile(
    r"<\|[\w/:.\- ]+\|>|<\|[\w\"]+>|<[\w]+\|>|<｜[^｜<>\s]+｜>|\[/?[A-Z]{2,}(?:_[A-Z]+)*\]|<SPECIAL_\d+>"
    r"|</?(?:start|end|beginning)_of_\w+>|<seed:(?:bos|eos)>|</(?:assistant|user|s)>|\[e~\[|\]~b\]|\]~!b\[|<sep>|<eos>|<bos>"
)
OPEN_THOUGHT = "ends in an open thought"

TOOLS = (
    Tool(
        "book_table",
        "Books a table.",
        {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "Where."},
                "people": {"type": "integer", "description": "How many."},
                "outside": {"type": "boolean", "description": "Whether outside."},
                "price": {"type": "number", "description": "At most."},
                "wishes": {"type": "array", "items": {"type": "string"}, "description": "Wishes."},
                "contact": {"type": "object", "properties": {"name": {"type": "string"}}, "description": "Who."},
            },
            "required": ["place"],
        },
    ),
    Tool("list_places", "Lists places.", {"type": "object", "properties": {}}),
)
CALLS = (
    Call(
        "book_table",
        {
            "place": 'Café "Zur\nPost"',
            "people": 4,
            "outside": True,
            "price": 12.5,
            "wishes": ["quiet", "it's [warm]"],
            "contact": {"name": "Zoë"},
        },
    ),
    Call("list_places", {}),
    Call("book_table", {"place": "4", "outside": False}),
)
TASK = Task(
    "probe",
    "train",
    "parallel",
    TOOLS,
    (
        {"role": "user", "content": "Is anything free?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "call00001", "type": "function", "function": {"name": "list_places", "arguments": {}}}
            ],
        },
        {"role": "tool", "name": "list_places", "tool_call_id": "call00001", "content": '{"places": ["Post"]}'},
        {"role": "assistant", "content": "Post is."},
        {"role": "user", "content": "Then book it."},
    ),
    Reference(
        Kind.CALLS,
        tuple(ReferenceCall(call.name, {name: [value] for name, value in call.arguments.items()}) for call in CALLS),
    ),
)


class Row(NamedTuple):
    """What was found about one template. dialect: "" where it is refused, with the reason in `why`."""

    name: str
    dialect: str
    thoughts: str
    why: str


def stand_in(template: str) -> Any:
    """A byte-level tokenizer for a template that comes without its own."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    special = sorted({"<s>", "</s>", *SPECIAL.findall(template), *SPECIAL.findall(_rendered(template))})
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = template
    return tokenizer


def _rendered(template: str) -> str:
    """A conversation as the template writes it, which may put special tokens together; "" where it refuses."""
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        [text], _ = render_jinja_template([list(TASK.messages)], add_generation_prompt=True, chat_template=template)
    except Exception:  # the template is examined, and its refusal told, later
        return ""
    return str(text)


def examine(name: str, template: str) -> Row:
    """What the pipeline makes of one template."""
    try:
        return Row(name, _checked(Prompter(stand_in(template), "auto", 100_000)), "off", "")
    except UserError as error:
        if OPEN_THOUGHT not in str(error):
            return Row(name, "", "", str(error))
    try:
        return Row(name, _checked(Prompter(stand_in(template), "auto", 100_000, thinking=True)), "on only", "")
    except UserError as error:
        return Row(name, "", "", str(error))


def _checked(prompter: Prompter) -> str:
    """The dialect, once a right answer in it was read back as right, whole and by its fragments."""
    prompter.prompt_ids(TASK)
    ids = prompter.completion_ids(Answer(CALLS))
    answer = read_answer(prompter.dialect, prompter.decode(ids), True, TOOLS)
    verdict = check(answer, TASK.reference, TOOLS, strict=True)
    if not verdict.right:
        raise UserError(
            f"{prompter.dialect_name} reads {verdict.error} at {verdict.path} in: {prompter.decode(ids)[:200]!r}"
        )
    fragments = cut(ids, prompter.token_bytes, prompter.dialect, prompter.end_ids, "stop")
    kinds = Counter(fragment.kind for fragment in fragments)
    if tuple(i for fragment in fragments for i in fragment.ids) != ids or kinds["argument"] != 8:
        raise UserError(f"{prompter.dialect_name} cuts a right answer into {dict(kinds)}, expected eight arguments")
    return prompter.dialect_name


def templates(paths: Iterable[Path]) -> list[Path]:
    """The template files among the paths and in the folders, in the order of their names."""
    found = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*.jinja"))]
    return sorted(found, key=lambda file: file.name.lower())


def trl_templates() -> Path:
    """The folder of templates in the installed TRL."""
    import trl

    return Path(trl.__file__).parent / "chat_templates"


def main() -> None:
    paths = [Path(argument) for argument in sys.argv[1:]] or [trl_templates()]
    rows = [examine(file.stem, file.read_text()) for file in templates(paths)]
    print("| template | dialect | thoughts | refused because |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row.name} | {row.dialect} | {row.thoughts} | {row.why.replace('|', chr(92) + '|')} |")
    print(f"\n{sum(bool(row.dialect) for row in rows)} of {len(rows)} templates are spoken.")


if __name__ == "__main__":
    main()
