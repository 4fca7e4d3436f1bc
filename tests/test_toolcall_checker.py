"""The checker on whole answers: what is right, which error kind, which path, how much partial credit."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toolcall_strategies import WRONG_TYPE, shuffled, tasks, wrong_value

from itool.toolcall.checker import Verdict, check
from itool.toolcall.dialects import DIALECTS
from itool.toolcall.types import Answer, Call, ErrorKind, Kind, Reference, ReferenceCall, Tool, Unparseable

pythonic = DIALECTS["pythonic"]

WEATHER = Tool(
    "get_weather",
    "",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "default": 1},
            "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
            "limits": {"type": "array", "items": {"type": "number"}},
        },
        "required": ["city"],
    },
)
MAIL = Tool("send_mail", "", {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]})
TOOLS = (WEATHER, MAIL)


def expecting(*calls: tuple[str, dict[str, list[Any]]]) -> Reference:
    return Reference(Kind.CALLS, tuple(ReferenceCall(name, arguments) for name, arguments in calls))


def judge(text: str, reference: Reference, strict: bool = False) -> Verdict:
    return check(pythonic.parse(text), reference, TOOLS, strict)


ONE = expecting(("get_weather", {"city": ["New York", "NYC"], "days": [3]}))
TWO = expecting(
    ("get_weather", {"city": ["Paris"]}), ("get_weather", {"city": ["Rome"]}), ("send_mail", {"to": ["a@b.c"]})
)


@pytest.mark.parametrize(
    "text",
    [
        '[get_weather(city="New York", days=3)]',
        '[get_weather(days=3.0, city="NYC")]',
        '[get_weather(city="new-york", days=3)]',
        '[get_weather(city="NYC", days=3, unit="C")]',
    ],
)
def test_right(text: str) -> None:
    assert judge(text, ONE) == Verdict(True, None, "", (), 1.0)


def test_strict_strings() -> None:
    assert not judge('[get_weather(city="new-york", days=3)]', ONE, strict=True).right
    assert judge('[get_weather(city="NYC", days=3.0)]', ONE, strict=True).right


def test_default_that_is_accepted_may_be_absent() -> None:
    reference = expecting(("get_weather", {"city": ["Rome"], "days": [1, 2]}))
    assert judge('[get_weather(city="Rome")]', reference).right
    assert judge('[get_weather(city="Rome", days=2)]', reference).right
    assert judge('[get_weather(city="Rome")]', ONE).errors[-1] == (
        ErrorKind.MISSING_PARAMETER,
        "calls[0].arguments.days",
    )


@pytest.mark.parametrize(
    ("text", "kind", "path"),
    [
        ('[get_weather(city="NYC")]', ErrorKind.MISSING_PARAMETER, "calls[0].arguments.days"),
        ('[get_weather(city="NYC", days=3, zip=1)]', ErrorKind.UNKNOWN_PARAMETER, "calls[0].arguments.zip"),
        ('[get_weather(city="NYC", unit="F", days=3)]', ErrorKind.EXTRA_PARAMETER, "calls[0].arguments.unit"),
        ('[get_weather(city="NYC", days=4)]', ErrorKind.WRONG_VALUE, "calls[0].arguments.days"),
        ('[get_weather(city="NYC", days="3")]', ErrorKind.WRONG_TYPE, "calls[0].arguments.days"),
        ('[get_weather(city="NYC", days=true)]', ErrorKind.WRONG_TYPE, "calls[0].arguments.days"),
        ('[get_weather(city="NYC", days=3.5)]', ErrorKind.WRONG_TYPE, "calls[0].arguments.days"),
        ('[get_weather(city=["NYC"], days=3)]', ErrorKind.WRONG_TYPE, "calls[0].arguments.city"),
        ('[send_mail(to="NYC")]', ErrorKind.WRONG_FUNCTION, "calls[0].name"),
        ('[forecast(city="NYC", days=3)]', ErrorKind.WRONG_FUNCTION, "calls[0].name"),
        ('[get_weather(city="NYC", days=3), send_mail(to="x")]', ErrorKind.WRONG_COUNT, "calls[0].next"),
        ("New York is sunny.", ErrorKind.SHOULD_CALL, "choice"),
    ],
)
def test_one_error(text: str, kind: ErrorKind, path: str) -> None:
    verdict = judge(text, ONE)
    assert (verdict.right, verdict.error, verdict.path) == (False, kind, path)
    assert verdict.errors == ((kind, path),)
    assert verdict.outcome <= 0.9


def test_parallel_calls_are_matched_to_the_calls_they_fit_best() -> None:
    verdict = judge('[get_weather(city="Oslo"), send_mail(to="a@b.c"), get_weather(city="Paris")]', TWO)
    assert verdict.errors == ((ErrorKind.WRONG_VALUE, "calls[0].arguments.city"),)
    verdict = judge('[send_mail(to="a@b.c"), get_weather(city="Rome")]', TWO)
    assert verdict.errors == ((ErrorKind.WRONG_COUNT, "calls[1].next"),)
    verdict = judge('[get_weather(city="Rome"), get_weather(city="Rome"), send_mail(to="a@b.c")]', TWO)
    assert verdict.errors == ((ErrorKind.WRONG_VALUE, "calls[1].arguments.city"),)


def test_first_error_and_all_errors_in_the_order_of_the_answer() -> None:
    verdict = judge('[send_mail(cc="x"), get_weather(city=5)]', TWO)
    assert verdict.errors == (
        (ErrorKind.UNKNOWN_PARAMETER, "calls[0].arguments.cc"),
        (ErrorKind.MISSING_PARAMETER, "calls[0].arguments.to"),
        (ErrorKind.WRONG_TYPE, "calls[1].arguments.city"),
        (ErrorKind.WRONG_COUNT, "calls[1].next"),
    )
    assert (verdict.error, verdict.path) == verdict.errors[0]


def test_partly_right_answers_score_between_nothing_and_right() -> None:
    """Authors' defect: word overlap gave a correct part of a call less than nothing."""
    steps = [
        "It is sunny.",
        '[send_mail(to="a@b.c")]',
        "[get_weather()]",
        '[get_weather(city="NYC")]',
        '[get_weather(city="NYC", days=3)]',
    ]
    outcomes = [judge(step, ONE).outcome for step in steps]
    assert outcomes == sorted(set(outcomes))
    assert outcomes[0] == 0.0
    assert outcomes[-1] == 1.0
    assert outcomes[2] == pytest.approx(2 / 4)  # choice and name of choice, name, city, days


