"""The simulated world that calls act on: tables of records, and choices that depend on nothing but a seed [O].

A tool of the pool is a function `tool(world, *, ...)` in `stages.synthesis.domains.<domain>`. It changes
`World.tables`, so that a
later call sees what an earlier one did, and raises `SimulationError` where a real service would answer with an error.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

IDS_PER_TABLE = 900  # three digits, 100 to 999


class SimulationError(Exception):
    """A call that the simulated service refuses, with the message that the service would send."""


class World:
    """State of one simulation [O].

    `tables`: table name -> record id -> record; a record is a dict of its fields and holds its own `id`.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        self._added: dict[str, int] = {}

    def add(self, table: str, prefix: str, **fields: Any) -> dict[str, Any]:
        """Store a new record under a free id such as `FL482` and return it.

        Raises SimulationError when the table is full.
        """
        records = self.tables.setdefault(table, {})
        # Counted apart from the table's length, or the id of a removed record would come back at once.
        count = self._added.get(table, 0)
        if count >= IDS_PER_TABLE:
            raise SimulationError(f"{table} is full")
        self._added[table] = count + 1
        start = self.number("id", table, count, low=0, high=IDS_PER_TABLE - 1)
        for step in range(IDS_PER_TABLE):
            identifier = f"{prefix}{100 + (start + step) % IDS_PER_TABLE}"
            if identifier not in records:
                records[identifier] = {"id": identifier, **fields}
                return records[identifier]
        raise SimulationError(f"{table} is full")

    def get(self, table: str, identifier: str) -> dict[str, Any]:
        """The record itself, to be read or changed. Raises SimulationError if there is none."""
        record = self.tables.get(table, {}).get(identifier)
        if record is None:
            raise SimulationError(f"no such record in {table}: {identifier}")
        return record

    def ensure(self, table: str, identifier: str) -> dict[str, Any]:
        """The record, created without fields if absent: a user may name what existed before the conversation."""
        return self.tables.setdefault(table, {}).setdefault(identifier, {"id": identifier})

    def remove(self, table: str, identifier: str) -> dict[str, Any]:
        """Take a record out of its table and return it. Raises SimulationError if there is none."""
        record = self.get(table, identifier)
        del self.tables[table][identifier]
        return record

    def matching(self, table: str, **fields: Any) -> list[dict[str, Any]]:
        """Records whose fields equal all the given ones, in order of creation."""
        records = self.tables.get(table, {}).values()
        return [record for record in records if all(record.get(name) == value for name, value in fields.items())]

    def pick(self, values: Sequence[Any], *key: Any) -> Any:
        """One of `values`, decided by the seed and the key."""
        return values[self.number("pick", *key, low=0, high=len(values) - 1)]

    def number(self, *key: Any, low: int, high: int) -> int:
        """An integer from `low` to `high` inclusive, decided by the seed and the key."""
        digest = hashlib.sha256(repr((self.seed, key)).encode()).digest()
        return low + int.from_bytes(digest[:8], "big") % (high - low + 1)
