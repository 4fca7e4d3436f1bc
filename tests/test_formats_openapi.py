"""OpenAPI documents as tools."""

import copy
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itool.errors import UserError
from itool.formats import openapi
from itool.formats.notes import Notes
from itool.formats.tools import tools_of
from itool.toolcall.resolve import mapped, resolved
from itool.toolcall.schema import validate

WHERE = "pets.json"
STRING, INTEGER = {"type": "string"}, {"type": "integer"}


def document(paths, version="3.0.3", **components):
    return {
        "openapi": version,
        "info": {"title": "Boarding house", "version": "1"},
        "paths": paths,
        "components": components,
    }


def operation(**fields):
    """A document of one operation, GET /pets; `components` and `version` are the document's."""
    outside = {key: fields.pop(key) for key in ("components", "version") if key in fields}
    path, method = fields.pop("path", "/pets"), fields.pop("method", "get")
    shared = fields.pop("shared", {})
    whole = {"responses": {"200": {"description": "fine"}}} | fields
    return document({path: {method: whole} | shared}, outside.get("version", "3.0.3"), **outside.get("components", {}))


def specs(content):
    return openapi.tool_specs(content, WHERE, Notes())


def parameters(**fields):
    [spec] = specs(operation(**fields))
    return spec["parameters"]


def properties(**fields):
    return parameters(**fields)["properties"]


def parameter(name, place="query", schema=STRING, **fields):
    return {"name": name, "in": place, "schema": schema} | fields


def body(schema, kind="application/json", **fields):
    return {"required": True, "content": {kind: {"schema": schema}}} | fields


def sent(schema, schemas=None, **fields):
    """The tool parameters of an operation with this schema of its body."""
    return parameters(method="post", requestBody=body(schema), components={"schemas": schemas or {}}, **fields)


def fields_of(names, **fields):
    return {"type": "object", "properties": dict.fromkeys(names, STRING)} | fields


# What each test looks at alone stands here together; mutations begin with it.
SHOP = document(
    {
        "/pens/{pen}/guests": {
            "summary": "Guests of a pen",
            "parameters": [{"$ref": "#/components/parameters/Pen"}, parameter("limit", schema=INTEGER)],
            "get": {
                "operationId": "listGuests",
                "description": "Lists who stays.\n\nThe newest come first.",
                "parameters": [
                    parameter("limit", schema={"type": "integer", "minimum": 0, "exclusiveMinimum": True}),
                    parameter("kind[]", schema={"type": "array", "items": {"$ref": "#/components/schemas/Kind"}}),
                    parameter("X-Trace", "header", description="id of the request"),
                    parameter("X-Key", "header"),
                    parameter("night", "cookie", {"type": "boolean"}, deprecated=True),
                ],
                "responses": {"200": {"description": "guests"}},
            },
            "post": {
                "deprecated": True,
                "requestBody": {"$ref": "#/components/requestBodies/Guest"},
                "responses": {},
            },
        },
        "/photos": {
            "x-team": "front desk",
            "put": {"operationId": "photos/put it", "requestBody": body({"type": "string"}, "image/png")},
        },
        "x-note": "no path",
    },
    parameters={"Pen": parameter("pen", "path", {"type": "integer"}, description="number of the pen")},
    requestBodies={"Guest": body({"$ref": "#/components/schemas/Guest"}, description="who comes")},
    schemas={
        "Kind": {"type": "string", "enum": ["cat", "dog"], "example": "cat"},
        "Guest": {
            "allOf": [
                {"$ref": "#/components/schemas/Animal"},
                {"type": "object", "required": ["pen"], "properties": {"pen": {"type": "string", "nullable": True}}},
            ]
        },
        "Animal": {
            "type": "object",
            "required": ["id", "name"],
            "discriminator": {"propertyName": "name"},
            "properties": {
                "id": {"type": "integer", "readOnly": True},
                "name": {"type": "string", "xml": {"attribute": True}},
                "kind": {"$ref": "#/components/schemas/Kind"},
                "parents": {"type": "array", "maxItems": 2, "items": {"$ref": "#/components/schemas/Animal"}},
            },
        },
    },
    securitySchemes={
        "key": {"type": "apiKey", "in": "header", "name": "x-key"},
        "login": {"type": "http", "scheme": "basic"},
    },
)


