"""The stage `fragments`: preference pairs and the deficiency profile of an iteration, from its search trees [P]."""

from collections import Counter
from typing import Any

import polars as pl

from stages.artifacts import NODES, PAIRS, SELECTED, read_table, row_task, write_json, write_table
from stages.door import log
from stages.errors import UserError
from stages.fragments.pairs import Harvest, balanced, harvest
from stages.params import load
from stages.toolcall.prompt import Prompter, load_tokenizer
from stages.toolcall.types import ErrorKind


def run(iteration: str) -> None:
    """Makes data/pairs/<iteration>.parquet and metrics/fragments/<iteration>.json from the trees of the iteration."""
    params = load()
    prompter = Prompter(load_tokenizer(params.model.path), params.model.dialect, params.model.max_length)
    selected = read_table(f"data/selection/{iteration}.parquet", SELECTED).filter("kept")
    tasks = {row["task_id"]: row_task(row) for row in selected.iter_rows(named=True)}
    file = f"data/exploration/{iteration}.parquet"
    harvests = []
    for tree in read_table(file, NODES).partition_by("task_id", maintain_order=True):
        task_id = tree["task_id"][0]
        if task_id not in tasks:
            raise UserError(
                f"{file}: column task_id: found {task_id}, which data/selection/{iteration}.parquet did not keep"
            )
        if tree["node"].to_list() != list(range(tree.height)):
            raise UserError(f"{file}: column node: task {task_id}: expected the nodes 0, 1, 2, ... in order")
        harvests.append(harvest(tree.to_dicts(), tasks[task_id], prompter, params.fragments, params.evaluation.strict))
    pairs = [pair for each in harvests for pair in each.pairs]
    trained = balanced(pairs)
    write_table(pl.DataFrame(trained, schema=PAIRS), PAIRS, f"data/pairs/{iteration}.parquet")
    figures = profile(harvests) | {"trained": len(trained)}
    write_json(figures, f"metrics/fragments/{iteration}.json")
    log.info(
        "fragments %s: %s",
        iteration,
        {key: figures[key] for key in ("trees", "trees_with_pairs", "branchings", "pairs", "trained")},
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
