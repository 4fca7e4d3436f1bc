"""The stage `selection`: the replay buffer of an iteration, and its hardest share under the current model [P]."""

import math
import random
from collections.abc import Mapping

import polars as pl

from itool import paths
from itool.artifacts import PREDICTIONS, SELECTED, read_table, read_tasks, task_row, write_table
from itool.cli import command_line
from itool.engine import open_engine
from itool.log import log
from itool.params import Iteration, load
from itool.toolcall.prompt import open_prompter
from stages.selection.draw import candidates, hardest, weighted_draw, weights, wrong_fragments


def run(iteration: str) -> None:
    """Draws from data/synthesis/explore.parquet, scores, and writes data/selection/<iteration>.parquet.

    Scenarios weigh by the wrong fragments of the current model on the validation split, from
    data/predictions/<previous>.parquet.
    """
    params = load()
    settings = params.selection
    start = params.start_of(iteration)
    pool = read_tasks(paths.EXPLORE)
    indices = candidates(
        len(pool), settings.draw, settings.headroom, number(iteration, params.iterations), settings.seed
    )
    tasks = [pool[index] for index in indices]

    previous = params.iterations[iteration].previous
    predictions = read_table(paths.PREDICTIONS.format(previous), PREDICTIONS)
    profile = wrong_fragments(predictions.filter(pl.col("split") == "validation"))
    task_weights = weights([task.scenario for task in tasks], profile, settings.calibration)
    drawn = weighted_draw(task_weights, settings.draw, random.Random(f"{settings.seed}/draw/{iteration}"))

    prompter = open_prompter(start, params.model)
    samples = [prompter.sample(tasks[index]) for index in drawn]
    scores = open_engine(start, params.engine, prompter.end_ids).score(samples)
    perplexities = [math.exp(-math.fsum(score) / len(score)) for score in scores]
    calls = [bool(tasks[index].reference.calls) for index in drawn]
    kept = hardest(perplexities, calls, params.iterations[iteration].ratio)
    columns = zip(drawn, perplexities, calls, kept, strict=True)
    write_table(
        [
            task_row(tasks[index])
            | {"perplexity": perplexity, "calls": has_calls, "weight": task_weights[index], "kept": keep}
            for index, perplexity, has_calls, keep in columns
        ],
        SELECTED,
        paths.SELECTION.format(iteration),
    )
    log.info("selection %s: %d drawn of %d, %d kept", iteration, len(drawn), len(tasks), sum(kept))


def number(iteration: str, iterations: Mapping[str, Iteration]) -> int:
    """How many iterations lie between it0 and this one. Not its place in params.yaml, of which DVC knows nothing."""
    previous = iterations[iteration].previous
    return 1 + number(previous, iterations) if previous in iterations else 0


if __name__ == "__main__":
    command_line(run, "iteration")