def test_a_document_is_one_tool_an_operation():
    listing, arriving, photo = specs(SHOP)
    assert listing == {
        "name": "listGuests",
        "description": "Guests of a pen. Lists who stays.",
        "parameters": {
            "type": "object",
            "properties": {
                "pen": {"type": "integer", "description": "number of the pen"},
                "limit": {"type": "integer", "exclusiveMinimum": 0},
                "kind__": {"type": "array", "items": {"$ref": "#/$defs/Kind"}},
                "X-Trace": {"type": "string", "description": "id of the request"},
                "night": {"type": "boolean"},
            },
            "required": ["pen"],
            "$defs": {"Kind": {"type": "string", "enum": ["cat", "dog"]}},
        },
    }
    animal = {
        "name": {"type": "string"},
        "kind": {"$ref": "#/$defs/Kind"},
        "parents": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/Animal"}},
    }
    assert arriving == {
        "name": "post_pens_pen_guests",
        "description": "Guests of a pen",
        "parameters": {
            "type": "object",
            "properties": {"pen": {"type": "integer", "description": "number of the pen"}}
            | {"limit": INTEGER}
            | animal
            | {"body_pen": {"type": ["string", "null"]}},
            "required": ["pen", "name", "body_pen"],
            "$defs": {
                "Kind": {"type": "string", "enum": ["cat", "dog"]},
                "Animal": {"type": "object", "required": ["name"], "properties": animal},
            },
        },
    }
    assert photo == {
        "name": "photos/put_it",
        "description": "",
        "parameters": {"type": "object", "properties": {"body": {"type": "string"}}, "required": ["body"]},
    }


def test_its_tools_are_right_and_take_calls():
    notes = Notes()
    listing, arriving, _ = tools_of(specs(SHOP), WHERE, notes)
    assert not notes.broken
    assert validate({"pen": 3, "kind__": ["cat"]}, listing.parameters) == []
    assert validate({"kind__": ["cow"]}, listing.parameters)
    guest = {"pen": 3, "name": "Mia", "body_pen": None, "parents": [{"name": "Tom", "parents": [{"name": "Ada"}]}]}
    assert validate(guest, arriving.parameters) == []
    assert validate(guest | {"parents": [{"id": 5}]}, arriving.parameters)
    assert resolved(arriving.parameters)["properties"]["parents"]["items"]["properties"]["name"] == STRING


@pytest.mark.parametrize("version", ["3.0.0", "3.0.4-rc1", "3.1", "3.1.1", 3.1])
def test_versions(version):
    assert len(specs(operation(version=version))) == 1


def test_what_a_document_is():
    assert len(specs(operation() | {"swagger": "3.0.3"})) == 1
    assert openapi.matches(SHOP)
    assert openapi.matches({"swagger": "2.0"})
    assert not any(openapi.matches(each) for each in ([SHOP], {"tools": []}, None, "openapi", 5))


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"operationId": "pets.list-all/v2"}, "pets.list-all/v2"),
        ({"operationId": "list all (pets)!"}, "list_all__pets__"),
        ({"operationId": "_list__pets"}, "_list__pets"),
        ({"operationId": ""}, "get_pets"),
        ({"operationId": "a" * 70}, "a" * 64),
        ({"path": "/", "method": "head"}, "head"),
        ({"path": "/v1/pets/{petId}.json", "method": "delete"}, "delete_v1_pets_petId_.json"),
    ],
)
def test_names_of_tools(fields, name):
    declared = [parameter("petId", "path")] if "{petId}" in fields.get("path", "") else []
    [spec] = specs(operation(**fields, parameters=declared))
    assert spec["name"] == name


def test_names_are_told_apart():
    paths = {f"/{path}": {"get": {"operationId": "list" if path < "d" else "l" * 70}} for path in "abcde"}
    assert [spec["name"] for spec in specs(document(paths))] == ["list", "list_2", "list_3", "l" * 64, "l" * 62 + "_2"]


@pytest.mark.parametrize(
    ("summary", "description", "told"),
    [
        ("List pets", "", "List pets"),
        ("", "Lists the\n  pets. All of them.\n\nMore.", "Lists the pets. All of them."),
        ("List pets", "All\nof them.\r\n\r\nMore.", "List pets. All of them."),
        ("List pets.", "All of them", "List pets. All of them"),
        ("List pets.", "List pets of the house.", "List pets of the house."),
        ("", "## Listing\n\nLists pets, #1 first.", "Lists pets, #1 first."),
        ("", "# Listing\nLists pets.", "Lists pets."),
        ("  ", " \n ", ""),
    ],
)
def test_descriptions(summary, description, told):
    [spec] = specs(operation(summary=summary, description=description))
    assert spec["description"] == told


