"""What holds for every dialect alike: reading back, cutting and judging calls, and finding a template's own dialect."""

from dataclasses import replace
from pathlib import Path

import pytest
import trl
from hypothesis import given, settings
from hypothesis import strategies as st
from toolcall_judgements import assert_prefixes_consistent, spoilt
from toolcall_strategies import BYTES, END, byte_ids, damaged, plain_names, shuffled, tasks

from benchmarks.models import examine, stand_in
from itool.errors import UserError
from itool.toolcall.checker import check
from itool.toolcall.dialects import DIALECTS, read_answer
from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.prompt import Prompter
from itool.toolcall.scanner import cut, join_bytes
from itool.toolcall.template import PROBES, with_ids
from itool.toolcall.types import Answer, Call, Kind, Reference, Tool, Unparseable

dialects = st.sampled_from(sorted(DIALECTS)).map(DIALECTS.__getitem__)
TEMPLATES = Path(trl.__file__).parent / "chat_templates"


@given(dialect=dialects, task=tasks(names=plain_names))
@settings(deadline=None, max_examples=300)
def test_what_a_dialect_writes_it_reads(dialect: Dialect, task: tuple[list[Tool], Reference]) -> None:
    tools, reference = task
    answer = reference.answer()
    assert read_answer(dialect, dialect.render(answer), True, tools) == answer


@given(dialect=dialects, task=tasks(names=plain_names), data=st.data())
@settings(deadline=None, max_examples=150)
def test_every_prefix_of_a_right_answer_is_consistent(
    dialect: Dialect, task: tuple[list[Tool], Reference], data: st.DataObject
) -> None:
    tools, reference = task
    text = dialect.render(shuffled(data.draw, reference.answer())).encode()
    assert_prefixes_consistent(data.draw, text, dialect, reference, tools, strict=False)


@given(dialect=dialects, task=tasks(distinct=True, names=plain_names), data=st.data())
@settings(deadline=None, max_examples=150)
def test_the_spoilt_fragment_is_the_first_inconsistent_one(
    dialect: Dialect, task: tuple[list[Tool], Reference], data: st.DataObject
) -> None:
    tools, reference = task
    spoilt(data.draw, dialect, reference, tools)


@given(dialect=dialects, task=tasks(names=plain_names), cuts=st.data())
@settings(deadline=None, max_examples=300)
def test_any_text_in_any_pieces(dialect: Dialect, task: tuple[list[Tool], Reference], cuts: st.DataObject) -> None:
    """No text ends a reader in any other way than Unparseable, and the pieces in which it comes make no difference."""
    tools, reference = task
    text = cuts.draw(damaged(st.just(dialect.render(reference.answer()))))
    read = read_answer(dialect, text, True, tools)
    assert isinstance(read, Unparseable) or read.calls or read.text == text
    data = text.encode("utf-8", "surrogatepass")
    whole, pieces = dialect.Scanner(tools), dialect.Scanner(tools)
    middle = cuts.draw(st.integers(0, len(data)))
    whole.feed(data)
    pieces.feed(data[:middle])
    pieces.feed(data[middle:])
    assert (pieces.marks, pieces.calls, str(pieces.error)) == (whole.marks, whole.calls, str(whole.error))


def pieces(dialect: str, text: str, thought_end: str = "") -> list[tuple[str, str]]:
    """(kind, text) of every fragment, cut byte by byte; `$` is the end token."""
    module = replace(DIALECTS[dialect], thought_end=thought_end)
    fragments = cut(byte_ids(text.encode()), BYTES, module, {END}, "stop")
    return [(f.kind, join_bytes(f.ids, BYTES, {END}).decode() + "$" * (END in f.ids)) for f in fragments]