def test_spurious_arguments_and_calls_cost() -> None:
    right = '[get_weather(city="NYC", days=3'
    assert judge(right + ", zip=1)]", ONE).outcome == pytest.approx(3 / 4)
    assert judge(right + '), send_mail(to="x")]', ONE).outcome == pytest.approx(3 / 4)
    assert judge("[get_weather(a=1, b=2, c=3, d=4, e=5)]", ONE).outcome == 0.0


def test_wrong_answers_stay_below_right_ones() -> None:
    many = expecting(*[("send_mail", {"to": [f"{i}@b.c"]}) for i in range(20)])
    nearly = Answer((*many.answer().calls[:-1], Call("send_mail", {"to": "x"})))
    assert check(nearly, many, TOOLS, False).outcome == 0.9


def test_unparseable_and_wrong_choice() -> None:
    refusal = Reference(Kind.REFUSAL, text="No tool can do that.")
    broken = Unparseable(7, "x", "calls[0].arguments.city")
    for reference in (ONE, refusal):  # unparseable output is never a correct refusal
        verdict = check(broken, reference, TOOLS, False)
        assert (verdict.error, verdict.path, verdict.outcome) == (
            ErrorKind.UNPARSEABLE,
            "calls[0].arguments.city",
            0.0,
        )
    verdict = judge('[send_mail(to="x")]', refusal)
    assert (verdict.error, verdict.path, verdict.outcome) == (ErrorKind.SHOULD_NOT_CALL, "choice", 0.0)


@given(task=tasks(), strict=st.booleans(), data=st.data())
@settings(deadline=None, max_examples=40)
def test_the_preferred_answer_is_right_in_any_order(
    task: tuple[list[Tool], Reference], strict: bool, data: st.DataObject
) -> None:
    tools, reference = task
    answer = shuffled(data.draw, reference.answer())
    assert check(answer, reference, tools, strict) == Verdict(True, None, "", (), 1.0)


@given(task=tasks(most_calls=4), other=tasks(most_calls=4), data=st.data())
@settings(deadline=None, max_examples=40)
def test_order_never_matters(
    task: tuple[list[Tool], Reference], other: tuple[list[Tool], Reference], data: st.DataObject
) -> None:
    """Also for wrong answers, here made of calls of this task and of another."""
    calls = [*task[1].answer().calls, *other[1].answer().calls]
    answer = Answer(tuple(data.draw(st.lists(st.sampled_from(calls), min_size=1, max_size=5))))
    again = shuffled(data.draw, answer)
    first, second = (check(given, task[1], task[0], False) for given in (answer, again))
    assert (first.right, len(first.errors) == 0) == (second.right, len(second.errors) == 0)
    assert first.outcome == pytest.approx(second.outcome)
    assert 0.0 <= first.outcome <= 1.0
    assert first.right == (first.outcome == 1.0) == (not first.errors)


def mutations(tool: Tool, call: Call) -> list[tuple[ErrorKind, str, Call]]:
    """(error kind, argument, call) of every way to spoil one argument of a call."""
    properties, required = tool.parameters["properties"], tool.parameters["required"]
    spoilt = [(ErrorKind.UNKNOWN_PARAMETER, "~", Call(call.name, call.arguments | {"~": 1}))]
    for name, schema in properties.items():
        if name not in call.arguments:
            extra = {"string": "zq", "boolean": not schema.get("default", False)}.get(schema["type"], 77)
            spoilt.append((ErrorKind.EXTRA_PARAMETER, name, Call(call.name, call.arguments | {name: extra})))
            continue
        value = call.arguments[name]
        wrong = Call(call.name, call.arguments | {name: wrong_value(value)})
        spoilt.append((ErrorKind.WRONG_VALUE, name, wrong))
        mistyped = Call(call.name, call.arguments | {name: WRONG_TYPE[schema["type"]]})
        spoilt.append((ErrorKind.WRONG_TYPE, name, mistyped))
        if name in required or "default" not in schema:
            less = {key: value for key, value in call.arguments.items() if key != name}
            spoilt.append((ErrorKind.MISSING_PARAMETER, name, Call(call.name, less)))
    return spoilt


@given(task=tasks(distinct=True), data=st.data())
@settings(deadline=None, max_examples=40)
def test_one_spoilt_argument_gives_its_kind_and_path(task: tuple[list[Tool], Reference], data: st.DataObject) -> None:
    tools, reference = task
    calls = list(shuffled(data.draw, reference.answer()).calls)
    index = data.draw(st.integers(0, len(calls) - 1))
    tool = next(tool for tool in tools if tool.name == calls[index].name)
    kind, name, calls[index] = data.draw(st.sampled_from(mutations(tool, calls[index])))
    verdict = check(Answer(tuple(calls)), reference, tools, False)
    assert verdict.errors == ((kind, f"calls[{index}].arguments.{name}"),)
    assert 0.0 < verdict.outcome <= 0.9