def test_a_path_tells_what_its_operations_do_not():
    shared = {"summary": "Pets", "description": "Of the house."}
    content = document({"/pets": {"get": {}, "put": {"summary": "Change"}, "post": {"description": "New."}} | shared})
    assert [spec["description"] for spec in specs(content)] == [
        "Pets. Of the house.",
        "Change. Of the house.",
        "Pets. New.",
    ]


def test_parameters_stand_by_place_and_say_whether_they_are_required():
    found = parameters(
        path="/pets/{id}",
        parameters=[
            parameter("colour", "cookie"),
            parameter("page", required=True),
            parameter("tenant", "header", required=True),
            parameter("size", required=False),
            parameter("id", "path", required=False),
        ],
    )
    assert [*found["properties"]] == ["id", "page", "size", "tenant", "colour"]
    assert found["required"] == ["id", "page", "tenant"]


def test_an_operations_parameter_stands_for_that_of_its_path():
    shared = {"parameters": [parameter("size", schema=INTEGER), parameter("page", schema=INTEGER)]}
    own = [parameter("size", required=True), parameter("size", "header")]
    assert parameters(shared=shared, parameters=own) == {
        "type": "object",
        "properties": {"size": STRING, "page": INTEGER, "header_size": STRING},
        "required": ["size"],
    }


def test_equal_names_of_different_places_are_told_apart():
    found = sent(
        fields_of(["id", "body_id", "kind[]", "kind{}", "kind", ""]),
        path="/pets/{id}",
        parameters=[parameter("id"), parameter("id", "path"), parameter("filter[name]"), parameter("Filter", "header")],
    )
    assert [*found["properties"]] == [
        *("id", "query_id", "filter_name_", "Filter"),
        *("body_id", "body_body_id", "kind__", "body_kind__", "kind", "body"),
    ]


def test_the_standard_ignores_headers_that_clients_set():
    headers = [parameter(name, "header") for name in ("Accept", "content-type", "Authorization", "X-Trace")]
    assert [*properties(parameters=headers)] == ["X-Trace"]


def test_credentials_are_no_parameters():
    schemes = {
        "one": {"type": "apiKey", "in": "query", "name": "token"},
        "two": {"$ref": "#/components/securitySchemes/three"},
        "three": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
        "four": {"type": "oauth2", "flows": {}},
    }
    listed = [parameter("token"), parameter("x-api-key", "header"), parameter("token", "cookie")]
    assert [*properties(parameters=listed, components={"securitySchemes": schemes})] == ["token"]


@pytest.mark.parametrize("name", ["api_key", "apikey", "API-Key", "access_token", "accessToken", "user_token"])
def test_optional_parameters_with_the_name_of_a_credential_are_none(name):
    assert [*properties(parameters=[parameter(name), parameter("token")])] == ["token"]
    assert [*properties(parameters=[parameter(name, required=True)])] == [name]
    assert [*properties(path=f"/pets/{{{name}}}", parameters=[parameter(name, "path")])] == [name]
    assert [*sent(fields_of([name]))["properties"]] == [name]


@pytest.mark.parametrize("required", [True, False])
def test_a_client_sets_the_version_of_the_api(required):
    listed = [parameter(name, "header", required=required) for name in ("Notion-Version", "x-api-version", "Versions")]
    assert [*properties(parameters=[*listed, parameter("pet-version")])] == ["pet-version", "Versions"]


def test_an_operation_that_cannot_be_read_is_named_and_the_others_are_read():
    paths = {
        "/pets": {"get": {}, "put": {"requestBody": {}}, "post": None, "delete": {}, "GET": {}},
        "pens": {"get": {}},
        "/pens": [],
        "/guests": {"parameters": {}, "get": {}},
        "/photos": {"get": {"operationId": "delete_pets", "requestbody": {}}, "put": {"operationId": "delete_pets"}},
    }
    notes = Notes()
    found = openapi.tool_specs(document(paths), WHERE, notes)
    assert [spec["name"] for spec in found] == ["get_pets", "delete_pets", "delete_pets_2"]
    assert notes.broken == {"broken operation": 7}
    assert notes.first("broken operation")[0].startswith(
        "pets.json: paths./pets.put.requestBody.content: found NoneType"
    )
    with pytest.raises(UserError, match=r"^pets\.json: paths\./pets\.put\.requestBody\.content: found NoneType"):
        specs(document({"/pets": {"put": {"requestBody": {}}, "post": None}}))


