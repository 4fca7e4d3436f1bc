"""The stage `exploration`: search trees for the tasks that selection kept."""

import hashlib
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl
from tqdm import tqdm

from itool import params
from itool.artifacts import NODES, SELECTED, join_tables, read_table, row_task, write_table
from itool.cli import command_line
from itool.engine import open_engine
from itool.errors import UserError
from itool.log import log
from itool.toolcall.prompt import Prompter, load_tokenizer
from stages.exploration.search import explore, node_rows
from stages.exploration.tree import Tree, forks

LINES_APART = 10  # seconds between two log lines
CODE = ("stages/exploration", "itool/engine", "itool/toolcall")  # folders whose code decides the trees


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
        raise UserError(f"{selection}: column kept: found no task kept; raise iterations.{iteration}.ratio")

    # Another address serves the same model, and memory is only speed.
    engine_params = settings.engine.model_dump(exclude={"server": True, "vllm": {"memory"}})
    prompts = [settings.model.dialect, settings.model.max_length]
    decisive = [settings.exploration, engine_params, prompts, settings.evaluation.strict]
    code = [path for room in CODE for path in Path(__file__).parents[2].joinpath(room).rglob("*.py")]
    scratch = (
        Path(".scratch") / f"exploration-{fingerprint(decisive, [selection, *files_of(model_dir), *sorted(code)])}"
    )
    prompter = Prompter(load_tokenizer(model_dir), settings.model.dialect, settings.model.max_length)
    engine = open_engine(model_dir, settings.engine, prompter.end_ids)

    shards = []
    with Progress(f"exploration {iteration}", len(tasks)) as progress:
        for number, start in enumerate(range(0, len(tasks), settings.exploration.shard)):
            shard = tasks[start : start + settings.exploration.shard]
            shards.append(scratch / f"{number:05}.parquet")
            if shards[-1].exists():
                progress.resumed(len(shard))
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

    out = Path("data/exploration") / f"{iteration}.parquet"
    join_tables(shards, NODES, out)
    shutil.rmtree(scratch)
    nodes = pl.scan_parquet(out)
    right = nodes.filter((pl.col("node") == 0) & pl.col("right"))
    count, solved = (frame.select(pl.len()).collect().item() for frame in (nodes, right))
    log.info("exploration %s: %d nodes, %d of %d trees hold a right answer", iteration, count, solved, len(tasks))


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
    """Tasks, rollouts a second, tokens a second, pairs so far and time left: a bar on a terminal, log lines elsewhere.

    Pairs are counted where a right and a wrong answer part, but for resumed shards; `fragments` keeps those whose gap
    and visits suffice.
    """

    def __init__(self, name: str, tasks: int) -> None:
        self.name, self.total = name, tasks
        self.done = self.known = self.rollouts = self.tokens = self.pairs = 0
        self.start = self.said = time.monotonic()
        self.bar = tqdm(total=tasks, desc=name, unit="task") if sys.stderr.isatty() else None

    def resumed(self, tasks: int) -> None:
        """Tasks that an interrupted run left finished."""
        self.done += tasks
        self.known += tasks
        if self.bar is not None:
            self.bar.initial += tasks
            self.bar.update(tasks)

    def advance(self, finished: Sequence[Tree], rollouts: int, tokens: int) -> None:
        self.done, self.rollouts, self.tokens = (
            self.done + len(finished),
            self.rollouts + rollouts,
            self.tokens + tokens,
        )
        self.pairs += sum(map(forks, finished))
        now = time.monotonic()
        seconds = now - self.start
        rates = f"{self.rollouts / seconds:.0f} rollouts/s, {self.tokens / seconds:.0f} tokens/s, {self.pairs} pairs"
        if self.bar is not None:
            self.bar.set_postfix_str(rates)
            self.bar.update(len(finished))
        elif finished and (now - self.said > LINES_APART or self.done == self.total):
            left = (self.total - self.done) * seconds / (self.done - self.known)
            log.info("%s: %d/%d tasks, %s, %.0f s left", self.name, self.done, self.total, rates, left)
            self.said = now

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()


if __name__ == "__main__":
    command_line(run, "iteration")
