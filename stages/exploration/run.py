"""The stage `exploration`: search trees for the tasks that selection kept."""

import hashlib
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import polars as pl
from tqdm import tqdm

from stages import params
from stages.artifacts import NODES, SELECTED, read_table, row_task, write_table
from stages.door import log
from stages.engine import open_engine
from stages.errors import UserError
from stages.exploration.search import explore, node_rows
from stages.toolcall.prompt import Prompter, load_tokenizer

CODE = ("exploration", "engine", "toolcall")  # rooms whose code decides the trees


def run(iteration: str) -> None:
    """Explores the kept tasks of data/selection/<iteration>.parquet and writes data/exploration/<iteration>.parquet.

    Finished shards are kept in an untracked scratch folder, so that an interrupted stage resumes with the identical
    result.
    """
    settings = params.load()
    model_dir = Path(settings.start_of(iteration))
    selection = Path("data/selection") / f"{iteration}.parquet"
    tasks = [row_task(row) for row in read_table(selection, SELECTED).filter("kept").iter_rows(named=True)]
    if not tasks:
        raise UserError(
            f"{selection}: column kept: found no task kept; raise iterations.{iteration}.ratio or selection.draw"
        )

    decisive = [settings.exploration, settings.engine, settings.model, settings.evaluation.strict]
    code = [path for room in CODE for path in Path(__file__).parents[1].joinpath(room).glob("*.py")]
    scratch = (
        Path(".scratch") / f"exploration-{fingerprint(decisive, [selection, *files_of(model_dir), *sorted(code)])}"
    )
    engine = open_engine(model_dir, settings.engine)
    prompter = Prompter(load_tokenizer(model_dir), settings.model.dialect, settings.model.max_length)

    shards = []
    with Progress(f"exploration {iteration}", len(tasks)) as progress:
        for number, start in enumerate(range(0, len(tasks), settings.exploration.shard)):
            shard = tasks[start : start + settings.exploration.shard]
            shards.append(scratch / f"{number:05}.parquet")
            if shards[-1].exists():
                progress.advance(len(shard), 0, 0)
                continue
            trees = explore(
                shard,
                engine,
                prompter,
                settings.exploration,
                settings.engine.max_tokens,
                settings.evaluation.strict,  # O is from the same checker as evaluation
                progress.advance,
            )
            rows = [row for task, tree in zip(shard, trees, strict=True) for row in node_rows(task.task_id, tree)]
            write_table(rows, NODES, shards[-1])

    nodes = pl.concat([read_table(path, NODES) for path in shards])
    write_table(nodes, NODES, Path("data/exploration") / f"{iteration}.parquet")
    shutil.rmtree(scratch)
    roots = nodes.filter(pl.col("node") == 0)
    log.info(
        "exploration %s: %d nodes, %d of %d trees hold a right answer",
        iteration,
        len(nodes),
        roots["right"].sum(),
        len(roots),
    )


def files_of(folder: Path) -> list[Path]:
    """All files below a folder, in a fixed order. Raises UserError when there is no such folder."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such model folder; run the stage that makes it (dvc repro)")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def fingerprint(values: Iterable[object], paths: Iterable[Path]) -> str:
    """A short hash of values and of the names and bytes of files."""
    digest = hashlib.blake2b(repr(list(values)).encode(), digest_size=8)
    for path in paths:
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'blake2b').hexdigest()}".encode())
    return digest.hexdigest()


class Progress:
    """Tasks, rollouts a second and tokens a second: a bar on a terminal, a log line for every wave elsewhere."""

    def __init__(self, name: str, tasks: int) -> None:
        self.name, self.total, self.done, self.rollouts, self.tokens = name, tasks, 0, 0, 0
        self.start = time.monotonic()
        self.bar = tqdm(total=tasks, desc=name, unit="task") if sys.stderr.isatty() else None

    def advance(self, tasks: int, rollouts: int, tokens: int) -> None:
        self.done, self.rollouts, self.tokens = self.done + tasks, self.rollouts + rollouts, self.tokens + tokens
        seconds = time.monotonic() - self.start
        rates = f"{self.rollouts / seconds:.0f} rollouts/s, {self.tokens / seconds:.0f} tokens/s"
        if self.bar is not None:
            self.bar.set_postfix_str(rates)
            self.bar.update(tasks)
        elif tasks:
            log.info("%s: %d/%d tasks, %s", self.name, self.done, self.total, rates)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
