"""Synthesis: tools, phrases and simulation in; verified, deduplicated tasks for every split out."""

import random
from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path

from itool import paths
from itool.artifacts import REJECTED, TASKS, LongTable, task_row
from itool.chat import Replies, open_replies
from itool.cli import command_line
from itool.errors import UserError
from itool.files import whole_folder, write_json
from itool.log import log
from itool.params import Params, Synthesis, load
from itool.toolcall.prompt import open_prompter
from itool.toolcall.types import Task
from stages.synthesis.conversations import HeldOut, learn_from
from stages.synthesis.generate import Pass, fitted, synthesise
from stages.synthesis.invent import with_invented
from stages.synthesis.lengths import Limits
from stages.synthesis.measure import SPLITS, Tally, metrics
from stages.synthesis.pool import Pool, load_pool
from stages.synthesis.programs import hold_out
from stages.synthesis.scenarios import SCENARIOS
from stages.synthesis.verify import Rejection
from stages.synthesis.writer import Prompts, Writer, judged, with_written_values


def run() -> None:
    """Makes data/synthesis/{train,explore,validation,test,rejected}.parquet and metrics/synthesis.json."""
    everything = load()
    params, model = everything.synthesis, everything.model
    check_mixture(params.mixture)
    prompter = open_prompter(model.path, model)
    limits = Limits(prompter, everything.engine.max_tokens)
    pool = with_invented(load_pool(params.tools), params.invent, params.seed)
    replies = open_replies(everything) if "model" in (params.writer, params.judge) else None
    prompts = Prompts()
    if replies and params.writer == "model":
        pool = with_written_values(pool, replies, prompts)
    unseen = hold_out(pool, params.unseen_tools, random.Random(f"{params.seed}/unseen"))
    others = replace(pool, tools=tuple(tool for tool in pool.tools if tool.name not in unseen))
    validation_only = hold_out(others, params.validation_tools, random.Random(f"{params.seed}/validation"), least=0)
    counts = (len(pool.tools), len(unseen), len(validation_only))
    log.info("%d tools in the pool, %d of them only for the unseen test split, %d only for validation", *counts)
    passes = passes_of(everything, pool, limits, replies, prompts) if replies else []
    samples, rejected = (
        synthesise(params, pool, limits, unseen, validation_only, passes) if params.simulate else ([], [])
    )
    held = held_out(params, unseen, validation_only)
    sizes = {split: getattr(params, split) for split in SPLITS if split != "test_unseen"}
    users = learn_from(params.conversations, params.format, params.sources, sizes, held, limits)
    tally = Tally()
    simulated = arranged([sample.task for sample in samples], params.seed)
    with whole_folder(Path(paths.TRAIN).parent) as half_written:
        write_tables(chain(rejected, simulated, users), half_written, tally)
        check_splits(tally, params)
    costs = {"writer": replies.costs} if replies else {}
    write_json(metrics(samples, tally, pool.entities) | costs, paths.SYNTHESIS_METRICS)
    counts = (tally.tasks.total(), tally.users, tally.rejected.total())
    log.info("%d tasks, %d of them from conversations; %d candidates rejected", *counts)


def passes_of(params: Params, pool: Pool, limits: Limits, replies: Replies, prompts: Prompts) -> list[Pass]:
    """What candidates go through with a language model: it words them, they are fitted again, and it judges them."""
    passes: list[Pass] = []
    if params.synthesis.writer == "model":
        writer = Writer(replies, prompts, pool.entities, params.writer.attempts, params.writer.languages)
        passes += [writer.word, lambda samples: [fitted(sample, limits) for sample in samples]]
    if params.synthesis.judge == "model":
        passes.append(lambda samples: judged(samples, replies))
    return passes


def held_out(params: Synthesis, unseen: Set[str], validation_only: Set[str]) -> HeldOut:
    """What a user's conversations hold out: the tools that the simulation does, and own ones in its proportions."""
    total = sum(getattr(params, split) for split in SPLITS)
    unseen_share = params.test_unseen / total if total and params.unseen_tools else 0.0
    # Half of validation shows tools of its own, as in the simulation.
    validation_share = params.validation / total / 2 if total and params.validation_tools else 0.0
    if not params.simulate:
        unseen = validation_only = frozenset()
    return HeldOut(unseen, validation_only, unseen_share, validation_share)


def check_mixture(mixture: dict[str, float]) -> None:
    """Raises UserError for a weight of a scenario that does not exist."""
    for name in mixture:
        if name not in SCENARIOS:
            raise UserError(
                f"params.yaml: synthesis.mixture.{name}: unknown scenario, expected one of {', '.join(SCENARIOS)}"
            )


def check_splits(tally: Tally, params: Synthesis) -> None:
    """Raises UserError when a split that is to have tasks has none; it names what most candidates failed at."""
    if not params.simulate and not tally.users:
        raise UserError(f"{params.conversations}: found no conversation, expected some: synthesis.simulate is false")
    wanted = {
        "train": params.train,
        "explore": params.explore,
        "validation": params.validation,
        "test": params.test_seen + params.test_unseen,
    }
    have: Counter[str] = Counter()
    for (split, _), count in tally.tasks.items():
        have[split.split("_")[0]] += count
    if empty := [split for split, size in wanted.items() if size and not have[split]]:
        found = ", ".join(f"{split} {have[split]}" for split in wanted)
        reasons: Counter[str] = Counter()
        for (_, reason), count in tally.rejected.items():
            reasons[reason] += count
        most = [f"{reason} {count}" for reason, count in reasons.most_common(3)]
        why = "; rejected: " + ", ".join(most) if most else ""
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


def write_tables(results: Iterable[Task | Rejection], folder: Path, tally: Tally) -> None:
    """All tables of the phase into a folder; test.parquet holds both test splits."""
    files = {"train": paths.TRAIN, "explore": paths.EXPLORE, "validation": paths.VALIDATION, "test": paths.TEST}
    tables = {name: LongTable(TASKS, folder / Path(file).name) for name, file in files.items()}
    rejections = LongTable(REJECTED, folder / Path(paths.REJECTED).name)
    for result in results:
        tally.add(result)
        if isinstance(result, Rejection):
            rejections.add(asdict(result))
        else:
            tables[result.split.split("_")[0]].add(task_row(result))
    for table in (*tables.values(), rejections):
        table.close()


if __name__ == "__main__":
    command_line(run)
