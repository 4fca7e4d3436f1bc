"""Unfinished answers: can they still become right, what is wrong when not, and do two mean the same?"""

from functools import cache
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toolcall_judgements import assert_prefixes_consistent, spoilt
from toolcall_strategies import BYTES, END, byte_ids, shuffled, tasks, written

from itool.toolcall.checker import check, first_error
from itool.toolcall.dialects import DIALECTS
from itool.toolcall.dialects.dialect import Dialect
from itool.toolcall.scanner import cut, join_bytes
from itool.toolcall.types import Answer, Call, ErrorKind, Kind, Reference, ReferenceCall, Tool
from itool.toolcall.wording import text_could_be_right

hermes = DIALECTS["hermes"]
pythonic = DIALECTS["pythonic"]


def error_in(text, reference, tools, strict, module, ended=False):  # type: ignore[no-untyped-def]
    return first_error(text.encode() if isinstance(text, str) else text, reference, tools, strict, module, ended)


def consistent(*what, **more):  # type: ignore[no-untyped-def]
    return error_in(*what, **more) is None


BOTH = pytest.mark.parametrize("module", [hermes, pythonic], ids=["hermes", "pythonic"])

F = Tool(
    "f",
    "",
    {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "string", "default": "x"},
            "o": {"type": "object", "properties": {"x": {"type": "string"}}},
            "l": {"type": "array"},
        },
        "required": ["a"],
    },
)
G = Tool("g", "", {"type": "object", "properties": {"c": {"type": "boolean"}}})
TOOLS = [F, G]
SMALL = Reference(
    Kind.CALLS,
    (
        ReferenceCall("f", {"a": [5, 52]}),
        ReferenceCall("f", {"a": [7], "b": ["y", "x"]}),
        ReferenceCall("g", {"c": [True]}),
    ),
)


def accepted(call: ReferenceCall) -> list[Call]:
    """Every way to write an expected call of SMALL."""
    if call.name == "g":
        return [Call("g", {"c": True})]
    found = []
    for a in call.arguments["a"]:
        found.append(Call("f", {"a": a}))
        for b in call.arguments.get("b", ["x"]):
            found += [Call("f", {"a": a, "b": b}), Call("f", {"b": b, "a": a})]
    return found


RIGHT = [Answer(calls) for order in permutations(SMALL.calls) for calls in product(*map(accepted, order))]
PIECES = [
    Call(name, arguments)
    for name, arguments in [
        *[("f", {"a": a}) for a in (5, 52, 7, 8)],
        *[("f", {"a": a, "b": b}) for a in (5, 7) for b in ("x", "y", "z")],
        *[("f", {"b": b, "a": a}) for a in (52, 7) for b in ("x", "y")],
        ("f", {}),
        ("g", {"c": True}),
        ("g", {"c": False}),
        ("h", {}),
    ]
]


def prefixes(text: str, module: Dialect) -> list[str]:
    """The text up to the end of every fragment."""
    ends, position = [], 0
    for fragment in cut(byte_ids(text.encode()), BYTES, module, {END}, "stop"):
        position += len(join_bytes(fragment.ids, BYTES, {END}))
        ends.append(text.encode()[:position].decode())
    return ends


@cache
def right_texts(module: Dialect) -> tuple[set[str], set[str]]:
    """Every right answer of the small world, and all their prefixes."""
    right = {module.render(answer) for answer in RIGHT}
    return right, {prefix for text in right for prefix in prefixes(text, module)[:-1]}


@BOTH
@given(calls=st.lists(st.sampled_from(PIECES), min_size=1, max_size=4))
@settings(deadline=None, max_examples=60)
def test_consistent_is_what_brute_force_finds(module: Dialect, calls: list[Call]) -> None:
    """On a small world: a prefix can become right exactly when some right answer begins with it."""
    right, starts = right_texts(module)
    text = module.render(Answer(tuple(calls)))
    for prefix in prefixes(text, module)[:-1]:
        assert consistent(prefix, SMALL, TOOLS, True, module) == (prefix in starts)
    assert consistent(text, SMALL, TOOLS, True, module, ended=True) == (text in right)


@BOTH
@given(task=tasks(), strict=st.booleans(), data=st.data())
@settings(deadline=None, max_examples=100)
def test_every_prefix_of_a_right_answer_is_consistent(
    module: Dialect, task: tuple[list[Tool], Reference], strict: bool, data: st.DataObject
) -> None:
    """Also in forms that `render` does not write."""
    tools, reference = task
    answer = shuffled(data.draw, reference.answer())
    text = data.draw(st.just(module.render(answer)) | written(module, answer)).encode()
    assert_prefixes_consistent(data.draw, text, module, reference, tools, strict)