def test_golden_fragments() -> None:
    assert pieces("llama3_json", '{"name": "f", "parameters": {"a": 1}}; {"name": "g", "parameters": {}}') == [
        ("choice", "{"),
        ("name", '"name": "f", "parameters": {'),
        ("argument", '"a": 1'),
        ("next", "}}; "),
        ("name", '{"name": "g", "parameters": {'),
        ("next", "}}$"),
    ]
    assert pieces("mistral", '[TOOL_CALLS]f[ARGS]{"a": 1, "b": 2}[TOOL_CALLS]g[ARGS]{}') == [
        ("choice", "[TOOL_CALLS]"),
        ("name", "f[ARGS]{"),
        ("argument", '"a": 1'),
        ("argument", ', "b": 2'),
        ("next", "}[TOOL_CALLS]"),
        ("name", "g[ARGS]{"),
        ("next", "}$"),
    ]
    arguments = "<parameter=a>\n1\n</parameter>\n<parameter=b>\nx\n</parameter>"
    call = f"<tool_call>\n<function=f>\n{arguments}\n</function>\n</tool_call>"
    assert pieces("qwen3_coder", f"So:\n{call}\n<tool_call>\n<function=g>\n</function>\n</tool_call>") == [
        ("choice", "So:\n<tool_call>"),
        ("name", "\n<function=f>"),
        ("argument", "\n<parameter=a>\n1\n</parameter>"),
        ("argument", "\n<parameter=b>\nx\n</parameter>"),
        ("next", "\n</function>\n</tool_call>\n<tool_call>"),
        ("name", "\n<function=g>"),
        ("next", "\n</function>\n</tool_call>$"),
    ]
    assert pieces("gemma4", '<|tool_call>call:f{a:<|"|>x, y<|"|>,b:[1,2]}<tool_call|>') == [
        ("choice", "<|tool_call>"),
        ("name", "call:f{"),
        ("argument", 'a:<|"|>x, y<|"|>'),
        ("argument", ",b:[1,2]"),
        ("next", "}<tool_call|>$"),
    ]


def test_a_thought_that_the_prompt_opened() -> None:
    assert pieces("pythonic", "Shall I [f()]?</think>\n[f(a=1)]", "</think>") == [
        ("thought", "Shall I [f()]?</think>"),
        ("choice", "\n["),
        ("name", "f("),
        ("argument", "a=1"),
        ("next", ")]$"),
    ]
    opened = replace(DIALECTS["pythonic"], thought_end="</think>")
    assert opened.parse("Hm.</think>Which city?") == Answer(text="Which city?")
    unfinished = opened.parse("I cannot do that with these tools.")
    assert not check(unfinished, Reference(Kind.REFUSAL), [], strict=False).right


@pytest.mark.parametrize(
    ("dialect", "call"),
    [
        ("hermes", '<tool_call>{"name": "f"}</tool_call>'),
        ("pythonic", "[f()]"),
        ("llama3_json", '{"name": "f"}'),
        ("mistral", "[TOOL_CALLS]f[ARGS]{}"),
    ],
)
def test_what_may_stand_before_calls(dialect: str, call: str) -> None:
    loose = DIALECTS[dialect]
    silent = replace(loose, preamble=False, thoughts=False)
    thinking = replace(loose, preamble=False)
    thought = f"<think>Hm.</think>\n{call}"
    for module, text, right in [(loose, thought, True), (silent, thought, False), (thinking, thought, True)]:
        assert isinstance(read_answer(module, text, True), Answer) == right
    assert read_answer(silent, call, True) == Answer((Call("f", {}),))
    if dialect in ("hermes", "mistral"):  # the others take text before calls for a text
        assert read_answer(loose, f"So: {call}", True) == Answer((Call("f", {}),))
        assert isinstance(read_answer(silent, f"So: {call}", True), Unparseable)


SCHEMA = {
    "type": "object",
    "properties": {
        "s": {"type": "string"},
        "i": {"type": "integer"},
        "b": {"type": "boolean"},
        "n": {"type": ["string", "null"]},
        "any": {},
    },
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("s", "02", "02"),
        ("s", "true", "true"),
        ("s", "", ""),
        ("s", " a\nb ", " a\nb "),
        ("i", "2", 2),
        ("i", "two", "two"),
        ("b", "True", True),
        ("n", "null", None),
        ("n", "Oslo", "Oslo"),
        ("any", "['a', 1]", ["a", 1]),
        ("any", "Oslo", "Oslo"),
    ],
)
def test_the_schema_types_values_without_quotes(name: str, text: str, value: object) -> None:
    tools = [Tool("f", "", SCHEMA)]
    call = f"<tool_call>\n<function=f>\n<parameter={name}>\n{text}\n</parameter>\n</function>\n</tool_call>"
    answer = DIALECTS["qwen3_coder"].parse(call, tools)
    assert answer.calls == (Call("f", {name: value}),)
    assert type(answer.calls[0].arguments[name]) is type(value)


SPOKEN = {
    "qwen2_5": "hermes",
    "qwen3": "hermes",
    "qwen3_6": "qwen3_coder",
    "nemotron_3_nano": "qwen3_coder",
    "glm4moe": "glm45",
    "llama3_1": "llama3_json",
    "gemma4": "gemma4",
    "lfm2_2_5": "lfm2",
}
REFUSED = {
    "gemma3": "leaves out the tools",
    "gptoss": "leaves out a call",
    "lfm2": "leaves out a call",
    "muse_glimmer": "no dialect reads the calls",
}


