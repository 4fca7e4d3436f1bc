"""OpenAPI 3.0 and 3.1 documents: one tool an operation [O].

A tool's parameters are those of the path, the query, the headers and the cookies, and then the fields of the request
body. Their names are made legal as names of tools are: `include[]` is `include__`. Of equal names the first stays, and
the others get their place in front: `id` and `body_id`.

A body whose schema only lists fields becomes these fields, also through `$ref` and `allOf`. Any other body is the
parameter `body`. Where nothing says whether a body is required, its required fields are: the standard would have the
body optional, but authors just forget to say it.

No part of a tool are how values are written in a request, what only answers hold (`readOnly`), and what a client sets
once for all requests: the keys of `securitySchemes`, optional parameters with the name of a credential (`api_key`,
`access_token`, ...), and headers that name a version of the API (`Notion-Version`).

An operation that cannot be read is left out and noted. What is wrong with the document as a whole is an error.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from itool.errors import UserError
from itool.formats.fields import checked, inside
from itool.formats.names import legal_name
from itool.formats.notes import Notes
from itool.formats.openapi_schemas import LEFT_OUT, Document, Part, Schemas, flag, named, text, unique, words
from itool.toolcall.resolve import Schema

VERSION = re.compile(r"3\.[01](\.\d.*)?")
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
PATH_ITEM = (*METHODS, "summary", "description", "servers", "parameters")
OPERATION = (
    *("tags", "summary", "description", "externalDocs", "operationId", "parameters", "requestBody", "responses"),
    *("callbacks", "deprecated", "security", "servers"),
)
PLACES = ("path", "query", "header", "cookie")  # of parameters
SET_BY_CLIENTS = ("accept", "content-type", "authorization")  # headers; OpenAPI has parameters for them ignored
CREDENTIALS = ("apikey", "accesstoken", "usertoken")  # names of parameters, without case and marks
HEADING = re.compile(r"^#{1,6}\s.*", re.MULTILINE)  # of Markdown
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
# What the schema of a body may say that becomes its fields, and the types that it may have.
OF_FIELDS = (
    *("type", "properties", "required", "allOf", "$ref", "title", "description", "deprecated"),
    *("additionalProperties", "unevaluatedProperties", "minProperties", "maxProperties"),
)
OBJECT = ("object", ["object"], ["object", "null"], ["null", "object"])

Identity = tuple[str, str]  # place and name of a parameter


class Operation(NamedTuple):
    """`item` is what the document says of the path, for all its operations."""

    method: str
    path: str
    item: dict[str, Any]
    item_at: str
    content: dict[str, Any]
    at: str


class Field(NamedTuple):
    """What becomes a parameter of a tool. `place`: one of PLACES, or body."""

    place: str
    name: str
    schema: Any
    required: bool


def matches(document: Any) -> bool:
    """Whether this is an OpenAPI document, of any version."""
    return isinstance(document, dict) and ("openapi" in document or "swagger" in document)


def tool_specs(document: dict[str, Any], where: str, notes: Notes) -> list[dict[str, Any]]:
    """The operations as `{"name", "description", "parameters"}`, in the document's order. `where` opens every error.

    The `$ref`s of `parameters` point to its own `$defs`, which may hold themselves. `notes` are told of the operations
    that cannot be read. Raises UserError naming the place in the document where nothing can be read.
    """
    _check_version(named(document, where), where)
    reader = Document(document, where)
    secrets = _secrets(reader)
    broken: list[UserError] = []
    specs: dict[str, dict[str, Any]] = {}
    for operation in _operations(reader, broken):
        try:
            spec = _spec(reader, operation, secrets)
        except UserError as error:
            broken.append(error)
        else:
            spec["name"] = unique(spec["name"], specs)
            specs[spec["name"]] = spec
    for each in broken:
        notes.breaks("broken operation", str(each))
    if not specs:
        raise broken[0] if broken else UserError(f"{where}: paths: found no operation, expected at least one")
    return list(specs.values())


def _spec(document: Document, operation: Operation, secrets: set[Identity]) -> dict[str, Any]:
    """The operation as a tool."""
    _check_keys(operation.content, OPERATION, operation.at)
    in_words = "_".join([operation.method, *re.findall(r"[\w.-]+", operation.path)])
    said = words(operation.content, "operationId", operation.at)
    parameters = _Tool(document, operation).parameters(secrets)
    name = legal_name(said.strip() or in_words)
    return {"name": name, "description": _description(operation), "parameters": parameters}


def _check_version(document: dict[str, Any], where: str) -> None:
    if "swagger" in document and "openapi" not in document:
        found = f"found Swagger {str(document['swagger'])[:20]!r}, expected OpenAPI 3.0 or 3.1"
        raise UserError(f"{where}: swagger: {found}: convert it, for example with swagger2openapi")
    version = str(document["openapi"])[:20] if "openapi" in document else "nothing"
    if not VERSION.fullmatch(version):
        raise UserError(f"{where}: openapi: found {version!r}, expected 3.0 or 3.1")


def _operations(document: Document, broken: list[UserError]) -> Iterator[Operation]:
    """The operations of all paths. `broken` is given the errors of those that are none."""
    place = f"{document.where}: paths"
    for path, found in _paths(document.content, place).items():
        if path.startswith("x-"):
            continue
        try:
            if not path.startswith("/"):
                raise UserError(f"{place}: found {path!r}, expected a path that begins with /")
            item, at = document.resolved(found, inside(place, path))
        except UserError as error:
            broken.append(error)
            continue
        for key in item:
            try:
                if key in METHODS:
                    yield Operation(key, path, item, at, named(item[key], f"{at}.{key}"), f"{at}.{key}")
                else:
                    _check_keys({key: item[key]}, PATH_ITEM, at)
            except UserError as error:
                broken.append(error)


def _paths(document: dict[str, Any], place: str) -> dict[str, Any]:
    if "paths" not in document and "webhooks" in document:
        raise UserError(f"{place}: found none, only webhooks, expected operations that a client may call")
    return named(document.get("paths"), place)


def _check_keys(content: dict[str, Any], known: tuple[str, ...], at: str) -> None:
    """Raises UserError for a misspelt key, with which all that it holds would be lost."""
    for key in content:
        if key not in known and not key.startswith("x-"):
            raise UserError(f"{inside(at, key)}: unknown, expected one of {', '.join(known)}")


def _secrets(document: Document) -> set[Identity]:
    """The parameters that hold a key of the API."""
    components = named(document.content.get("components", {}), f"{document.where}: components")
    place = f"{document.where}: components.securitySchemes"
    schemes = named(components.get("securitySchemes", {}), place)
    found = [document.resolved(scheme, inside(place, name)) for name, scheme in schemes.items()]
    return {_identity(scheme, at) for scheme, at in found if scheme.get("type") == "apiKey"}


def _identity(parameter: dict[str, Any], at: str) -> Identity:
    """What tells a parameter from others. Names of headers have no case."""
    name, place = text(parameter.get("name"), f"{at}.name"), parameter.get("in")
    if place not in PLACES:
        raise UserError(f"{at}.in: found {str(place)[:20]!r}, expected one of {', '.join(PLACES)}")
    return place, name.lower() if place == "header" else name


class _Tool:
    """The parameters of one operation as those of a tool."""

    def __init__(self, document: Document, operation: Operation):
        self.document = document
        self.operation = operation
        self.schemas = Schemas(document)
        self.others: Schema = {}  # what a body says of fields that it does not name

    def parameters(self, secrets: set[Identity]) -> Schema:
        """The schema of all parameters but the secrets."""
        properties: Schema = {}
        required = []
        for field in [*self._outside_body(secrets), *self._body()]:
            name = legal_name(field.name or field.place)
            name = unique(legal_name(f"{field.place}_{field.name}") if name in properties else name, properties)
            properties[name] = field.schema
            required += [name] * field.required
        schema = {"type": "object", "properties": properties} | ({"required": required} if required else {})
        definitions = self.schemas.definitions()
        return schema | self.others | ({"$defs": definitions} if definitions else {})

    def _outside_body(self, secrets: set[Identity]) -> list[Field]:
        """The parameters in the order of PLACES. The operation's own stand for those of its path."""
        operation = self.operation
        found = self._listed(operation.item, operation.item_at) | self._listed(operation.content, operation.at)
        for name in re.findall(r"\{([^{}]*)\}", operation.path):
            if ("path", name) not in found:
                raise UserError(f'{operation.at}.parameters: found none for {name!r}, expected one with "in": "path"')
        kept = [
            self._field(parameter, at)
            for identity, (parameter, at) in found.items()
            if identity not in secrets and not _set_by_client(*identity, flag(parameter, "required", at))
        ]
        return sorted(kept, key=lambda field: PLACES.index(field.place))

    def _listed(self, owner: dict[str, Any], at: str) -> dict[Identity, tuple[dict[str, Any], str]]:
        found: dict[Identity, tuple[dict[str, Any], str]] = {}
        for i, each in enumerate(checked(owner.get("parameters", []), list, f"{at}.parameters")):
            parameter, place = self.document.resolved(each, f"{at}.parameters[{i}]")
            identity = _identity(parameter, place)
            if identity in found:
                raise UserError(f"{at}.parameters[{i}]: found {' '.join(identity)!r} again, expected it once")
            found[identity] = parameter, place
        return found

    def _field(self, parameter: dict[str, Any], at: str) -> Field:
        place = parameter["in"]
        found = (parameter["schema"], f"{at}.schema") if "schema" in parameter else _media(parameter, at)
        schema = self.schemas.read(*found) if found else {}
        required = flag(parameter, "required", at) or place == "path"
        return Field(place, parameter["name"], _described(schema, parameter, at), required)

    def _body(self) -> list[Field]:
        if "requestBody" not in self.operation.content:
            return []
        body, at = self.document.resolved(self.operation.content["requestBody"], f"{self.operation.at}.requestBody")
        required = flag(body, "required", at)
        found = _media(body, at)
        if found is None:
            return []
        parts = list(self.document.parts(*found))
        if _only_lists_fields(parts):
            return self._fields(parts, required or "required" not in body)
        return [Field("body", "body", _described(self.schemas.read(*found), body, at), required)]

    def _fields(self, parts: list[Part], required: bool) -> list[Field]:
        """The fields that the parts of a body's schema list. What several of them say of one field holds together."""
        hidden = self.document.read_only(parts)
        found: dict[str, list[Any]] = {}
        needed = set()
        for part, at in parts:
            for name, inner in part.get("properties", {}).items():
                if name not in hidden:
                    found.setdefault(name, []).append(self.schemas.read(inner, inside(f"{at}.properties", name)))
            for i, name in enumerate(checked(part.get("required", []), list, f"{at}.required")):
                needed.add(text(name, f"{at}.required[{i}]"))
            if part.get("additionalProperties", False) is not False:
                others = self.schemas.read(part["additionalProperties"], f"{at}.additionalProperties")
                self.others = {"additionalProperties": others}
        found |= {name: [{}] for name in sorted(needed - hidden - found.keys())}
        return [
            Field("body", name, said[0] if len(said) == 1 else {"allOf": said}, required and name in needed)
            for name, said in found.items()
        ]


