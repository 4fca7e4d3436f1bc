"""NousResearch's hermes-function-calling-v1, and what else has its tags in turns of `from` and `value` [O].

The system prompt holds the tools in `<tools>`, the assistant's turns hold calls in `<tool_call>`, and the turns of
`tool` hold results in `<tool_response>`. All three hold JSON or, in a part of the published set, Python literals. The
prompt also explains the tags. These sentences are left out, because each model is told of calls in its own dialect; the
prompt keeps what else it says. Thoughts stay in the text where they are.
"""

import re
from dataclasses import replace
from typing import Any

from itool.errors import UserError
from itool.formats.fields import Message, answered, assistant, calls_of, json_text, merged, parsed, tool_list
from itool.formats.names import with_legal_names
from itool.formats.prompts import literals_at, literals_in, without_sentences
from itool.formats.turns import Turn, field_of, has_turns, messages_of, roles_of, turns
from itool.toolcall.schema import short

# A tag that is never closed goes on to the end of the text, and one of TOOLS and EXAMPLE ends where it is opened again:
# otherwise many such tags would each be followed to the end.
TOOLS = re.compile(r"<tools>((?:(?!<tools>).)*?)</tools>", re.DOTALL)
EXAMPLE = re.compile(r"<(tool_call|scratch_pad)>(?!\s*</\1>)(?:(?!<\1>).)*?</\1>", re.DOTALL)
CALL = re.compile(r"<tool_call>(.*?)(</tool_call>|\Z)", re.DOTALL)
RESPONSE = re.compile(r"<tool_response>(.*?)(</tool_response>|\Z)", re.DOTALL)
THOUGHTS = re.compile(r"\s*(?:<(think|scratch_pad)>.*?</\1>\s*)*", re.DOTALL)
ABOUT_TAGS = re.compile(
    r"</?(?:tools|tool_call|tool_response|scratch_pad)>|function calling AI|call one or more functions|pydantic"
    r"|each function call|schema for each|(?:here are the|if) available tools|values to plug into|# Tools\b"
    r"|^\W*Example:",
    re.IGNORECASE,
)


def matches(record: dict[str, Any]) -> bool:
    """Whether a record has ShareGPT's turns with the tags of tools or calls, or those of the set's JSON mode."""
    if not has_turns(record):
        return False
    texts = [*roles_of(record), ("system", str(record.get("system")))]
    tags = {"system": ("<tools>", "<schema>"), "gpt": ("<tool_call>",), "assistant": ("<tool_call>",)}
    return any(tag in text for role, text in texts for tag in tags.get(role, ()))


def openai_form(record: dict[str, Any], where: str) -> dict[str, Any]:
    """The record as {"tools": [...], "messages": [...]} in OpenAI's form. Raises UserError naming the field.

    The tools are those of the system prompt. Those of a field `tools` are read where it shows none.
    """
    listed = turns(record, where)
    prompts = [turn for turn in listed if turn.role == "system"]
    tools = [tool for turn in prompts for tool in _tools(turn)] or tool_list(record, where)
    if not tools:
        in_json = next((turn.where for turn in prompts if "<schema>" in turn.text), None)
        found = "a schema of answers in JSON" if in_json else "no tools"
        place = in_json or f"{where}: {field_of(record)}"
        raise UserError(f"{place}: found {found}, expected <tools>: nothing to learn about tools")
    told = [replace(turn, text=_own_words(turn.text)) if turn.role == "system" else turn for turn in listed]
    kept = [turn for turn in told if turn.role != "system" or turn.text]
    return {"tools": tools, "messages": merged(messages_of(kept, _answer, _results))}


def _tools(turn: Turn) -> list[Any]:
    """The tools that a prompt shows: a list, or objects one after another."""
    place, specs = f"{turn.where}: <tools>", []
    for text in (match[1].strip() for match in TOOLS.finditer(turn.text)):
        values, end = literals_at(text, 0, place)
        if text[end:]:
            raise UserError(f"{place}: found {short(text[end : end + 80])}, expected JSON")
        specs += [spec for value in values for spec in (value if isinstance(value, list) else [value])]
    return with_legal_names(specs, place)


def _own_words(prompt: str) -> str:
    """What a prompt says beside the tools and how to call them."""
    prompt = TOOLS.sub(lambda match: "\n" if match[1].strip() else match[0], prompt)
    return without_sentences(_without_call_schema(EXAMPLE.sub("", prompt)), ABOUT_TAGS)


def _without_call_schema(prompt: str) -> str:
    """The prompt without the schema of a call, which has the title FunctionCall."""
    for value, start, end in literals_in(prompt, "{"):
        if value.get("title") == "FunctionCall":
            return f"{prompt[:start]}\n{prompt[end:]}"
    return prompt


def _answer(turn: Turn) -> Message:
    """Text, and the calls outside of the thoughts with which it begins."""
    thoughts = THOUGHTS.match(turn.text)
    start = thoughts.end() if thoughts else 0
    calls = []
    for i, match in enumerate(CALL.finditer(turn.text, start)):
        if not match[2]:
            raise UserError(f"{turn.where}: found <tool_call> without its end, expected </tool_call>")
        calls += calls_of(match[1].strip(), f"{turn.where}: tool_call[{i}]")
    return assistant((turn.text[:start] + CALL.sub("", turn.text[start:])).strip(), calls)


def _results(text: str) -> list[Message]:
    """A message for each result in tags; the whole text as one where anything else stands beside them."""
    found = list(RESPONSE.finditer(text))
    if not found or RESPONSE.sub("", text).strip() or not found[-1][2]:
        return [{"role": "tool", "content": text}]
    return [{"role": "tool"} | _result(match[1].strip()) for match in found]


def _result(text: str) -> Message:
    """The content of a result, with the name and id of its call where it is an object of nothing else."""
    try:
        value = parsed(text, "")
    except UserError:
        return {"content": text}
    if not isinstance(value, dict) or "content" not in value or not value.keys() <= {"name", "content", "tool_call_id"}:
        return {"content": text}
    content = value.pop("content")
    if not all(isinstance(said, str) for said in value.values()):
        return {"content": text}
    return answered(value) | {"content": json_text(content)}