def test_a_schema_of_null_says_nothing():
    assert sent(None)["properties"] == {"body": {}}
    assert properties(requestBody=body(None, "text/plain")) == {"body": STRING}
    assert properties(parameters=[parameter("a", schema=None)]) == {"a": {}}
    assert sent(fields_of([], properties={"a": None, "b": {"items": None}, "c": {"allOf": [None]}}))["properties"] == {
        "a": {},
        "b": {"items": {}},
        "c": {"allOf": [{}]},
    }


def test_a_parameter_may_be_json_or_have_no_schema():
    listed = [
        {"name": "filter", "in": "query", "content": {"application/json": {"schema": fields_of(["kind"])}}},
        {"name": "note", "in": "query", "content": {"text/plain": {}}},
        {"name": "any", "in": "query", "content": {"application/json": {}}, "description": "anything"},
        parameter("true", schema=True, description="anything"),
    ]
    assert properties(parameters=listed, version="3.1.0") == {
        "filter": fields_of(["kind"]),
        "note": STRING,
        "any": {"description": "anything"},
        "true": {"description": "anything"},
    }


def test_what_stands_beside_a_reference_wins():
    listed = [{"$ref": "#/components/parameters/Size", "description": "how many"}]
    components = {"parameters": {"Size": {"$ref": "#/components/parameters/Count"}, "Count": parameter("size")}}
    assert properties(parameters=listed, components=components) == {"size": STRING | {"description": "how many"}}
    schema = {"$ref": "#/components/schemas/Size", "description": "how many", "example": 5}
    components = {"schemas": {"Size": INTEGER}}
    assert properties(parameters=[parameter("size", schema=schema)], components=components) == {
        "size": {"$ref": "#/$defs/Size", "description": "how many"}
    }


def test_references_are_of_paths_too_and_may_point_anywhere():
    paths = {
        "/pets": {"$ref": "#/components/pathItems/Pets"},
        "/cats": {"get": {"parameters": [{"$ref": "#/paths/~1dogs~1%7Bdog%7D/get/parameters/0"}, parameter("cat")]}},
        "/dogs/{dog}": {"get": {"parameters": [parameter("dog", "path", {"$ref": "#/components/schemas/a~1b%20c"})]}},
    }
    pets = {"get": {"operationId": "listPets"}}
    notes = Notes()
    content = document(paths, pathItems={"Pets": pets}, schemas={"a/b c": {"minimum": float("nan")}})
    assert [spec["name"] for spec in openapi.tool_specs(content, WHERE, notes)] == ["listPets"]
    assert notes.broken == {"broken operation": 2}
    assert "pets.json: components.schemas.a/b c.minimum: found float that JSON cannot" in notes.one_each()[0]
    found = specs(document(paths, "3.1.0", pathItems={"Pets": pets}, schemas={"a/b c": INTEGER}))
    assert [spec["name"] for spec in found] == ["listPets", "get_cats", "get_dogs_dog"]
    assert found[1]["parameters"] == {
        "type": "object",
        "properties": {"dog": {"$ref": "#/$defs/a_b_c"}, "cat": STRING},
        "required": ["dog"],
        "$defs": {"a_b_c": INTEGER},
    }


def test_definitions_are_those_that_are_used():
    schemas = {
        "Pet": fields_of([], properties={"owner": {"$ref": "#/components/schemas/Owner"}}),
        "Owner": fields_of(["name"], additionalProperties={"$ref": "#/components/schemas/Extra"}),
        "Extra": {"oneOf": [STRING, {"$ref": "#/components/schemas/Pet"}]},
        "Other": STRING,
    }
    found = sent({"$ref": "#/components/schemas/Pet"}, schemas)
    assert found["properties"] == {"owner": {"$ref": "#/$defs/Owner"}}
    assert found["$defs"] == {
        "Owner": fields_of(["name"], additionalProperties={"$ref": "#/$defs/Extra"}),
        "Extra": {"oneOf": [STRING, {"$ref": "#/$defs/Pet"}]},
        "Pet": fields_of([], properties={"owner": {"$ref": "#/$defs/Owner"}}),
    }


