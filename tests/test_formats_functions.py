"""A user's Python functions as tools."""

import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itool.errors import UserError
from itool.formats.functions import tool_specs
from itool.formats.notes import Notes
from itool.formats.tools import tools_of
from itool.toolcall.schema import validate

KENNEL = '''
"""Tools of a kennel."""

from __future__ import annotations

import functools
import json as _json
from dataclasses import dataclass
from os.path import join
from typing import Any, Literal, Optional, TYPE_CHECKING

if TYPE_CHECKING:
    from elsewhere import Receipt

PRICES = {"small": 20}


@dataclass
class Guest:
    """Who stays."""

    name: str


def _helper(anything):
    return anything


def traced(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        return function(*args, **kwargs)

    return call


def book_stay(
    name: str,
    nights: int,
    size: Literal["small", "large"] = "small",
    price: float | None = None,
    notes: Optional[list[str]] = None,
    walks: dict[str, int] | int | None = 2,
    extras: Any = (),
) -> Receipt:
    """Books a stay of a guest.

    The house sends a letter.

    Args:
        name: Name of the guest
        nights: How many nights,
            of 24 hours each
        size: Size of the pen
        price: Most that it may cost
        notes: What to look after
        walks: Walks a day, or by day
        extras: Anything else

    Returns:
        The receipt.
    """
    return _helper(Guest(name))


@traced
def feed(name: str, food: str = "kibble") -> set[str]:
    """Feeds a guest.

    Args:
        name: Name of the guest
        food: What it gets (choices: ["kibble", "fish"])
    """
    return {name, food}


@functools.lru_cache
def list_guests():
    """Lists all guests."""
    return []


feed_again = feed
'''


def written(folder, text):
    path = folder / "kennel.py"
    path.write_text(text)
    return path


def function(signature="name: str", docstring=True, body="pass", before=""):
    """A file with one function."""
    told = '"""Calls a guest.\n\n    Args:\n        name: Name of the guest\n    """\n    '
    return f"{before}\ndef call_guest({signature}):\n    {told if docstring else ''}{body}\n"


@pytest.fixture
def kennel(tmp_path):
    return written(tmp_path, KENNEL.replace("def traced", "def _traced").replace("@traced", "@_traced"))


def test_every_public_function_is_a_tool(kennel):
    booking, feeding, listing = tool_specs(kennel)
    assert booking == {
        "name": "book_stay",
        "description": "Books a stay of a guest.\n\nThe house sends a letter.",
        "parameters": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "Name of the guest"},
                "nights": {"type": "integer", "description": "How many nights, of 24 hours each"},
                "size": {
                    "type": "string",
                    "enum": ["small", "large"],
                    "description": "Size of the pen",
                    "default": "small",
                },
                "price": {"type": ["number", "null"], "description": "Most that it may cost"},
                "notes": {
                    "type": ["array", "null"],
                    "items": {"type": "string"},
                    "description": "What to look after",
                },
                "walks": {
                    "anyOf": [
                        {"type": "object", "additionalProperties": {"type": "integer"}},
                        {"type": "integer"},
                        {"type": "null"},
                    ],
                    "description": "Walks a day, or by day",
                    "default": 2,
                },
                "extras": {"description": "Anything else"},
            },
            "required": ["name", "nights"],
        },
    }
    assert feeding["name"] == "feed"
    assert feeding["parameters"] == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Name of the guest"},
            "food": {
                "type": "string",
                "enum": ["kibble", "fish"],
                "description": "What it gets",
                "default": "kibble",
            },
        },
        "required": ["name"],
    }
    assert listing == {
        "name": "list_guests",
        "description": "Lists all guests.",
        "parameters": {"type": "object", "properties": {}},
    }


def test_its_tools_are_right_and_take_calls(kennel):
    notes = Notes()
    booking, _, _ = tools_of(tool_specs(kennel), "kennel.py", notes)
    assert not notes.broken
    assert not notes.repaired
    assert validate({"name": "Mia", "nights": 2, "price": None, "walks": {"monday": 3}}, booking.parameters) == []
    assert validate({"name": "Mia", "nights": "two"}, booking.parameters)


def test_null_stands_beside_the_values_of_a_literal_and_of_anything(tmp_path):
    signature = 'name: Literal["Mia"] | None, size: Any | None, walks: list[int | None]'
    described = "Mia\n        size: how big\n        walks: how many"
    text = function(signature, before="from typing import Any, Literal").replace("Name of the guest", described)
    [spec] = tool_specs(written(tmp_path, text))
    assert spec["parameters"]["properties"] == {
        "name": {"type": ["string", "null"], "enum": ["Mia", None], "description": "Mia"},
        "size": {"description": "how big"},
        "walks": {"type": "array", "items": {"type": ["integer", "null"]}, "description": "how many"},
    }


