"""Simulated flights and trains."""

from typing import Any

from stages.synthesis.world import SimulationError, World

CABIN_FACTOR = {"economy": 1, "business": 3, "first": 5}


def _gate(world: World, flight_id: str) -> str:
    return world.pick("ABCD", "pier", flight_id) + str(world.number("gate", flight_id, low=1, high=30))


def _price(world: World, flight: dict[str, Any]) -> int:
    return flight.setdefault("price", world.number("price", flight["id"], low=80, high=400))


def search_flights(
    world: World, *, origin: str, destination: str, date: str, cabin: str = "economy", direct: bool | None = None
) -> dict[str, Any]:
    if origin == destination:
        raise SimulationError("origin and destination are the same")
    price = CABIN_FACTOR[cabin] * world.number("fare", origin, destination, date, low=80, high=400)
    flight = world.add("flights", "FL", origin=origin, destination=destination, date=date, cabin=cabin)
    flight.update(price=price + 40 if direct else price, direct=bool(direct))
    return {"flight_id": flight["id"], "price": flight["price"]}


def search_trains(world: World, *, origin: str, destination: str, date: str, time: str | None = None) -> dict[str, Any]:
    if origin == destination:
        raise SimulationError("origin and destination are the same")
    price = world.number("rail", origin, destination, date, time, low=20, high=140)
    train = world.add("trains", "TN", origin=origin, destination=destination, date=date, time=time, price=price)
    return {"train_id": train["id"], "price": price}


def book_flight(world: World, *, flight_id: str, passengers: list[str], seat: str | None = None) -> dict[str, Any]:
    flight = world.get("flights", flight_id)
    if not passengers:
        raise SimulationError("no passengers")
    total = _price(world, flight) * len(passengers)
    booking = world.add(
        "flight_bookings", "FB", flight_id=flight_id, passengers=list(passengers), seat=seat, total=total
    )
    return {"booking_id": booking["id"], "total": total}


def book_train(world: World, *, train_id: str, passenger: str, travel_class: int = 2) -> dict[str, Any]:
    world.get("trains", train_id)
    if travel_class not in (1, 2):
        raise SimulationError(f"no such class: {travel_class}")
    ticket = world.add("train_tickets", "TT", train_id=train_id, passenger=passenger, travel_class=travel_class)
    return {"ticket_id": ticket["id"]}


def get_flight_status(world: World, *, flight_id: str, date: str | None = None) -> dict[str, Any]:
    world.get("flights", flight_id)
    status = world.pick(("on time", "delayed", "boarding"), "status", flight_id, date)
    return {"status": status, "gate": _gate(world, flight_id)}


def cancel_flight(world: World, *, booking_id: str, voucher: bool = False) -> dict[str, Any]:
    booking = world.remove("flight_bookings", booking_id)
    total = booking.get("total", world.number("total", booking_id, low=80, high=400))
    return {"refund": total if voucher else total // 2}


def check_in_flight(world: World, *, booking_id: str, passport: dict[str, Any], bags: int = 0) -> dict[str, Any]:
    booking = world.get("flight_bookings", booking_id)
    if booking.get("passport"):
        raise SimulationError(f"booking {booking_id} is checked in already")
    booking.update(passport=dict(passport), bags=bags)
    seat = str(world.number("row", booking_id, low=1, high=40)) + world.pick("ABCDEF", "seat", booking_id)
    return {"seat": seat, "gate": _gate(world, booking.get("flight_id", booking_id))}
