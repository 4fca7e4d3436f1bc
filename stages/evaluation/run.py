"""Evaluation of one model: a greedy answer to every validation and test task, checked and summed up [P]."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from itool.answering import checked, complete, metrics
from itool.artifacts import PREDICTIONS, read_tasks, write_table
from itool.cli import command_line
from itool.engine import open_engine
from itool.engine.base import Completion, Engine, log_odds
from itool.files import write_json
from itool.log import log
from itool.params import load
from itool.statistics import auc
from itool.toolcall.prompt import Prompter, load_tokenizer

TASK_FILES = ("data/synthesis/validation.parquet", "data/synthesis/test.parquet")


def run(model: str) -> None:
    """Evaluate `base`, `it0` or an iteration: data/predictions/<model>.parquet and metrics/<model>.json."""
    params = load()
    folder = params.model_folder(model)
    tasks = [task for file in TASK_FILES for task in read_tasks(file)]
    prompter = Prompter(load_tokenizer(folder), params.model.dialect, params.model.max_length)
    engine = open_engine(folder, params.engine, prompter.end_ids)
    log.info("%s: %d tasks", model, len(tasks))
    completed = complete(engine, prompter, tasks, params.engine.max_tokens)
    predictions = checked(prompter, tasks, completed, params.evaluation.strict)
    # The figures of the test splits; report adds those of the validation split, which the loop itself looks at.
    test = predictions.filter(pl.col("split") != "validation")
    figures = metrics(test, params.evaluation.bootstrap, params.evaluation.seed)
    asked = [index for index, task in enumerate(tasks) if task.split == "validation"]  # one split, to save time
    right = predictions["right"].to_list()
    figures["self_evaluation"] = self_evaluation(
        engine, prompter, [completed[index] for index in asked], [right[index] for index in asked]
    )
    write_table(predictions, PREDICTIONS, f"data/predictions/{model}.parquet")
    write_json(figures, f"metrics/{model}.json")
    for name, accuracy in (figures["accuracy"] | figures["accuracy"]["scenario"]).items():
        if name != "scenario" and accuracy["n"]:
            value, low, high = (100 * accuracy[bound] for bound in ("value", "low", "high"))
            log.info("%-18s %6.1f%%  [%5.1f, %5.1f]  n=%d", name, value, low, high, accuracy["n"])


def self_evaluation(
    engine: Engine,
    prompter: Prompter,
    completed: Sequence[tuple[tuple[int, ...], Completion]],
    right: Sequence[bool],
) -> dict[str, Any]:
    """How well the model tells its right answers from its wrong ones: {auc, n} of C, the reward's second term [X].

    Over all finished answers; auc is null when all of them are right, or all wrong.
    """
    finished = [
        (prompt, only.ids, ok) for (prompt, only), ok in zip(completed, right, strict=True) if only.finish == "stop"
    ]
    asked = [prompter.selfeval_ids(prompt, ids) for prompt, ids, _ in finished]
    leaning = log_odds(engine, asked, prompter.yes, prompter.no)  # C rises with it, and AUC sees ranks only
    return {"auc": auc(leaning, [ok for *_, ok in finished]), "n": len(finished)}


if __name__ == "__main__":
    command_line(run, "model")
