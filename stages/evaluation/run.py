"""Evaluation of one model: a greedy answer to every validation and test task, checked and summed up [P]."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from itool import paths
from itool.answering import checked, complete
from itool.artifacts import PREDICTIONS, read_tasks, write_table
from itool.cli import command_line
from itool.engine import open_engine
from itool.engine.base import Completion, Engine, log_odds
from itool.files import write_json
from itool.log import log
from itool.metrics import DELTAS, detail, difference, headline, read_predictions
from itool.params import Params, load
from itool.statistics import auc
from itool.toolcall.prompt import Prompter, open_prompter


def run(model: str) -> None:
    """Evaluate `base`, `it0` or an iteration: data/predictions/<model>.parquet, its headline figures in
    metrics/<model>.json, and all others in metrics/detail/<model>.json.
    """
    params = load()
    folder = params.model_folder(model)
    tasks = [task for file in (paths.VALIDATION, paths.TEST) for task in read_tasks(file)]
    prompter = open_prompter(folder, params.model)
    engine = open_engine(folder, params.engine, prompter.end_ids)
    log.info("%s: %d tasks", model, len(tasks))
    completed = complete(engine, prompter, tasks, params.engine.max_tokens)
    answered = checked(prompter, tasks, completed, params.evaluation.strict)
    write_table(answered, PREDICTIONS, paths.PREDICTIONS.format(model))

    asked = [index for index, task in enumerate(tasks) if task.split == "validation"]  # one split, to save time
    right = answered["right"].to_list()
    knows = self_evaluation(engine, prompter, [completed[index] for index in asked], [right[index] for index in asked])
    short, figures = summary(model, params)
    write_json(short, paths.HEADLINE.format(model))
    write_json(figures | {"self_evaluation": knows}, paths.DETAIL.format(model))
    log_accuracy(figures["test"]["accuracy"])


def summary(model: str, params: Params) -> tuple[dict[str, Any], dict[str, Any]]:
    """The headline figures of a model's predictions, and the detailed ones of the test and validation splits. Those of
    an iteration hold the differences to it0.
    """
    against = ["it0"] if model in params.iterations else []
    answers = read_predictions([model, *against])
    test = {name: table.filter(pl.col("split") != "validation") for name, table in answers.items()}
    bootstrap = (params.evaluation.bootstrap, params.evaluation.seed)
    validation = answers[model].filter(pl.col("split") == "validation")
    figures = {"test": detail(test[model], *bootstrap), "validation": detail(validation, *bootstrap)}
    for reference in against:
        figures["delta"] = {name: difference(test[reference], test[model], name, *bootstrap) for name in DELTAS}
    return headline(*test.values()), figures


def log_accuracy(accuracy: dict[str, Any]) -> None:
    """One line a group of tasks, and one a scenario."""
    for name, estimate in (accuracy | accuracy["scenario"]).items():
        if name != "scenario" and estimate["n"]:
            value, low, high = (100 * estimate[bound] for bound in ("value", "low", "high"))
            log.info("%-18s %6.1f%%  [%5.1f, %5.1f]  n=%d", name, value, low, high, estimate["n"])


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
    of_yes = log_odds(engine, asked, prompter.yes, prompter.no)  # C rises with it, and AUC sees ranks only
    return {"auc": auc(of_yes, [ok for *_, ok in finished]), "n": len(finished)}


if __name__ == "__main__":
    command_line(run, "model")
