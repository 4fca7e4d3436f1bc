"""References and schemas of OpenAPI documents; itool/formats/openapi.py makes tools of what is read here [O].

A schema may say 3.0's or 3.1's words in either version, and what stands beside a `$ref` counts in both, because that is
what its author means. A schema of null says nothing, as {} does.
"""

import json
from collections.abc import Container, Iterable, Iterator
from itertools import chain, count
from typing import Any
from urllib.parse import unquote

from itool.errors import UserError
from itool.files import MAX_NESTING
from itool.formats.fields import checked, inside
from itool.formats.names import LONGEST, legal_name
from itool.toolcall.resolve import NAMED, ONE, SEVERAL, Schema, pointed

# Keywords that say nothing to who calls, and those that only references and readers of files need.
LEFT_OUT = (
    *("nullable", "example", "examples", "xml", "discriminator", "externalDocs", "readOnly", "writeOnly"),
    *("$schema", "$id", "$anchor", "$comment", "$defs", "definitions"),
)
SINGLE = (*ONE, "unevaluatedItems", "unevaluatedProperties", "contentSchema")

Part = tuple[Schema, str]  # a schema and its place


class Document:
    """A document in which references are followed. Places (`at`) begin with `where`, and open every UserError."""

    def __init__(self, content: dict[str, Any], where: str):
        self.content = content
        self.where = where

    def target(self, reference: Any, at: str) -> tuple[Any, str]:
        """What a reference points to, and its place."""
        pointer = unquote(text(reference, at))
        if not pointer.startswith("#"):
            raise UserError(f"{at}: found {reference!r}, expected #/...: put all files into one document first")
        found = pointed(self.content, pointer) if pointer.startswith("#/") else None
        if found is None:
            raise UserError(f"{at}: found {reference!r}, expected a place in this document")
        steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer[2:].split("/")]
        return found, " ".join(f"{self.where}: {'.'.join(steps)}".split())

    def resolved(self, value: Any, at: str) -> tuple[dict[str, Any], str]:
        """What is no schema, in place of the references to it, and its place. What stands beside a reference wins."""
        value = named(value, at)
        seen: list[str] = []
        while "$ref" in value:
            reference = value["$ref"]
            target, place = self.target(reference, f"{at}.$ref")
            if reference in seen:
                raise _endless(reference, f"{at}.$ref")
            seen.append(reference)
            beside = {key: inner for key, inner in value.items() if key != "$ref"}
            value, at = named(target, place) | beside, place
        return value, at

    def parts(self, schema: Any, at: str, above: tuple[str, ...] = ()) -> Iterator[Part]:
        """The schema and those that it takes in by `$ref` and `allOf`: all of them hold for the same value.

        Raises UserError for a schema that takes in itself.
        """
        if isinstance(schema, bool):
            return
        if len(above) > MAX_NESTING:
            raise UserError(f"{at}: nested deeper than {MAX_NESTING} levels")
        schema = named({} if schema is None else schema, at)
        yield schema, at
        if "$ref" in schema:
            target, place = self.target(schema["$ref"], f"{at}.$ref")
            if schema["$ref"] in above:
                raise _endless(schema["$ref"], f"{at}.$ref")
            yield from self.parts(target, place, (*above, schema["$ref"]))
        for i, member in enumerate(checked(schema.get("allOf", []), list, f"{at}.allOf")):
            yield from self.parts(member, f"{at}.allOf[{i}]", (*above, "allOf"))

    def read_only(self, parts: Iterable[Part]) -> set[str]:
        """The properties of an object that only answers hold."""
        return {
            name
            for part, at in parts
            for name, inner in named(part.get("properties", {}), f"{at}.properties").items()
            if any(each.get("readOnly") is True for each, _ in self.parts(inner, inside(f"{at}.properties", name)))
        }


