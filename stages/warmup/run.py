"""The stage `warmup`: supervised fine-tuning from easy to hard [P], with self-evaluation samples in the mixture."""

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from itool import paths
from itool.artifacts import read_tasks
from itool.cli import command_line
from itool.engine import open_local
from itool.engine.base import Engine, log_odds
from itool.files import write_json
from itool.log import log
from itool.params import load
from itool.statistics import auc
from itool.toolcall.prompt import Prompter, open_prompter
from itool.toolcall.types import Task
from itool.training import ranks
from itool.training.models import publish
from itool.training.rows import Row, schedule
from itool.training.trainer import train
from stages.warmup.corrupt import corrupt, difficulty, gather


def run() -> None:
    """Fine-tunes model.path on data/synthesis/train.parquet to data/models/it0; curves and metrics/warmup.json.

    With warmup.epochs 0 it0 is the model of model.path as it is.
    """
    params = load()
    settings, model = params.warmup, params.model_folder("it0")
    prompter = open_prompter(params.model.path, params.model)
    tasks = read_tasks(paths.TRAIN)
    answers = [Row(*prompter.sample(task)) for task in tasks]
    count = round(len(tasks) * settings.self_evaluation / (1 - settings.self_evaluation))
    about, questions, _ = self_evaluation_rows(tasks, count, prompter, settings.seed, params.evaluation.strict)
    hard = difficulty(tasks)
    hard += [hard[index] for index in about]
    log.info("warmup: %d answers and %d self-evaluations", len(answers), len(questions))
    rows = answers + questions
    difficulties = hard if settings.easy_to_hard else None
    order = schedule(rows, settings.epochs * len(rows), settings.batch, settings.seed, difficulties)
    with tempfile.TemporaryDirectory() as folder:
        trained, curves = Path(params.model.path), Path(paths.CURVES.format("it0"))
        if order:
            [trained] = train(rows, trained, folder, params, settings, order, curves=curves)
        if not ranks.is_main():
            return
        curves.mkdir(parents=True, exist_ok=True)
        publish(trained, model, params.model, params.engine)

    held_out = read_tasks(paths.VALIDATION)
    _, questions, right = self_evaluation_rows(
        held_out, len(held_out), prompter, settings.seed, params.evaluation.strict
    )
    area = self_evaluation_auc(open_local(model, params.engine, prompter.end_ids), prompter, questions, right)
    log.info("warmup: self-evaluation AUC on %d validation samples: %s", len(questions), area)
    write_json(
        {
            "answers": len(answers),
            "self_evaluations": len(about),
            "self_evaluation": {"auc": area, "n": len(questions)},
        },
        paths.WARMUP_METRICS,
    )


def self_evaluation_rows(
    tasks: Sequence[Task], count: int, prompter: Prompter, seed: int, strict: bool
) -> tuple[list[int], list[Row], list[bool]]:
    """About `count` samples that ask "is this answer correct?", right and wrong answers in turn.

    Returns the index of each sample's task, its row, and whether its answer is right. Tasks come in random order, again
    from the start when all were used; a task for which no wrong answer is found, or whose sample is too long for the
    model, is passed over in its turn.
    """
    chance = random.Random(f"{seed}/self-evaluation")
    material = gather(tasks)
    indices = chance.sample(range(len(tasks)), len(tasks))
    about: list[int] = []
    rows: list[Row] = []
    rights: list[bool] = []
    for number in range(count):
        index = indices[number % len(tasks)]
        right = (number % len(tasks) + number // len(tasks)) % 2 == 0  # the other way round the second time
        answer = tasks[index].reference.answer() if right else corrupt(tasks[index], material, chance, strict)
        if answer is None:
            continue
        prompt = prompter.selfeval_ids(prompter.prompt_ids(tasks[index]), prompter.completion_ids(answer))
        completion = prompter.selfeval_completion_ids(right)
        if len(prompt) + len(completion) > prompter.max_length:
            continue
        about.append(index)
        rows.append(Row(prompt, completion))
        rights.append(right)
    return about, rows, rights


def self_evaluation_auc(
    engine: Engine, prompter: Prompter, rows: Sequence[Row], rights: Sequence[bool]
) -> float | None:
    """The share of (right, wrong) couples whose right answer has the higher C; None when there are no couples."""
    return auc(log_odds(engine, [row.prompt for row in rows], prompter.yes, prompter.no), rights)


if __name__ == "__main__":
    command_line(run)
