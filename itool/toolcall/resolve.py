"""A tool's JSON Schema in plain words: references, combinations and constants in their places [O].

Prompts show a schema as its author wrote it. All that reads one (the checker, the dialects, synthesis) reads what
`resolved` makes of it, and values are validated against what `closed` makes of it.
"""

from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

# The keywords that hold a schema, a list of schemas, and schemas by name.
ONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
SEVERAL = ("anyOf", "oneOf", "allOf", "prefixItems")
NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
# A schema that stands here describes a value that another schema describes, too, or none of its own.
SHARED = ("anyOf", "oneOf", "allOf", "not", "if", "then", "else", "dependentSchemas", "$defs", "definitions")
OPEN = ("patternProperties", "additionalProperties", "unevaluatedProperties")
Change = Callable[[Any, str, str], Any]


def mapped(schema: Any, change: Change, where: str = "", keyword: str = "") -> Any:
    """The schema with `change(schema, where, keyword)` in place of every schema in it, inner ones first.

    `where` is its dotted path, and `keyword` the one that holds it.
    """
    if not isinstance(schema, dict):
        return change(schema, where, keyword)
    new = dict(schema)
    for key, inner in schema.items():
        path = f"{where}.{key}"
        if key in ONE and isinstance(inner, dict):
            new[key] = mapped(inner, change, path, key)
        elif key in SEVERAL and isinstance(inner, list):
            new[key] = [mapped(each, change, f"{path}[{i}]", key) for i, each in enumerate(inner)]
        elif key in NAMED and isinstance(inner, dict):
            new[key] = {name: mapped(each, change, f"{path}.{name}", key) for name, each in inner.items()}
    return change(new, where, keyword)


def resolved(root: Schema) -> Schema:
    """The schema without `$ref`, `allOf`, `oneOf`, `const` and boolean schemas.

    `$ref` is the schema that it points to, the same object each time: a definition inside itself gives a dict that
    holds itself. `allOf` is merged, `oneOf` is `anyOf`, `anyOf` of a schema and null is that schema with the type null
    added, and `anyOf` of enums is one enum. A reference that points nowhere allows anything.
    """
    return _Resolver(root).plain(root)


class _Resolver:
    def __init__(self, root: Schema):
        self.root = root
        self.made: dict[str, Schema] = {}  # by reference
        self.unfinished: set[str] = set()

    def plain(self, schema: Any) -> Schema:
        """The resolved form of one schema; inner schemas are resolved, too."""
        if not isinstance(schema, dict):
            return {"not": {}} if schema is False else {}
        outer = {key: value for key, value in schema.items() if key not in ("$ref", "allOf", "oneOf", "const")}
        if "const" in schema:
            outer["enum"] = [schema["const"]]
        branches = schema.get("anyOf", schema.get("oneOf"))
        outer = self._inner(outer)
        for each in reversed(schema["allOf"] if isinstance(schema.get("allOf"), list) else []):
            outer = _merged(self.plain(each), outer)
        if isinstance(branches, list) and branches:
            outer.pop("anyOf", None)
            outer = _joined([self.plain(branch) for branch in branches], outer)
        if isinstance(schema.get("$ref"), str):
            target = self._target(schema["$ref"])
            # What is still being read is empty so far and cannot be merged; it is taken as it will be.
            return target if not outer or schema["$ref"] in self.unfinished else _merged(target, outer)
        return outer

    def _inner(self, schema: Schema) -> Schema:
        """The schema with the schemas of its parts resolved."""
        new = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
        if "properties" in new:
            new["properties"] = {name: self.plain(inner) for name, inner in new["properties"].items()}
        if "items" in new:
            new["items"] = self.plain(new["items"])
        if "prefixItems" in new:
            new["prefixItems"] = [self.plain(inner) for inner in new["prefixItems"]]
        if isinstance(new.get("additionalProperties"), dict):
            new["additionalProperties"] = self.plain(new["additionalProperties"])
        return new

    def _target(self, reference: str) -> Schema:
        if reference not in self.made:
            self.made[reference] = {}
            self.unfinished.add(reference)
            self.made[reference].update(self.plain(pointed(self.root, reference)))
            self.unfinished.discard(reference)
        return self.made[reference]


def pointed(root: Any, reference: str) -> Any:
    """What a reference within the document points to; None where it points nowhere."""
    if not reference.startswith("#"):
        return None
    found = root
    for step in reference[1:].split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and step.isdecimal() and len(step) < 10 and int(step) < len(found):
            found = found[int(step)]
        elif isinstance(found, dict) and step in found:
            found = found[step]
        else:
            return None
    return found


def _merged(first: Schema, second: Schema) -> Schema:
    """A schema that asks for both: the second's keywords win, but properties and required names add up."""
    both = first | second
    if "properties" in first and "properties" in second:
        both["properties"] = first["properties"] | second["properties"]
    if "required" in first and "required" in second:
        both["required"] = list(dict.fromkeys([*first["required"], *second["required"]]))
    if "enum" in first and "enum" in second:
        both["enum"] = [value for value in first["enum"] if value in second["enum"]] or second["enum"]
    return both


def _joined(branches: list[Schema], outer: Schema) -> Schema:
    """A schema that asks for one of the branches, and for what `outer` says."""
    others = [branch for branch in branches if branch.get("type") != "null"]
    nullable = len(others) < len(branches)
    if len(others) > 1 and all("enum" in branch for branch in others):
        types = list(dict.fromkeys(kind for branch in others for kind in _listed(branch.get("type"))))
        named = {"type": types[0] if len(types) == 1 else types} if types else {}
        others = [named | {"enum": [value for branch in others for value in branch["enum"]]}]
    if len(others) != 1:
        return outer | {"anyOf": branches}
    [only] = others
    whole = _merged(only, outer)
    if nullable and "type" in only:
        whole["type"] = [*_listed(only["type"]), *["null"] * ("null" not in _listed(only["type"]))]
    if nullable and "enum" in only and None not in only["enum"]:
        whole["enum"] = [*only["enum"], None]
    return whole


def _listed(kind: Any) -> list[Any]:
    return kind if isinstance(kind, list) else [] if kind is None else [kind]


def closed(schema: Schema) -> Schema:
    """The schema for a validator: an object takes no property that it does not name, unless it says so or names none.

    JSON Schema would take any. A function takes only its parameters, and a call with another is wrong.
    """

    def close(inner: Any, where: str, keyword: str) -> Any:
        if not isinstance(inner, dict) or any(key in inner for key in OPEN):
            return inner
        if "properties" in inner or any(key in inner for key in ("$ref", "anyOf", "oneOf", "allOf")):
            return inner if keyword in SHARED else inner | {"unevaluatedProperties": False}
        return inner | {"additionalProperties": True} if "object" in _listed(inner.get("type", "object")) else inner

    return mapped(schema, close)
