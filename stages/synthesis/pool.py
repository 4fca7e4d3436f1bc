"""The API pool: tool specs, how users speak of them, entity lists, and the simulation that runs them [O].

`data/tools/<domain>.json` holds plain tool specs, `data/phrases/<domain>.json` the phrases,
`stages/synthesis/domains/<domain>.py` one function a tool. A tools file is a user's own where it lies outside `data/`,
or where `data/phrases` has no file of its name with one of its tools: phrases, values and results are then generic
(stages/synthesis/generic.py), and since nobody linked its tools, the scenario `dependent` cannot be made of it.
"""

import copy
import importlib
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from itool.errors import UserError
from itool.files import read_json
from itool.formats.notes import Notes
from itool.formats.tools import read_tools
from itool.log import log
from itool.toolcall.types import Tool
from stages.synthesis import generic
from stages.synthesis.values import YEAR, Entities, Parameter, item_of, known
from stages.synthesis.world import World

ENTITIES = Path("data/entities.json")
PHRASES = Path("data/phrases")


@dataclass(frozen=True, eq=False)
class PoolTool:
    """A tool, how it is asked for, and what runs it. `intents`: side -> infinitive phrases. `noun`: what a follow-up
    calls it.
    """

    tool: Tool
    domain: str
    intents: dict[str, list[str]]
    noun: str
    parameters: tuple[Parameter, ...]
    function: Callable[..., dict[str, Any]]

    @property
    def name(self) -> str:
        return self.tool.name

    def parameter(self, name: str) -> Parameter:
        return next(p for p in self.parameters if p.name == name)

    def execute(self, world: World, arguments: dict[str, Any]) -> dict[str, Any]:
        """Runs the call. Raises SimulationError when the service refuses it."""
        return self.function(world, **copy.deepcopy(arguments))


@dataclass(frozen=True, eq=False)
class Link:
    """The result field of one tool that feeds a parameter of another, and how a user asks for both. `phrases`: side ->
    phrases.
    """

    source: PoolTool
    field: str
    target: PoolTool
    parameter: str
    phrases: dict[str, list[str]]


@dataclass(frozen=True, eq=False)
class Pool:
    tools: tuple[PoolTool, ...]  # sorted by domain, then as in the file
    links: tuple[Link, ...]
    entities: Entities


def load_pool(path: str | Path) -> Pool:
    """Reads a folder of tool files or one tool file. Raises UserError naming file and field."""
    path = Path(path)
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise UserError(f"{path}: no tool files (*.json) in this folder")
    entities = _apart(_entities())
    loaded = [_load_file(file, entities) for file in files]
    tools = [tool for found, _ in loaded for tool in found]
    names = [tool.name for tool in tools]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: tool {name}: found {names.count(name)} of this name, expected one")
    return Pool(tuple(tools), tuple(link for _, links in loaded for link in links), entities)


def _load_file(file: Path, entities: Entities) -> tuple[list[PoolTool], list[Link]]:
    """The tools of one file with their phrases and simulation, and the links between them."""
    notes = Notes()
    specs = read_tools(file, notes)
    phrases_file = _phrases_of(file, specs)
    if phrases_file:
        spoken, source = read_json(phrases_file), phrases_file
    else:
        spoken, source = {"tools": _generic_phrases(specs, entities, file, notes)}, file
        specs = [tool for tool in specs if tool.name in spoken["tools"]]
    notes.tell(str(file))
    module = f"stages.synthesis.domains.{file.stem}"
    simulated = phrases_file and file.stem.isidentifier() and importlib.util.find_spec(module)
    simulation = importlib.import_module(module) if simulated else None
    by_name: dict[str, PoolTool] = {}
    for tool in specs:
        entry = field_of(field_of(spoken, "tools", str(source)), tool.name, f"{source}: tools")
        where = f"{source}: tools.{tool.name}"
        by_name[tool.name] = PoolTool(
            tool=tool,
            domain=file.stem,
            intents=sides_of(field_of(entry, "intents", where), f"{where}.intents"),
            noun=entry.get("noun", tool.name.replace("_", " ")),
            parameters=parameters_of(
                generic.settled_parameters(tool, entities), entry.get("parameters", {}), entities, f"{where}.parameters"
            ),
            function=_function(simulation, tool.name) if simulation else generic.simulate,
        )
    linked = spoken.get("links", [])
    if not isinstance(linked, list):
        raise UserError(f"{source}: links: found {linked!r}, expected a list")
    links = [_link(link, by_name, f"{source}: links[{index}]") for index, link in enumerate(linked)]
    return list(by_name.values()), links