class Schemas:
    """The schemas of one tool, which refer to definitions of the tool's own."""

    def __init__(self, document: Document):
        self.document = document
        self.names: dict[str, str] = {}  # of definitions, by reference
        self.referred: list[tuple[str, Any, str]] = []  # name, schema and place of each definition

    def definitions(self) -> Schema:
        """What the references in all schemas so far stand for."""
        # Reading a definition appends those inside to the list that is being gone through.
        return {name: self.read(target, at) for name, target, at in self.referred}

    def read(self, schema: Any, at: str, depth: int = 0, hidden: frozenset[str] = frozenset()) -> Any:
        """The schema in the words of 3.1. `hidden`: the properties that what takes in the schema leaves out."""
        if isinstance(schema, bool):
            return schema
        if depth > MAX_NESTING:
            raise UserError(f"{at}: nested deeper than {MAX_NESTING} levels")
        schema = named({} if schema is None else schema, at)
        if any(keyword in schema for keyword in ("properties", "required", "allOf")):
            hidden = hidden.union(self.document.read_only(self.document.parts(schema, at)))
        new = {
            keyword: self._keyword(keyword, value, inside(at, keyword), depth + 1, hidden)
            for keyword, value in schema.items()
            if keyword not in LEFT_OUT and not keyword.startswith("x-")
        }
        return _newer_words(new, flag(schema, "nullable", at))

    def _keyword(self, keyword: str, value: Any, at: str, depth: int, hidden: frozenset[str]) -> Any:
        if keyword == "$ref":
            return self._reference(value, at)
        if keyword == "$dynamicRef":
            raise UserError(f"{at}: not supported, expected $ref")
        if keyword in SEVERAL or (keyword == "items" and isinstance(value, list)):
            listed = enumerate(checked(value, list, at))
            shared = hidden if keyword == "allOf" else frozenset[str]()
            return [self.read(inner, f"{at}[{i}]", depth, shared) for i, inner in listed]
        if keyword in SINGLE:
            return self.read(value, at, depth)
        if keyword in NAMED:
            left_out = hidden if keyword == "properties" else ()
            kept = {name: inner for name, inner in named(value, at).items() if name not in left_out}
            return {name: self.read(inner, inside(at, name), depth) for name, inner in kept.items()}
        if keyword == "required" and isinstance(value, list):
            value = [name for name in value if not (isinstance(name, str) and name in hidden)]
        return json_value(value, at)

    def _reference(self, reference: Any, at: str) -> str:
        """The reference to the tool's definition of what the reference points to."""
        target, place = self.document.target(reference, at)
        if reference not in self.names:
            for _ in self.document.parts(target, place, (reference,)):
                pass  # going through all parts finds a schema that takes in itself
            last = unquote(reference).rpartition("/")[2]
            self.names[reference] = unique(legal_name(last.replace("~1", "_")), self.names.values())
            self.referred.append((self.names[reference], target, place))
        return f"#/$defs/{self.names[reference]}"


def _newer_words(schema: Schema, nullable: bool) -> Schema:
    """The schema without 3.0's `nullable`, which says nothing without a type, and without its boolean bounds."""
    kind = schema.get("type", "null")
    kinds = kind if isinstance(kind, list) else [kind]
    if nullable and "null" not in kinds:
        schema["type"] = [*kinds, "null"]
    for bound, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(schema.get(strict), bool) and schema.pop(strict) and bound in schema:
            schema[strict] = schema.pop(bound)
    return schema


def unique(name: str, taken: Container[str]) -> str:
    """The name, or the name with the first number from 2 with which it is none of those taken."""
    numbered = (f"{name[: LONGEST - len(str(n)) - 1]}_{n}" for n in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)


def flag(owner: dict[str, Any], key: str, at: str) -> bool:
    """The value of a key that is false where it is absent."""
    value = owner.get(key, False)
    if not isinstance(value, bool):
        raise UserError(f"{at}.{key}: found {type(value).__name__}, expected true or false")
    return value


def words(owner: dict[str, Any], key: str, at: str) -> str:
    """The text of a key that may be absent."""
    return text(owner.get(key, ""), f"{at}.{key}")


def named(value: Any, at: str) -> dict[str, Any]:
    """The value, if it is an object."""
    content = checked(value, dict, at)
    try:
        "".join(content).encode()
    except (TypeError, UnicodeEncodeError):
        raise UserError(f"{at}: found a name that is no text, expected names of text") from None
    return content


def text(value: Any, at: str) -> str:
    """The value, if it is a string."""
    return json_value(checked(value, str, at), at)


def json_value(value: Any, at: str) -> Any:
    """The value, if JSON can hold it."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise UserError(f"{at}: found half of a surrogate pair (\\ud800 to \\udfff), expected text") from None
    except (TypeError, ValueError, RecursionError):
        raise UserError(f"{at}: found {type(value).__name__} that JSON cannot hold, expected JSON") from None
    return value


def _endless(reference: str, at: str) -> UserError:
    return UserError(f"{at}: found {reference!r} inside itself, expected a reference to something that ends")
