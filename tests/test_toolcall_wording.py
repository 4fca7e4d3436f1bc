"""The rules for text answers."""

import pytest

from itool.toolcall.checker import check
from itool.toolcall.types import Answer, ErrorKind, Kind, Reference, Tool
from itool.toolcall.wording import text_could_be_right


def right(text: str, reference: Reference) -> bool:
    verdict = check(Answer(text=text), reference, (), strict=False)
    assert verdict.right == (verdict.outcome == 1.0)
    assert verdict.right == (verdict.error is None)
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
        ("Please tell me the start date.", True),
        ("I need the start date.", True),
        ("I would need to know the start date", True),
        ("Sure. Please provide:\n- the start date", True),
        ("Please give me the start date. Thank you!", True),
        ("What is the start date (e.g. 5 May)?", True),
        ("<think>Which one?</think>Which start date?", True),
        ("What is the start date? Is it soon?", True),
        ("The start date is booked. Anything else?", False),
        ("The start date is booked, anything else?", False),
        ("Which start date? I took Monday.", False),
        ("The start date is Monday. Shall I book?", False),
        ("Please note that the start date is Monday.", False),
        ("Let me know if the start date changes.", False),
        ("I need to inform you that the start date is Monday.", False),
        ("I do not need the start date.", False),
        ("<think>Which start date?</think>It is done.", False),
        ("Which start date? [f(start_date=1)]", False),
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
        (("21.5",), '<tool_call>{"name": "x", "arguments": {}}</tool_call> 21.5', False),
        (("22.857142857142858", "2024-05-01T10:00:00Z"), "It is 22.86 at 10 AM on May 1.", True),
        (("22.857142857142858",), "It is 22.8.", False),
        (("22.857142857142858",), "It is 23.", False),
        (("21.5",), "It is 22.", False),
        (("0.001",), "It is 0.0.", False),
        (("2024-05-01",), "On the 1st of May, 2024.", True),
        (("2024-05-01",), "On May 1, 2023.", False),
        (("2024-05-01",), "On May 11.", False),
        (("2024-05-01T22:30:00",), "At 10:30 PM on 1 May", True),
        (("2024-05-01T22:30:00",), "At 10:30 AM on 1 May", False),
        (("2024-05-01T22:30:00",), "On 1 May", False),
        (("2024-13-01",), "It is 2024-13-01.", True),
        (("1",), "Two things:\n1. It is cold.\n2. It blows.", False),
        (("12",), " ".join(map(str, range(30))), False),
        (("sunny",), "sunny cloudy rainy " * 20, False),
        (("sunny",), "It is sunny on 1 May at 10:30 in room 7.", True),
        (("sunny",), "It is sunny; 1, 2, 3, 4, 5, 6.", False),
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
        ("I cannot do that. Anything else?", True),
        ("I'm sorry, I can't book flights, I can only tell the weather. Would you like that?", True),
        ("None of the tools can do that.", True),
        ("I can not do that with these tools.", True),
        ("That is not something I can do.", True),
        ("It is not possible to do that here.", True),
        ("I don't have access to your mail.", True),
        ("I do not have a tool for that.", True),
        ("There isn't a function for that.", True),
        ("I lack a suitable tool.", True),
        ("That is beyond my capabilities.", True),
        ("I could not find a tool that books flights.", True),
        ("Unfortunately this cannot be done with the available tools.", True),
        ("I cannot do that without a tool for it.", True),
        ("<think>Hm, f(a=1)?</think>\n\nI cannot do that.", True),
        ("[Note] I cannot do that: no tool fits.", True),
        ("[1] No available tool can do that.", True),
        ("I cannot stress enough how happy I am to book that flight", False),
        ("I can't thank you enough: it is booked.", False),
        ("I could not be happier to help.", False),
        ("I can't see why not.", False),
        ("You can't go wrong with this flight.", False),
        ("I cannot book it until you tell me the date.", False),
        ("I can't do that without your date. Which date?", False),
        ("I cannot only book flights but also hotels.", False),
        ("I cannot find a cheaper one, but your flight is booked.", False),
        ("No tool is perfect, but I have booked it successfully.", False),
        ("No tool was needed.", False),
        ("No problem!", False),
        ("I do not have a problem with that.", False),
        ("<think>I cannot do that.</think> Your flight is booked.", False),
        ("<think>I cannot do that.", False),
        ("The tool says no. It is noted", False),
        ("Noted, the tools ran.", False),
        ("", False),
    ],
)
def test_refusal(text: str, fine: bool) -> None:
    assert right(text, Reference(Kind.REFUSAL)) == fine


def test_text_of_no_content_earns_nothing() -> None:
    assert check(Answer(text="  "), Reference(Kind.REPORT, values=("1",)), (), False).outcome == 0.0


ONE = Tool("book", "", {"type": "object", "properties": {key: {} for key in ["date", "city", "hotel", "nights"]}})


def test_a_question_does_not_ask_for_everything() -> None:
    reference = Reference(Kind.QUESTION, parameters=(("book", "date"),))
    texts = {
        "Which date?": True,
        "Which date for the city and the hotel?": True,
        "What is the date, the city, the hotel and the number of nights?": False,
    }
    for text, fine in texts.items():
        assert check(Answer(text=text), reference, [ONE], False).right == fine


@pytest.mark.parametrize(
    "call",
    [
        '[book(city="Oslo", nights=1)]',
        '[other(city="Oslo")]',
        "book(nights=1)",
        "book()",
        "book('x')",
        '```json\n{"name": "book", "arguments": {"nights": 1}}\n```',
        '{"name": "other", "parameters": {}}',
        "{'name': 'book'}",
        '<tool_call>\n{"name": "book"}',
        "<function=book><parameter=nights>1</parameter></function>",
        "[TOOL_CALLS] x",
        "<|python_tag|>x",
        "```tool_code\nbook(nights=1)\n```",
    ],
)
def test_no_text_that_holds_a_call_is_right(call: str) -> None:
    references = [
        Reference(Kind.REFUSAL),
        Reference(Kind.QUESTION, parameters=(("book", "date"),)),
        Reference(Kind.REPORT, values=("5",)),
    ]
    text = "None of the tools can do that. It is 5. Which date?"
    for reference in references:
        assert check(Answer(text=text), reference, [ONE], False).right
        for held in (
            f"No tool does exactly that, so: {call}",
            f"{text} {call}",
            f"{call} {text}",
            f"<think>a</think>{call}{text}",
        ):
            verdict = check(Answer(text=held), reference, [ONE], False)
            assert (verdict.error, verdict.outcome) == (ErrorKind.SHOULD_NOT_CALL, 0.0)
        assert check(Answer(text=f"<think>{call}</think>{text}"), reference, [ONE], False).right
        assert not text_could_be_right(f"{text} {call} and", reference, [ONE])


@pytest.mark.parametrize("text", ["I cannot book (yet).", "The book [1](https://x.y) cannot.", "I can't book. (a=1)"])
def test_no_call(text: str) -> None:
    assert check(Answer(text=text), Reference(Kind.REFUSAL), [ONE], False).right