def test_definitions_of_one_name_are_told_apart():
    components = {"schemas": {"Id": INTEGER, "Ids": fields_of([], properties={"Id": STRING})}}
    references = ["#/components/schemas/Id", "#/components/schemas/Ids/properties/Id"]
    listed = [parameter(f"p{i}", schema={"$ref": each}) for i, each in enumerate(references)]
    found = parameters(parameters=listed, components=components)
    assert found["properties"] == {"p0": {"$ref": "#/$defs/Id"}, "p1": {"$ref": "#/$defs/Id_2"}}
    assert found["$defs"] == {"Id": INTEGER, "Id_2": STRING}


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_words_of_one_version_in_the_other(version):
    said = {
        "a": {"type": "string", "nullable": True},
        "b": {"type": ["string", "null"], "nullable": True},
        "c": {"nullable": True, "allOf": [STRING]},
        "d": {"type": "integer", "minimum": 1, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": False},
        "e": {"type": "number", "exclusiveMinimum": True, "exclusiveMaximum": 5},
        "f": {"type": "string", "example": "x", "examples": ["x"], "externalDocs": {"url": "x"}, "x-order": 5},
        "g": {"type": "object", "properties": {"nullable": STRING, "example": STRING, "$ref": STRING}},
        "h": {"type": "string", "default": "x", "enum": ["x", "y"], "format": "uuid", "deprecated": True},
        "i": {"type": "string", "nullable": False, "writeOnly": True},
    }
    assert sent({"properties": said}, version=version)["properties"] == {
        "a": {"type": ["string", "null"]},
        "b": {"type": ["string", "null"]},
        "c": {"allOf": [STRING]},
        "d": {"type": "integer", "exclusiveMinimum": 1, "maximum": 9},
        "e": {"type": "number", "exclusiveMaximum": 5},
        "f": STRING,
        "g": said["g"],
        "h": said["h"],
        "i": STRING,
    }


def test_schemas_are_read_wherever_they_stand():
    pet = {"$ref": "#/components/schemas/Pet"}
    holders = {
        **dict.fromkeys(("items", "not", "if", "then", "else", "contains", "propertyNames", "contentSchema"), pet),
        **dict.fromkeys(("additionalProperties", "unevaluatedProperties", "unevaluatedItems"), pet),
        **{keyword: [pet, True] for keyword in ("anyOf", "oneOf", "allOf", "prefixItems")},
        **{keyword: {"p": pet} for keyword in ("patternProperties", "dependentSchemas")},
    }
    said = {"x": holders, "y": {"items": [pet], "additionalProperties": False}}
    found = sent({"properties": said}, {"Pet": fields_of(["name"])}, version="3.1.0")
    expected = json.dumps(said).replace("#/components/schemas/", "#/$defs/")
    assert found["properties"] == json.loads(expected)
    assert [*found["$defs"]] == ["Pet"]


def test_what_only_answers_hold_is_left_out_of_bodies():
    schemas = {
        "Id": {"type": "integer", "readOnly": True},
        "Pet": fields_of(
            ["name"],
            required=["id", "name", "made", "seen"],
            properties={
                "id": {"$ref": "#/components/schemas/Id"},
                "name": STRING,
                "made": {"allOf": [STRING, {"readOnly": True}]},
                "owner": {
                    "allOf": [
                        {"properties": {"since": {"type": "string", "readOnly": True}}},
                        {"properties": {"name": STRING}, "required": ["since", "name"]},
                    ]
                },
                "seen": {"type": "string", "readOnly": True},
            },
        ),
    }
    found = sent({"$ref": "#/components/schemas/Pet"}, schemas)
    assert found == {
        "type": "object",
        "properties": {
            "name": STRING,
            "owner": {"allOf": [{"properties": {}}, {"properties": {"name": STRING}, "required": ["name"]}]},
        },
        "required": ["name"],
    }


@pytest.mark.parametrize(
    ("said", "required"),
    [({"required": True}, ["name", "unlisted"]), ({}, ["name", "unlisted"]), ({"required": False}, None)],
)
def test_fields_are_required_unless_the_body_is_said_to_be_optional(said, required):
    schema = fields_of(["name", "kind"], required=["name", "unlisted"])
    found = parameters(method="post", requestBody={"content": {"application/json": {"schema": schema}}} | said)
    assert found.get("required") == required
    assert found["properties"] == {"name": STRING, "kind": STRING, "unlisted": {}}


def test_parts_of_a_body_add_up():
    schemas = {
        "Base": fields_of(["name"], required=["name"]),
        "More": {"allOf": [{"$ref": "#/components/schemas/Base"}, fields_of(["kind"])]},
    }
    own = {"properties": {"name": {"minLength": 2}, "size": INTEGER}, "required": ["size"]}
    found = sent({"allOf": [{"$ref": "#/components/schemas/More"}, own], "minProperties": 1}, schemas)
    assert found == {
        "type": "object",
        "properties": {"name": {"allOf": [STRING, {"minLength": 2}]}, "kind": STRING, "size": INTEGER},
        "required": ["name", "size"],
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": STRING},
        {"type": "object"},
        {"type": "object", "additionalProperties": STRING},
        {"oneOf": [fields_of(["a"]), fields_of(["b"])]},
        fields_of(["a", "b"], anyOf=[{"required": ["a"]}, {"required": ["b"]}]),
        fields_of(["a"], type=["object", "string"]),
        {"allOf": [{"type": "object"}]},
        {"type": "string"},
        {},
    ],
)
def test_a_body_that_is_more_or_less_than_fields_is_one_parameter(schema):
    assert sent(schema) == {"type": "object", "properties": {"body": schema}, "required": ["body"]}


