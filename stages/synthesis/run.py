"""Synthesis: tools, phrases and simulation in; verified, deduplicated tasks for every split out."""

import math
import random
import shutil
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

from stages.artifacts import REJECTED, TASKS, task_row, write_json, write_table
from stages.door import log
from stages.errors import UserError
from stages.params import Synthesis, load
from stages.synthesis.conversations import read_conversations
from stages.synthesis.dedup import duplicates
from stages.synthesis.measure import SPLITS, metrics, text_of
from stages.synthesis.pool import Pool, load_pool
from stages.synthesis.programs import Roster, execute, hold_out, possible, rosters, sample
from stages.synthesis.verbalise import Sample, verbalise
from stages.synthesis.verify import Rejection, format_error, verify
from stages.synthesis.world import SimulationError
from stages.toolcall.types import Task

FOLDER = Path("data/synthesis")
METRICS = Path("metrics/synthesis.json")
SURPLUS = 1.1  # candidates drawn for each task still wanted
ROUNDS = 8  # of drawing until every scenario of every split is full
# Test tasks come first, so that of two duplicates the training side loses its one.
DRAWN = tuple(reversed(SPLITS))


def run() -> None:
    """Makes data/synthesis/{train,explore,validation,test,rejected}.parquet and metrics/synthesis.json."""
    params = load().synthesis
    pool = load_pool(params.tools)
    held = hold_out(pool, params.unseen_tools, random.Random(f"{params.seed}/unseen"))
    log.info("%d tools in the pool, %d of them only for the unseen test split", len(pool.tools), len(held))
    samples, rejected = synthesise(params, pool, held)
    sizes = {split: getattr(params, split) for split in SPLITS if split != "test_unseen"}
    users, refused = accepted(read_conversations(params.conversations, sizes, held))
    rejected += refused
    tasks = arranged([sample.task for sample in samples], params.seed) + users
    write_folder(tasks, rejected, FOLDER)
    write_json(metrics(samples, users, rejected, pool.entities), METRICS)
    log.info("%d tasks, %d of them from conversations; %d candidates rejected", len(tasks), len(users), len(rejected))


def synthesise(params: Synthesis, pool: Pool, held: set[str]) -> tuple[list[Sample], list[Rejection]]:
    """Samples for all splits, and what was rejected. Draws in rounds until the quotas are full; a small set of tools
    may not fill them.
    """
    seen, unseen = rosters(pool, held)
    roster_of = {split: unseen if split == "test_unseen" else seen for split in DRAWN}
    wanted = {
        (split, scenario): count
        for split in DRAWN
        for scenario, count in quotas(params, roster_of[split], getattr(params, split)).items()
    }
    kept: list[Sample] = []
    rejected: list[Rejection] = []
    for attempt in range(ROUNDS):
        have = Counter((s.task.split, s.task.scenario) for s in kept)
        drawn: list[Sample] = []
        for (split, scenario), count in wanted.items():
            rng = random.Random(f"{params.seed}/{split}/{scenario}/{attempt}")
            for _ in range(math.ceil((count - have[split, scenario]) * SURPLUS)):
                found = draw(scenario, split, roster_of[split], pool, params, rng)
                if isinstance(found, Sample):
                    drawn.append(found)
                else:
                    rejected.append(found)
        if not drawn:
            break
        reasons = duplicates([text_of(s.task) for s in kept + drawn])[len(kept) :]
        for candidate, reason in zip(drawn, reasons, strict=True):
            key = (candidate.task.split, candidate.task.scenario)
            if reason:
                rejected.append(Rejection(key[1], "duplicate", reason, text_of(candidate.task)))
            elif have[key] < wanted[key]:
                have[key] += 1
                kept.append(candidate)
    have = Counter((s.task.split, s.task.scenario) for s in kept)
    for (split, scenario), count in wanted.items():
        if have[split, scenario] < count:
            log.warning(
                "%s: %s: only %d of %d tasks could be made of these tools",
                split,
                scenario,
                have[split, scenario],
                count,
            )
    return kept, rejected


def draw(
    scenario: str, split: str, roster: Roster, pool: Pool, params: Synthesis, rng: random.Random
) -> Sample | Rejection:
    """One candidate: sampled, executed, verbalised, verified."""
    side = "test" if split.startswith("test") else "train"
    program = sample(scenario, roster, pool.entities, side, params.max_tools, rng)
    try:
        program = execute(program)
    except SimulationError as error:
        return Rejection(scenario, "execution", "simulation error", f"{program.steps[0].tool.name}: {error}")
    candidate = verbalise(program, split, params.train_wording, params.typos, rng)
    return verify(candidate, pool.entities) or candidate


def quotas(params: Synthesis, roster: Roster, count: int) -> dict[str, int]:
    """`count` tasks shared out over the scenarios by their weights in the mixture, to the task."""
    able = possible(roster, params.max_tools)
    weights = {scenario: getattr(params.mixture, scenario) for scenario in able}
    total = sum(weights.values())
    if not able:
        return {}
    if not total:
        raise UserError(
            f"params.yaml: synthesis.mixture: found no weight above 0 among what these tools allow: {', '.join(able)}"
        )
    shares = {scenario: count * weight / total for scenario, weight in weights.items()}
    full = {scenario: int(share) for scenario, share in shares.items()}
    by_remainder = sorted(able, key=lambda scenario: full[scenario] - shares[scenario])
    for scenario in by_remainder[: count - sum(full.values())]:
        full[scenario] += 1
    return full


def accepted(tasks: list[Task]) -> tuple[list[Task], list[Rejection]]:
    """A user's tasks that pass the format layer, without repetitions."""
    kept: list[Task] = []
    rejected: list[Rejection] = []
    seen: set[str] = set()
    for task in tasks:
        row = task_row(task)
        key = row["tools"] + row["messages"]
        problem = format_error(task)
        if problem:
            rejected.append(Rejection("user", "format", problem[0], f"{task.task_id}: {problem[1]}"))
        elif key in seen:
            rejected.append(Rejection("user", "duplicate", "exact", task.task_id))
        else:
            seen.add(key)
            kept.append(task)
    return kept, rejected


def arranged(tasks: list[Task], seed: int) -> list[Task]:
    """Every split shuffled, so that any head of it is a fair share, and numbered."""
    ordered = []
    for split in SPLITS:
        mine = [task for task in tasks if task.split == split]
        random.Random(f"{seed}/{split}/order").shuffle(mine)
        ordered += [replace(task, task_id=f"{split}-{index:05d}") for index, task in enumerate(mine)]
    return ordered


def write_folder(tasks: list[Task], rejected: list[Rejection], folder: Path) -> None:
    """All tables of the phase, whole or not at all; test.parquet holds both test splits."""
    half_written = folder.with_name(folder.name + ".part")
    shutil.rmtree(half_written, ignore_errors=True)
    for name in ("train", "explore", "validation", "test"):
        write_table(
            [task_row(task) for task in tasks if task.split.split("_")[0] == name],
            TASKS,
            half_written / f"{name}.parquet",
        )
    write_table([asdict(rejection) for rejection in rejected], REJECTED, half_written / "rejected.parquet")
    shutil.rmtree(folder, ignore_errors=True)
    half_written.rename(folder)
