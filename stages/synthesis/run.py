"""Synthesis: tools, phrases and simulation in; verified, deduplicated tasks for every split out."""

import math
import random
from collections import Counter
from collections.abc import Set
from dataclasses import asdict, replace
from pathlib import Path

from itool.artifacts import REJECTED, TASKS, task_row, write_table
from itool.cli import command_line
from itool.errors import UserError
from itool.files import whole_folder, write_json
from itool.formats.openai import read_conversations
from itool.log import log
from itool.params import Synthesis, load
from itool.statistics import apportion
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.toolcall.types import Kind, Task
from itool.toolcall.wording import text_share
from stages.synthesis.dedup import duplicates
from stages.synthesis.measure import SPLITS, metrics, text_of
from stages.synthesis.pool import Pool, load_pool
from stages.synthesis.programs import Roster, execute, hold_out, possible, rosters, sample
from stages.synthesis.verbalise import LEARNT, Sample, verbalise
from stages.synthesis.verify import Rejection, format_error, verify
from stages.synthesis.world import SimulationError

FOLDER = Path("data/synthesis")
METRICS = Path("metrics/synthesis.json")
SURPLUS = 1.1  # candidates drawn for each task still wanted
ROUNDS = 8  # of drawing until every scenario of every split is full
RESERVED = "validation of its own tools"
WITHHELD = 0.4  # share of a user's tasks that may show held-out tools without a warning
# Test tasks come first, so that of two duplicates the training side loses its one.
DRAWN = tuple(reversed(SPLITS))


def run() -> None:
    """Makes data/synthesis/{train,explore,validation,test,rejected}.parquet and metrics/synthesis.json."""
    everything = load()
    params, model = everything.synthesis, everything.model
    prompter = Prompter(load_tokenizer(model.path), model.dialect, model.max_length)
    pool = load_pool(params.tools)
    unseen = hold_out(pool, params.unseen_tools, random.Random(f"{params.seed}/unseen"))
    others = replace(pool, tools=tuple(tool for tool in pool.tools if tool.name not in unseen))
    reserved = hold_out(others, params.validation_tools, random.Random(f"{params.seed}/validation"), least=0)
    counts = (len(pool.tools), len(unseen), len(reserved))
    log.info("%d tools in the pool, %d of them only for the unseen test split, %d only for validation", *counts)
    samples, rejected = synthesise(params, pool, unseen, reserved) if params.simulate else ([], [])
    sizes = {split: getattr(params, split) for split in SPLITS if split != "test_unseen"}
    users, refused = learn_from(params.conversations, sizes, unseen, reserved, prompter)
    if not params.simulate and not users:
        raise UserError(f"{params.conversations}: found no conversation, expected some: synthesis.simulate is false")
    rejected += refused
    tasks = arranged([sample.task for sample in samples], params.seed) + users
    check_splits(tasks, params)
    check_lengths(tasks, prompter, everything.engine.max_tokens)
    write_folder(tasks, rejected, FOLDER)
    write_json(metrics(samples, users, rejected, pool.entities), METRICS)
    log.info("%d tasks, %d of them from conversations; %d candidates rejected", len(tasks), len(users), len(rejected))


