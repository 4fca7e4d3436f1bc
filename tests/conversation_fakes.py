"""A user's conversations for tests: messages, files of them, and what synthesis makes of a file."""

import json

from itool.formats import read_conversations
from itool.formats.notes import Notes
from stages.synthesis.conversations import HeldOut, accepted, splits_of, with_split
from stages.synthesis.measure import text_of
from stages.synthesis.verify import Rejection

SIZES = {"train": 60, "explore": 20, "validation": 10, "test_seen": 10}
PING = {"name": "ping", "description": "ping the server"}
CITY = {
    "name": "get_weather",
    "description": "weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def read(path, sizes=SIZES, unseen=frozenset(), validation=frozenset(), notes=None):
    """All tasks of a file with their splits."""
    found = list(read_conversations(path, "auto", notes or Notes()))
    shown = [frozenset(tool.name for tool in tasks[-1].tools) for tasks in found]
    splits = splits_of([text_of(tasks[-1]) for tasks in found], shown, sizes, HeldOut(unseen, validation))
    return [task for split, tasks in zip(splits, found, strict=True) for task in with_split(tasks, split)]


def parted(tasks, limits):
    """The tasks that are kept, and the rejections."""
    results = list(accepted(iter(tasks), limits))
    rejected = [result for result in results if isinstance(result, Rejection)]
    return [result for result in results if not isinstance(result, Rejection)], rejected


def weather(number):
    """A request that is no near duplicate of that of another number below 676."""
    return user(f"Weather {chr(97 + number // 26)}{chr(97 + number % 26)}")


def call(arguments, name="get_weather"):
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}],
    }


def user(text):
    return {"role": "user", "content": text}


def talk(*messages):
    return {"tools": [CITY], "messages": list(messages)}


def written(tmp_path, *lines):
    path = tmp_path / "talks.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path
