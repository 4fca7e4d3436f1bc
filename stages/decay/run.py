"""Decay analysis: supervised fine-tuning at growing shares of the data, several seeds [P].

All points are trained and evaluated in this one process: importing the trainer costs more than training a small model.
"""

import random
import tempfile
from collections.abc import Sequence

import polars as pl

from itool import paths
from itool.answering import answer
from itool.artifacts import DECAY, read_tasks, write_table
from itool.cli import command_line
from itool.engine import open_local
from itool.errors import UserError
from itool.files import write_json
from itool.log import log
from itool.params import Params, load
from itool.statistics import apportion
from itool.toolcall.prompt import Prompter, open_prompter
from itool.toolcall.types import Task
from itool.training import ranks
from itool.training.rows import Row, schedule
from itool.training.trainer import train
from stages.decay.analysis import analyse


def run() -> None:
    """Fine-tune the base at each ratio and seed: data/decay/points.parquet and metrics/decay.json.

    Every point has as many updates as the largest share at decay.epochs, so that points differ by their data alone [O].
    """
    params = load()
    settings = params.decay
    if len(set(settings.seeds)) < len(settings.seeds):
        raise UserError(f"params.yaml: decay.seeds: found {settings.seeds}, expected each seed once")
    prompter = open_prompter(params.model.path, params.model)
    tasks = stratified(read_tasks(paths.TEST), settings.tasks, settings.seed)
    samples = [Row(*prompter.sample(task)) for task in read_tasks(paths.TRAIN)]
    sizes = sample_sizes(len(samples), settings.ratios)
    learnt = settings.epochs * max(sizes.values())
    points = []
    for seed in settings.seeds:
        order = list(range(len(samples)))
        random.Random(f"{settings.seed}/decay/{seed}").shuffle(order)
        for ratio, size in sizes.items():
            rows = [samples[i] for i in order[:size]]  # a larger share contains the smaller ones
            answers = answers_after(rows, learnt, seed, tasks, prompter, params)
            if answers is None:
                continue
            right = 100 * answers["right"].sum() / answers.height
            log.info("ratio %g (%d samples), seed %d: %.1f%%", ratio, size, seed, right)
            columns = {"ratio": pl.lit(ratio), "samples": pl.lit(size), "seed": pl.lit(seed)}
            points.append(
                answers.with_columns(**columns).select(pl.col(name).cast(kind) for name, kind in DECAY.items())
            )
    if not ranks.is_main():
        return
    everything = pl.concat(points).sort("ratio", "seed", maintain_order=True)
    figures = analyse(everything, settings.bootstrap, settings.seed)
    write_table(everything, DECAY, paths.DECAY_POINTS)
    write_json(figures, paths.DECAY_METRICS)
    log.info("verdict on the gain per doubling: %s", figures["verdict"])


def answers_after(
    rows: Sequence[Row], samples: int, seed: int, tasks: Sequence[Task], prompter: Prompter, params: Params
) -> pl.DataFrame | None:
    """The answers to the tasks, a PREDICTIONS table, of the base fine-tuned on the rows with a seed, which come again
    until `samples` were learnt from. None where this is not the main rank, which alone answers.
    """
    settings = params.decay.model_copy(update={"seed": seed})
    order = schedule(rows, samples, settings.batch, seed)
    with tempfile.TemporaryDirectory() as folder:
        (model,) = train(rows, params.model.path, folder, params, settings, order)
        if not ranks.is_main():
            return None
        engine = open_local(model, params.engine, prompter.end_ids)
        return answer(engine, prompter, tasks, params.evaluation, params.engine.max_tokens)


def sample_sizes(available: int, ratios: Sequence[float]) -> dict[float, int]:
    """Samples at each ratio, rising. Raises UserError when two ratios give the same number or one gives none."""
    sizes: dict[float, int] = {}
    for ratio in sorted(ratios):
        size = round(ratio * available)
        if not 0 < ratio <= 1 or size == 0:
            raise UserError(
                f"params.yaml: decay.ratios: {ratio:g} of {available} samples: expected 1 to {available} samples"
            )
        if size in sizes.values():
            raise UserError(f"params.yaml: decay.ratios: {ratio:g} gives {size} samples, as another ratio does")
        sizes[ratio] = size
    return sizes


def stratified(tasks: Sequence[Task], count: int, seed: int) -> list[Task]:
    """`count` of the tasks (all, when there are fewer) in the given order, scenarios in proportion (to one task)."""
    by_scenario: dict[str, list[int]] = {}
    for index, task in enumerate(tasks):
        by_scenario.setdefault(task.scenario, []).append(index)
    quota = apportion(min(count, len(tasks)), {name: len(indices) for name, indices in by_scenario.items()})
    chosen: list[int] = []
    for name, indices in by_scenario.items():
        chosen += random.Random(f"{seed}/decay/{name}").sample(indices, quota[name])
    return [tasks[index] for index in sorted(chosen)]


if __name__ == "__main__":
    command_line(run)