@BOTH
@given(task=tasks(distinct=True), data=st.data())
@settings(deadline=None, max_examples=40)
def test_the_spoilt_fragment_is_the_first_inconsistent_one(
    module: Dialect, task: tuple[list[Tool], Reference], data: st.DataObject
) -> None:
    tools, reference = task
    kind, error, answer = spoilt(data.draw, module, reference, tools)
    assert error == kind
    assert check(answer, reference, tools, False).error == kind


@pytest.mark.parametrize(
    ("prefix", "fragment", "kind"),
    [
        ("", "I", ErrorKind.SHOULD_CALL),
        ("[", "h(", ErrorKind.WRONG_FUNCTION),
        ("[f(", "a=8", ErrorKind.WRONG_VALUE),
        ("[f(", 'a="5"', ErrorKind.WRONG_TYPE),
        ("[f(", "a=5.5", ErrorKind.WRONG_TYPE),
        ("[f(", "a=tr", ErrorKind.WRONG_TYPE),
        ("[f(", 'b="z"', ErrorKind.WRONG_VALUE),
        ("[f(", "l=[", ErrorKind.EXTRA_PARAMETER),
        ("[f(", "zip=1", ErrorKind.UNKNOWN_PARAMETER),
        ("[f(a=52", ', b="y"', ErrorKind.EXTRA_PARAMETER),
        ("[f(", ")", ErrorKind.MISSING_PARAMETER),
        ("[g(", "), ", ErrorKind.MISSING_PARAMETER),
        ("[g(c=true", ")]", ErrorKind.WRONG_COUNT),
        ("[g(c=true), ", "g(", ErrorKind.WRONG_FUNCTION),
        ("[g(c=true), f(a=5), f(a=7", "), ", ErrorKind.WRONG_COUNT),
        ("[f(", "a=5 b", ErrorKind.UNPARSEABLE),
        ("[f(a=5", "]", ErrorKind.UNPARSEABLE),
    ],
)
def test_the_kind_of_a_wrong_fragment(prefix: str, fragment: str, kind: ErrorKind) -> None:
    assert consistent(prefix, SMALL, TOOLS, False, pythonic)
    assert not consistent(prefix + fragment, SMALL, TOOLS, False, pythonic)
    assert error_in(prefix + fragment, SMALL, TOOLS, False, pythonic) == kind


NESTED = Reference(Kind.CALLS, (ReferenceCall("f", {"a": [1], "o": [{"x": "New York"}], "l": [[10, "é", True]]}),))


@pytest.mark.parametrize(
    ("value", "fine"),
    [
        ("l=[", True),
        ("l=[1", True),
        ("l=[10, ", True),
        ('l=[10, "', True),
        (b'l=[10, "\xc3', True),
        ('l=[10, "\\u00', True),
        ('l=[10, "e', False),
        ('l=[10, "\u00e9", tr', True),
        ("l=[2", False),
        ("l=[10.0", True),
        ("l=[10.5", False),
        ("l={", False),
        ("l=[10, tr", False),
        ("l=[10]", False),
        ('l=[10, "é", true, ', True),  # a comma may end a list
        ('l=[10, "é", true, f', False),
        ("o={", True),
        ('o={"', True),
        ('o={"y', False),
        ('o={"x": "new', True),
        ('o={"x": "newt', False),
        ('o={"x": "New York", ', True),
        ('o={"x": "New York", "', False),
        ("l=(", True),
        ("l=(10, ", True),
        ("l=(10", True),
        ("l=(11", False),
        ("a=(", True),
        ("a=(1", True),
        ("a=(1, ", False),
        ("a=(2", False),
        ("a=+", True),
        ("a=00", False),
        ("a=1_0", False),
        ('o={"x": 1', False),
        ("o=[", False),
        ("a=", True),
        ("a=1", True),
        ("a=1.", True),
        ("a=2.", False),
        ("a=1e", True),
        ("a=10", False),
        ("a=-", False),
    ],
)
def test_a_value_broken_off_by_a_token_that_spans_a_boundary(value: str | bytes, fine: bool) -> None:
    prefix = b"[f(" + (value if isinstance(value, bytes) else value.encode())
    assert consistent(prefix, NESTED, TOOLS, False, pythonic) == fine