@pytest.mark.parametrize("name", SPOKEN)
def test_auto_finds_the_dialect_of_a_template(name: str) -> None:
    row = examine(name, (TEMPLATES / f"{name}.jinja").read_text())
    assert (row.dialect, row.why) == (SPOKEN[name], "")


@pytest.mark.parametrize("name", REFUSED)
def test_auto_says_what_a_template_loses(name: str) -> None:
    row = examine(name, (TEMPLATES / f"{name}.jinja").read_text())
    assert not row.dialect
    assert REFUSED[name] in row.why


CHAT = (
    "{{ tools | tojson }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def test_answers_are_written_as_the_template_writes_them() -> None:
    """Without the newlines that the dialect has inside its tags, and with an end of its own after calls."""
    template = CHAT.replace("<|end|>{% endfor %}", "{{ '<|call|>' if m.tool_calls else '<|end|>' }}{% endfor %}")
    by = Prompter(stand_in(template), "auto", 1000)
    call = Call("f", {"a": 1})
    text = join_bytes(by.completion_ids(Answer((call,))), by.token_bytes, frozenset()).decode()
    assert text == '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call><|call|>'
    assert by.dialect_name == "hermes"
    assert by.end_ids >= {by.end_id, by.call_end_id}
    assert by.end_id != by.call_end_id


def test_a_prompt_that_ends_in_a_thought_needs_thinking() -> None:
    template = CHAT.replace("<|assistant|>", "<|assistant|><think>")
    with pytest.raises(UserError, match=r"ends in an open thought, expected model\.thinking: on"):
        Prompter(stand_in(template), "auto", 1000)
    by = Prompter(stand_in(template), "auto", 1000, thinking=True)
    ids = by.completion_ids(Answer((Call("f", {}),)))
    assert by.decode(ids).startswith("</think><tool_call>")
    assert read_answer(by.dialect, by.decode(ids), True) == Answer((Call("f", {}),))
    said = by.decode(by.completion_ids(Answer(text="Which city?")))
    assert said == "</think>Which city?"
    assert read_answer(by.dialect, said, True) == Answer(text="Which city?")


def test_a_template_that_takes_no_calls_is_shown_the_types_as_they_are() -> None:
    template = CHAT.replace("{% for c in", "{{ 1 + 'a' if m.tool_calls }}{% for c in")
    by = Prompter(stand_in(template), "pythonic", 1000)
    assert by._writes is None
    assert '["string", "null"]' in by._chat.render([{"role": "user", "content": "?"}], [tool.spec() for tool in PROBES])


def test_a_text_between_tags_is_refused() -> None:
    template = CHAT.replace(
        "{{ m.content }}", "{{ '<response>' if m.role == 'assistant' and m.content }}{{ m.content }}"
    )
    with pytest.raises(UserError, match="writes text answers after '<response>'"):
        Prompter(stand_in(template), "auto", 1000)


@pytest.mark.parametrize(
    "raised", ["{{ 1 + 'a' }}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{{ x.y }}", "{{ 1 / 0 }}"]
)
def test_whatever_a_template_raises_is_one_line(raised: str) -> None:
    with pytest.raises(UserError, match=r"^the tokenizer's chat template refuses a plain conversation: [^\n]+$"):
        Prompter(stand_in(raised), "auto", 1000)


def test_calls_and_results_have_ids_of_nine_characters() -> None:
    call = {"function": {"name": "f", "arguments": {}}}
    shown = with_ids(
        [
            {"role": "assistant", "tool_calls": [call | {"id": "functions.f:0"}, call | {"id": "b"}, call]},
            {"role": "tool", "content": "2", "tool_call_id": "b"},
            {"role": "tool", "content": "1", "tool_call_id": "functions.f:0"},
            {"role": "tool", "content": "3"},
        ]
    )
    assert [each["id"] for each in shown[0]["tool_calls"]] == ["call00001", "call00002", "call00003"]
    assert [each["tool_call_id"] for each in shown[1:]] == ["call00002", "call00001", "call00003"]


def test_a_named_dialect_does_not_hide_that_results_are_lost() -> None:
    template = CHAT.replace("{% for m in messages %}", "{% for m in messages if m.role != 'tool' %}")
    with pytest.raises(UserError, match="the chat template leaves out a tool result"):
        Prompter(stand_in(template), "pythonic", 1000)


def test_prompts_do_not_change_over_night() -> None:
    by = Prompter(stand_in("{{ strftime_now('%Y-%m-%d') }}" + CHAT), "auto", 1000)
    assert by._chat.render([{"role": "user", "content": "?"}], []).startswith("2024-07-26")
