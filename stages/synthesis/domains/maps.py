"""Simulated maps: addresses, routes and saved places."""

from itertools import pairwise
from typing import Any

from stages.synthesis.world import SimulationError, World

NAMES = ("Corner", "Central", "Family", "Express", "Old Town")
KILOMETRES_AN_HOUR = {"car": 40, "bike": 15, "foot": 5, "transit": 25}


def geocode_address(world: World, *, address: dict[str, Any]) -> dict[str, Any]:
    place = (address["city"], address["street"], address.get("number"))
    latitude = world.number("latitude", *place, low=3500, high=6500) / 100
    longitude = world.number("longitude", *place, low=-1000, high=3000) / 100
    return {"latitude": latitude, "longitude": longitude}


def get_directions(
    world: World, *, origin: str, destination: str, mode: str = "car", avoid_tolls: bool | None = None
) -> dict[str, Any]:
    distance = world.number("distance", origin, destination, low=8, high=150) / 10
    minutes = round(60 * distance / KILOMETRES_AN_HOUR[mode])
    route = world.add("routes", "RO", origin=origin, destination=destination, mode=mode, minutes=minutes)
    route.update(distance=distance, avoid_tolls=bool(avoid_tolls))
    return {"route_id": route["id"], "distance": distance}


def get_travel_time(
    world: World, *, origin: str, destination: str, via: list[str] | None = None, departure: str = "08:00"
) -> dict[str, Any]:
    if origin == destination:
        raise SimulationError("origin and destination are the same")
    stops = [origin, *(via or []), destination]
    legs = [world.number("drive", *sorted(leg), low=45, high=400) for leg in pairwise(stops)]
    hours, minutes = departure.split(":")
    arrival = (60 * int(hours) + int(minutes) + sum(legs)) % (24 * 60)
    return {"minutes": sum(legs), "arrival": f"{arrival // 60:02}:{arrival % 60:02}"}


def find_nearby(world: World, *, category: str, street: str, radius: float = 1.0) -> dict[str, Any]:
    places = world.matching("places", category=category, street=street)
    if not places:
        name = f"{world.pick(NAMES, category, street)} {category.capitalize()}"
        places = [world.add("places", "PC", name=name, category=category, street=street, tags=[])]
    return {"place_id": places[0]["id"], "name": places[0]["name"]}


def save_place(world: World, *, name: str, street: str, tags: list[str] | None = None) -> dict[str, Any]:
    return {"place_id": world.add("places", "PC", name=name, street=street, tags=list(tags or []))["id"]}


def delete_place(world: World, *, place_id: str) -> dict[str, Any]:
    world.remove("places", place_id)
    return {"deleted": True}


def share_route(world: World, *, route_id: str, person: str, live: bool = False) -> dict[str, Any]:
    world.get("routes", route_id).setdefault("shared", {})[person] = {"live": live}
    return {"shared": True}
