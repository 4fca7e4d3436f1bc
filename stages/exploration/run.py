"""The stage `exploration`: search trees for the tasks that selection kept."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from itool import params, paths
from itool.artifacts import NODES, SELECTED, join_tables, read_table, row_task, write_table
from itool.cli import command_line
from itool.engine import open_engine
from itool.engine.environment import environment, model_files
from itool.errors import UserError
from itool.files import fingerprint
from itool.log import Progress, log
from itool.toolcall.prompt import open_prompter
from stages.exploration.search import explore, node_rows
from stages.exploration.tree import Tree, right_and_wrong

CODE = ("stages/exploration", "itool/engine", "itool/toolcall")  # folders whose code decides the trees
CHAT = {"dialect", "chat_template", "thinking", "preamble", "max_length"}  # settings of the model that shape prompts
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
    scratch = scratch_folder(iteration, settings, [selection, *model_files(model_dir)])
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


def scratch_folder(iteration: str, settings: params.Params, inputs: Sequence[Path]) -> Path:
    """Where the iteration's finished shards lie. The name is a hash of all that decides their bytes: inputs,
    parameters, code, library versions and the kind of device. The iteration's folders of other names are removed.
    """
    # Another address serves the same model, and memory is only speed.
    engine = settings.engine.model_dump(exclude={"server": True, "prefix_cache": True, "vllm": {"memory"}})
    chat = settings.model.model_dump(include=CHAT)
    template = [Path(settings.model.chat_template)] if settings.model.chat_template else []
    values = [settings.exploration, engine, chat, settings.evaluation.strict, *environment(settings.engine.kind)]
    code = sorted(path for folder in CODE for path in Path(__file__).parents[2].joinpath(folder).rglob("*.py"))
    scratch = SCRATCH / iteration / fingerprint(values, [*inputs, *template, *code])
    for other in set(scratch.parent.glob("*")) - {scratch}:
        shutil.rmtree(other)
    return scratch


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
