"""Wrong answers for the self-evaluation samples, the mixture, and the curriculum."""

import random
from collections import Counter

from exploration_fakes import tasks
from tiny_tokenizer import save_tokenizer

from itool.toolcall.checker import check
from itool.toolcall.prompt import SELF_EVALUATION_QUESTION, Prompter, load_tokenizer
from itool.toolcall.types import Kind, Reference, ReferenceCall, Task, Tool
from stages.warmup.corrupt import corrupt, difficulty, gather
from stages.warmup.run import self_evaluation_rows

PARAMETERS = {
    "type": "object",
    "properties": {
        "a": {"type": "integer"},
        "b": {"type": "string"},
        "c": {"type": "string"},
        "d": {"type": "boolean"},
    },
    "required": ["a"],
}
TOOLS = (Tool("f", "does f", PARAMETERS), Tool("g", "does g", PARAMETERS))


def call(name, **arguments):
    return ReferenceCall(name, {key: [value] for key, value in arguments.items()})


def task(number, *calls, **text):
    reference = Reference(Kind.CALLS, calls) if calls else Reference(**text)
    return Task(
        f"t{number}", "train", "multiple", TOOLS, ({"role": "user", "content": f"request {number}"},), reference
    )


TASKS = [
    task(0, call("f", a=1, b="x", c="y"), call("g", a=2)),
    task(1, call("g", a=5, d=True)),
    task(2, kind=Kind.REFUSAL, text="No tool can do that."),
    task(3, kind=Kind.QUESTION, parameters=(("f", "a"),), text="Which a?"),
]


def test_corrupted_answers_are_wrong_in_every_way():
    material, kinds = gather(TASKS), Counter()
    for each in TASKS:
        for seed in range(100):
            answer = corrupt(each, material, random.Random(seed), strict=False)
            verdict = check(answer, each.reference, each.tools, strict=False)
            assert not verdict.right
            kinds[verdict.error] += 1
    expected = {
        "wrong_value",
        "missing_parameter",
        "extra_parameter",
        "wrong_function",
        "wrong_count",
        "should_call",
        "should_not_call",
    }
    assert expected <= set(kinds)
    assert corrupt(TASKS[0], material, random.Random(1), False) == corrupt(TASKS[0], material, random.Random(1), False)


def test_a_task_that_cannot_be_made_wrong_gives_none():
    lonely = Task("t", "train", "irrelevant", (), ({"role": "user", "content": "?"},), TASKS[2].reference)
    assert corrupt(lonely, gather([lonely]), random.Random(1), strict=False) is None


def test_the_samples_ask_about_right_and_wrong_answers_in_turn(tmp_path):
    save_tokenizer(tmp_path)
    prompter = Prompter(load_tokenizer(tmp_path), "pythonic", 1000)
    about, rows, rights = self_evaluation_rows(TASKS, 8, prompter, 1, strict=False)
    assert sorted(about) == sorted([0, 1, 2, 3] * 2)
    assert rights == [True, False, True, False, False, True, False, True]
    assert {(index, right) for index, right in zip(about, rights, strict=True)} == {
        (i, r) for i in range(4) for r in (True, False)
    }
    odd, _, rights_of_odd = self_evaluation_rows(TASKS[:3], 6, prompter, 1, strict=False)
    assert len(set(zip(odd, rights_of_odd, strict=True))) == 6
    for index, row, right in zip(about, rows, rights, strict=True):
        asked = prompter.decode(row.prompt)
        assert SELF_EVALUATION_QUESTION in asked
        assert row.answer == ((prompter.yes if right else prompter.no), prompter.end_id)
        assert (prompter.dialect.render(TASKS[index].reference.answer()) in asked) or not right


def test_samples_too_long_for_the_model_are_passed_over(tmp_path):
    save_tokenizer(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    _, rows, _ = self_evaluation_rows(TASKS, 8, Prompter(tokenizer, "pythonic", 1000), 1, strict=False)
    lengths = [len(row) for row in rows]
    limit = sorted(lengths)[3]
    about, kept, rights = self_evaluation_rows(TASKS, 8, Prompter(tokenizer, "pythonic", limit), 1, strict=False)
    assert kept == [row for row, length in zip(rows, lengths, strict=True) if length <= limit]
    assert 4 <= len(kept) == len(about) == len(rights) < 8


def test_more_tools_longer_lists_and_more_calls_are_harder():
    few = Task("t", "train", "single", TOOLS[:1], (), Reference(Kind.CALLS, (call("f", a=1),)))
    marks = difficulty([few, TASKS[1], TASKS[0]])
    assert marks == sorted(set(marks))
    assert difficulty(tasks(2)) == [difficulty(tasks(2))[0]] * 2
