"""Values of arguments, how they are said and found again, and duplicates among texts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.synthesis.dedup import duplicates, near_groups
from stages.synthesis.values import Parameter, contains, draw, identities, known, mentions, said, words

ENTITIES = {
    "city": {"train": ["Oslo", "New York"], "test": ["Rome", "Porto"]},
    "person": {"train": ["Ann Lee"], "test": ["Bob Ray"]},
}
PLAIN = {"train": ["in {}"], "test": ["at {}"]}


def parameter(kind, schema=None, phrases=PLAIN, fields=()):
    return Parameter("p", schema or {"type": "string"}, True, kind, {} if fields else phrases, "p", fields)


@pytest.mark.parametrize(
    ("kind", "good"),
    [
        ("city", True),
        ("int:2-6", True),
        ("int:6-2", False),
        ("int:x", False),
        ("int:-10--5", True),
        ("int:-5--10", False),
        ("int:1.5-3", False),
        ("number:-1.5-0.5", True),
        ("list:city:1-3", True),
        ("list:planet:1-3", False),
        ("id:FL:flights", True),
        ("id:flights", False),
        ("objects:1-2", True),
        ("pattern", True),
        ("uuid", True),
        ("list:token:1-2", True),
        ("planet", False),
        ("date:1-6", True),
        ("date:6-1", False),
        ("date:7-13", False),
        ("time:14-22", True),
        ("time:14", False),
    ],
)
def test_known_kinds(kind, good):
    assert known(kind, ENTITIES) is good


@given(st.integers())
def test_drawn_values_are_found_in_the_words_that_say_them(seed):
    rng = random.Random(seed)
    number = parameter("number:1-9", {"type": "number"})
    flag = parameter(
        "bool", {"type": "boolean"}, {s: {"true": ["with it"], "false": ["without"]} for s in ("train", "test")}
    )
    several = parameter("list:city:1-2", {"type": "array", "items": {"type": "string"}})
    choice = parameter("enum", {"type": "string", "enum": ["next_day", "soon"]})
    plain = [parameter(kind) for kind in ("city", "int:1-99", "date", "time", "email", "phone", "id:AB:table")]
    for p in [number, several, choice, *plain]:
        for side in ("train", "test"):
            value = draw(p, ENTITIES, side, rng)
            text = f"Please go in {words(value)}, now"
            assert said(p, value, text)
            assert not said(p, value, "Please go now")
            if p is not several:
                assert mentions(p, text, ENTITIES)
                assert not mentions(p, f"Please go near {words(value)}", ENTITIES)
    assert said(flag, True, "do it with it")
    assert not said(flag, False, "do it with it")


@pytest.mark.parametrize(
    ("low", "high"), [(-10, -5), (-1.5, 0.5), (0.01, 0.02), (1e-05, 2e-05), (0.7, 0.7), (0, 1.7e308)]
)
def test_drawn_numbers_stay_inside_their_range_and_have_few_decimals(low, high):
    drawn = [draw(parameter(f"number:{low}-{high}"), ENTITIES, "train", random.Random(i)) for i in range(50)]
    assert all(low <= value <= high for value in drawn)
    assert all(len(str(value)) < 6 for value in drawn if abs(value) < 100)


def test_negative_numbers_are_mentioned():
    for kind in ("int:-9--1", "number:-9--1"):
        value = draw(parameter(kind), ENTITIES, "train", random.Random(0))
        assert mentions(parameter(kind), f"go in {value}", ENTITIES)


def test_options_of_a_list_are_mentioned():
    colors = {"type": "array", "items": {"type": "string", "enum": ["dark_red", "blue"]}}
    for kind, schema in (("list:enum:1-2", colors), ("list:list:enum:1-2:1-2", {"type": "array", "items": colors})):
        assert mentions(parameter(kind, schema), "go in dark red and blue", ENTITIES)
        assert not mentions(parameter(kind, schema), "go in green", ENTITIES)


def test_dates_and_times_stay_within_their_months_and_hours():
    rng = random.Random(0)
    dates = [draw(parameter("date:7-12"), ENTITIES, "test", rng) for _ in range(200)]
    times = [draw(parameter("time:14-15"), ENTITIES, "test", rng) for _ in range(200)]
    assert {date[5:7] for date in dates} == {"07", "08", "09", "10", "11", "12"}
    assert {time[:2] for time in times} == {"14", "15"}
    assert identities(parameter("date:7-12"), dates[0], ENTITIES) == [dates[0]]


def test_sides_do_not_share_entities_years_or_addresses():
    rng = random.Random(0)
    drawn = {
        side: {
            draw(parameter(kind), ENTITIES, side, rng)
            for kind in ("city", "person", "date", "date:1-6", "email")
            for _ in range(50)
        }
        for side in ("train", "test")
    }
    assert not drawn["train"] & drawn["test"]


def test_objects_are_drawn_field_by_field():
    name = parameter("person")
    contact = parameter("object", {"type": "object", "properties": {"p": {"type": "string"}}}, fields=(name,))
    assert draw(contact, ENTITIES, "train", random.Random(0)) == {"p": "Ann Lee"}
    many = parameter("objects:2-2", {"type": "array", "items": {"type": "object"}}, fields=(name,))
    assert draw(many, ENTITIES, "test", random.Random(0)) == [{"p": "Bob Ray"}] * 2
    assert said(many, [{"p": "Bob Ray"}], "for Bob Ray")
    assert identities(many, [{"p": "Bob Ray"}], ENTITIES) == ["Bob Ray"]
    assert identities(parameter("int:1-2"), 1, ENTITIES) == []


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("for 3 people", "3", True),
        ("for 13 people", "3", False),
        ("for 3.5", "3", False),
        ("it costs 3.", "3", True),
        ("on 2025-01-03", "3", False),
        ("in Oslo, please", "Oslo", True),
        ("in Oslofjord", "Oslo", False),
        ("13 and 3", "3", True),
    ],
)
def test_contains_whole_words_only(text, phrase, found):
    assert contains(text, phrase) is found


def test_words():
    assert words(["Ann", "Bob", "Cid"]) == "Ann, Bob and Cid"
    assert words("next_day") == "next day"
    assert words("app_main.py") == "app_main.py"
    assert words(2.5) == "2.5"


def test_exact_duplicates_whatever_case_and_punctuation():
    assert duplicates(["Find flights to Oslo.", "find  flights to oslo", "find flights to Rome"]) == ["", "exact", ""]


def test_near_duplicates_are_found_and_the_first_stays():
    long = "please find all the cheap flights from Oslo to New York leaving on 2025-01-01 at noon for two persons"
    assert duplicates([long, long.replace("2025-01-01", "2025-03-09")]) == ["", "near"]
    assert duplicates([long, "track my order OR123 now", long + " thanks", "track my order OR999 now"]) == [
        "",
        "",
        "near",
        "near",
    ]
    assert duplicates([long, "please book all the cheap hotels in Oslo and then New York"]) == ["", ""]


def test_no_texts_and_short_texts():
    assert duplicates([]) == []
    assert duplicates(["hi", "hi there", "Hi!", ""]) == ["", "", "exact", ""]


def test_groups_hold_what_is_near_directly_or_by_way_of_others():
    words = "find all the cheap flights from here to there with one stop and no bags for a party of friends".split()
    chain = [" ".join(["x", *words[1:]]), " ".join([*words[:-1], "x"])]
    texts = ["Find 12 hotels", *chain, "book a table", " ".join(words), "find 134  hotels!", ""]
    assert near_groups(texts) == [0, 1, 1, 3, 1, 0, 6]
    assert near_groups(chain) == [0, 1]
    assert near_groups([]) == []