def _set_by_client(place: str, name: str, required: bool) -> bool:
    """Whether a client sets a parameter once for all requests, and no call does."""
    if place == "header" and (name in SET_BY_CLIENTS or name.endswith("-version")):
        return True
    return place != "path" and not required and re.sub(r"[_-]", "", name.lower()) in CREDENTIALS


def _only_lists_fields(parts: list[Part]) -> bool:
    """Whether the parts of a schema say no more of an object than its fields."""
    for part, _ in parts:
        if any(key not in (*OF_FIELDS, *LEFT_OUT) and not key.startswith("x-") for key in part):
            return False
        if part.get("type", "object") not in OBJECT or part.get("unevaluatedProperties", False) is not False:
            return False
    return any(part.get("properties") for part, _ in parts)


def _media(owner: dict[str, Any], at: str) -> tuple[Any, str] | None:
    """The schema of JSON, else of a form, else of the first media type, and its place; None where there is none.

    What has no schema is text, and any value in JSON.
    """
    content = named(owner.get("content"), f"{at}.content")
    if not content:
        return None
    kind = min(content, key=_rank)
    place = inside(f"{at}.content", kind)
    schema = named(content[kind], place).get("schema")
    return {"type": "string"} if schema in (None, {}) and _rank(kind) > 0 else schema, f"{place}.schema"


def _rank(kind: str) -> int:
    kind = kind.partition(";")[0].strip().lower()
    return 0 if kind in ("application/json", "*/*") or kind.endswith("+json") else 1 if kind in FORMS else 2


def _description(operation: Operation) -> str:
    """The summary, and the first paragraph of the description unless that says the same; else what the path says."""
    summary, description = (_paragraph(operation, key) for key in ("summary", "description"))
    if not description or description.startswith(summary.rstrip(".")):
        return description or summary
    return f"{summary}{'' if summary.endswith(('.', '!', '?', ':')) else '.'} {description}"


def _paragraph(operation: Operation, key: str) -> str:
    """The first paragraph of a text, without headings and in one line."""
    content, at = (operation.content, operation.at) if key in operation.content else (operation.item, operation.item_at)
    paragraphs = re.split(r"\n\s*\n", HEADING.sub("", words(content, key, at)).strip())
    return " ".join(paragraphs[0].split())


def _described(schema: Any, owner: dict[str, Any], at: str) -> Any:
    """The schema with the description of the parameter or body that it belongs to."""
    description = words(owner, "description", at)
    if not description or schema is False:
        return schema
    return ({} if schema is True else schema) | {"description": description}