def _generic_phrases(specs: list[Tool], entities: Entities, file: Path, notes: Notes) -> dict[str, Any]:
    """The phrases of all tools that a user could ask for. Raises UserError when there is none."""
    found = {}
    for tool in specs:
        try:
            found[tool.name] = generic.phrases(tool, entities)
        except generic.NoValues as why:
            notes.leaves_out("tool that no request is invented for", f"{file}: tool {tool.name}: {why}")
    if not found:
        first = notes.first("tool that no request is invented for")[0]
        raise UserError(f"{first}; expected one tool whose required parameters can be said")
    return found


def _phrases_of(file: Path, specs: list[Tool]) -> Path | None:
    """The phrases file of a tools file in data/; None where there is none, or one without any of these tools."""
    phrases_file = PHRASES / file.name
    if not Path(os.path.abspath(file)).is_relative_to(os.path.abspath(PHRASES.parent)) or not phrases_file.exists():
        return None
    spoken = read_json(phrases_file)
    named = spoken.get("tools") if isinstance(spoken, dict) else None
    if isinstance(named, dict) and any(tool.name in named for tool in specs):
        return phrases_file
    log.warning("%s has no tool of %s, which is worded from names and descriptions", phrases_file, file)
    return None


def _link(link: Any, by_name: dict[str, PoolTool], where: str) -> Link:
    origin, end, parameter, field, phrases = (
        field_of(link, name, where) for name in ("from", "to", "parameter", "field", "phrases")
    )
    source, target = field_of(by_name, origin, f"{where}.from"), field_of(by_name, end, f"{where}.to")
    field_of({p.name: p for p in target.parameters}, parameter, f"{where}.parameter")
    return Link(source, field, target, parameter, sides_of(phrases, f"{where}.phrases"))


def _function(simulation: ModuleType, name: str) -> Any:
    if not hasattr(simulation, name):
        raise UserError(f"{simulation.__file__}: function {name}: missing")
    return getattr(simulation, name)


def _entities() -> Entities:
    """The lists of values. Raises UserError naming file and field."""
    entities = read_json(ENTITIES)
    if not isinstance(entities, dict):
        raise UserError(f"{ENTITIES}: found {type(entities).__name__}, expected an object")
    return {kind: sides_of(sides, f"{ENTITIES}: {kind}") for kind, sides in entities.items()}


def _apart(entities: Entities) -> Entities:
    """Without the test values that a list, be it of another kind, shows in training: a city may be a song as well."""
    train = {value for sides in entities.values() for value in sides["train"]}
    return {
        kind: {"train": sides["train"], "test": [value for value in sides["test"] if value not in train]}
        for kind, sides in entities.items()
    }


def parameters_of(
    schema: dict[str, Any], spoken: dict[str, Any], entities: Entities, where: str
) -> tuple[Parameter, ...]:
    found = []
    for name, inner in schema.get("properties", {}).items():
        entry = field_of(spoken, name, where)
        if entry is None and name not in schema.get("required", []):
            continue  # nobody could say it
        here = f"{where}.{name}"
        kind = field_of(entry, "values", here)
        if not known(kind, entities):
            raise UserError(f"{here}.values: found {kind!r}, expected an entity list or a kind of value")
        element, options = item_of(kind, inner)
        if element in ("enum", "pattern") and element not in options:
            one = f"an {element}" if element == "enum" else f"a {element}"
            raise UserError(f"{here}.values: found {kind!r}, expected {one} in the tool's schema")
        fields: tuple[Parameter, ...] = ()
        phrases: dict[str, Any] = {}
        if kind.startswith("object"):
            nested = inner if kind == "object" else inner.get("items", {})
            fields = parameters_of(nested, field_of(entry, "fields", here), entities, f"{here}.fields")
        else:
            phrases = sides_of(field_of(entry, "phrases", here), f"{here}.phrases", kind == "bool")
        ask = entry.get("ask", name.replace("_", " "))
        if not isinstance(ask, str):
            raise UserError(f"{here}.ask: found {ask!r}, expected how a user calls it")
        found.append(Parameter(name, inner, name in schema.get("required", []), kind, phrases, ask, fields))
    return tuple(found)


def sides_of(spoken: Any, where: str, switch: bool = False) -> dict[str, Any]:
    """side -> phrases; of a `switch` side -> {"true": phrases, "false": phrases}."""
    for side in YEAR:
        phrases = field_of(spoken, side, where)
        for each in [field_of(phrases, name, f"{where}.{side}") for name in ("true", "false")] if switch else [phrases]:
            if not isinstance(each, list) or not each or not all(isinstance(phrase, str) for phrase in each):
                raise UserError(f"{where}.{side}: found {each!r}, expected a list of phrases")
    return spoken


def field_of(entry: Any, name: str, where: str) -> Any:
    if not isinstance(entry, dict):
        raise UserError(f"{where}: found {entry!r}, expected an object")
    if name not in entry:
        raise UserError(f"{where}: {name}: missing")
    return entry[name]