def test_a_body_as_one_parameter_keeps_its_reference_and_its_description():
    content = body({"$ref": "#/components/schemas/Ids"}, required=False, description="their ids")
    components = {"schemas": {"Ids": {"type": "array", "items": INTEGER}}}
    assert parameters(method="post", requestBody=content, components=components) == {
        "type": "object",
        "properties": {"body": {"$ref": "#/$defs/Ids", "description": "their ids"}},
        "$defs": {"Ids": {"type": "array", "items": INTEGER}},
    }


def test_what_a_body_says_of_other_fields_is_kept():
    assert sent(fields_of(["a"], additionalProperties=INTEGER))["additionalProperties"] == INTEGER
    closed = sent(fields_of(["a"], additionalProperties=False, unevaluatedProperties=False, type=["object", "null"]))
    assert closed == {"type": "object", "properties": {"a": STRING}}


@pytest.mark.parametrize(
    ("kinds", "chosen"),
    [
        (["application/xml", "application/json; charset=utf-8"], "application/json; charset=utf-8"),
        (["multipart/form-data", "application/vnd.pets+json"], "application/vnd.pets+json"),
        (["text/plain", "Multipart/Form-Data"], "Multipart/Form-Data"),
        (["application/x-www-form-urlencoded", "application/octet-stream"], "application/x-www-form-urlencoded"),
        (["application/xml", "text/csv"], "application/xml"),
    ],
)
def test_the_media_type_of_a_body(kinds, chosen):
    content = {kind: {"schema": fields_of([kind.partition("/")[0] + str(i)])} for i, kind in enumerate(kinds)}
    [name] = properties(method="post", requestBody={"content": content})
    assert name == next(iter(content[chosen]["schema"]["properties"]))


def test_bodies_without_a_schema_and_without_a_media_type():
    content = {"content": {"application/octet-stream": {}}}
    assert properties(method="post", requestBody=content) == {"body": STRING}
    assert properties(method="post", requestBody={"content": {"application/json": {}}}) == {"body": {}}
    assert properties(method="post", requestBody={"content": {}}) == {}


PET = {"$ref": "#/components/schemas/Pet"}
AT = r"^pets\.json: paths\./pets\.get"


