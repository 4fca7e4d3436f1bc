"""Simulated hotels: search, reservations, reviews and room service."""

from typing import Any

from stages.synthesis.world import SimulationError, World

USUAL_GUESTS = ("Ada Blake", "Hugo Sand", "Mia Lang", "Leo Frost")


def search_hotels(
    world: World, *, city: str, date: str, nights: int = 1, max_price: float | None = None, stars: int | None = None
) -> dict[str, Any]:
    stars = stars or world.number("stars", city, low=2, high=5)
    price = 25 * stars + world.number("rate", city, date, low=0, high=60)
    if max_price is not None:
        price = min(price, int(max_price))
    hotel = world.add("hotels", "HO", city=city, stars=stars, price=price)
    return {"hotel_id": hotel["id"], "price": price * nights}


def book_room(world: World, *, hotel_id: str, guest: dict[str, Any], date: str, nights: int = 1) -> dict[str, Any]:
    hotel = world.get("hotels", hotel_id)
    total = nights * hotel.setdefault("price", world.number("price", hotel_id, low=60, high=250))
    stay = {"hotel_id": hotel_id, "guest": dict(guest), "date": date, "nights": nights, "total": total}
    return {"reservation_id": world.add("hotel_reservations", "HR", **stay)["id"], "total": total}


def get_reservation(world: World, *, reservation_id: str) -> dict[str, Any]:
    stay = world.get("hotel_reservations", reservation_id)
    guest = stay.setdefault("guest", {"name": world.pick(USUAL_GUESTS, "guest", reservation_id)})
    day = f"2026-06-{world.number('day', reservation_id, low=1, high=30):02}"
    return {
        "guest": guest["name"],
        "date": stay.setdefault("date", day),
        "nights": stay.setdefault("nights", world.number("nights", reservation_id, low=1, high=7)),
    }


def change_reservation(world: World, *, reservation_id: str, date: str, nights: int | None = None) -> dict[str, Any]:
    stay = world.get("hotel_reservations", reservation_id)
    stay.update(date=date, nights=nights or stay.get("nights", 1))
    return {"date": date, "nights": stay["nights"]}


def cancel_reservation(world: World, *, reservation_id: str, reason: str | None = None) -> dict[str, Any]:
    stay = world.remove("hotel_reservations", reservation_id)
    return {"fee": stay.get("total", 100) // 10}


def review_hotel(world: World, *, hotel: str, rating: int, comment: str | None = None) -> dict[str, Any]:
    if not 1 <= rating <= 5:
        raise SimulationError(f"a rating is 1 to 5, not {rating}")
    review = world.add("hotel_reviews", "RE", hotel=hotel, rating=rating, comment=comment)
    ratings = [review["rating"] for review in world.matching("hotel_reviews", hotel=hotel)]
    return {"review_id": review["id"], "average": round(sum(ratings) / len(ratings), 1)}


def order_room_service(
    world: World, *, reservation_id: str, items: list[dict[str, Any]], time: str | None = None
) -> dict[str, Any]:
    stay = world.get("hotel_reservations", reservation_id)
    total = sum(item["quantity"] * world.number("dish", item["dish"], low=6, high=30) for item in items)
    order = world.add("room_orders", "OR", reservation_id=reservation_id, items=list(items), time=time)
    stay["total"] = stay.get("total", 0) + total
    return {"order_id": order["id"], "total": total}
