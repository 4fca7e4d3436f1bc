"""The API pool: specifications, phrases and simulation of every domain must agree."""

import importlib
import inspect
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from itool.errors import UserError
from stages.synthesis.domains import calendar, files, flights, hotels, issues, mail, maps, notes, weather
from stages.synthesis.pool import load_pool
from stages.synthesis.world import SimulationError, World

DATA = Path(__file__).parent.parent / "data"
DOMAINS = sorted(path.stem for path in (DATA / "tools").glob("*.json"))
ENTITIES = json.loads((DATA / "entities.json").read_text())
TOOLS = {domain: json.loads((DATA / "tools" / f"{domain}.json").read_text()) for domain in DOMAINS}
PHRASES = {domain: json.loads((DATA / "phrases" / f"{domain}.json").read_text()) for domain in DOMAINS}
SPECS = [(domain, spec) for domain in DOMAINS for spec in TOOLS[domain]["tools"]]
CLOSED_KINDS = {"language", "currency", "room", "device", "color", "department", "timezone"}
PLAIN_KINDS = {"date", "time", "email", "phone", "enum", "bool"}
MISSING = inspect.Parameter.empty

each_tool = pytest.mark.parametrize(("domain", "spec"), SPECS, ids=[spec["name"] for _, spec in SPECS])
each_domain = pytest.mark.parametrize("domain", DOMAINS)


def properties(spec: dict) -> dict[str, dict]:
    return spec["parameters"]["properties"]


def spec_of(domain: str, tool: str) -> dict:
    return next(spec for spec in TOOLS[domain]["tools"] if spec["name"] == tool)


def function(domain: str, tool: str) -> Any:
    return getattr(importlib.import_module(f"stages.synthesis.domains.{domain}"), tool)


def base_type(schema: dict) -> str:
    kinds = schema["type"]
    return kinds if isinstance(kinds, str) else next(kind for kind in kinds if kind != "null")


