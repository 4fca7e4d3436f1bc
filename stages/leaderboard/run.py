"""The stage `leaderboard`: a model answers the Berkeley Function Calling Leaderboard, whose own code scores it [O]."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from itool import params, paths
from itool.artifacts import BOARD_ANSWERS, join_tables, read_table, write_table
from itool.cli import command_line
from itool.engine import open_engine
from itool.engine.base import Engine, Ids, Request, Sampling
from itool.errors import UserError
from itool.files import read_text, whole_folder, write_json, write_text
from itool.formats.notes import Notes
from itool.log import Progress, log
from itool.scratch import scratch_folder
from itool.toolcall.dialects import read_answer
from itool.toolcall.prompt import Prompter, open_prompter
from itool.toolcall.types import Task
from stages.leaderboard import board

CODE = ("stages/leaderboard", "itool/engine", "itool/formats", "itool/toolcall")  # folders whose code decides answers
SCRATCH = Path(".scratch/leaderboard")
PYTHON = Path(".venv-bfcl/bin/python")
OFFICIAL = Path(__file__).with_name("official.py")


def run(model: str) -> None:
    """Scores `base`, `it0`, an iteration or one of leaderboard.models.

    data/leaderboard/<model> holds every answer, the board's own result and score files, and the counts of each
    category; metrics/leaderboard/<model>.json the model's row of the board. Finished shards of answers are kept in an
    untracked scratch folder, so that an interrupted stage resumes.
    """
    settings = params.load()
    folder = Path(settings.scored_folder(model))
    questions = read_questions(settings.leaderboard.categories)
    shards = answer_all(model, folder, settings, questions)
    with whole_folder(paths.LEADERBOARD.format(model)) as out:
        join_tables(shards, BOARD_ANSWERS, out / "answers.parquet")
        rows = read_table(out / "answers.parquet", BOARD_ANSWERS).to_dicts()
        tables, wrong = score(model, rows, out, settings.leaderboard.categories)
        write_json(board.details(rows, wrong), out / "details.json")
    row = board.board_row(tables) | board.counts(rows, wrong)
    write_json(row, paths.LEADERBOARD_METRICS.format(model))
    shutil.rmtree(SCRATCH / model)
    log.info("leaderboard %s: %s", model, ", ".join(f"{name} {value}" for name, value in row.items()))


def read_questions(categories: Sequence[str]) -> list[dict[str, Any]]:
    """The board's questions as it asks them, with its hints about languages."""
    return [json.loads(line) for line in official("questions", *categories).splitlines()]


def answer_all(model: str, folder: Path, settings: params.Params, questions: list[dict[str, Any]]) -> list[Path]:
    """Answers to all questions, shortest prompts first: the shards, tables of BOARD_ANSWERS."""
    limits = settings.leaderboard
    decisive = [limits.max_length, limits.max_tokens, limits.shard, questions]
    scratch = scratch_folder(SCRATCH / model, settings, folder, decisive, [], CODE)
    # No prompt is refused for its length, because the board's own limit is another one.
    prompter = open_prompter(folder, settings.model.model_copy(update={"max_length": sys.maxsize}))
    engine = open_engine(folder, settings.engine, prompter.end_ids)
    notes = Notes()
    tasks = [board.task_of(record, notes) for record in questions]
    prompted = sorted(((prompt_of(prompter, task, notes), task) for task in tasks), key=lambda each: len(each[0]))
    notes.tell("leaderboard")

    shards = []
    with Progress(f"leaderboard {model}", len(prompted), "question") as progress:
        for number, start in enumerate(range(0, len(prompted), limits.shard)):
            shard = prompted[start : start + limits.shard]
            shards.append(scratch / f"{number:05}.parquet")
            if shards[-1].exists():
                progress.skip(len(shard))
                continue
            write_table(answer(shard, engine, prompter, limits), BOARD_ANSWERS, shards[-1])
            progress.advance(len(shard), f"prompts of {len(shard[-1][0])} tokens")
    return shards


def prompt_of(prompter: Prompter, task: Task, notes: Notes) -> Ids:
    """The prompt of a question; an empty one where the chat template refuses it, which `notes` are told of."""
    try:
        return prompter.prompt_ids(task)
    except UserError as error:
        notes.leaves_out("question that the chat template refuses", str(error))
        return ()


def answer(
    shard: Sequence[tuple[Ids, Task]], engine: Engine, prompter: Prompter, limits: params.Leaderboard
) -> list[dict[str, Any]]:
    """A greedy answer to each prompt; an empty one where it is too long, or there is none: rows of BOARD_ANSWERS."""
    asked = [(prompt, task) for prompt, task in shard if 0 < len(prompt) <= limits.max_length]
    others = [(prompt, task) for prompt, task in shard if not 0 < len(prompt) <= limits.max_length]
    sampling = Sampling(max_tokens=limits.max_tokens, temperature=0.0)
    completions = engine.generate([Request(prompt) for prompt, _ in asked], sampling) if asked else []
    rows = []
    for (_, task), (only,) in zip(asked, completions, strict=True):
        output = prompter.decode(only.ids)
        parsed = read_answer(prompter.dialect, output, only.finish == "stop", task.tools)
        rows.append(_row(task, output, *board.read(parsed, output, task.tools), len(only.ids)))
    return rows + [_row(task, "", board.TOO_LONG if prompt else board.NO_PROMPT, "", 0) for prompt, task in others]


def _row(task: Task, output: str, kind: str, result: Any, tokens: int) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "category": task.scenario,
        "output": output,
        "kind": kind,
        "result": json.dumps(result, ensure_ascii=False),
        "tokens": tokens,
    }


def score(
    model: str, rows: Sequence[dict[str, Any]], out: Path, categories: Sequence[str]
) -> tuple[dict[str, str], set[str]]:
    """Writes the board's result files below `out`, has the board score them there, and reads what it found: its tables
    and the ids of wrong answers.
    """
    for name, text in board.result_files(rows).items():
        write_text(text, out / "result" / model / name)
    official("score", out.resolve(), model, *categories)
    shutil.rmtree(out / ".file_locks")
    scores = out / "score"
    tables = {name: read_text(scores / f"data_{name}.csv") for name in ("non_live", "live", "overall")}
    files = sorted((scores / model).rglob("*_score.json"))
    return tables, set().union(*(board.wrong_ids(read_text(file)) for file in files))


def official(*arguments: object) -> str:
    """What the board's own code prints in its environment.

    Raises UserError where there is no such environment, and with the last line of what went wrong in it.
    """
    if not PYTHON.is_file():
        raise UserError(f"{PYTHON}: no such file; make the leaderboard's environment first (make bfcl)")
    command = [PYTHON, "-I", "-X", "utf8", OFFICIAL, *arguments]
    done = subprocess.run([*map(str, command)], capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        why = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise UserError(f"{OFFICIAL.name} {arguments[0]}: {why[-1]}")
    return done.stdout


if __name__ == "__main__":
    command_line(run, "model")
