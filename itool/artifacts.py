"""The schemas of every table that passes between phases, and the only way to read and write them.

Nested values (tools, messages, references) are JSON strings: Arrow would unify the keys of dicts and fill arguments
with nulls.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from itool.errors import UserError, one_line
from itool.files import whole_file
from itool.toolcall.types import Reference, Task, Tool

IDS = pl.List(pl.Int32)
PART = 10_000  # rows of a long table that are in memory at a time

# One row a task: x = (tools, messages, reference). split: train, explore, validation, test_seen, test_unseen.
TASKS: dict[str, Any] = {
    "task_id": pl.String,
    "split": pl.String,
    "scenario": pl.String,
    "tools": pl.String,  # JSON list of {name, description, parameters}
    "messages": pl.String,  # JSON list of OpenAI messages
    "reference": pl.String,  # JSON, see itool.toolcall.types.Reference
}

# One row a rejected candidate of synthesis.
REJECTED: dict[str, Any] = {"scenario": pl.String, "layer": pl.String, "reason": pl.String, "detail": pl.String}

# The replay buffer of an iteration: every task drawn, with its perplexity under the current model; `kept` marks the
# hardest.
SELECTED: dict[str, Any] = TASKS | {
    "perplexity": pl.Float64,
    "calls": pl.Boolean,  # the reference answer has calls (ranked apart from those without)
    "weight": pl.Float64,  # calibration weight with which the task was drawn
    "kept": pl.Boolean,
}

# Search trees, one row a node, nodes of a tree in order of creation; node 0 is the root and holds the prompt.
NODES: dict[str, Any] = {
    "task_id": pl.String,
    "node": pl.Int32,
    "parent": pl.Int32,  # -1 at the root
    "ids": IDS,  # token ids of the fragment; of the prompt at the root
    "kind": pl.String,  # fragment kind: root, choice, name, argument, next, text, cut
    "path": pl.String,  # where in the answer the fragment stands, e.g. calls[0].arguments.city
    "logprob": pl.Float64,  # of the fragment given its path, at the sampling temperature
    "visits": pl.Int32,
    "q": pl.Float64,  # Q of the edge from the parent
    "right": pl.Boolean,  # a right answer lies below (or here)
    "terminal": pl.Boolean,
    "outcome": pl.Float64,  # O, of complete answers
    "self_evaluation": pl.Float64,  # C, of complete answers
}

# Fragment preference pairs: prompt + chosen and prompt + rejected are both prefixes of real generations, but for the
# end that fragments.span: path adds.
PAIRS: dict[str, Any] = {
    "task_id": pl.String,
    "scenario": pl.String,
    "kind": pl.String,  # of the rejected side's last fragment
    # Path of the rejected fragment. With span `response` or `path` it is the last fragment's, which need not be the
    # wrong one.
    "path": pl.String,
    "error": pl.String,  # ErrorKind of what is wrong first in the rejected side
    "prompt": IDS,
    "chosen": IDS,
    "rejected": IDS,
    "chosen_q": pl.Float64,
    "rejected_q": pl.Float64,
    "chosen_visits": pl.Int32,
    "rejected_visits": pl.Int32,
    "answer": pl.Int32,  # row of the iteration's ANSWERS on which prompt + chosen lies
}

# Answers to an iteration's tasks, the model's own or references: what its pairs branch off, and what is learnt whole.
ANSWERS: dict[str, Any] = {
    "task_id": pl.String,
    "prompt": IDS,
    "answer": IDS,
    "learn": pl.Boolean,  # a right one
}

# One row an answered task.
PREDICTIONS: dict[str, Any] = {
    "task_id": pl.String,
    "split": pl.String,
    "scenario": pl.String,
    "complex": pl.Boolean,
    "prompt": pl.String,
    "output": pl.String,
    "right": pl.Boolean,
    "error": pl.String,  # ErrorKind of the first wrong fragment; "" when right
    "path": pl.String,  # of the first wrong fragment; "" when right
    "errors": pl.List(pl.String),  # ErrorKinds of all wrong fragments
    "tokens": pl.Int32,  # generated
}

# One row a question of the leaderboard.
BOARD_ANSWERS: dict[str, Any] = {
    "task_id": pl.String,  # the board's own id
    "category": pl.String,
    "output": pl.String,
    "kind": pl.String,  # calls, text, call_in_text, unparseable; not asked: too_long, no_prompt
    "result": pl.String,  # JSON, what the board is given to decode
    "tokens": pl.Int32,  # generated
}

# Accuracy of SFT at one share of the data and one seed.
DECAY: dict[str, Any] = {
    "ratio": pl.Float64,
    "samples": pl.Int32,
    "seed": pl.Int32,
    "task_id": pl.String,
    "complex": pl.Boolean,
    "right": pl.Boolean,
    "error": pl.String,
}


def write_table(rows: pl.DataFrame | Iterable[dict[str, Any]], schema: dict[str, Any], path: str | Path) -> None:
    """Writes parquet with exactly the schema's columns, whole or not at all."""
    table = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(list(rows), schema=schema)
    with whole_file(path) as half_written:
        table.select(pl.col(name).cast(kind) for name, kind in schema.items()).write_parquet(half_written)