def synthesise(
    params: Synthesis, pool: Pool, unseen: Set[str], reserved: Set[str] = frozenset()
) -> tuple[list[Sample], list[Rejection]]:
    """Samples for all splits, and what was rejected. Draws in rounds until the quotas are full; a small set of tools
    may not fill them.

    `unseen` are the tools of the unseen test split. `reserved` are those of half of the validation tasks, so that
    validation sees whether a model forgets what it knew of tools that training does not show [O].
    """
    seen_roster, reserved_roster, unseen_roster = rosters(pool, unseen, reserved)
    halves = {"validation": params.validation - params.validation // 2, RESERVED: params.validation // 2}
    sizes = {split: getattr(params, split) for split in DRAWN} | (halves if reserved else {})
    roster_of = dict.fromkeys(sizes, seen_roster) | {RESERVED: reserved_roster, "test_unseen": unseen_roster}
    wanted = {
        (part, scenario): count
        for part, size in sizes.items()
        for scenario, count in quotas(params, roster_of[part], size, learnt=part in LEARNT).items()
    }
    kept: list[tuple[str, Sample]] = []
    rejected: list[Rejection] = []
    have: Counter[tuple[str, str]] = Counter()
    for attempt in range(ROUNDS):
        drawn: list[tuple[str, Sample]] = []
        for (part, scenario), count in wanted.items():
            rng = random.Random(f"{params.seed}/{part}/{scenario}/{attempt}")
            split = "validation" if part == RESERVED else part
            for _ in range(math.ceil((count - have[part, scenario]) * SURPLUS)):
                found = draw(scenario, split, roster_of[part], pool, params, rng)
                if isinstance(found, Sample):
                    drawn.append((part, found))
                else:
                    rejected.append(found)
        if not drawn:
            break
        reasons = duplicates([text_of(made.task) for _, made in kept + drawn])[len(kept) :]
        for (part, made), reason in zip(drawn, reasons, strict=True):
            key = (part, made.task.scenario)
            if reason:
                rejected.append(Rejection(key[1], "duplicate", reason, text_of(made.task)))
            elif have[key] < wanted[key]:
                have[key] += 1
                kept.append((part, made))
    for (part, scenario), count in wanted.items():
        if (able := have[part, scenario]) < count:
            log.warning("%s: %s: only %d of %d tasks could be made of these tools", part, scenario, able, count)
    return [made for _, made in kept], rejected


def draw(
    scenario: str, split: str, roster: Roster, pool: Pool, params: Synthesis, rng: random.Random
) -> Sample | Rejection:
    """One candidate: sampled, executed, verbalised, verified."""
    side = "test" if split.startswith("test") else "train"
    program = sample(scenario, roster, pool.entities, side, params.max_tools, rng)
    try:
        program = execute(program)
    except SimulationError as error:
        return Rejection(scenario, "execution", "simulation error", str(error))
    candidate = verbalise(program, split, params, rng)
    return verify(candidate, pool.entities) or candidate


def quotas(params: Synthesis, roster: Roster, count: int, learnt: bool) -> dict[str, int]:
    """`count` tasks shared out over the scenarios by their weights in the mixture, to the task.

    What is learnt has more irrelevant requests, as in Hammer (arXiv 2410.04587): nearly all others teach to call.
    """
    able = possible(roster, params.max_tools)
    mixture = params.mixture.model_copy(update={"irrelevant": params.train_irrelevant} if learnt else {})
    weights = {scenario: getattr(mixture, scenario) for scenario in able}
    if not able:
        return {}
    if not sum(weights.values()):
        raise UserError(
            f"params.yaml: synthesis.mixture: found no weight above 0 among what these tools allow: {', '.join(able)}"
        )
    return apportion(count, weights)


def learn_from(
    path: str, sizes: dict[str, int], unseen: Set[str], reserved: Set[str], prompter: Prompter
) -> tuple[list[Task], list[Rejection]]:
    """The tasks of a user's conversations, and what was rejected. Logs what became of them.

    Raises UserError when a file that is not empty gives no task.
    """
    turns = read_conversations(path, sizes, unseen, reserved)
    users, rejected = accepted(turns, prompter)
    if not turns:
        return users, rejected
    told = f"{len(turns)} assistant turns, {len(users)} kept, {len(rejected)} rejected"
    reasons = Counter(r.reason if r.layer == "format" else r.layer for r in rejected)
    why = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
    if not users:
        first = " ".join(rejected[0].detail.split())[:200]
        raise UserError(f"{path}: {told} ({why}), expected one to keep; the first is {first}")
    log.info("conversations: %s%s", told, f" ({why}; see {FOLDER}/rejected.parquet)" if rejected else "")
    tell_splits(users, unseen | reserved)
    return users, rejected


def accepted(tasks: list[Task], prompter: Prompter) -> tuple[list[Task], list[Rejection]]:
    """A user's tasks that pass the format layer and fit the model, without repetitions."""
    kept: list[Task] = []
    rejected: list[Rejection] = []
    seen: set[str] = set()
    for task in tasks:
        row = task_row(task)
        key = row["tools"] + row["messages"]
        problem = _unchecked(task) or format_error(task) or _unfit(task, prompter)
        if problem:
            rejected.append(Rejection(task.scenario, "format", problem[0], f"{task.task_id}: {problem[1]}"))
        elif key in seen:
            rejected.append(Rejection(task.scenario, "duplicate", "exact", task.task_id))
        else:
            seen.add(key)
            kept.append(task)
    return kept, rejected


def tell_splits(users: list[Task], held: Set[str]) -> None:
    """Logs where a user's tasks went. Those that show a held-out tool are never learnt from."""
    counts = Counter(task.split for task in users)
    log.info("tasks from conversations: %s", ", ".join(f"{split} {counts[split]}" for split in SPLITS))
    withheld = sum(not held.isdisjoint(tool.name for tool in task.tools) for task in users) / len(users)
    if withheld > WITHHELD:
        log.warning(
            "%.0f%% of them show a held-out tool and are not learnt from; lower synthesis.unseen_tools and "
            "synthesis.validation_tools (0: no tool is held out)",
            100 * withheld,
        )
    elif not counts["train"] + counts["explore"]:
        log.warning(
            "no conversation is learnt from, all fell to validation and test by chance: give more conversations or "
            "raise synthesis.train"
        )


def check_splits(tasks: list[Task], params: Synthesis) -> None:
    """Raises UserError when a split that is to have tasks has none."""
    wanted = {
        "train": params.train,
        "explore": params.explore,
        "validation": params.validation,
        "test": params.test_seen + params.test_unseen,
    }
    have = Counter(task.split.split("_")[0] for task in tasks)
    if empty := [split for split, size in wanted.items() if size and not have[split]]:
        found = ", ".join(f"{split} {have[split]}" for split in wanted)
        raise UserError(
            f"synthesis: found no tasks for {', '.join(empty)} ({found}); give more tools or conversations, raise the "
            "sizes of these splits, or hold fewer tools out (synthesis.unseen_tools, synthesis.validation_tools)"
        )


def check_lengths(tasks: list[Task], prompter: Prompter, max_tokens: int) -> None:
    """Raises UserError for a task that is too long for the model: here and not in the iteration that draws it, hours
    later. Warns of answers that no model can give.
    """
    answers = [len(answer) for _, answer in map(prompter.sample, tasks)]
    if cut := sum(length > max_tokens for length in answers):
        log.warning(
            "%d of %d answers are longer than engine.max_tokens = %d (the longest has %d): cut, they are never right",
            cut,
            len(answers),
            max_tokens,
            max(answers),
        )


def _unchecked(task: Task) -> tuple[str, str] | None:
    """(reason, detail) of a text with which any other would be right, or none."""
    reference = task.reference
    if reference.kind is Kind.REPORT and not reference.values:
        return "report of nothing in the results", reference.text
    if reference.kind is Kind.REFUSAL and text_share(reference.text, reference) < 1:
        return "neither question, report nor refusal", reference.text
    return None


def _unfit(task: Task, prompter: Prompter) -> tuple[str, str] | None:
    """(reason, detail) of a task that is too long for the model, or that its chat template refuses."""
    try:
        prompter.sample(task)
    except UserError as error:
        return "does not fit the model", str(error).removeprefix(f"task {task.task_id}: ")
    return None


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
    with whole_folder(folder) as half_written:
        for name in ("train", "explore", "validation", "test"):
            rows = [task_row(task) for task in tasks if task.split.split("_")[0] == name]
            write_table(rows, TASKS, half_written / f"{name}.parquet")
        write_table([asdict(rejection) for rejection in rejected], REJECTED, half_written / "rejected.parquet")


if __name__ == "__main__":
    command_line(run)
