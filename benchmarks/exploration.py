"""How fast exploration is: against its own engine, and against a search that sends one request per node.

    python -m benchmarks.exploration                                    # engine.kind of params.yaml
    python -m benchmarks.exploration --engine vllm
    python -m benchmarks.exploration --engine server --rival            # a server must run at engine.server.url

For each number of tasks, in a process of its own (peak memory is a process's):

    explore   tokens, rollouts and pairs a second of stages.exploration.search.explore
    raw       the very requests and questions that explore sent, all in one call of the engine, at the best batch size
    outside   explore's time outside the engine; by function in a second run, in which recorded answers stand in for the
              engine, under the profiler
    valid     pairs that stages.fragments reads off: the chosen fragment on a right answer, the rejected one on none
    rival     one thread a tree, one request a node: a simulation asks for its rollouts one after the other and for the
              self-evaluation of each, over the same server with the same concurrency, reward and number of
              simulations; serial: the same with one thread

Prints a table and appends a row for each number of tasks to benchmarks/results.parquet, so what is measured must be
committed. Needs data/models/it0 and data/synthesis (dvc repro).
"""

import argparse
import cProfile
import json
import pstats
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import results
from itool import params
from itool.artifacts import read_tasks
from itool.cli import one_line_errors
from itool.engine import ENGINES, open_engine, seed_of
from itool.engine.base import Completion, Engine, Prefix, Request, Sampling
from itool.toolcall.prompt import open_prompter
from itool.toolcall.types import Task
from stages.exploration.search import explore, node_rows
from stages.fragments.pairs import find_pairs
from tests.smoke import ROOT, lay_over

BATCHES = (128, 256, 512)  # sequences that decode together, tried for raw
SERIAL_TASKS = 8  # the serial rival is measured on these alone; it is slow


class Recorder:
    """An engine that keeps what it was asked, what it answered, and how long that took."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.end_ids, self.seconds = engine, engine.end_ids, 0.0
        self.generated: list[tuple[list[Request], Sampling, list[list[Completion]]]] = []
        self.scored: list[tuple[Any, Any, list[list[float]]]] = []

    def generate(self, requests: list[Request], sampling: Sampling) -> list[list[Completion]]:
        start = time.perf_counter()
        completions = self.engine.generate(requests, sampling)
        self.seconds += time.perf_counter() - start
        self.generated.append((requests, sampling, completions))
        return completions

    def score(self, pairs: Any, prefixes: Sequence[Prefix] = ()) -> list[list[float]]:
        start = time.perf_counter()
        scores = self.engine.score(pairs, prefixes)
        self.seconds += time.perf_counter() - start
        self.scored.append((pairs, prefixes, scores))
        return scores


class Replayer:
    """An engine that gives a Recorder's answers again, at once."""

    def __init__(self, recorder: Recorder) -> None:
        self.end_ids = recorder.end_ids
        self.generated = iter([completions for _, _, completions in recorder.generated])
        self.scored = iter([scores for _, _, scores in recorder.scored])

    def generate(self, requests: list[Request], sampling: Sampling) -> list[list[Completion]]:
        return next(self.generated)

    def score(self, pairs: Any, prefixes: Sequence[Prefix] = ()) -> list[list[float]]:
        return next(self.scored)