def join_tables(parts: Sequence[Path], schema: dict[str, Any], path: str | Path) -> None:
    """Writes the parts (parquet files of the schema) one after the other as one, whole or not at all.

    Holds one part in memory at a time. Raises UserError as read_table does.
    """
    arrow = pl.DataFrame(schema=schema).to_arrow().schema
    with whole_file(path) as half_written, pq.ParquetWriter(half_written, arrow) as writer:
        for part in parts:
            writer.write_table(read_table(part, schema).to_arrow())


class LongTable:
    """A table that is written row by row, and of which few rows are in memory at a time."""

    def __init__(self, schema: dict[str, Any], path: Path):
        self.schema = schema
        self.path = path
        self.rows: list[dict[str, Any]] = []
        self.parts: list[Path] = []

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        if len(self.rows) >= PART:
            self._save()

    def close(self) -> None:
        """Writes the table, whole or not at all."""
        if not self.parts:
            write_table(self.rows, self.schema, self.path)
            return
        self._save()
        join_tables(self.parts, self.schema, self.path)
        for part in self.parts:
            part.unlink()

    def _save(self) -> None:
        self.parts.append(self.path.with_name(f"{self.path.name}.{len(self.parts)}.part"))
        write_table(self.rows, self.schema, self.parts[-1])
        self.rows = []


def read_table(path: str | Path, schema: dict[str, Any]) -> pl.DataFrame:
    """Reads parquet and checks its columns. Raises UserError naming file and field."""
    with _reading(path):
        table = pl.read_parquet(path)
    _check_columns(table.schema, schema, path)
    return table.select(*schema)


def read_runs(path: str | Path, schema: dict[str, Any], key: str, rows: int = 16_384) -> Iterator[pl.DataFrame]:
    """Parquet in runs of rows with the same `key`, of which about `rows` rows are in memory at a time.

    A run may span row groups. Raises UserError as read_table does.
    """
    with _reading(path):
        _check_columns(pl.read_parquet_schema(path), schema, path)
        left = pl.DataFrame(schema=schema)
        for batch in pq.ParquetFile(path).iter_batches(rows, columns=[*schema]):
            read = pl.DataFrame(pl.from_arrow(batch)).select(*schema)
            *whole, left = pl.concat([left, read]).partition_by(key, maintain_order=True)
            yield from whole
        if left.height:
            yield left


@contextmanager
def _reading(path: str | Path) -> Iterator[None]:
    """Turns what goes wrong in reading parquet into a UserError that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the stage that makes it (dvc repro)") from None
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a readable parquet file: {one_line(error)}") from None


def _check_columns(found: Mapping[str, Any], schema: dict[str, Any], path: str | Path) -> None:
    for name, kind in schema.items():
        if name not in found:
            raise UserError(f"{path}: column {name}: missing; found {', '.join(found)}")
        if found[name] != kind:
            raise UserError(f"{path}: column {name}: found {found[name]}, expected {kind}")


def task_row(task: Task) -> dict[str, str]:
    """A task as a row of TASKS."""
    tools = [{"name": t.name, "description": t.description, "parameters": t.parameters} for t in task.tools]
    return {
        "task_id": task.task_id,
        "split": task.split,
        "scenario": task.scenario,
        "tools": json.dumps(tools, ensure_ascii=False),
        "messages": json.dumps(task.messages, ensure_ascii=False),
        "reference": task.reference.to_json(),
    }


def row_task(row: dict[str, Any]) -> Task:
    """A row of TASKS (or of a table that extends it) as a task."""
    return Task(
        task_id=row["task_id"],
        split=row["split"],
        scenario=row["scenario"],
        tools=tuple(Tool(**spec) for spec in json.loads(row["tools"])),
        messages=tuple(json.loads(row["messages"])),
        reference=Reference.from_json(row["reference"]),
    )


def read_tasks(path: str | Path) -> list[Task]:
    """All tasks of a TASKS table. Raises UserError when there is none."""
    tasks = [row_task(row) for row in read_table(path, TASKS).iter_rows(named=True)]
    if not tasks:
        raise UserError(f"{path}: found no tasks; raise their number in params.yaml, synthesis")
    return tasks
