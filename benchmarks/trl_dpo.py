"""Whole-response DPO by TRL's own DPOTrainer, the field's standard rival of fragment pairs.

    python -m benchmarks.trl_dpo it1 --out tmp/trl/it1

Reads data/pairs/<iteration>.parquet, made with `fragments.span: response` in params.yaml, so that a pair is two whole
answers to a task, and trains the model with which the iteration starts. Updates, batch, rate and beta are those of the
section `preference`. Nothing of itool computes the loss: TRL reads texts, tokenises them again, and keeps its own copy
of the model as reference. Prints the share of the validation tasks that the result answers right. TRL refuses several
visible GPUs here; CUDA_VISIBLE_DEVICES=0 leaves one.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl import DPOConfig, DPOTrainer

from itool.artifacts import PAIRS, read_table
from itool.cli import one_line_errors
from itool.errors import UserError
from itool.log import log, start_logging
from itool.params import Params, load
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.training.models import load_trainable, save
from itool.training.rows import Row, schedule
from itool.training.trainer import options
from stages.preference.run import validation_accuracy


def examples(pairs: pl.DataFrame, prompter: Prompter, tokenizer: PreTrainedTokenizerBase) -> list[dict[str, str]]:
    """The pairs, a PAIRS table, as texts. Raises UserError for a side that does not end its turn: TRL would end it."""
    for number, row in enumerate(pairs.iter_rows(named=True)):
        for side in ("chosen", "rejected"):
            if row[side][-1] not in prompter.end_ids:
                found = f"row {number} of the pairs: column {side}: found a part of an answer, expected a whole one"
                raise UserError(f"{found} (fragments.span: response)")
    return [
        {side: str(tokenizer.decode(row[side])) for side in ("prompt", "chosen", "rejected")}
        for row in pairs.iter_rows(named=True)
    ]


def train_dpo(
    texts: Sequence[dict[str, str]], order: Sequence[int], start: str | Path, out: str | Path, params: Params
) -> list[float]:
    """Trains the model of `start` on texts[order[0]], texts[order[1]], ... and writes it to `out`.

    Returns the logged losses, the mean over the updates since the last.
    """
    settings = params.preference
    network, tokenizer = load_trainable(start, params.model, params.engine, settings.seed)
    config = DPOConfig(
        **options(params, settings, len(order), out), beta=settings.beta, loss_type="sigmoid", max_length=None
    )
    dataset = Dataset.from_list([texts[index] for index in order])
    trainer = DPOTrainer(model=network, args=config, train_dataset=dataset, processing_class=tokenizer)
    trainer.train()
    save(network, tokenizer, out, params.engine)
    return [each["loss"] for each in trainer.state.log_history if "loss" in each]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("iteration")
    parser.add_argument("--out", required=True)
    asked = parser.parse_args()
    start_logging()
    params = load()
    settings, start = params.preference, params.start_of(asked.iteration)
    tokenizer = load_tokenizer(start)
    pairs = read_table(f"data/pairs/{asked.iteration}.parquet", PAIRS)
    texts = examples(pairs, Prompter(tokenizer, params.model.dialect, params.model.max_length), tokenizer)
    rows = [Row(tuple(row["prompt"]), tuple(row["chosen"] + row["rejected"])) for row in pairs.iter_rows(named=True)]
    order = schedule(rows, settings.updates * settings.batch, settings.batch, settings.seed)
    train_dpo(texts, order, start, asked.out, params)
    log.info("%d pairs: %.1f%% of the validation tasks", len(texts), 100 * validation_accuracy(asked.out, params))


if __name__ == "__main__":
    with one_line_errors():
        main()