def told(**fields):
    return operation(parameters=[parameter("a", **fields)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], r"^pets\.json: found list, expected an object"),
        ({"swagger": "2.0", "paths": {}}, r"^pets.json: swagger: found Swagger '2.0', expected OpenAPI 3.0 .*convert"),
        ({"openapi": "3.2.0"}, r"^pets\.json: openapi: found '3\.2\.0', expected 3\.0 or 3\.1"),
        ({"openapi": "3.10.0"}, r"^pets\.json: openapi: found '3\.10\.0'"),
        ({"paths": {}}, r"^pets\.json: openapi: found 'nothing'"),
        ({"openapi": "3.1.0"}, r"^pets\.json: paths: found NoneType, expected an object"),
        ({"openapi": "3.1.0", "webhooks": {"fed": {}}}, r"^pets\.json: paths: found none, only webhooks, expected"),
        (document({}), r"^pets\.json: paths: found no operation, expected at least one"),
        (document({"/pets": {}}), r"^pets\.json: paths: found no operation"),
        (document({"pets": {}}), r"^pets\.json: paths: found 'pets', expected a path that begins with /"),
        (document({5: {}}), r"^pets\.json: paths: found a name that is no text"),
        (document({"/\ud800": {}}), r"^pets\.json: paths: found a name that is no text"),
        (document({"/pets": []}), r"^pets\.json: paths\./pets: found list, expected an object"),
        (document({"/pets": {"GET": {}}}), r"^pets\.json: paths\./pets\.GET: unknown, expected one of get, put"),
        (document({"/pets": {"get": None}}), AT + r": found NoneType, expected an object"),
        (operation(requestbody={}), AT + r"\.requestbody: unknown, expected one of tags"),
        (operation(operationId=5), AT + r"\.operationId: found int, expected a string"),
        (operation(summary=["x"]), AT + r"\.summary: found list, expected a string"),
        (operation(summary="\udfff"), AT + r"\.summary: found half of a surrogate pair"),
        (operation(shared={"description": 5}), r"^pets\.json: paths\./pets\.description: found int, expected a string"),
        (operation(parameters={}), AT + r"\.parameters: found dict, expected a list"),
        (operation(parameters=["a"]), AT + r"\.parameters\[0\]: found str, expected an object"),
        (operation(parameters=[{"in": "query"}]), AT + r"\.parameters\[0\]\.name: found NoneType, expected a string"),
        (operation(parameters=[parameter("a", "body")]), AT + r"\.parameters\[0\]\.in: found 'body', expected one of"),
        (operation(parameters=[{"name": "a", "in": "query"}]), AT + r"\.parameters\[0\]\.content: found NoneType"),
        (operation(parameters=[parameter("a")] * 2), AT + r"\.parameters\[1\]: found 'query a' again"),
        (told(required="yes"), AT + r"\.parameters\[0\]\.required: found str, expected true or false"),
        (told(description=5), AT + r"\.parameters\[0\]\.description: found int, expected a string"),
        (told(schema="string"), AT + r"\.parameters\[0\]\.schema: found str, expected an object"),
        (told(schema={"anyOf": {}}), AT + r"\.parameters\[0\]\.schema\.anyOf: found dict, expected a list"),
        (told(schema={"allOf": {}}), AT + r"\.parameters\[0\]\.schema\.allOf: found dict, expected a list"),
        (told(schema={"items": 5}), AT + r"\.parameters\[0\]\.schema\.items: found int, expected an object"),
        (
            told(schema={"properties": []}),
            AT + r"\.parameters\[0\]\.schema\.properties: found list, expected an object",
        ),
        (told(schema={"nullable": "yes"}), AT + r"\.parameters\[0\]\.schema\.nullable: found str"),
        (told(schema={"oneOf": [{}, 5]}), AT + r"\.parameters\[0\]\.schema\.oneOf\[1\]: found int"),
        (told(schema={"properties": {"x": {"allOf": [5]}}}), AT + r".*\.schema\.properties\.x\.allOf\[0\]: found int"),
        (told(schema={"default": float("inf")}), AT + r"\.parameters\[0\]\.schema\.default: found float that JSON"),
        (told(schema={"enum": ["\ud800"]}), AT + r"\.parameters\[0\]\.schema\.enum: found half of a surrogate pair"),
        (told(schema={"$dynamicRef": "#a"}), AT + r"\.parameters\[0\]\.schema\.\$dynamicRef: not supported"),
        (told(schema={"$ref": 5}), AT + r"\.parameters\[0\]\.schema\.\$ref: found int, expected a string"),
        (told(schema={"$ref": "pet.yaml#/Pet"}), AT + r".*\.\$ref: found 'pet\.yaml#/Pet', expected #/\.\.\.: put all"),
        (told(schema={"$ref": "https://a.example/b"}), AT + r".*\.schema\.\$ref: found 'https://a\.example/b'"),
        (told(schema={"$ref": "#Pet"}), AT + r".*\.schema\.\$ref: found '#Pet', expected a place in this document"),
        (
            told(schema=PET),
            AT + r"\.parameters\[0\]\.schema\.\$ref: found '#/components/schemas/Pet', expected a place",
        ),
        (operation(parameters=[{"$ref": "a.json"}]), AT + r"\.parameters\[0\]\.\$ref: found 'a\.json'"),
        (operation(path="/a/{b}"), r"paths\./a/\{b\}\.get\.parameters: found none for 'b', expected one with"),
        (operation(requestBody=[]), AT + r"\.requestBody: found list, expected an object"),
        (operation(requestBody={}), AT + r"\.requestBody\.content: found NoneType, expected an object"),
        (operation(requestBody=body([])), AT + r"\.requestBody\.content\.application/json\.schema: found list"),
        (
            operation(requestBody=body({}, required=1)),
            AT + r"\.requestBody\.required: found int, expected true or false",
        ),
        (
            operation(requestBody=body(fields_of(["a"], required="a"))),
            AT + r".*\.schema\.required: found str, expected a",
        ),
        (operation(requestBody=body(fields_of(["a"], required=[5]))), AT + r".*\.schema\.required\[0\]: found int"),
        (operation(components={"securitySchemes": []}), r"^pets\.json: components\.securitySchemes: found list"),
        (
            operation(components={"securitySchemes": {"k": {"type": "apiKey", "name": "k"}}}),
            r"^pets\.json: components\.securitySchemes\.k\.in: found 'None', expected one of",
        ),
    ],
)
def test_malformed_documents_name_the_place(content, message):
    with pytest.raises(UserError, match=message) as caught:
        specs(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("components", "fields", "place"),
    [
        ({"schemas": {"Pet": PET}}, {"requestBody": body(PET)}, r"components\.schemas\.Pet\.\$ref"),
        (
            {"schemas": {"Pet": PET}},
            {"parameters": [parameter("a", schema={"items": PET})]},
            r"components\.schemas\.Pet",
        ),
        ({"schemas": {"Pet": {"allOf": [PET]}}}, {"requestBody": body(PET)}, r"components\.schemas\.Pet\.allOf\[0\]"),
        (
            {"schemas": {"Pet": {"$ref": "#/components/schemas/Cat"}, "Cat": {"allOf": [{}, PET]}}},
            {"parameters": [parameter("a", schema={"properties": {"b": PET}})]},
            r"components\.schemas\.Cat\.allOf\[1\]\.\$ref",
        ),
        (
            {"parameters": {"A": {"$ref": "#/components/parameters/A"}}},
            {"parameters": [{"$ref": "#/components/parameters/A"}]},
            r"components\.parameters\.A\.\$ref",
        ),
    ],
)
def test_a_reference_cycle_is_named(components, fields, place):
    with pytest.raises(UserError, match=rf"^pets\.json: {place}.*: found '#/components/.* inside itself"):
        specs(operation(components=components, **fields))


