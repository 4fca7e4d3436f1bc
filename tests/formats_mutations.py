"""Records that are damaged at random, and what a layout's reader must do with them."""

import copy
import json

from hypothesis import strategies as st

from itool.errors import UserError

KEYS = ("from", "value", "role", "content", "name", "arguments", "weight", "loss", "tools", "system", "images", "x")
SNIPPETS = (
    "",
    "[",
    "]",
    "{",
    "}",
    "'",
    '"',
    "(",
    ")",
    ",",
    "\\",
    "\n",
    "<tools>",
    "<tool_call>",
    "</tool_call>",
    "\ud800",
)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6) | st.just("\ud800")
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=5,
)


def places(value):
    """(container, key) of everything inside a value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in [(value, key), *places(value[key])]]


@st.composite
def damaged(draw, record):
    """The record with a few of its parts replaced, left out, doubled, or cut where they are texts."""
    record = copy.deepcopy(record)
    for _ in range(draw(st.integers(1, 3))):
        found = places(record)
        if not found:
            break
        container, key = draw(st.sampled_from(found))
        change = draw(st.sampled_from(("cut", "replace", "leave out", "add")))
        if change == "cut" and isinstance(container[key], str):
            text = container[key]
            start = draw(st.integers(0, len(text)))
            container[key] = text[:start] + draw(st.sampled_from(SNIPPETS)) + text[start + draw(st.integers(0, 4)) :]
        elif change == "leave out":
            del container[key]
        elif change == "add" and isinstance(container, dict):
            container[draw(st.sampled_from(KEYS))] = draw(values)
        else:
            container[key] = draw(values)
    return record


def is_read_or_refused(layout, record):
    """Whether the layout gives a conversation, or one line that says why not; any other error is a fault."""
    assert layout.matches(record) in (True, False)
    try:
        form = layout.openai_form(record, "talks.jsonl: line 3")
    except UserError as error:
        return str(error).startswith("talks.jsonl: line 3: ") and "\n" not in str(error)
    json.dumps(form)
    roles = {"system", "user", "assistant", "tool"}
    return isinstance(form["tools"], list) and {message["role"] for message in form["messages"]} <= roles


def call(name, arguments, **beside):
    """A call entry of OpenAI's."""
    return {**beside, "type": "function", "function": {"name": name, "arguments": arguments}}


def said(*turns):
    """`conversations` of (from, value)."""
    return [{"from": who, "value": what} for who, what in turns]
