"""Our reading of the leaderboard against its own code, where its environment is there (make bfcl)."""

import json
import random
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from itool.formats import bfcl
from itool.formats.conversation import checked, tasks_of
from itool.formats.notes import Notes
from itool.params import CATEGORIES
from itool.toolcall.checker import check
from itool.toolcall.types import Answer, Call, Task
from stages.leaderboard import board
from stages.leaderboard import run as stage

ROOT = Path(__file__).parents[1]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / stage.PYTHON).is_file(), reason="the leaderboard's environment (make bfcl)"),
]
PYTHONIC = [name for name in CATEGORIES if "relevance" not in name and "java" not in name]
# What the board lists as right and finds wrong itself; UNLISTED have an argument for which it lists no value at all.
REFUSED = {"live_multiple_862-181-3", "live_multiple_964-207-0"}
NULL = {"live_multiple_1038-265-0"}  # it must be given a null, which our reader takes for an argument left out
REFUSED_CODE = {"simple_java_36", "simple_java_64", "simple_java_65"}
UNLISTED = {"live_simple_106-63-0", "live_simple_112-68-0"}


@pytest.fixture(scope="module", autouse=True)
def at_home() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


def records(category: str) -> list[dict[str, Any]]:
    """The category's questions, each with the answers that the board accepts."""
    where = "import bfcl_eval; print(bfcl_eval.__path__[0])"
    folder = Path(subprocess.check_output([stage.PYTHON, "-I", "-c", where], text=True).strip()) / "data"
    name = f"BFCL_v4_{category}.json"
    questions, answers = (
        [json.loads(line) for line in (folder / kind / name).read_text().splitlines()]
        for kind in ("", "possible_answer")
    )
    return bfcl.joined(questions, answers, category)


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    """Every task whose right answer is calls of Python functions, by the board's id, but UNLISTED."""
    found = {}
    for category in PYTHONIC:
        for number, record in enumerate(records(category)):
            if record["id"] in UNLISTED:
                continue
            conversation = checked(bfcl.openai_form(record, record["id"]), record["id"], Notes())
            [found[record["id"]]] = tasks_of(conversation, number, Notes())
    return found


def wrong(answers: dict[str, Answer], folder: Path) -> set[str]:
    """The ids of the answers that the board finds wrong."""
    rows, categories = [], {board.category_of(name) for name in answers}
    unanswered = {name: Answer() for name in UNLISTED if board.category_of(name) in categories}  # it asks for all
    for name, answer in (answers | unanswered).items():
        _, result = board.read(answer, "", ())
        rows.append({"task_id": name, "category": board.category_of(name), "result": json.dumps(result)})
    return stage.score("it_1", rows, folder, sorted(categories))[1] - UNLISTED


def test_the_answers_that_the_board_lists_are_right_as_we_write_them(tasks: dict[str, Task], tmp_path: Path) -> None:
    assert len(tasks) == 2351 - len(UNLISTED)
    assert wrong({name: task.reference.answer() for name, task in tasks.items()}, tmp_path) == REFUSED | NULL


