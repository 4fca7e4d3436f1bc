"""Small conversations after public layouts and bug reports: what each must give (tests/data/conversations)."""

from pathlib import Path

import pytest

from itool.errors import UserError
from itool.formats import read_conversations
from itool.formats.notes import Notes
from itool.toolcall.types import Kind, Task

CASES = Path(__file__).parent / "data/conversations"
CALL = (Kind.CALLS, "get_weather", {"city": ["Paris"]})


def read(name: str) -> tuple[list[Task], Notes]:
    notes = Notes()
    return [task for tasks in read_conversations(CASES / f"{name}.jsonl", "auto", notes) for task in tasks], notes


def said(task: Task) -> tuple[object, ...]:
    """What a task asks for, in short."""
    reference = task.reference
    if reference.kind is Kind.CALLS:
        return (reference.kind, *(part for call in reference.calls for part in (call.name, call.arguments)))
    return (reference.kind, reference.values or reference.parameters)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("anthropic", [CALL, (Kind.REPORT, ("15 degrees",))]),
        (
            "apigen_mt",
            [
                (Kind.QUESTION, (("get_user_details", "user_id"),)),
                (Kind.CALLS, "get_user_details", {"user_id": ["u1"]}),
                (Kind.REPORT, ("A B",)),
            ],
        ),
        ("builtin_tool", [(Kind.REFUSAL, ())]),
        ("dup_tool", [(Kind.REFUSAL, ())]),
        ("gemini", [CALL]),
        ("hf_null_filled", [CALL]),
        ("mcp_result_content", [CALL, (Kind.REPORT, ("15", "clear"))]),
        ("ms_swift", [CALL, (Kind.REPORT, ("15",))]),
        ("openai_legacy", [CALL, (Kind.REPORT, ("12",))]),
        ("openai_legacy_content", [CALL]),
        ("openai_weight", [CALL]),
        (
            "parallel_after_tool",
            [CALL, (Kind.CALLS, "get_weather", {"city": ["A"]}, "get_weather", {"city": ["B"]})],
        ),
        ("question_real", [(Kind.QUESTION, (("get_weather", "city"),))]),
        ("refusal_offering", [(Kind.REFUSAL, ())]),
        ("report_list_number", [CALL, (Kind.UNJUDGED, ())]),
        ("report_rounded", [CALL, (Kind.REPORT, ("22.857142857142858", "2024-05-01T10:00:00Z"))]),
        ("responses_api", [CALL]),
        (
            "sequential_in_history",
            [CALL, (Kind.CALLS, "get_weather", {"city": ["Rome"]}), (Kind.REPORT, ("15", "21"))],
        ),
        ("system_top_level", [CALL]),
        ("tool_content_dict", [CALL, (Kind.REPORT, ("15",))]),
    ],
)
def test_cases(name: str, wanted: list[tuple[object, ...]]) -> None:
    tasks, notes = read(name)
    assert [said(task) for task in tasks] == wanted
    assert not notes.broken


def test_what_stands_in_the_prompt() -> None:
    assert [m["role"] for m in read("openai_weight")[0][0].messages] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert read("system_top_level")[0][0].messages[0]["content"] == "You are an airline agent. Never rebook."
    assert read("anthropic")[0][1].messages[2]["content"] == "I'll check."
    assert read("sequential_in_history")[0][2].messages[1]["content"] == "First Paris."
    assert read("tool_content_dict")[0][1].messages[2]["content"] == '{"temp": 15}'


def test_what_is_left_out_is_named() -> None:
    tasks, notes = read("builtin_tool")
    assert [tool.name for tool in tasks[0].tools] == ["get_weather"]
    assert notes.left_out == {"built-in tool": 2}
    assert "web_search" in notes.first("built-in tool")[0]
    assert read("dup_tool")[1].repaired == {"tool given twice": 1}
    assert read("hf_null_filled")[1].repaired == {"null argument": 1}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_tools_key", r"line 1: messages\[1\]: found no tools, expected those that the assistant could have called"),
        ("json_array_one_line", "found no assistant turn with tools after another message"),
    ],
)
def test_what_gives_no_task_is_refused(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(name)
