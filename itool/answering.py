"""Greedy answers to tasks, checked against the references."""

from collections.abc import Sequence

import polars as pl

from itool.artifacts import PREDICTIONS
from itool.engine.base import Completion, Engine, Request, Sampling
from itool.params import Evaluation
from itool.toolcall.checker import check
from itool.toolcall.dialects import read_answer
from itool.toolcall.prompt import Prompter
from itool.toolcall.scanner import join_bytes
from itool.toolcall.types import Task


def answer(
    engine: Engine, prompter: Prompter, tasks: Sequence[Task], evaluation: Evaluation, max_tokens: int
) -> pl.DataFrame:
    """One greedy answer to each task, checked: a PREDICTIONS table in the order of the tasks."""
    return checked(prompter, tasks, complete(engine, prompter, tasks, max_tokens), evaluation.strict)


def complete(
    engine: Engine, prompter: Prompter, tasks: Sequence[Task], max_tokens: int
) -> list[tuple[tuple[int, ...], Completion]]:
    """For each task its prompt ids and a greedy completion. Raises UserError naming a task whose prompt is too long."""
    prompts = [prompter.prompt_ids(task) for task in tasks]
    sampling = Sampling(max_tokens=max_tokens, temperature=0.0)
    completions = engine.generate([Request(prompt) for prompt in prompts], sampling)
    return [(prompt, only) for prompt, (only,) in zip(prompts, completions, strict=True)]


def checked(
    prompter: Prompter, tasks: Sequence[Task], completed: Sequence[tuple[tuple[int, ...], Completion]], strict: bool
) -> pl.DataFrame:
    """The completions of the tasks as a PREDICTIONS table."""
    rows = []
    for task, (prompt, completion) in zip(tasks, completed, strict=True):
        output = prompter.decode(completion.ids)
        parsed = read_answer(prompter.dialect, output, completion.finish == "stop", task.tools)
        verdict = check(parsed, task.reference, task.tools, strict)
        rows.append(
            {
                "task_id": task.task_id,
                "split": task.split,
                "scenario": task.scenario,
                "complex": task.complex,
                "prompt": join_bytes(prompt, prompter.token_bytes, frozenset()).decode("utf-8", "replace"),
                "output": output,
                "right": verdict.right,
                "error": verdict.error or "",
                "path": verdict.path,
                "errors": [str(kind) for kind, _ in verdict.errors],
                "tokens": len(completion.ids),
            }
        )
    return pl.DataFrame(rows, schema=PREDICTIONS)