class OneByOne:
    """The rival's view of an engine: every rollout and every score is a request of its own, sent after the last."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.end_ids, self.tokens = engine, engine.end_ids, 0

    def generate(self, requests: list[Request], sampling: Sampling) -> list[list[Completion]]:
        return [[self._one(request, sample, sampling) for sample in range(request.n)] for request in requests]

    def _one(self, request: Request, sample: int, sampling: Sampling) -> Completion:
        alone = Request(request.prompt, 1, seed_of(request.seed, sample))
        [[completion]] = self.engine.generate([alone], sampling)
        self.tokens += len(completion.ids)
        return completion

    def score(self, pairs: Any, prefixes: Sequence[Prefix] = ()) -> list[list[float]]:
        return [self.engine.score([pair])[0] for pair in pairs]


def main() -> None:
    arguments = parse()
    if arguments.size:
        print(json.dumps(measure(arguments, arguments.size)))
        return
    origin, found = results.provenance(), []
    for size in arguments.tasks:
        command = [sys.executable, "-m", "benchmarks.exploration", *sys.argv[1:], "--size", str(size)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        keep(arguments, origin, found[-1])
        print(row(found[-1]) if size > arguments.tasks[0] else f"{HEADER}\n{row(found[-1])}", flush=True)
    print("\ntime outside the engine by function, seconds:")
    for name, seconds in found[-1]["outside_by_function"].items():
        print(f"  {seconds:8.2f}  {name}")


def keep(arguments: argparse.Namespace, origin: dict[str, Any], figures: dict[str, Any]) -> None:
    """Appends the row of one number of tasks."""
    fields = params.read("params.yaml")
    results.append(
        benchmark="exploration",
        **origin,
        arm=arguments.engine,
        seed=fields["exploration"]["seed"],
        changes={"engine.kind": arguments.engine},
        parameters=lay_over(fields, {"engine": {"kind": arguments.engine}}),
        files={},
        figures=figures | {"model": arguments.model},
        tasks=[],
        answers=[],
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default=params.load().engine.kind, choices=[*ENGINES])
    parser.add_argument("--model", default="data/models/it0")
    parser.add_argument("--tasks", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--rival", action="store_true", help="measure the rival too (server only)")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def measure(arguments: argparse.Namespace, size: int) -> dict[str, Any]:
    """All figures for one number of tasks. Rates are a second of wall time of what they are about."""
    settings = params.load()
    tasks = read_tasks("data/synthesis/explore.parquet")[:size]
    prompter = open_prompter(arguments.model, settings.model)
    engine = open_engine(
        arguments.model, settings.engine.model_copy(update={"kind": arguments.engine}), prompter.end_ids
    )

    def search(engine: Engine, tasks: Sequence[Task]) -> tuple[float, int]:
        """Explores shard by shard, as the stage does; the seconds of that, and the number of valid pairs."""
        seconds, valid = 0.0, 0
        for first in range(0, len(tasks), settings.exploration.shard):
            shard = tasks[first : first + settings.exploration.shard]
            start = time.perf_counter()
            trees = explore(
                shard,
                engine,
                prompter,
                settings.exploration,
                settings.engine.max_tokens,
                settings.evaluation.strict,
            )
            seconds += time.perf_counter() - start
            for task, tree in zip(shard, trees, strict=True):
                nodes = list(node_rows(task.task_id, tree))
                valid += len(find_pairs(nodes, task, prompter, settings.fragments, settings.evaluation.strict).pairs)
        return seconds, valid

    search(engine, tasks[:16])  # first calls compile and allocate
    seconds, valid = search(engine, tasks)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    recorder = Recorder(engine)
    recorded, _ = search(recorder, tasks)
    profiler = cProfile.Profile()
    profiler.runcall(search, Replayer(recorder), tasks)
    tokens = sum(len(each.ids) for _, _, answers in recorder.generated for sampled in answers for each in sampled)
    batches = BATCHES if arguments.engine == "transformers" else (None,)
    figures = {
        "tasks": len(tasks),
        "seconds": seconds,
        "seconds_a_task": seconds / len(tasks),
        "tokens": tokens,
        "tokens_s": tokens / seconds,
        "rollouts_s": sum(request.n for requests, _, _ in recorder.generated for request in requests) / seconds,
        "outside_share": 1 - recorder.seconds / recorded,
        "outside_by_function": outside(profiler),
        "valid_pairs": valid,
        "valid_pairs_s": valid / seconds,
        "peak_gib": peak,
        "raw_tokens_s": max(raw(recorder, batch) for batch in batches),
    }
    if arguments.rival:
        figures |= {"rival": rival(engine, search, tasks, settings.engine.server.concurrency)}
        if size == min(arguments.tasks):
            figures |= {"serial": rival(engine, search, tasks[:SERIAL_TASKS], 1)}
    return figures


def raw(recorder: Recorder, batch: int | None = None) -> float:
    """Tokens a second when everything that explore sent is one call to generate and one to score."""
    engine: Any = recorder.engine
    if batch:
        engine.batch = batch
    longest = max(sampling.max_tokens for _, sampling, _ in recorder.generated)
    temperature = recorder.generated[0][1].temperature
    requests = [request for requests, _, _ in recorder.generated for request in requests]
    pairs = [pair for pairs, _, _ in recorder.scored for pair in pairs]
    prefixes = [prefix for _, prefixes, _ in recorder.scored for prefix in prefixes]
    start = time.perf_counter()
    answers = engine.generate(requests, Sampling(longest, temperature))
    engine.score(pairs, prefixes)
    return sum(len(each.ids) for sampled in answers for each in sampled) / (time.perf_counter() - start)


def rival(engine: Engine, search: Any, tasks: Sequence[Task], threads: int) -> dict[str, float]:
    """The one-request-per-node design with so many threads, each of which grows one tree at a time."""
    views = [OneByOne(engine) for _ in tasks]
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        valid = sum(pairs for _, pairs in pool.map(search, views, [[task] for task in tasks]))
    seconds = time.perf_counter() - start
    return {
        "tasks": len(tasks),
        "threads": threads,
        "seconds": seconds,
        "tokens_s": sum(view.tokens for view in views) / seconds,
        "valid_pairs": valid,
        "valid_pairs_s": valid / seconds,
    }


def outside(profiler: cProfile.Profile) -> dict[str, float]:
    """Own and called time of the functions of `stages` and `itool`, seconds, most first."""
    stats: Any = pstats.Stats(profiler)
    ours = tuple(str(ROOT / package) for package in ("stages", "itool"))
    times = {
        f"{Path(file).relative_to(ROOT)}:{name}": cumulative
        for (file, _, name), (_, _, _, cumulative, _) in stats.stats.items()
        if file.startswith(ours)
    }
    return {name: round(times[name], 3) for name in sorted(times, key=times.__getitem__, reverse=True)[:15]}


HEADER = (
    f"{'tasks':>6} {'s':>7} {'s/task':>7} {'tok/s':>7} {'raw':>7} {'share':>6} {'outside':>8} {'rollouts/s':>10} "
    f"{'valid/s':>8} {'GiB':>5} {'rival':>7} {'serial':>7}"
)


def row(figures: dict[str, Any]) -> str:
    others = [
        f"{figures[name]['valid_pairs_s']:7.2f}" if name in figures else f"{'-':>7}" for name in ("rival", "serial")
    ]
    return (
        f"{figures['tasks']:6d} {figures['seconds']:7.1f} {figures['seconds_a_task']:7.3f} {figures['tokens_s']:7.0f} "
        f"{figures['raw_tokens_s']:7.0f} {figures['tokens_s'] / figures['raw_tokens_s']:6.0%} "
        f"{figures['outside_share']:8.1%} {figures['rollouts_s']:10.0f} {figures['valid_pairs_s']:8.2f} "
        f"{figures['peak_gib']:5.2f} {' '.join(others)}"
    )


if __name__ == "__main__":
    with one_line_errors():
        main()
