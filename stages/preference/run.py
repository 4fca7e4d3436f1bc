"""The stage `preference`: one iteration's model from the previous one and its fragment pairs."""

import tempfile
from pathlib import Path

import polars as pl

from itool.answering import answer
from itool.artifacts import ANSWERS, PAIRS, PREDICTIONS, read_table, read_tasks
from itool.cli import command_line
from itool.engine import open_local
from itool.errors import UserError
from itool.files import write_json
from itool.log import log
from itool.params import Params, load
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.training.models import load_trainable, save, write_means
from stages.preference.dpo import Pair, Trunk, optimise

VALIDATION = "data/synthesis/validation.parquet"


def run(iteration: str) -> None:
    """Trains data/models/<iteration> on the iteration's pairs and answers, from the model at the iteration's start.

    Of that model, those at preference.checks moments of the training and those half the way there, the one with most
    right validation tasks is kept, the earliest in a tie [O]. metrics/preference/<iteration>.json says which.
    """
    params = load()
    settings = params.preference
    start, previous = params.start_of(iteration), params.iterations[iteration].previous
    trunks = read_trunks(iteration, params.model.max_length)
    pairs = 0 if settings.loss == "sft" else sum(len(trunk.pairs) for trunk in trunks)
    curves = Path(f"data/curves/{iteration}")
    curves.mkdir(parents=True, exist_ok=True)
    known = read_table(f"data/predictions/{previous}.parquet", PREDICTIONS).filter(pl.col("split") == "validation")
    folders, accuracy = {"start": start}, {"start": share_right(known)}
    learnable = pairs > 0 or (settings.sft > 0 and any(trunk.learn for trunk in trunks))
    with tempfile.TemporaryDirectory() as folder:
        log.info("preference %s: %d answers, %d pairs, loss %s", iteration, len(trunks), pairs, settings.loss)
        if learnable:
            checks = optimise(trunks, start, params.model, folder, settings, params.engine, curves)
            halves = write_means(start, checks, params.model, params.engine)
            for check, half in zip(checks, halves, strict=True):
                folders |= {f"check {check.name}": str(check), f"half way to check {check.name}": str(half)}
        for name in list(folders)[1:]:
            accuracy[name] = validation_accuracy(folders[name], params)
            log.info("%s: %.1f%% of the validation tasks", name, 100 * accuracy[name])
        kept = max(accuracy, key=accuracy.__getitem__)
        if kept == "start":
            nothing = f"nothing to learn (raise iterations.{iteration}.ratio, or preference.sft where that is 0)"
            why = "nothing is better" if learnable else nothing
            log.warning("preference %s: %s: the model stays as it was", iteration, why)
        model = load_trainable(folders[kept], params.model, params.engine, settings.seed)
        save(*model, f"data/models/{iteration}", params.engine)
    figures = {"answers": len(trunks), "pairs": pairs, "kept": kept, "validation": accuracy}
    write_json(figures, f"metrics/preference/{iteration}.json")


def read_trunks(iteration: str, max_length: int) -> list[Trunk]:
    """The answers of an iteration with their pairs.

    Raises UserError naming file and task for a pair that would train on something else than where two fragments part on
    its answer, and for what is too long.
    """
    file, pairs_file = (f"data/{name}/{iteration}.parquet" for name in ("answers", "pairs"))
    trunks = []
    for row in read_table(file, ANSWERS).iter_rows(named=True):
        trunks.append(Trunk(tuple(row["prompt"]), tuple(row["answer"]), row["learn"]))
        if not row["answer"]:
            raise UserError(f"{file}: task {row['task_id']}: column answer: found no tokens")
    for row in read_table(pairs_file, PAIRS).iter_rows(named=True):
        where = f"{pairs_file}: task {row['task_id']}"
        if not 0 <= row["answer"] < len(trunks):
            raise UserError(f"{where}: column answer: found {row['answer']}, expected a row of {file}")
        trunk = trunks[row["answer"]]
        prompt, chosen, rejected = (tuple(row[name]) for name in ("prompt", "chosen", "rejected"))
        for name, ids in (("prompt", prompt), ("chosen", chosen), ("rejected", rejected)):
            if not ids:
                raise UserError(f"{where}: column {name}: found no tokens")
        if chosen[0] == rejected[0]:
            raise UserError(
                f"{where}: chosen and rejected both begin with token {chosen[0]}, which belongs to the prompt"
            )
        begins = (trunk.prompt + trunk.answer)[: len(prompt) + len(chosen)] == prompt + chosen
        if len(prompt) < len(trunk.prompt) or not begins:
            raise UserError(f"{where}: prompt and chosen are not how row {row['answer']} of {file} begins")
        trunk.pairs.append(Pair(len(prompt) - len(trunk.prompt), len(chosen), rejected))
    for number, trunk in enumerate(trunks):
        longest = max(len(trunk.answer), *(pair.at + len(pair.rejected) for pair in trunk.pairs), 0)
        if len(trunk.prompt) + longest > max_length:
            found = f"{file}: row {number}: found {len(trunk.prompt) + longest} tokens"
            raise UserError(f"{found}, expected at most model.max_length = {max_length}")
    return trunks


def validation_accuracy(folder: str, params: Params) -> float:
    """The share of the validation tasks that a model answers right."""
    prompter = Prompter(load_tokenizer(folder), params.model.dialect, params.model.max_length)
    engine = open_local(folder, params.engine, prompter.end_ids)
    answers = answer(engine, prompter, read_tasks(VALIDATION), params.evaluation, params.engine.max_tokens)
    return share_right(answers)


def share_right(predictions: pl.DataFrame) -> float:
    return float(predictions["right"].sum() / predictions.height)


if __name__ == "__main__":
    command_line(run, "iteration")
