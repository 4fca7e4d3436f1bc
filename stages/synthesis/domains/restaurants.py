"""Simulated world of restaurants: tables, waiting lists, menus, deliveries and reviews [O]."""

from typing import Any

from stages.synthesis.world import SimulationError, World

NAME_STARTS = ["Blue", "Old", "Green", "Royal", "Little", "Copper", "Lucky", "Rustic", "Sunny", "Twin"]
NAME_ENDS = ["Lantern", "Kitchen", "Anchor", "Garden", "Table", "Spoon", "Oven", "Terrace", "Pepper", "Cellar"]
DISH_STARTS = ["grilled", "roasted", "spicy", "smoked", "stuffed", "baked", "braised", "crispy"]
DISH_ENDS = {
    "vegan": ["tofu", "eggplant", "chickpeas", "cauliflower"],
    "vegetarian": ["halloumi", "mushrooms", "peppers", "dumplings"],
    "halal": ["lamb", "chicken", "beef", "salmon"],
}


def search_restaurants(
    world: World, *, city: str, cuisine: str | None = None, max_price: int | None = None
) -> dict[str, Any]:
    if max_price is not None and max_price < 5:
        raise SimulationError("nothing is that cheap")
    key = ("restaurant search", city, cuisine, max_price)
    name = f"{world.pick(NAME_STARTS, *key, 'start')} {world.pick(NAME_ENDS, *key, 'end')}"
    world.ensure("restaurants", name).update(city=city, cuisine=cuisine)
    return {"restaurant": name, "rating": _rating(world, name)}


def _rating(world: World, name: str) -> float:
    """Mean of the reviews so far; each restaurant starts with a stable history."""
    record = world.ensure("restaurants", name)
    if "reviews" not in record:
        record["reviews"] = world.number("reviews", name, low=2, high=50)
        record["stars"] = record["reviews"] * world.number("stars", name, low=20, high=48) / 10
    return round(record["stars"] / record["reviews"], 1)


def book_table(world: World, *, restaurant: str, date: str, time: str, guests: int = 2) -> dict[str, Any]:
    if guests < 1:
        raise SimulationError("a booking needs at least one guest")
    slot = {"restaurant": restaurant, "date": date, "time": time}
    taken = [booking["table_number"] for booking in world.matching("table_bookings", **slot)]
    free = [table for table in range(1, 25) if table not in taken]
    if not free:
        raise SimulationError("no table is free")
    table = world.pick(free, "table", restaurant, date, time)
    booking = world.add("table_bookings", "TB", **slot, guests=guests, table_number=table)
    return {"booking_id": booking["id"], "table": table}


def join_waitlist(world: World, *, restaurant: str, name: str, guests: int) -> dict[str, Any]:
    if guests < 1:
        raise SimulationError("a party needs at least one guest")
    ahead = world.number("queue", restaurant, low=0, high=6)
    world.add("waitlist", "WL", restaurant=restaurant, name=name, guests=guests)
    position = ahead + len(world.matching("waitlist", restaurant=restaurant))
    return {"position": position, "minutes": 10 * position}


def reschedule_table(world: World, *, booking_id: str, date: str, time: str) -> dict[str, Any]:
    booking = world.get("table_bookings", booking_id)
    table = world.number("table", booking_id, date, time, low=1, high=24)
    booking.update(date=date, time=time, table_number=table)
    return {"table": table, "date": date}


def get_menu(world: World, *, restaurant: str, diet: str) -> dict[str, Any]:
    key = ("menu", restaurant, diet)
    dish = f"{world.pick(DISH_STARTS, *key, 'start')} {world.pick(DISH_ENDS[diet], *key, 'end')}"
    return {"dish": dish, "price": world.number("dish price", restaurant, dish, low=6, high=35)}


def order_delivery(world: World, *, restaurant: str, items: list[dict[str, Any]], street: str) -> dict[str, Any]:
    portions = sum(item.get("count", 1) for item in items)
    if portions < 1:
        raise SimulationError("a delivery needs at least one dish")
    delivery = world.add("deliveries", "DL", restaurant=restaurant, items=items, street=street)
    minutes = world.number("way", restaurant, street, low=10, high=30) + 3 * portions
    return {"delivery_id": delivery["id"], "minutes": minutes}


def review_restaurant(world: World, *, restaurant: str, stars: int, comment: str | None = None) -> dict[str, Any]:
    if not 1 <= stars <= 5:
        raise SimulationError("stars must be from 1 to 5")
    _rating(world, restaurant)
    record = world.get("restaurants", restaurant)
    record["reviews"] += 1
    record["stars"] += stars
    record["comment"] = comment
    return {"average": _rating(world, restaurant), "reviews": record["reviews"]}
