"""Synthesis: tools, phrases and simulation in; verified, deduplicated tasks for every split out."""

import random
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

from itool import paths
from itool.artifacts import REJECTED, TASKS, task_row, write_table
from itool.cli import command_line
from itool.errors import UserError
from itool.files import whole_folder, write_json
from itool.log import log
from itool.params import Synthesis, load
from itool.toolcall.prompt import open_prompter
from itool.toolcall.types import Task
from stages.synthesis.conversations import learn_from
from stages.synthesis.generate import synthesise
from stages.synthesis.lengths import Limits
from stages.synthesis.measure import SPLITS, metrics
from stages.synthesis.pool import load_pool
from stages.synthesis.programs import hold_out
from stages.synthesis.scenarios import SCENARIOS
from stages.synthesis.verify import Rejection


def run() -> None:
    """Makes data/synthesis/{train,explore,validation,test,rejected}.parquet and metrics/synthesis.json."""
    everything = load()
    params, model = everything.synthesis, everything.model
    check_mixture(params.mixture)
    prompter = open_prompter(model.path, model)
    limits = Limits(prompter, everything.engine.max_tokens)
    pool = load_pool(params.tools)
    unseen = hold_out(pool, params.unseen_tools, random.Random(f"{params.seed}/unseen"))
    others = replace(pool, tools=tuple(tool for tool in pool.tools if tool.name not in unseen))
    validation_only = hold_out(others, params.validation_tools, random.Random(f"{params.seed}/validation"), least=0)
    counts = (len(pool.tools), len(unseen), len(validation_only))
    log.info("%d tools in the pool, %d of them only for the unseen test split, %d only for validation", *counts)
    samples, rejected = synthesise(params, pool, limits, unseen, validation_only) if params.simulate else ([], [])
    sizes = {split: getattr(params, split) for split in SPLITS if split != "test_unseen"}
    users, refused = learn_from(params.conversations, params.format, sizes, unseen, validation_only, limits)
    if not params.simulate and not users:
        raise UserError(f"{params.conversations}: found no conversation, expected some: synthesis.simulate is false")
    rejected += refused
    tasks = arranged([sample.task for sample in samples], params.seed) + users
    check_splits(tasks, rejected, params)
    write_folder(tasks, rejected)
    write_json(metrics(samples, users, rejected, pool.entities), paths.SYNTHESIS_METRICS)
    log.info("%d tasks, %d of them from conversations; %d candidates rejected", len(tasks), len(users), len(rejected))


def check_mixture(mixture: dict[str, float]) -> None:
    """Raises UserError for a weight of a scenario that does not exist."""
    for name in mixture:
        if name not in SCENARIOS:
            raise UserError(
                f"params.yaml: synthesis.mixture.{name}: unknown scenario, expected one of {', '.join(SCENARIOS)}"
            )


def check_splits(tasks: list[Task], rejected: list[Rejection], params: Synthesis) -> None:
    """Raises UserError when a split that is to have tasks has none; it names what most candidates failed at."""
    wanted = {
        "train": params.train,
        "explore": params.explore,
        "validation": params.validation,
        "test": params.test_seen + params.test_unseen,
    }
    have = Counter(task.split.split("_")[0] for task in tasks)
    if empty := [split for split, size in wanted.items() if size and not have[split]]:
        found = ", ".join(f"{split} {have[split]}" for split in wanted)
        reasons = Counter(rejection.reason for rejection in rejected).most_common(3)
        why = "; rejected: " + ", ".join(f"{reason} {count}" for reason, count in reasons) if reasons else ""
        raise UserError(
            f"synthesis: found no tasks for {', '.join(empty)} ({found}{why}); give more tools or conversations, raise "
            "the sizes of these splits, or hold fewer tools out (synthesis.unseen_tools, synthesis.validation_tools)"
        )


def arranged(tasks: list[Task], seed: int) -> list[Task]:
    """Every split shuffled, so that any head of it is a fair share, and numbered."""
    ordered = []
    for split in SPLITS:
        mine = [task for task in tasks if task.split == split]
        random.Random(f"{seed}/{split}/order").shuffle(mine)
        ordered += [replace(task, task_id=f"{split}-{index:05d}") for index, task in enumerate(mine)]
    return ordered


def write_folder(tasks: list[Task], rejected: list[Rejection]) -> None:
    """All tables of the phase, whole or not at all; test.parquet holds both test splits."""
    files = {"train": paths.TRAIN, "explore": paths.EXPLORE, "validation": paths.VALIDATION, "test": paths.TEST}
    with whole_folder(Path(paths.TRAIN).parent) as half_written:
        for name, file in files.items():
            rows = [task_row(task) for task in tasks if task.split.split("_")[0] == name]
            write_table(rows, TASKS, half_written / Path(file).name)
        rejections = [asdict(rejection) for rejection in rejected]
        write_table(rejections, REJECTED, half_written / Path(paths.REJECTED).name)


if __name__ == "__main__":
    command_line(run)