def spelled(value: Any, kind: str, inner: str) -> str:
    """A value as Java code that the board converts back by the type of its parameter, and of an array's items."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        puts = " ".join(f'put("{key}", {json.dumps(item)});' for key, item in value.items())
        return f"new HashMap<String, Object>() {{{{ {puts} }}}}"
    if isinstance(value, list) and kind == "Array":  # the board takes quotes for a part of a text here
        return f"new Object[]{{{', '.join(spelled(item, inner, '') for item in value)}}}"
    if isinstance(value, list):
        items = (json.dumps(item) if isinstance(item, str) else spelled(item, inner, "") for item in value)
        return f"new ArrayList<Object>(Arrays.asList({', '.join(items)}))"
    return f"{value}L" if kind == "long" else str(value)


def foreign(category: str) -> dict[str, Answer]:
    """The answers that the board lists for functions of Java or JavaScript, whose arguments are code as text."""
    found = {}
    for record in records(category):
        [function], [made] = record["function"], bfcl.openai_form(record, record["id"])["messages"][-1]["tool_calls"]
        arguments = {}
        for name, value in made["function"]["arguments"].items():
            schema = function["parameters"]["properties"][name]
            inner = schema.get("items", {}).get("type", "")
            java = spelled(value, schema["type"], inner)
            text = value if isinstance(value, str) else json.dumps(value)
            arguments[name] = java if category == "simple_java" else text
        found[record["id"]] = Answer((Call(made["function"]["name"], arguments),))
    return found


def test_right_answers_of_other_languages_are_code_as_text(tmp_path: Path) -> None:
    answers = foreign("simple_java") | foreign("simple_javascript")
    assert len(answers) == 150
    assert wrong(answers, tmp_path) == REFUSED_CODE


@dataclass
class Mutation:
    """Changes a call's arguments in place, or the list of calls."""

    random: random.Random

    def drop_argument(self, calls: list[Call]) -> None:
        if arguments := self.random.choice(calls).arguments:
            del arguments[self.random.choice(list(arguments))]

    def add_argument(self, calls: list[Call]) -> None:
        self.random.choice(calls).arguments["unheard_of"] = 1

    def change_value(self, calls: list[Call]) -> None:
        if arguments := self.random.choice(calls).arguments:
            name = self.random.choice(list(arguments))
            arguments[name] = self.other(arguments[name])

    def rename(self, calls: list[Call]) -> None:
        place = self.random.randrange(len(calls))
        calls[place] = Call(calls[place].name + "s", calls[place].arguments)

    def drop_call(self, calls: list[Call]) -> None:
        del calls[self.random.randrange(len(calls))]

    def repeat_call(self, calls: list[Call]) -> None:
        calls.append(self.random.choice(calls))

    def reorder(self, calls: list[Call]) -> None:
        self.random.shuffle(calls)

    def other(self, value: Any) -> Any:
        """Another value, some of which mean the same."""
        if isinstance(value, bool):
            return self.random.choice([not value, str(value)])
        if isinstance(value, int | float):
            return self.random.choice([value + 1, -value, str(value), float(value)])
        if isinstance(value, str):
            return self.random.choice([value.upper(), value + "x", value.replace(" ", ""), value + ".", [value]])
        if isinstance(value, list):
            return self.random.choice([value[::-1], value[1:], [*value, *value[:1]], value])
        return self.random.choice([dict(list(value.items())[1:]), value | {"unheard_of": 1}, value])


def mutant(task: Task, number: int) -> Answer:
    """The task's right answer with something changed."""
    mutation = Mutation(random.Random(f"{task.task_id} {number}"))
    calls = [Call(call.name, dict(call.arguments)) for call in task.reference.answer().calls]
    kinds: list[Callable[[list[Call]], None]] = [
        *([mutation.change_value] * 4),
        *(mutation.drop_argument, mutation.drop_argument, mutation.add_argument),
        *(mutation.rename, mutation.drop_call, mutation.repeat_call, mutation.reorder),
    ]
    mutation.random.choice(kinds)(calls)
    return Answer(tuple(calls))


def test_our_lenient_check_agrees_with_the_board_on_changed_answers(tasks: dict[str, Task], tmp_path: Path) -> None:
    """Where they differ, it is mostly 5.0 for an integer, which JSON Schema allows and the board does not."""
    agreed: Counter[bool] = Counter()
    for number in range(3):
        mutants = {name: mutant(task, number) for name, task in tasks.items()}
        refused = wrong(mutants, tmp_path / str(number))
        for name, answer in mutants.items():
            verdict = check(answer, tasks[name].reference, tasks[name].tools, strict=False)
            agreed[verdict.right == (name not in refused)] += 1
    print(f"agreement on {agreed.total()} changed answers: {agreed[True] / agreed.total():.2%}")
    assert agreed.total() == 3 * len(tasks)
    assert agreed[True] / agreed.total() > 0.97