def nested(levels, schema):
    for _ in range(levels):
        schema = {"items": schema}
    return schema


def test_what_is_nested_too_deep_is_named():
    endless = {"type": "array"}
    endless["items"] = endless
    parts = {"allOf": []}
    parts["allOf"].append(parts)
    for schema in (nested(70, STRING), nested(20_000, STRING), endless, parts):
        with pytest.raises(UserError, match=AT + r"\.parameters\[0\]\.schema.*: nested deeper than 64 levels"):
            specs(told(schema=schema))
    looped = []
    looped.append(looped)
    with pytest.raises(UserError, match=r"\.schema\.default: found list that JSON cannot hold"):
        specs(told(schema={"default": looped}))


def test_many_definitions_in_a_row_are_read():
    schemas = {f"S{i}": {"items": {"$ref": f"#/components/schemas/S{i + 1}"}} for i in range(3000)} | {"S3000": STRING}
    found = parameters(
        parameters=[parameter("a", schema={"$ref": "#/components/schemas/S0"})], components={"schemas": schemas}
    )
    assert len(found["$defs"]) == 3001


def places(value, path=()):
    """The path of every value inside."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
REFERENCES = [
    "#/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in path) for path in places(SHOP) if path
]


def value_at(content, path):
    for step in path:
        content = content[step]
    return copy.deepcopy(content)


def references(schema):
    """What the references in a schema point to, without those in values."""
    found = set()

    def look(inner, where, keyword):
        if isinstance(inner, dict) and "$ref" in inner:
            found.add(inner["$ref"])
        return inner

    mapped(schema, look)
    return found


@st.composite
def mutated(draw):
    """The shop's document with a few values left out, replaced, or swapped for a reference to anything in it."""
    content = copy.deepcopy(SHOP)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([each for each in places(content) if each]))
        owner = content
        for step in path[:-1]:
            owner = owner[step]
        reference = st.sampled_from(REFERENCES).map(lambda pointer: {"$ref": pointer})
        other = st.sampled_from([*places(SHOP)]).map(lambda found: value_at(SHOP, found))
        if draw(st.booleans()):
            owner[path[-1]] = draw(VALUES | reference | other)
        elif isinstance(owner, dict) and draw(st.booleans()):
            owner[draw(st.sampled_from(["$ref", "allOf", "readOnly", "required", "type", "in"]))] = owner.pop(path[-1])
        else:
            del owner[path[-1]]
    return content


@settings(max_examples=150, deadline=None)
@given(mutated())
def test_any_document_gives_tools_or_an_error_that_names_the_place(content):
    before = copy.deepcopy(content)
    message, found = "", []
    try:
        found = specs(content)
    except UserError as error:
        message = str(error)
    assert json.dumps(content) == json.dumps(before)
    assert found or re.fullmatch(r"pets\.json: .+: (nested deeper than 64 levels|.+, expected .+)", message)
    for spec in found:
        assert set(spec) == {"name", "description", "parameters"}
        json.dumps(spec, allow_nan=False).encode()
        assert references(spec["parameters"]) == {f"#/$defs/{name}" for name in spec["parameters"].get("$defs", ())}
    assert len({spec["name"] for spec in found}) == len(found)
