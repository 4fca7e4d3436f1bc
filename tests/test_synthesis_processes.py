"""Very many items in several processes: the same results in the same order, and few items ahead."""

import os

import pytest

from itool.errors import UserError
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.toolcall.types import Kind, Reference, ReferenceCall, Task, Tool
from stages.synthesis import processes
from stages.synthesis.conversations import accepted
from stages.synthesis.lengths import Limits
from stages.synthesis.processes import in_processes


def with_process(number):
    return number, os.getpid()


def refusing(number):
    if number == 777:
        raise UserError("item 777: found a fault")
    return number


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def test_few_items_start_no_process():
    assert list(in_processes(with_process, range(10))) == [(number, os.getpid()) for number in range(10)]


def test_many_items_come_in_order_from_other_processes(two_cores, monkeypatch):
    monkeypatch.setattr(processes, "FEW", 100)
    monkeypatch.setattr(processes, "CHUNK", 30)
    read = []

    def items():
        for number in range(1_000):
            read.append(number)
            yield number

    results = in_processes(with_process, items())
    first = next(results)
    assert len(read) <= 100 + 30 * (processes.AHEAD * 2 + 1)
    found = [first, *results]
    assert [number for number, _ in found] == list(range(1_000))
    assert os.getpid() not in {process for _, process in found}


def test_what_a_process_raises_is_raised_here(two_cores, monkeypatch):
    monkeypatch.setattr(processes, "FEW", 100)
    with pytest.raises(UserError, match="item 777: found a fault"):
        list(in_processes(refusing, range(1_000)))


def test_own_tasks_are_accepted_alike_in_one_process_and_in_several(two_cores, monkeypatch):
    tool = Tool("get", "get it", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})

    def task(number):
        value = number if number % 7 else "seven"  # against the schema
        said = f"get it with n {number // 2 * 2}"  # half of them repeat another
        reference = Reference(Kind.CALLS, (ReferenceCall("get", {"n": [value]}),))
        return Task(f"user-{number}", "train", "single", (tool,), ({"role": "user", "content": said},), reference)

    limits = Limits(Prompter(load_tokenizer("data/base"), "pythonic", 1024), 128)
    tasks = [task(number) for number in range(120)]
    alone = list(accepted(iter(tasks), limits))
    monkeypatch.setattr(processes, "FEW", 50)
    assert list(accepted(iter(tasks), limits)) == alone
    assert {type(each).__name__ for each in alone} == {"Task", "Rejection"}
