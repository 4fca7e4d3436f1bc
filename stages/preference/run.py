"""The stage `preference`: one iteration's model from the previous one and its fragment pairs."""

import tempfile
from pathlib import Path

import polars as pl

from stages.answering import answer
from stages.artifacts import PAIRS, PREDICTIONS, read_table, read_tasks, write_json
from stages.door import log
from stages.engine import open_local
from stages.params import Params, load
from stages.preference.dpo import Pair, check_pair, optimise
from stages.toolcall.prompt import Prompter, load_tokenizer
from stages.training.models import load_trainable, save

VALIDATION = "data/synthesis/validation.parquet"


def run(iteration: str) -> None:
    """Trains data/models/<iteration> on data/pairs/<iteration>.parquet, from the model at the iteration's start.

    Of that model and those after each epoch the one with most right validation tasks is kept, the earliest in a tie
    [O]. metrics/preference/<iteration>.json says which.
    """
    params = load()
    start, previous = params.start_of(iteration), params.iterations[iteration].previous
    pairs = read_pairs(f"data/pairs/{iteration}.parquet", params.model.max_length)
    curves = Path(f"data/curves/{iteration}")
    curves.mkdir(parents=True, exist_ok=True)
    known = read_table(f"data/predictions/{previous}.parquet", PREDICTIONS).filter(pl.col("split") == "validation")
    accuracy = {start: share_right(known)}
    with tempfile.TemporaryDirectory() as folder:
        if pairs:
            log.info("preference %s: %d pairs, %s loss, from %s", iteration, len(pairs), params.preference.loss, start)
            for epoch in optimise(pairs, start, params.model, folder, params.preference, params.engine, curves):
                accuracy[str(epoch)] = validation_accuracy(str(epoch), params)
                log.info("after epoch %s: %.1f%% of the validation tasks", epoch.name, 100 * accuracy[str(epoch)])
        best = max(accuracy, key=accuracy.__getitem__)
        kept = list(accuracy).index(best)
        if not kept:
            why = "no epoch is better" if pairs else "no pairs (raise exploration.simulations or selection.draw)"
            log.warning("preference %s: %s: the model stays as it was", iteration, why)
        save(
            *load_trainable(best, params.model, params.engine, params.preference.seed),
            f"data/models/{iteration}",
            params.engine,
        )
    figures = {"pairs": len(pairs), "kept_epoch": kept, "validation": list(accuracy.values())}
    write_json(figures, f"metrics/preference/{iteration}.json")


def read_pairs(file: str, max_length: int) -> list[Pair]:
    """The token ids of all pairs. Raises UserError naming the file for a pair that would train on something else."""
    pairs = []
    for row in read_table(file, PAIRS).iter_rows(named=True):
        pair = {f"{side}_ids": row[side] for side in ("prompt", "chosen", "rejected")}
        check_pair(pair, f"{file}: task {row['task_id']}", max_length)
        pairs.append(pair)
    return pairs


def validation_accuracy(folder: str, params: Params) -> float:
    """The share of the validation tasks that a model answers right."""
    prompter = Prompter(load_tokenizer(folder), params.model.dialect, params.model.max_length)
    engine = open_local(folder, params.engine)
    answers = answer(engine, prompter, read_tasks(VALIDATION), params.evaluation, params.engine.max_tokens)
    return share_right(answers)


def share_right(predictions: pl.DataFrame) -> float:
    return float(predictions["right"].sum() / predictions.height)
