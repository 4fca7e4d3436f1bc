"""The stage `fragments`: preference pairs, right answers and the deficiency profile of an iteration [P]."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from itool import paths
from itool.artifacts import ANSWERS, NODES, PAIRS, SELECTED, read_runs, read_table, row_task, write_table
from itool.cli import command_line
from itool.engine.base import Ids
from itool.errors import UserError
from itool.files import write_json
from itool.log import log
from itool.params import load
from itool.toolcall.prompt import Prompter, open_prompter
from itool.toolcall.scanner import cut
from itool.toolcall.types import ErrorKind, Task
from stages.fragments.pairs import Findings, Row, balanced, find_pairs


def run(iteration: str) -> None:
    """Makes data/pairs/, data/answers/ (<iteration>.parquet) and metrics/fragments/<iteration>.json from the trees."""
    params = load()
    prompter = open_prompter(params.start_of(iteration), params.model)
    drawn = read_table(paths.SELECTION.format(iteration), SELECTED)
    tasks = {row["task_id"]: row_task(row) for row in drawn.filter("kept").iter_rows(named=True)}
    findings: list[Findings] = []
    prompts: dict[str, Sequence[int]] = {}
    learnt: dict[tuple[str, Ids], bool] = {}  # answers, in order: whether to learn them whole
    for task, nodes in read_trees(paths.TREES.format(iteration), tasks):
        found = find_pairs(nodes, task, prompter, params.fragments, params.evaluation.strict)
        findings.append(found)
        prompts[task.task_id] = nodes[0]["ids"]
        if found.learnt is not None:
            learnt[task.task_id, found.learnt] = True
    if params.fragments.rehearse:
        for task in map(row_task, drawn.filter(~pl.col("kept")).iter_rows(named=True)):
            prompts[task.task_id], reference = prompter.sample(task)
            learnt[task.task_id, reference] = True

    pairs = [pair for each in findings for pair in each.pairs]
    trained = balanced(pairs)
    for pair in trained:
        learnt.setdefault((pair["task_id"], pair["answer"]), False)
    number = {answer: index for index, answer in enumerate(learnt)}
    trained = [pair | {"answer": number[pair["task_id"], pair["answer"]]} for pair in trained]
    rows = []
    for (task_id, ids), learn in learnt.items():
        thought = 0 if params.fragments.thoughts else thought_length(ids, prompter)
        prompt = [*prompts[task_id], *ids[:thought]]
        rows.append({"task_id": task_id, "prompt": prompt, "answer": ids[thought:], "learn": learn})
    write_table(pl.DataFrame(trained, schema=PAIRS), PAIRS, paths.PAIRS.format(iteration))
    write_table(pl.DataFrame(rows, schema=ANSWERS), ANSWERS, paths.ANSWERS.format(iteration))

    figures = profile(findings) | {"trained": len(trained), "left_out": {"balance": len(pairs) - len(trained)}}
    write_json(figures | {"answers": len(rows)}, paths.FRAGMENTS_METRICS.format(iteration))
    tell(iteration, figures, len(rows))


def thought_length(ids: Ids, prompter: Prompter) -> int:
    """How many tokens of an answer are the thought that it begins with; 0 where its last token holds more than that."""
    first = cut(ids, prompter.token_bytes, prompter.dialect, prompter.end_ids, "stop")[0]
    return len(first.ids) if first.kind == "thought" else 0


def read_trees(file: str, tasks: Mapping[str, Task]) -> Iterator[tuple[Task, list[Row]]]:
    """Each tree's task and rows, one tree in memory at a time.

    Raises UserError when a tree's task is not among the `tasks`, when a task has two trees, or when nodes are missing.
    """
    seen: set[str] = set()
    for tree in read_runs(file, NODES, "task_id"):
        task_id = tree["task_id"][0]
        if task_id not in tasks:
            raise UserError(f"{file}: column task_id: found {task_id}, which was not kept by selection")
        if task_id in seen or tree["node"].to_list() != list(range(tree.height)):
            raise UserError(f"{file}: column node: task {task_id}: expected one tree of nodes 0, 1, 2, ... in order")
        seen.add(task_id)
        yield tasks[task_id], tree.to_dicts()


def tell(iteration: str, figures: Mapping[str, Any], answers: int) -> None:
    """Logs the stage's figures, and what the balance between calling and talking left out."""
    names = ("trees", "trees_with_pairs", "branchings", "pairs", "trained")
    log.info("fragments %s: %s", iteration, {name: figures[name] for name in names} | {"answers": answers})
    if dropped := figures["left_out"]["balance"]:
        errors = figures["errors"]
        calling, talking = errors[ErrorKind.SHOULD_CALL], errors[ErrorKind.SHOULD_NOT_CALL]
        log.info("fragments %s: %d left out: %d pairs teach to call, %d to talk", iteration, dropped, calling, talking)


def profile(findings: Sequence[Findings]) -> dict[str, Any]:
    """The deficiency profile: pairs by error kind, then also by scenario; branchings without a pair by reason."""
    pairs = [pair for each in findings for pair in each.pairs]
    reasons = sum((each.reasons for each in findings), Counter())
    kinds = [str(kind) for kind in ErrorKind]
    table = Counter((pair["error"], pair["scenario"]) for pair in pairs)
    return {
        "trees": len(findings),
        "trees_with_pairs": sum(bool(each.pairs) for each in findings),
        "branchings": len(pairs) + reasons.total(),
        "pairs": len(pairs),
        "no_pair": dict(sorted(reasons.items())),
        "errors": {kind: sum(pair["error"] == kind for pair in pairs) for kind in kinds},
        "scenarios": {
            kind: {scenario: count for (error, scenario), count in sorted(table.items()) if error == kind}
            for kind in kinds
        },
    }


if __name__ == "__main__":
    command_line(run, "iteration")