def is_kind(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    python = {"string": str, "integer": int, "number": (int, float), "array": list, "object": dict, "null": type(None)}
    return kind != "boolean" and isinstance(value, python[kind])


def entries(spec: dict, phrases: dict) -> list[tuple[dict, dict]]:
    """(schema, phrase entry) of every parameter and of the fields of objects."""
    found = []
    for name, schema in properties(spec).items():
        entry = phrases["parameters"][name]
        found.append((schema, entry))
        if "fields" in entry:
            inner = schema["items"] if base_type(schema) == "array" else schema
            assert set(inner["properties"]) == set(entry["fields"]), name
            found += [(field, entry["fields"][key]) for key, field in inner["properties"].items()]
    return found


def scalar(kind: str, schema: dict, rng: random.Random) -> Any:
    head, _, rest = kind.partition(":")
    match head:
        case "int":
            return rng.randint(*map(int, rest.split("-")))
        case "number":
            low, high = map(float, rest.split("-"))
            return round(rng.uniform(low, high), 1)
        case "date":
            return f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
        case "time":
            return f"{rng.randint(7, 21):02}:{rng.choice(('00', '15', '30'))}"
        case "email":
            return rng.choice(("ann@mail.com", "ben.carter@post.org"))
        case "phone":
            return f"555-{rng.randint(1000, 9999)}"
        case "enum":
            return rng.choice(schema["enum"])
        case "bool":
            return rng.random() < 0.5
        case "id":
            return rest.split(":")[0] + str(rng.randint(100, 999))
        case _:
            return rng.choice(ENTITIES[kind]["train"])


def sample(entry: dict, schema: dict, rng: random.Random) -> Any:
    kind = entry["values"]
    if kind == "object":
        return arguments(schema, entry["fields"], rng)
    if kind.startswith("objects:"):
        count = rng.randint(*map(int, kind.partition(":")[2].split("-")))
        return [arguments(schema["items"], entry["fields"], rng) for _ in range(count)]
    if kind.startswith("list:"):
        inner, _, bounds = kind.removeprefix("list:").rpartition(":")
        return [scalar(inner, schema["items"], rng) for _ in range(rng.randint(*map(int, bounds.split("-"))))]
    return scalar(kind, schema, rng)


def arguments(schema: dict, entries_of: dict[str, dict], rng: random.Random) -> dict[str, Any]:
    """Sampled arguments: all that is required and half of what is optional."""
    names = [name for name in schema["properties"] if name in schema.get("required", []) or rng.random() < 0.5]
    return {name: sample(entries_of[name], schema["properties"][name], rng) for name in names}


def named_records(world: World, entries_of: dict[str, dict], values: dict[str, Any]) -> None:
    """What the generator promises: a record exists for every id that the user names."""
    for name, value in values.items():
        if entries_of[name]["values"].startswith("id:"):
            world.ensure(entries_of[name]["values"].split(":")[2], value)


def test_pool_is_large_and_names_are_unique() -> None:
    names = [spec["name"] for _, spec in SPECS]
    assert len(DOMAINS) >= 14
    assert len(names) >= 80
    assert len(set(names)) == len(names)


def test_pool_covers_every_kind_of_parameter() -> None:
    schemas = [schema for _, spec in SPECS for schema in properties(spec).values()]
    assert {base_type(schema) for schema in schemas} == {"string", "integer", "number", "boolean", "array", "object"}
    assert {schema.get("format") for schema in schemas} >= {"date", "time", "email"}
    assert any("enum" in schema for schema in schemas)
    assert any("default" in schema for schema in schemas)
    assert sum(isinstance(schema["type"], list) for schema in schemas) >= 4
    nested = [spec for _, spec in SPECS if {base_type(s) for s in properties(spec).values()} & {"array", "object"}]
    assert len(nested) >= 10
    assert any(base_type(schema) == "array" and base_type(schema["items"]) == "object" for schema in schemas)


@pytest.mark.parametrize("kind", sorted(ENTITIES))
def test_entities_are_plain_and_disjoint(kind: str) -> None:
    train, test = ENTITIES[kind]["train"], ENTITIES[kind]["test"]
    least = (16, 6) if kind in CLOSED_KINDS else (40, 15)
    assert len(train) >= least[0]
    assert len(test) >= least[1]
    values = [value.lower() for value in train + test]
    assert len(set(values)) == len(values)
    assert not [value for value in values if not value.isascii() or re.search(r"[\"'{}]", value)]


@each_domain
def test_files_of_a_domain_name_the_same_tools(domain: str) -> None:
    names = [spec["name"] for spec in TOOLS[domain]["tools"]]
    assert TOOLS[domain]["domain"] == PHRASES[domain]["domain"] == domain
    assert list(PHRASES[domain]["tools"]) == names
    module = importlib.import_module(f"stages.synthesis.domains.{domain}")
    public = inspect.getmembers(module, lambda member: inspect.isfunction(member))
    assert {name for name, member in public if member.__module__ == module.__name__ and name[0] != "_"} == set(names)


@each_tool
def test_specification_is_short_and_sound(domain: str, spec: dict) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", spec["name"])
    assert len(spec["description"].split()) <= 8
    assert not spec["description"].endswith(".")
    assert 1 <= len(properties(spec)) <= 5
    assert 1 <= len(spec["returns"]["properties"]) <= 3
    for name, schema in properties(spec).items():
        required = name in spec["parameters"]["required"]
        assert not (required and "default" in schema), name
        if "default" in schema:
            kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            assert any(is_kind(schema["default"], kind) for kind in kinds), name
            assert "enum" not in schema or schema["default"] in schema["enum"], name
    assert set(spec["parameters"]["required"]) <= set(properties(spec))


@each_tool
def test_every_parameter_can_be_said(domain: str, spec: dict) -> None:
    phrases = PHRASES[domain]["tools"][spec["name"]]
    assert set(phrases["parameters"]) == set(properties(spec))
    said: list[str] = []
    for _schema, entry in entries(spec, phrases):
        if entry["values"] == "object" or entry["values"].startswith("objects:"):
            assert entry["fields"]
            continue
        train, test = entry["phrases"]["train"], entry["phrases"]["test"]
        if entry["values"] == "bool":
            assert set(train) == set(test) == {"true", "false"}
            assert all(len(train[truth]) >= 2 and test[truth] for truth in train)
            texts = [text for side in (train, test) for truth in side for text in side[truth]]
            assert not any("{" in text for text in texts)
        else:
            assert len(train) >= 2
            assert test
            texts = [*train, *test]
            assert all(text.count("{}") == 1 and text.count("{") == 1 for text in texts), texts
        said += texts
    # Also between parameters: the same words for two roles could not be told apart.
    assert len(set(said)) == len(said), sorted(text for text in said if said.count(text) > 1)


@each_tool
def test_kinds_of_values_exist_and_fit_the_schema(domain: str, spec: dict) -> None:
    for schema, entry in entries(spec, PHRASES[domain]["tools"][spec["name"]]):
        kind, expected = entry["values"], base_type(schema)
        if kind == "object" or kind.startswith("objects:"):
            assert expected == ("object" if kind == "object" else "array")
            continue
        if kind.startswith("list:"):
            assert expected == "array"
            kind, expected, schema = kind.removeprefix("list:").rpartition(":")[0], "string", schema["items"]
        if kind.startswith("int:"):
            assert expected == "integer"
            assert re.fullmatch(r"int:\d+-\d+", kind)
        elif kind.startswith("number:"):
            assert expected == "number"
            assert re.fullmatch(r"number:[\d.]+-[\d.]+", kind)
        elif kind.startswith("id:"):
            assert expected == "string"
            assert re.fullmatch(r"id:[A-Z]{2}:[a-z_]+", kind)
        elif kind == "bool":
            assert expected == "boolean"
        else:
            assert kind in PLAIN_KINDS or kind in ENTITIES, kind
            assert expected in ("string", base_type(schema))
            assert (kind == "enum") == ("enum" in schema)
            if kind in ("date", "time", "email"):
                assert schema.get("format") == kind


def test_intents_are_distinct_over_the_pool() -> None:
    intents = []
    for domain in DOMAINS:
        for phrases in PHRASES[domain]["tools"].values():
            train, test = phrases["intents"]["train"], phrases["intents"]["test"]
            assert len(train) >= 4
            assert len(test) >= 2
            assert phrases["noun"]
            intents += train + test
    assert sorted(intent for intent in intents if intents.count(intent) > 1 or "{" in intent) == []


def test_an_id_prefix_belongs_to_one_table() -> None:
    tables: dict[str, set[str]] = {}
    for domain, spec in SPECS:
        for _, entry in entries(spec, PHRASES[domain]["tools"][spec["name"]]):
            if entry["values"].startswith("id:"):
                _, prefix, table = entry["values"].split(":")
                tables.setdefault(prefix, set()).add(f"{domain}.{table}")
    assert {prefix: found for prefix, found in tables.items() if len(found) > 1} == {}


@each_domain
def test_links_join_an_existing_field_to_an_existing_parameter(domain: str) -> None:
    links = PHRASES[domain]["links"]
    assert 1 <= len(links) <= 3
    for link in links:
        field = spec_of(domain, link["from"])["returns"]["properties"][link["field"]]
        parameter = properties(spec_of(domain, link["to"]))[link["parameter"]]
        assert field["type"] == base_type(parameter)
        texts = link["phrases"]["train"] + link["phrases"]["test"]
        assert len(link["phrases"]["train"]) >= 2
        assert link["phrases"]["test"]
        assert len(set(texts)) == len(texts)
        assert not any("{" in text for text in texts)


@each_domain
def test_a_link_can_be_followed(domain: str) -> None:
    """The value that the first tool returns is accepted by the second one, and names a record of the promised table."""
    for link in PHRASES[domain]["links"]:
        done = 0
        for seed in range(10):
            rng, world = random.Random(f"{seed}/{link['from']}"), World(seed)
            try:
                value = None
                for tool in (link["from"], link["to"]):
                    spoken = PHRASES[domain]["tools"][tool]["parameters"]
                    values = arguments(spec_of(domain, tool)["parameters"], spoken, rng)
                    if tool == link["to"] and value is not None:
                        kind = spoken[link["parameter"]]["values"]
                        del values[link["parameter"]]
                        named_records(world, spoken, values)
                        values[link["parameter"]] = value
                        if kind.startswith("id:"):
                            assert re.fullmatch(kind.split(":")[1] + r"\d{3}", value), (kind, value)
                            assert value in world.tables[kind.split(":")[2]]
                    else:
                        named_records(world, spoken, values)
                    value = function(domain, tool)(world, **values).get(link["field"])
                done += 1
            except SimulationError:
                continue  # a refusal of the service; most samples must pass
        assert done >= 7, link


@each_tool
def test_simulation_has_the_parameters_of_the_schema(domain: str, spec: dict) -> None:
    signature = inspect.signature(function(domain, spec["name"])).parameters
    assert next(iter(signature)) == "world"
    keywords = {name: parameter for name, parameter in signature.items() if name != "world"}
    assert set(keywords) == set(properties(spec))
    for name, parameter in keywords.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        required = name in spec["parameters"]["required"]
        expected = MISSING if required else properties(spec)[name].get("default")
        assert parameter.default is expected or parameter.default == expected, name
        assert type(parameter.default) is type(expected), name


@each_tool
def test_simulation_returns_what_the_specification_names(domain: str, spec: dict) -> None:
    spoken = PHRASES[domain]["tools"][spec["name"]]["parameters"]
    succeeded = 0
    for seed in range(10):
        values = arguments(spec["parameters"], spoken, random.Random(f"{seed}/{spec['name']}"))
        results = []
        for _ in range(2):
            world = World(seed)
            named_records(world, spoken, values)
            given = json.dumps(values)
            try:
                results.append(function(domain, spec["name"])(world, **values))
            except SimulationError as error:
                results.append(str(error))
            assert json.dumps(values) == given, "the arguments were changed"
        assert results[0] == results[1], "the same call in the same world must give the same result"
        if isinstance(results[0], dict):
            succeeded += 1
            fields = spec["returns"]["properties"]
            assert set(results[0]) == set(fields)
            for name, value in results[0].items():
                assert is_kind(value, fields[name]["type"]), (name, value)
                assert len(json.dumps(value)) <= 60, (name, value)
    assert succeeded >= 7


@each_tool
def test_an_unknown_id_is_refused(domain: str, spec: dict) -> None:
    spoken = PHRASES[domain]["tools"][spec["name"]]["parameters"]
    names = [name for name in spec["parameters"]["required"] if spoken[name]["values"].startswith("id:")]
    if names:
        values = arguments(spec["parameters"], spoken, random.Random(spec["name"]))
        with pytest.raises(SimulationError):
            function(domain, spec["name"])(World(1), **values)


def test_world_ids_are_stable_unique_and_not_reused() -> None:
    first, second = World(5), World(5)
    identifiers = [first.add("flights", "FL")["id"] for _ in range(300)]
    assert identifiers == [second.add("flights", "FL")["id"] for _ in range(300)]
    assert len(set(identifiers)) == 300
    assert all(re.fullmatch(r"FL\d{3}", identifier) for identifier in identifiers)
    other = World(6)
    assert identifiers != [other.add("flights", "FL")["id"] for _ in range(300)]

    world = World(5)
    gone = world.add("flights", "FL")["id"]
    world.remove("flights", gone)
    assert world.add("flights", "FL")["id"] != gone
    with pytest.raises(SimulationError, match=f"no such record in flights: {gone}"):
        world.get("flights", gone)


def test_world_full_table_is_an_error_and_not_an_endless_search() -> None:
    world = World(0)
    for _ in range(900):
        world.add("notes", "NO")
    with pytest.raises(SimulationError, match="full"):
        world.add("notes", "NO")


def test_world_ensure_keeps_what_is_there() -> None:
    world = World(0)
    record = world.add("notes", "NO", title="glaciers")
    assert world.ensure("notes", record["id"]) is record
    assert world.ensure("notes", "NO000") == {"id": "NO000"}
    assert world.get("notes", "NO000") == {"id": "NO000"}


def test_world_choices_depend_on_seed_and_key_only() -> None:
    def draws(seed: int) -> list[int]:
        return [World(seed).number("price", key, low=80, high=400) for key in range(200)]

    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
    assert len(set(draws(1))) > 100
    assert min(draws(1)) >= 80
    assert max(draws(1)) <= 400
    assert {World(1).pick("abc", key) for key in range(100)} == set("abc")
    # The key is a sequence and no concatenation.
    assert World(1).number("a", "bc", low=0, high=10**6) != World(1).number("ab", "c", low=0, high=10**6)


def test_alert_can_be_deleted_once() -> None:
    world = World(3)
    alert = weather.create_weather_alert(world, city="Oslo", hazard="frost", email="ann@mail.com")
    assert weather.delete_weather_alert(world, **alert) == {"deleted": True}
    with pytest.raises(SimulationError):
        weather.delete_weather_alert(world, **alert)


def test_fahrenheit_is_the_same_temperature() -> None:
    celsius = weather.get_forecast(World(3), city="Oslo", date="2026-01-02")
    fahrenheit = weather.get_forecast(World(3), city="Oslo", date="2026-01-02", unit="fahrenheit")
    assert fahrenheit["high"] == round(celsius["high"] * 1.8 + 32)


def test_events_conflict_until_moved_or_cancelled() -> None:
    world = World(3)
    first = calendar.create_event(world, title="Lunch", date="2026-03-01", time="12:00", duration=90)
    second = calendar.create_event(world, title="Call", date="2026-03-01", time="13:00")
    assert (first["conflict"], second["conflict"]) == (False, True)
    assert calendar.list_events(world, date="2026-03-01") == {"count": 2, "next_event": "Lunch"}
    slot = calendar.find_free_slot(world, attendees=["Ann"], date="2026-03-01")["time"]
    assert not "12:00" <= slot < "14:00"
    moved = calendar.move_event(world, event_id=second["event_id"], date="2026-03-01", time="13:30")
    assert moved == {"date": "2026-03-01", "conflict": False}
    calendar.cancel_event(world, event_id=first["event_id"])
    assert calendar.list_events(world, date="2026-03-01") == {"count": 1, "next_event": "Call"}


def test_guests_are_counted_once() -> None:
    world = World(3)
    event = calendar.create_event(world, title="Lunch", date="2026-03-01", time="12:00", attendees=["Ann"])["event_id"]
    assert calendar.invite_guests(world, event_id=event, guests=["Ann", "Bob"]) == {"invited": 2}


def test_reply_goes_to_the_sender_of_the_mail_found() -> None:
    world = World(3)
    found = mail.search_mail(world, sender="Ann", unread=True)
    assert mail.search_mail(world, sender="Ann", unread=True) == found
    reply = mail.reply_mail(world, mail_id=found["mail_id"], body="Thanks")
    assert world.get("mails", reply["reply_id"])["recipient"] == "Ann"
    assert mail.search_mail(world, sender="Ann", unread=True)["mail_id"] != found["mail_id"]


def test_mail_filter_moves_what_matches() -> None:
    world = World(3)
    mail.search_mail(world, sender="Ann")
    mail.search_mail(world, sender="Bob")
    assert mail.create_mail_filter(world, criteria={"sender": "Ann"}, folder="Archive")["moved"] == 1
    assert mail.create_mail_filter(world, criteria={"sender": "Zoe"}, folder="Archive")["moved"] == 0


def test_files_move_and_refuse_to_overwrite() -> None:
    world = World(3)
    made = files.create_file(world, name="a.txt", folder="Music")["file_id"]
    assert files.find_file(world, name="a.txt") == {"file_id": made, "folder": "Music"}
    files.move_file(world, file_id=made, folder="Travel")
    copy = files.copy_file(world, file_id=made, folder="Music")["file_id"]
    with pytest.raises(SimulationError, match="exists already"):
        files.move_file(world, file_id=copy, folder="Travel")
    assert files.move_file(world, file_id=copy, folder="Travel", replace=True) == {"folder": "Travel"}
    assert files.find_file(world, name="a.txt")["file_id"] == copy
    files.delete_file(world, file_id=copy)
    assert copy in world.tables["bin"]
    assert copy not in world.tables["files"]


def test_issue_life() -> None:
    world = World(3)
    issue = issues.create_issue(world, repository="web", title="Crash", labels=["urgent"])["issue_id"]
    issues.assign_issue(world, issue_id=issue, assignee="Ann")
    assert issues.get_issue(world, issue_id=issue) == {"title": "Crash", "state": "open", "assignee": "Ann"}
    assert issues.list_issues(world, repository="web", label="urgent") == {"count": 1, "latest_issue": issue}
    issues.log_work(world, issue_id=issue, hours=1.5)
    assert issues.log_work(world, issue_id=issue, hours=2.0) == {"total_hours": 3.5}
    issues.close_issue(world, issue_id=issue)
    assert issues.get_issue(world, issue_id=issue)["state"] == "closed"
    with pytest.raises(SimulationError, match="closed already"):
        issues.close_issue(world, issue_id=issue)


def test_a_stop_makes_the_drive_another_one() -> None:
    world = World(3)
    direct = maps.get_travel_time(world, origin="Rome", destination="Milan")
    assert direct["minutes"] == maps.get_travel_time(world, origin="Milan", destination="Rome")["minutes"]
    assert direct != maps.get_travel_time(world, origin="Rome", destination="Milan", via=["Turin"])
    with pytest.raises(SimulationError, match="are the same"):
        maps.get_travel_time(world, origin="Rome", destination="Rome")


def test_nearby_place_is_saved_and_deleted() -> None:
    world = World(3)
    place = maps.find_nearby(world, category="bank", street="Elm Street")
    assert maps.find_nearby(world, category="bank", street="Elm Street") == place
    maps.delete_place(world, place_id=place["place_id"])
    assert maps.find_nearby(world, category="bank", street="Elm Street")["place_id"] != place["place_id"]


def test_flight_from_search_to_cancellation() -> None:
    world = World(3)
    flight = flights.search_flights(world, origin="Rome", destination="Oslo", date="2026-05-01")
    booking = flights.book_flight(world, flight_id=flight["flight_id"], passengers=["Ann", "Bob"])
    assert booking["total"] == 2 * flight["price"]
    boarding = flights.check_in_flight(
        world, booking_id=booking["booking_id"], passport={"number": 1234, "country": "Italy"}
    )
    assert boarding["gate"] == flights.get_flight_status(world, flight_id=flight["flight_id"])["gate"]
    assert flights.cancel_flight(world, booking_id=booking["booking_id"]) == {"refund": flight["price"]}
    with pytest.raises(SimulationError):
        flights.cancel_flight(world, booking_id=booking["booking_id"])


def test_hotel_stay_adds_up() -> None:
    world = World(3)
    hotel = hotels.search_hotels(world, city="Rome", date="2026-05-01", max_price=60.0)
    assert hotel["price"] <= 60
    stay = hotels.book_room(world, hotel_id=hotel["hotel_id"], guest={"name": "Ann"}, date="2026-05-01", nights=2)
    assert stay["total"] == 2 * hotel["price"]
    identifier = stay["reservation_id"]
    hotels.change_reservation(world, reservation_id=identifier, date="2026-05-03")
    expected = {"guest": "Ann", "date": "2026-05-03", "nights": 2}
    assert hotels.get_reservation(world, reservation_id=identifier) == expected
    meal = hotels.order_room_service(world, reservation_id=identifier, items=[{"dish": "pizza", "quantity": 2}])
    fee = hotels.cancel_reservation(world, reservation_id=identifier)["fee"]
    assert fee == (stay["total"] + meal["total"]) // 10


def test_average_of_hotel_ratings() -> None:
    world = World(3)
    hotels.review_hotel(world, hotel="Grand Plaza", rating=5)
    assert hotels.review_hotel(world, hotel="Grand Plaza", rating=2)["average"] == 3.5
    with pytest.raises(SimulationError, match="1 to 5"):
        hotels.review_hotel(world, hotel="Grand Plaza", rating=6)


def test_note_is_found_longer_and_gone() -> None:
    world = World(3)
    note = notes.create_note(world, title="glaciers", text="cold", tags=["school"])["note_id"]
    assert notes.search_notes(world, query="glaciers", tag="school") == {"note_id": note, "count": 1}
    assert notes.append_note(world, note_id=note, text="big") == {"length": len("cold\nbig")}
    notes.delete_note(world, note_id=note)
    assert notes.search_notes(world, query="glaciers")["note_id"] != note


def test_checklist_grows() -> None:
    world = World(3)
    made = notes.create_checklist(world, title="sleep", items=["buy milk"])
    assert made["count"] == 1
    assert notes.add_checklist_item(world, list_id=made["list_id"], item="call the bank") == {"count": 2}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ([], "found list, expected an object"),
        ({"city": ["Oslo"]}, r"city: found \['Oslo'\], expected an object"),
        ({"city": {"train": ["Oslo"]}}, "city: test: missing"),
        ({"city": {"train": ["Oslo"], "test": [1]}}, r"city\.test: found \[1\], expected a list of phrases"),
    ],
)
def test_entities_of_the_wrong_form_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object, found: str
) -> None:
    file = tmp_path / "entities.json"
    file.write_text(json.dumps(content))
    monkeypatch.setattr("stages.synthesis.pool.ENTITIES", file)
    with pytest.raises(UserError, match=rf"entities\.json: {found}"):
        load_pool("data/tools")


def test_the_pool_is_worded_by_its_phrases_where_data_is_a_link(tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(DATA)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    by_link = load_pool("data/tools/weather.json").tools
    (tmp_path / "other" / "data").mkdir()
    for entry in DATA.iterdir():
        (tmp_path / "other" / "data" / entry.name).symlink_to(entry)
    monkeypatch.chdir(tmp_path / "other")
    assert [tool.intents for tool in load_pool("data/tools/weather.json").tools] == [tool.intents for tool in by_link]
    assert by_link[0].intents == PHRASES["weather"]["tools"][by_link[0].name]["intents"]
