"""The stage `preference`: one iteration's model from the previous one and its fragment pairs."""

from stages.artifacts import PAIRS, read_table
from stages.door import log
from stages.errors import UserError
from stages.params import load
from stages.preference.dpo import check_pair, optimise
from stages.training.folders import start_of


def run(iteration: str) -> None:
    """Trains data/models/<iteration> on data/pairs/<iteration>.parquet, from the model at the iteration's start."""
    params = load()
    file = f"data/pairs/{iteration}.parquet"
    start = start_of(iteration, params)
    pairs = []
    for row in read_table(file, PAIRS).iter_rows(named=True):
        pair = {f"{side}_ids": row[side] for side in ("prompt", "chosen", "rejected")}
        check_pair(pair, f"{file}: task {row['task_id']}", params.model.max_length)
        pairs.append(pair)
    if not pairs:
        raise UserError(f"{file}: found no pairs; raise exploration.simulations or lower fragments.margin")
    log.info("preference %s: %d pairs, %s loss, from %s", iteration, len(pairs), params.preference.loss, start)
    optimise(
        pairs,
        start,
        params.model,
        f"data/models/{iteration}",
        params.preference,
        params.engine,
        f"data/curves/{iteration}",
    )
