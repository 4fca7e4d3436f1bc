"""Tool specifications as they are met, brought into OpenAI's form [O].

Read are: OpenAI's `tools` (chat and responses) and `functions`, Anthropic's `input_schema`, Gemini's declarations,
MCP's `tools/list`, Bedrock's `toolSpec`, OpenAPI documents, schemas of Pydantic and LangChain, documents of the
Berkeley leaderboard, flat parameters without `properties`, and Python files (itool/formats/functions.py).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from itool.errors import UserError
from itool.files import parse_json, read_text
from itool.formats import functions, openapi
from itool.formats.notes import Notes
from itool.formats.repair import repaired
from itool.formats.xlam import schema_of_flat
from itool.toolcall.schema import SchemaError, parse_tool, short
from itool.toolcall.types import Tool

REMEMBERED = 20_000  # specifications
SCHEMAS = ("parameters", "input_schema", "inputSchema", "parametersJsonSchema", "parameters_json_schema")
DECLARATIONS = ("functionDeclarations", "function_declarations")
CONVERSATION = ("messages", "conversations", "contents", "input", "chat", "query", "question", "traj")
LISTS = ("tools", "functions", *DECLARATIONS)
# All that may stand in a tool without parameters: any other key could be misspelt ones.
BESIDE_PARAMETERS = (
    *("name", "description", "type", "strict", "title", "annotations", "returns", "return", "output", "outputSchema"),
    *("_meta", "icons", "cache_control", "response", "required", "defer_loading", "execution"),
)


def read_tools(path: str | Path, notes: Notes) -> list[Tool]:
    """All tools of a file that can be read; `notes` are told of the others.

    Raises UserError for a file that is none of the layouts, or that holds no tool that can be read.
    """
    path = Path(path)
    specs = functions.tool_specs(path) if path.suffix == ".py" else listed(_content(path), str(path), notes)
    tools = tools_of(specs, str(path), notes)
    if not tools:
        raise UserError("; ".join(notes.one_each()) or f"{path}: found no tools, expected at least one")
    return tools


def _content(path: Path) -> Any:
    """What a JSON, JSONL or YAML file holds; the lines of JSONL as a list."""
    text = read_text(path)
    if path.suffix in (".yaml", ".yml"):
        return _yaml(text, str(path))
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and all(line.lstrip().startswith("{") and line.rstrip().endswith("}") for line in lines):
        return [parse_json(line, f"{path}: line {number}") for number, line in enumerate(lines, start=1)]
    return parse_json(text, str(path))


def _yaml(text: str, where: str) -> Any:
    """Any YAML, as JSON would hold it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return parse_json(json.dumps(YAML(typ="safe", pure=True).load(text), default=str), where)
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{where}: not YAML: {' '.join(str(error).split())[:200]}") from None


def listed(content: Any, where: str, notes: Notes) -> list[Any]:
    """The specifications that a document holds, or a list of documents, of which `notes` are told of the broken ones.

    Raises UserError for a document that holds none.
    """
    if not isinstance(content, list):
        if (found := _held(content, where, notes)) is None:
            raise SchemaError(f'{where}: found {short(content)}, expected a list of tools or {{"tools": [...]}}')
        return found
    specs = []
    for item in content:
        try:
            found = _held(item, where, notes)
        except UserError as error:
            notes.breaks("broken document", str(error))
        else:
            specs += [item] if found is None else found
    return specs


def _held(content: Any, where: str, notes: Notes) -> list[Any] | None:
    """The specifications that an object holds or is; None of what holds none."""
    if not isinstance(content, dict):
        return None
    if openapi.matches(content):
        return list(openapi.tool_specs(content, where, notes))
    if isinstance(content.get("result"), dict) and "name" not in content:
        content = content["result"]  # of a JSON-RPC response
    if isinstance(content.get("mcpServers", content.get("servers")), dict):
        raise UserError(f"{where}: found a list of MCP servers, expected the result of a server's tools/list")
    for key in LISTS:
        if isinstance(content.get(key), list):
            return list(content[key])
    return [content] if _is_spec(content) else None


def is_tools(record: Any) -> bool:
    """Whether a record of a JSON file is a tool or a document of tools, and no conversation."""
    if not isinstance(record, dict) or any(key in record for key in CONVERSATION):
        return False
    return openapi.matches(record) or _is_spec(record) or any(key in record for key in (*LISTS, "result", "type"))


def _is_spec(content: dict[str, Any]) -> bool:
    schema = isinstance(content.get("properties"), dict) and isinstance(content.get("title"), str)
    return schema or any(key in content for key in ("name", "function", "toolSpec"))