@pytest.mark.parametrize(
    ("default", "kept"), [("'x'", {"default": "x"}), ("None", {}), ("object()", {}), ("[]", {}), ("float('inf')", {})]
)
def test_defaults_that_are_plain_values_are_kept(tmp_path, default, kept):
    [spec] = tool_specs(written(tmp_path, function(f"name: str = {default}")))
    assert spec["parameters"] == {
        "type": "object",
        "properties": {"name": {"type": "string", "description": "Name of the guest"} | kept},
    }


def test_a_file_is_read_anew_and_leaves_nothing_behind(tmp_path):
    assert tool_specs(written(tmp_path, function()))[0]["description"] == "Calls a guest."
    assert tool_specs(written(tmp_path, function().replace("Calls", "Wakes")))[0]["description"] == "Wakes a guest."
    assert [each.name for each in tmp_path.iterdir()] == ["kennel.py"]
    assert "kennel" not in sys.modules


def test_what_runs_only_as_a_script_does_not_run(tmp_path):
    text = function() + "\nif __name__ == '__main__':\n    raise SystemExit(1)\n"
    assert len(tool_specs(written(tmp_path, text))) == 1


GUIDE = r"expected type hints, and a Google docstring that describes each parameter under Args:"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"kennel\.py: found no public function, expected at least one"),
        ("from os.path import join", r"kennel\.py: found no public function"),
        ("def _call(): pass", r"kennel\.py: found no public function"),
        (
            "import surely_nowhere",
            r"kennel\.py: found ModuleNotFoundError: No module named 'surely_nowhere', expected",
        ),
        ("def call(:", r"kennel\.py: found SyntaxError: .*line 1\), expected a file that can be imported"),
        ("\0", r"kennel\.py: found (SyntaxError|ValueError): .*null bytes"),
        ("raise ValueError('two\\nlines')", r"kennel\.py: found ValueError: two, expected a file"),
        ("raise SystemExit", r"kennel\.py: found an exit while it was imported, expected functions"),
        (function(docstring=False), r"kennel\.py: call_guest: .* has no docstring!; " + GUIDE),
        (function("name"), r"kennel\.py: call_guest: .*name is missing a type hint.*; " + GUIDE),
        (function("name: str, age: int"), r"kennel\.py: call_guest: .*no description for the argument 'age'; " + GUIDE),
        (function().replace("Args:", "Parameters"), r"kennel\.py: call_guest: .*no description .* 'name'; " + GUIDE),
        (function("name: 'Guest'"), r"kennel\.py: call_guest: name 'Guest' is not defined; " + GUIDE),
        (function("name: tuple[int, ...]"), r"kennel\.py: call_guest: Conversion of '\.\.\.' is not supported"),
        (function("name: set[str]"), r"kennel\.py: call_guest: name: found set\[str\], expected str, int, float"),
        (function("name: list[bytes]"), r"kennel\.py: call_guest: name: found bytes, expected str, int, float"),
        (function("name: [str]"), r"kennel\.py: call_guest: "),
        (
            function("name: date | None", before="from datetime import date"),
            r"kennel\.py: call_guest: name: found datetime\.date, expected str, int, float",
        ),
        (function("*name: str"), r"kennel\.py: call_guest: found \*name, expected parameters with names"),
        (function("name: str, **rest: int"), r"kennel\.py: call_guest: found \*\*rest, expected parameters with names"),
        (KENNEL, r"kennel\.py: traced: .* no docstring!"),
        ("call = lambda name: name", r"kennel\.py: call: .* no docstring!"),
    ],
)
def test_what_cannot_be_a_tool_is_named(tmp_path, text, message):
    with pytest.raises(UserError, match=message) as caught:
        tool_specs(written(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path}/kennel.py: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_one_that_is_no_text_are_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.py: No such file"):
        tool_specs(tmp_path / "none.py")
    path = tmp_path / "kennel.py"
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(UserError, match=r"kennel\.py: byte 8: not UTF-8"):
        tool_specs(path)


HINTS = st.recursive(
    st.sampled_from(["str", "int", "float", "None", "Any", "list", "dict", "bytes", "Guest", "'later'", "5", "..."]),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(" | ".join),
        inner.map("list[{}]".format),
        inner.map("dict[str, {}]".format),
        st.tuples(inner, inner).map(lambda pair: f"tuple[{', '.join(pair)}]"),
        inner.map("Literal[{}]".format),
    ),
    max_leaves=4,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hint=HINTS, default=st.sampled_from(["", " = 5", " = None", " = 'x'", " = Guest()"]), told=st.text(max_size=30))
def test_any_hint_and_docstring_give_a_tool_or_an_error(tmp_path, hint, default, told):
    before = "from __future__ import annotations\nfrom typing import Any, Literal\nclass Guest: pass"
    after = f"call_guest.__doc__ = {told!r} + call_guest.__doc__"
    text = function(f"name: {hint}{default}", before=before) + after
    try:
        [spec] = tool_specs(written(tmp_path, text))
    except UserError as error:
        message = str(error)
    else:
        message = ""
        assert set(spec) == {"name", "description", "parameters"}
        assert [*spec["parameters"]["properties"]] == ["name"]
    assert "\n" not in message
