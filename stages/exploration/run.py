"""The stage `exploration`: search trees for the tasks that selection kept."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from itool import params, paths
from itool.artifacts import NODES, SELECTED, join_tables, read_table, row_task, write_table
from itool.cli import command_line
from itool.engine import open_engine
from itool.errors import UserError
from itool.log import Progress, log
from itool.scratch import scratch_folder
from itool.toolcall.prompt import open_prompter
from stages.exploration.search import explore, node_rows
from stages.exploration.tree import Tree, right_and_wrong

CODE = ("stages/exploration", "itool/engine", "itool/toolcall")  # folders whose code decides the trees
SCRATCH = Path(".scratch/exploration")


def run(iteration: str) -> None:
    """Explores the kept tasks of data/selection/<iteration>.parquet and writes data/exploration/<iteration>.parquet.

    Finished shards are kept in an untracked scratch folder, so that an interrupted stage resumes with the identical
    result.
    """
    settings = params.load()
    model_dir = Path(settings.start_of(iteration))
    selection = Path(paths.SELECTION.format(iteration))
    tasks = [row_task(row) for row in read_table(selection, SELECTED).filter("kept").iter_rows(named=True)]
    if not tasks:
        raise UserError(f"{selection}: column kept: found no task kept; raise iterations.{iteration}.ratio")
    decisive = [settings.exploration, settings.evaluation.strict]
    scratch = scratch_folder(SCRATCH / iteration, settings, model_dir, decisive, [selection], CODE)
    prompter = open_prompter(model_dir, settings.model)
    engine = open_engine(model_dir, settings.engine, prompter.end_ids)

    shards = []
    with Progress(f"exploration {iteration}", len(tasks), "task") as progress:
        advance = told(progress)
        for number, start in enumerate(range(0, len(tasks), settings.exploration.shard)):
            shard = tasks[start : start + settings.exploration.shard]
            shards.append(scratch / f"{number:05}.parquet")
            if shards[-1].exists():
                progress.skip(len(shard))
                continue
            trees = explore(
                shard,
                engine,
                prompter,
                settings.exploration,
                settings.engine.max_tokens,
                settings.evaluation.strict,  # O is from the same checker as evaluation
                advance,
            )
            rows = [row for task, tree in zip(shard, trees, strict=True) for row in node_rows(task.task_id, tree)]
            write_table(rows, NODES, shards[-1])

    out = paths.TREES.format(iteration)
    join_tables(shards, NODES, out)
    shutil.rmtree(scratch.parent)
    nodes = pl.scan_parquet(out)
    right = nodes.filter((pl.col("node") == 0) & pl.col("right"))
    count, solved = (frame.select(pl.len()).collect().item() for frame in (nodes, right))
    log.info("exploration %s: %d nodes, %d of %d trees hold a right answer", iteration, count, solved, len(tasks))


def told(progress: Progress) -> Callable[[Sequence[Tree], int, int], None]:
    """What tells the progress of every round: rollouts and tokens a second, and how many of the finished trees hold a
    right and a wrong answer, without which there is nothing to compare. Resumed shards do not count.
    """
    rollouts = tokens = compared = 0

    def advance(finished: Sequence[Tree], more_rollouts: int, more_tokens: int) -> None:
        nonlocal rollouts, tokens, compared
        rollouts, tokens = rollouts + more_rollouts, tokens + more_tokens
        compared += sum(map(right_and_wrong, finished))
        rates = f"{rollouts / progress.seconds():.0f} rollouts/s, {tokens / progress.seconds():.0f} tokens/s"
        progress.advance(len(finished), f"{rates}, {compared} trees with right and wrong answers")

    return advance


if __name__ == "__main__":
    command_line(run, "iteration")
