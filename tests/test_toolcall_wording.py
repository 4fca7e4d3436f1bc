"""The rules for text answers."""

import pytest

from itool.toolcall.checker import check
from itool.toolcall.types import Answer, ErrorKind, Kind, Reference


def right(text: str, reference: Reference) -> bool:
    verdict = check(Answer(text=text), reference, (), strict=False)
    assert verdict.right == (verdict.outcome == 1.0)
    assert verdict.error == (None if verdict.right else ErrorKind.WRONG_TEXT)
    return verdict.right


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("What is the start date?", True),
        ("Which start_date do you want? ", True),
        ("The START DATE, please?", True),
        ("What is the start date.", False),
        ("When do you start?", False),
        ("Which restart dates?", False),
        ("Your start date is noted, ok?", False),
        ("The start date is Monday. Right?", False),
        ("Is the start date Monday, yes or no?", True),
        ("", False),
    ],
)
def test_question(text: str, fine: bool) -> None:
    assert right(text, Reference(Kind.QUESTION, parameters=(("f", "start_date"),))) == fine


def test_question_names_every_missing_parameter() -> None:
    reference = Reference(Kind.QUESTION, parameters=(("f", "city"), ("f", "startDate")))
    assert right("Which city, and what start date?", reference)
    assert not right("Which city?", reference)
    outcomes = [check(Answer(text=t), reference, (), False).outcome for t in ("", "Hello", "Hello?", "Which city?")]
    assert outcomes == sorted(set(outcomes))
    assert outcomes[-1] < 1.0


@pytest.mark.parametrize(
    ("values", "text", "fine"),
    [
        (("21.5", "sunny"), "It is sunny, 21.5 degrees.", True),
        (("21.50",), "It is 21.5°C.", True),
        (("1200",), "That makes $1,200.", True),
        (("1200",), "That makes $1,200,000.", False),
        (("12",), "That makes 123.", False),
        (("12",), "It costs 3.12 dollars.", False),
        (("-4",), "It is -4 outside.", True),
        (("4",), "It is -4 outside.", False),
        (("10",), "The train leaves at 10:30 on 2024-10-10.", False),
        (("10:30", "2024-10-10"), "The train leaves at 10:30 on 2024-10-10.", True),
        (("FL123",), "Flight fl123 is booked.", True),
        (("FL12",), "Flight FL123 is booked.", False),
        (("New York",), "It is in New\nYork.", True),
        (("sunny", "3"), "It is sunny.", False),
        ((), "Done.", True),
        ((), "", False),
    ],
)
def test_report(values: tuple[str, ...], text: str, fine: bool) -> None:
    assert right(text, Reference(Kind.REPORT, values=values)) == fine


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("I cannot do that.", True),
        ("Sorry, I can\u2019t help with that.", True),
        ("I am not able to do that.", True),
        ("I'm unable to book flights.", True),
        ("There is no tool for that.", True),
        ("None of the available functions fits.", True),
        ("My tools do not cover that.", True),
        ("I won't be able to do that.", True),
        ("There is no way to do that with my tools.", True),
        ("I do not have the ability to book flights with the available tools.", True),
        ("No problem, I used the booking tool and it is done.", False),
        ("I used the booking tool, no problem.", False),
        ("I cannot wait to help: your flight is booked.", False),
        ("I can't wait for your trip: it is booked.", False),
        ("I can do that.", False),
        ("Done!", False),
        ("I cannot do that. Anything else?", False),
        ("The tool says no. It is noted", True),
        ("Noted, the tools ran.", False),
        ("", False),
    ],
)
def test_refusal(text: str, fine: bool) -> None:
    assert right(text, Reference(Kind.REFUSAL)) == fine


def test_text_of_no_content_earns_nothing() -> None:
    assert check(Answer(text="  "), Reference(Kind.REPORT, values=("1",)), (), False).outcome == 0.0