@pytest.mark.parametrize(
    ("written", "fine"),
    [
        (r"0\ud83d", True),
        ("0\\ud83d\\", True),
        (r"0\ud83d\ude", True),
        (r"0\ud83d\ude00", True),
        (r"0\ud83d\ude01", False),
        (r"0\ud83dx", False),
        (r"0\ud83d\n", False),
        (r"0\\ud83d", False),  # a backslash, and letters
    ],
)
def test_half_a_surrogate_pair_is_judged_when_its_other_half_is_there(written: str, fine: bool) -> None:
    tool = Tool("f", "", {"type": "object", "properties": {"s": {"type": "string"}}, "required": ["s"]})
    reference = Reference(Kind.CALLS, (ReferenceCall("f", {"s": ["0\U0001f600"]}),))
    assert consistent(f'[f(s="{written}'.encode(), reference, [tool], True, pythonic) == fine


@pytest.mark.parametrize(
    ("prefix", "fine"), [("", True), ("<to", True), ("<tool_call>", True), ("<table", False), ("N", False)]
)
def test_undecided_between_calling_and_talking(prefix: str, fine: bool) -> None:
    assert consistent(prefix, SMALL, TOOLS, False, hermes) == fine


def test_text_answers() -> None:
    question = Reference(Kind.QUESTION, parameters=(("f", "start_date"),), text="Which start date?")
    refusal = Reference(Kind.REFUSAL, text="No tool can do that.")
    assert consistent("I", question, TOOLS, False, pythonic)
    assert not consistent("[", question, TOOLS, False, pythonic)
    assert error_in("[", question, TOOLS, False, pythonic) == ErrorKind.SHOULD_NOT_CALL
    assert consistent("Which start date?", question, TOOLS, False, pythonic, ended=True)
    assert not consistent("Which city?", question, TOOLS, False, pythonic, ended=True)
    assert error_in("Which city?", question, TOOLS, False, pythonic, ended=True) == ErrorKind.WRONG_TEXT
    assert consistent("What? No tool", refusal, TOOLS, False, pythonic)
    call = "No tool does that, so I use f(a=1)"
    assert not consistent(call, refusal, TOOLS, False, pythonic)
    assert error_in(call, refusal, TOOLS, False, pythonic) == ErrorKind.SHOULD_NOT_CALL
    report = Reference(Kind.REPORT, values=("5",), text="It is 5.")
    assert consistent("1 2 3 4", report, TOOLS, False, pythonic)  # the last may become 45 or 5
    assert not consistent("1 2 3 4 6", report, TOOLS, False, pythonic)
    assert error_in("1 2 3 4 6", report, TOOLS, False, pythonic) == ErrorKind.WRONG_TEXT
    assert not consistent("", refusal, TOOLS, False, pythonic, ended=True)


WORDS = st.sampled_from(
    "I cannot do that . ? ! No tool fits Please tell me the date Which date is sunny 5 5.0 21 2024-05-01 May 1 1. \n "
    '<think> </think> [f(a=1)] f( ) = [ g (c: "name": "f" "arguments" {} <tool_call> successfully until'.split(" ")
)
TEXT_REFERENCES = [
    Reference(Kind.REFUSAL),
    Reference(Kind.QUESTION, parameters=(("f", "date"),)),
    Reference(Kind.REPORT, values=("5",), text="It is 5."),
    Reference(Kind.REPORT, values=("sunny", "2024-05-01")),
]


@pytest.mark.parametrize("reference", TEXT_REFERENCES, ids=lambda reference: f"{reference.kind}-{reference.values}")
@given(
    words=st.lists(WORDS, max_size=60),
    opening=st.sampled_from(["", "I cannot do that. ", "It is 5 sunny 2024-05-01. ", "<think>f(a=1)</think> "]),
    closing=st.sampled_from(["", " Which date?", " 5 sunny May 1"]),
    space=st.sampled_from(["", " "]),
)
@settings(deadline=None, max_examples=200)
def test_no_beginning_of_a_right_text_is_lost(
    reference: Reference, words: list[str], opening: str, closing: str, space: str
) -> None:
    text = opening + space.join(words) + closing
    lost = [not text_could_be_right(text[:end], reference, TOOLS) for end in range(len(text) + 1)]
    assert lost == sorted(lost)  # what is lost stays so
    if check(Answer(text=text), reference, TOOLS, False).right:
        assert not any(lost)
