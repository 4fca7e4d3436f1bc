"""The stage `preference`: one iteration's model from the previous one and its fragment pairs."""

from pathlib import Path

from stages.artifacts import PAIRS, read_table
from stages.door import log
from stages.params import load
from stages.preference.dpo import check_pair, optimise
from stages.training.models import load_trainable, save


def run(iteration: str) -> None:
    """Trains data/models/<iteration> on data/pairs/<iteration>.parquet, from the model at the iteration's start."""
    params = load()
    file = f"data/pairs/{iteration}.parquet"
    start = params.start_of(iteration)
    out, curves = f"data/models/{iteration}", Path(f"data/curves/{iteration}")
    pairs = []
    for row in read_table(file, PAIRS).iter_rows(named=True):
        pair = {f"{side}_ids": row[side] for side in ("prompt", "chosen", "rejected")}
        check_pair(pair, f"{file}: task {row['task_id']}", params.model.max_length)
        pairs.append(pair)
    if not pairs:
        log.warning("%s: no pairs: the model stays as it was (raise exploration.simulations or selection.draw)", file)
        save(*load_trainable(start, params.model, params.engine, params.preference.seed), out, params.engine)
        curves.mkdir(parents=True)
        return
    log.info("preference %s: %d pairs, %s loss, from %s", iteration, len(pairs), params.preference.loss, start)
    optimise(
        pairs,
        start,
        params.model,
        out,
        params.preference,
        params.engine,
        curves,
    )
