"""The world of an invented tool: a table of records for each thing, which calls add to, read, change and search [O]."""

from dataclasses import dataclass
from typing import Any

from stages.synthesis.vocabulary import Action, Thing
from stages.synthesis.world import World

MOST_FOUND = 4  # records that exist from before the conversation and that a search finds


@dataclass(frozen=True)
class Service:
    """What the calls of an invented tool do. `prefix` and `table`: of the ids and records of its thing.

    `id_name`: the parameter and the field of results that hold an id. `found`: the field with the id that a search
    returns. `names`: fields of results as the tool writes them, by what they are.
    """

    action: Action
    thing: Thing
    prefix: str
    table: str
    id_name: str
    found: str
    names: dict[str, str]

    def __call__(self, world: World, /, **arguments: Any) -> dict[str, Any]:
        """The result of a call. Raises SimulationError for an id that does not exist."""
        match self.action.effect:
            case "add":
                return self._added(world, arguments)
            case "bulk":
                return self._added_all(world, arguments)
            case "find":
                return self._found(world, arguments)
            case "count":
                return {self.names["count"]: world.number("count", self.table, low=3, high=400)} | self._facts(
                    world, ""
                )
        identifier = arguments[self.id_name]
        if self.action.effect == "remove":
            world.remove(self.table, identifier)
            return {self.id_name: identifier, self.names["status"]: self.action.status}
        record = world.get(self.table, identifier)
        given = {name: value for name, value in arguments.items() if name != self.id_name}
        if self.action.effect == "act":
            return self._acted(world, record, given)
        if self.action.effect == "change":
            record.setdefault("given", {}).update(given)
            record["status"] = self.action.status or self._status(world, record)
            return {self.id_name: identifier, self.names["status"]: record["status"]}
        return {self.names["status"]: self._status(world, record)} | self._facts(world, identifier)

    def _added(self, world: World, arguments: dict[str, Any]) -> dict[str, Any]:
        record = world.add(self.table, self.prefix, given=arguments, status=self.thing.states[0])
        return {self.id_name: record["id"], self.names["status"]: record["status"]}

    def _added_all(self, world: World, arguments: dict[str, Any]) -> dict[str, Any]:
        new = [self._added(world, each) for given in arguments.values() if isinstance(given, list) for each in given]
        return {self.names["created"]: len(new), self.found: new[0][self.id_name]}

    def _found(self, world: World, filters: dict[str, Any]) -> dict[str, Any]:
        """The records that have what the filters ask for; those from before the conversation, where none has."""
        records = world.tables.get(self.table, {}).values()
        found = [record for record in records if filters.items() <= record.get("given", {}).items()]
        if not found:
            count = world.number("found", self.table, filters, low=1, high=MOST_FOUND)
            found = [world.add(self.table, self.prefix, given=filters) for _ in range(count)]
        return {self.names["count"]: len(found), self.found: found[0]["id"]}

    def _acted(self, world: World, record: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        """What came of an action, with an id of its own, or the thing's new status."""
        if not self.action.gives:
            record["status"] = self.action.status
            return {self.id_name: record["id"], self.names["status"]: record["status"]}
        made = world.add(
            f"{self.table}_{self.action.gives}", self.action.gives[:2].upper(), of=record["id"], given=given
        )
        return {self.names["gives"]: made["id"], self.names["status"]: self.action.status or "done"}

    def _status(self, world: World, record: dict[str, Any]) -> str:
        status: str = record.setdefault("status", world.pick(self.thing.states, "status", record["id"]))
        return status

    def _facts(self, world: World, identifier: str) -> dict[str, Any]:
        """Figures of a record, or of all of them."""
        return {
            self.names[name]: world.number(name, identifier, low=low, high=high)
            for name, (low, high) in self.thing.facts.items()
        }
