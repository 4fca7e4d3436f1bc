"""The stage `fragments`: preference pairs, right answers and the deficiency profile of an iteration [P]."""

from collections import Counter
from typing import Any

import polars as pl

from itool.artifacts import ANSWERS, NODES, PAIRS, SELECTED, read_table, row_task, write_table
from itool.cli import command_line
from itool.engine.base import Ids
from itool.errors import UserError
from itool.files import write_json
from itool.log import log
from itool.params import load
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.toolcall.types import ErrorKind
from stages.fragments.pairs import Harvest, balanced, harvest


def run(iteration: str) -> None:
    """Makes data/pairs/, data/answers/ (<iteration>.parquet) and metrics/fragments/<iteration>.json from the trees."""
    params = load()
    prompter = Prompter(load_tokenizer(params.start_of(iteration)), params.model.dialect, params.model.max_length)
    drawn = read_table(f"data/selection/{iteration}.parquet", SELECTED)
    tasks = {row["task_id"]: row_task(row) for row in drawn.filter("kept").iter_rows(named=True)}
    file = f"data/exploration/{iteration}.parquet"
    harvests: list[Harvest] = []
    prompts: dict[str, list[int]] = {}
    learnt: dict[tuple[str, Ids], bool] = {}  # answers, in order: whether to learn them whole
    for tree in read_table(file, NODES).partition_by("task_id", maintain_order=True):
        task_id = tree["task_id"][0]
        if task_id not in tasks:
            raise UserError(
                f"{file}: column task_id: found {task_id}, which data/selection/{iteration}.parquet did not keep"
            )
        if tree["node"].to_list() != list(range(tree.height)):
            raise UserError(f"{file}: column node: task {task_id}: expected the nodes 0, 1, 2, ... in order")
        task, nodes = tasks[task_id], tree.to_dicts()
        found = harvest(nodes, task, prompter, params.fragments, params.evaluation.strict)
        harvests.append(found)
        prompts[task_id] = nodes[0]["ids"]
        if found.learnt is not None:
            learnt[task_id, found.learnt] = True
    if params.fragments.rehearse:
        for task in map(row_task, drawn.filter(~pl.col("kept")).iter_rows(named=True)):
            prompt, reference = prompter.sample(task)
            prompts[task.task_id] = list(prompt)
            learnt[task.task_id, reference] = True
    pairs = [pair for each in harvests for pair in each.pairs]
    trained = balanced(pairs)
    for pair in trained:
        learnt.setdefault((pair["task_id"], pair["answer"]), False)
    number = {answer: index for index, answer in enumerate(learnt)}
    trained = [pair | {"answer": number[pair["task_id"], pair["answer"]]} for pair in trained]
    rows = [
        {"task_id": task_id, "prompt": prompts[task_id], "answer": ids, "learn": learn}
        for (task_id, ids), learn in learnt.items()
    ]
    write_table(pl.DataFrame(trained, schema=PAIRS), PAIRS, f"data/pairs/{iteration}.parquet")
    write_table(pl.DataFrame(rows, schema=ANSWERS), ANSWERS, f"data/answers/{iteration}.parquet")
    figures = profile(harvests) | {"trained": len(trained), "answers": len(rows)}
    write_json(figures, f"metrics/fragments/{iteration}.json")
    log.info(
        "fragments %s: %s",
        iteration,
        {key: figures[key] for key in ("trees", "trees_with_pairs", "branchings", "pairs", "trained", "answers")},
    )


def profile(harvests: list[Harvest]) -> dict[str, Any]:
    """The deficiency profile: pairs by error kind, then also by scenario; branchings without a pair by reason."""
    pairs = [pair for each in harvests for pair in each.pairs]
    reasons = sum((each.reasons for each in harvests), Counter())
    kinds = [str(kind) for kind in ErrorKind]
    table = Counter((pair["error"], pair["scenario"]) for pair in pairs)
    return {
        "trees": len(harvests),
        "trees_with_pairs": sum(bool(each.pairs) for each in harvests),
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