def tools_of(specs: Any, where: str, notes: Notes) -> list[Tool]:
    """The tools that stand side by side, without those that cannot be read, which `notes` are told of.

    A tool that is given twice in the same words is read once. Raises UserError when one name means two tools.
    """
    tools: dict[str, Tool] = {}
    for spec in _flattened(specs):
        tool = _known(spec, where, notes)
        if tool is None:
            continue
        if tool.name in tools and tools[tool.name] != tool:
            raise SchemaError(f"{where}: tool {tool.name}: name: given twice with different contents, expected once")
        if tool.name in tools:
            notes.repairs("tool given twice", f"{where}: tool {tool.name}")
        tools[tool.name] = tool
    return list(tools.values())


def _known(spec: Any, where: str, notes: Notes) -> Tool | None:
    """The tool of a specification, or None where it cannot be read or is built in.

    Many conversations show the same tools: each is read, and told of, once.
    """
    key = json.dumps(spec, default=str)
    if key not in notes.tools:
        if len(notes.tools) >= REMEMBERED:
            notes.tools.clear()
        try:
            notes.tools[key] = read_tool(spec, where, notes)
        except UserError as error:
            notes.breaks("broken tool", str(error))
            notes.tools[key] = None
    return notes.tools[key]


def _flattened(specs: Any) -> Iterator[Any]:
    """The specifications one by one, where some hold several, or are JSON texts."""
    for spec in specs if isinstance(specs, list) else [specs]:
        if isinstance(spec, str) and spec.lstrip().startswith(("{", "[")):
            try:
                yield from _flattened(parse_json(spec, ""))
            except UserError:
                yield spec
        elif isinstance(spec, list):
            yield from _flattened(spec)
        elif isinstance(spec, dict) and (key := next((key for key in DECLARATIONS if key in spec), None)):
            yield from _flattened(spec[key])
        else:
            yield spec


def read_tool(spec: Any, where: str, notes: Notes) -> Tool | None:
    """One tool with its faults repaired, or None for a built-in one, which has no parameters to learn.

    Raises SchemaError for what cannot be repaired.
    """
    function, parameters = _parts(spec, where)
    if function is None:
        notes.leaves_out("built-in tool", f"{where}: tool {short(spec.get('type'))}")
        return None
    name = function.get("name")
    parameters = repaired(parameters, lambda kind, detail: notes.repairs(kind, f"{where}: tool {name}: {detail}"))
    description = function.get("description") or ""
    return parse_tool({"name": name, "description": description, "parameters": parameters}, where)


def _parts(spec: Any, where: str) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """(name and description, parameters) of a specification; (None, {}) of a built-in tool."""
    if isinstance(spec, dict):
        spec = next((spec[key] for key in ("function", "toolSpec") if isinstance(spec.get(key), dict)), spec)
    if not isinstance(spec, dict):
        raise SchemaError(
            f"{where}: tool: found {short(spec)}, expected an object with name, description and parameters"
        )
    found = next((spec[key] for key in SCHEMAS if spec.get(key) is not None), None)
    if isinstance(found, str):
        found = parse_json(found, f"{where}: tool {spec.get('name')}: parameters")
    if isinstance(found, dict) and isinstance(found.get("json"), dict) and "properties" not in found:
        found = found["json"]  # of Bedrock
    if found is None and isinstance(spec.get("properties"), dict) and "name" not in spec:
        return {"name": spec.get("title"), "description": spec.get("description")}, _without_title(spec)
    if found is None and isinstance(spec.get("args"), dict):
        found = {"properties": spec["args"], "required": [n for n, s in spec["args"].items() if "default" not in s]}
    if found is None and spec.get("type") not in (None, "function", "custom", "object"):
        return None, {}
    named = f"{where}: tool {short(spec.get('name'))}"
    if found is None:
        for key in spec:
            if key not in BESIDE_PARAMETERS:
                raise SchemaError(f"{named}: {key}: unknown, expected parameters")
    if not isinstance(found, dict | None):
        raise SchemaError(f"{named}: parameters: found {short(found)}, expected a JSON Schema object")
    return spec, _as_schema(dict(found or {}), spec.get("required"))


def _without_title(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key not in ("title", "description")}


def _as_schema(parameters: dict[str, Any], required: Any) -> dict[str, Any]:
    """The parameters as a schema of an object, where they are written as one, and where they are flat.

    `required`: what the tool says beside its parameters.
    """
    parameters = schema_of_flat(parameters)
    if "type" not in parameters and "$ref" not in parameters:
        parameters = {"type": "object"} | parameters
    if isinstance(required, list) and not isinstance(parameters.get("required"), list):
        parameters = parameters | {"required": required}
    return parameters
