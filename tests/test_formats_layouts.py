"""What holds for every layout: metadata is ignored, nothing of a conversation is lost, and time is linear in length."""

import copy

import pytest
import test_formats_apis
import test_formats_benchmarks
from formats_mutations import is_read_or_refused, places
from test_formats_glaive import RECORD as GLAIVE
from test_formats_hermes import RECORD as HERMES
from test_formats_sharegpt import FACTORY, SWIFT
from test_formats_toolace import RECORD as TOOLACE

from itool.errors import UserError
from itool.formats import LAYOUTS, glaive, hermes, layout_of, sharegpt, toolace

RECORDS = [
    *test_formats_apis.RECORDS.items(),
    *test_formats_benchmarks.RECORDS,
    *((glaive, GLAIVE), (hermes, HERMES), (toolace, TOOLACE), (sharegpt, FACTORY), (sharegpt, SWIFT)),
]
METADATA = {
    "id": "live_simple_1",
    "source": ["a", {"b": 1}],
    "category": {"sea": 0.5},
    "split": "train",
    "dataset": {"name": "x", "features": [1, [2]]},
    "timestamp": 1700000000.5,
    "lang": ["en", "fr"],
    "score": {"helpful": [0.1, 0.9]},
    "chat": "harbour-2",
    "text": "USER: as one text",
    "prompt": [{"role": "user", "content": "x"}],
    "label": "good",
    "documents": [],
    "images": None,
}
# The fields that hold long texts.
TEXTS = ("value", "content", "text", "system", "chat", "query", "answers", "question", "tools", "arguments", "type")
UNCLOSED = ("<tool_call>", "<tool_response>", "<TOOLCALL>", "[", "{", "USER: ", "\n")
names = {module: name for name, module in LAYOUTS.items()}
each_record = pytest.mark.parametrize(("layout", "record"), RECORDS)


def messages_in(record):
    """The objects of a record that have a role."""
    found = [container[key] for container, key in places(record)]
    return [each for each in found if isinstance(each, dict) and ("role" in each or "from" in each)]


@each_record
def test_metadata_changes_nothing(layout, record):
    marked = METADATA | copy.deepcopy(record)
    for message in messages_in(marked):
        message.update({"timestamp": [1], "score": {"a": 1}, "reasoning": "so", "id": "m1"})
    assert layout_of(marked, "auto", "x") == names[layout]
    assert layout.openai_form(marked, "x") == layout.openai_form(record, "x")


@each_record
@pytest.mark.parametrize("field", ["images", "audio", "rejected", "functions"])
def test_a_field_of_the_conversation_that_is_not_read_is_named(layout, record, field):
    with pytest.raises(UserError, match=f"^x: {field}: unknown, expected one of"):
        layout.openai_form(record | {field: ["a"]}, "x")


@each_record
@pytest.mark.parametrize("field", ["image", "audio"])
def test_a_field_of_a_message_that_is_not_read_is_named(layout, record, field):
    spoilt = copy.deepcopy(record)
    for message in messages_in(spoilt)[:1]:
        message[field] = {"url": "a"}
        with pytest.raises(UserError, match=rf"^x: .*\.{field}: unknown, expected one of"):
            layout.openai_form(spoilt, "x")


@each_record
def test_an_example_of_a_bad_answer_is_refused(layout, record):
    with pytest.raises(UserError, match=r"^x: label: found false, expected an answer to learn"):
        layout.openai_form(record | {"label": False}, "x")


@each_record
@pytest.mark.parametrize("opening", UNCLOSED)
def test_many_openings_without_an_end_are_read_or_refused_in_linear_time(layout, record, opening):
    texts = [i for i, (holder, key) in enumerate(places(record)) if key in TEXTS and isinstance(holder[key], str)]
    for i in texts:
        long = copy.deepcopy(record)
        holder, key = places(long)[i]
        holder[key] += opening * 100_000
        assert is_read_or_refused(layout, long)
