"""The stage `preference`: one iteration's model from the previous one and its fragment pairs."""

import tempfile
from pathlib import Path

import polars as pl

from itool import paths
from itool.answering import answer
from itool.artifacts import PREDICTIONS, read_table, read_tasks
from itool.cli import command_line
from itool.engine import open_local
from itool.files import write_json
from itool.log import log
from itool.params import Params, load
from itool.toolcall.prompt import open_prompter
from itool.training import ranks
from itool.training.averages import write_averages
from itool.training.models import publish
from itool.training.rows import rows_with_loss, schedule
from itool.training.trainer import train
from stages.preference.rows import read_rows


def run(iteration: str) -> None:
    """Trains data/models/<iteration> on the iteration's pairs and answers, from the model at the iteration's start.

    Of that model, the checkpoints of the training, and the averages of both, the one with most right validation tasks
    is kept, the earliest in a tie [O]. metrics/preference/<iteration>.json says which.
    """
    params = load()
    settings = params.preference
    start = params.start_of(iteration)
    curves = Path(paths.CURVES.format(iteration))
    answers = read_rows(iteration, params.model.max_length)
    rows = rows_with_loss(answers, settings.loss, settings.sft)
    pairs = sum(len(row.pairs) for row in rows)
    log.info("preference %s: %d answers, %d pairs, loss %s", iteration, len(rows), pairs, settings.loss)

    with tempfile.TemporaryDirectory() as folder:
        checkpoints = []
        if rows:
            order = schedule(rows, settings.updates * settings.batch, settings.batch, settings.seed)
            checkpoints = train(rows, start, folder, params, settings, order, settings.checks, curves)
        if not ranks.is_main():
            return
        curves.mkdir(parents=True, exist_ok=True)
        candidates = {"start": start}
        averages = write_averages(start, checkpoints, params.model)
        for checkpoint, average in zip(checkpoints, averages, strict=True):
            candidates[f"checkpoint {checkpoint.name}"] = str(checkpoint)
            candidates[f"average of start and checkpoint {checkpoint.name}"] = str(average)
        accuracy = {"start": accuracy_of_start(params.iterations[iteration].previous, params)}
        for name in list(candidates)[1:]:
            accuracy[name] = validation_accuracy(candidates[name], params)
            log.info("%s: %.1f%% of the validation tasks", name, 100 * accuracy[name])
        kept = max(accuracy, key=accuracy.__getitem__)
        if kept == "start":
            nothing = f"nothing to learn (raise iterations.{iteration}.ratio, or preference.sft where that is 0)"
            why = "nothing is better" if rows else nothing
            log.warning("preference %s: %s: the model stays as it was", iteration, why)
        publish(candidates[kept], params.model_folder(iteration), params.model, params.engine)
    figures = {"answers": len(rows), "pairs": pairs, "kept": kept, "validation": accuracy}
    write_json(figures, paths.PREFERENCE_METRICS.format(iteration))


def accuracy_of_start(previous: str, params: Params) -> float:
    """The share of the validation tasks that the model at the start answers right, with the engine of all candidates.

    The evaluation's answers serve, unless another engine gave them.
    """
    if params.engine.kind != "transformers":
        return validation_accuracy(params.model_folder(previous), params)
    known = read_table(paths.PREDICTIONS.format(previous), PREDICTIONS).filter(pl.col("split") == "validation")
    return share_right(known)


def validation_accuracy(folder: str, params: Params) -> float:
    """The share of the validation tasks that a model answers right."""
    prompter = open_prompter(folder, params.model)
    engine = open_local(folder, params.engine, prompter.end_ids)
    answers = answer(engine, prompter, read_tasks(paths.VALIDATION), params.evaluation, params.engine.max_tokens)
    return share_right(answers)


def share_right(predictions: pl.DataFrame) -> float:
    return float(predictions["right"].sum() / predictions.height)


if __name__ == "__main__":
    command_line(run, "iteration")
