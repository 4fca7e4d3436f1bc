"""Simulated world of a shop: products, a cart, a wishlist, orders and returns [O]."""

from typing import Any

from stages.synthesis.world import SimulationError, World

EXTRA_COST = {"standard": 0, "express": 8, "overnight": 15}


def _price(world: World, product_id: str) -> int:
    product = world.get("products", product_id)
    return product.setdefault("price", world.number("product price", product_id, low=10, high=300))


def _cart_total(world: World) -> int:
    return sum(
        line["quantity"] * line["price"] for line in world.tables.get("cart_lines", {}).values() if "price" in line
    )


def search_products(
    world: World,
    *,
    query: str,
    max_price: int | None = None,
    color: str | None = None,
    in_stock: bool | None = None,
) -> dict[str, Any]:
    if max_price is not None and max_price < 5:
        raise SimulationError("nothing is that cheap")
    price = world.number("product", query, color, low=5, high=300 if max_price is None else max_price)
    product = world.add("products", "PR", title=query, color=color, price=price)
    return {"product_id": product["id"], "price": price}


def add_to_cart(world: World, *, product_id: str, quantity: int = 1, gift_wrap: bool | None = None) -> dict[str, Any]:
    if quantity < 1:
        raise SimulationError("quantity must be at least 1")
    price = _price(world, product_id) + (2 if gift_wrap else 0)
    line = world.add("cart_lines", "CA", product_id=product_id, quantity=quantity, price=price)
    return {"line_id": line["id"], "total": _cart_total(world)}


def remove_from_cart(world: World, *, line_id: str) -> dict[str, Any]:
    world.remove("cart_lines", line_id)
    return {"lines": len(world.tables["cart_lines"]), "total": _cart_total(world)}


def add_to_wishlist(world: World, *, product: str, priority: str) -> dict[str, Any]:
    if world.matching("wishes", product=product):
        raise SimulationError("the product is already on the wishlist")
    wish = world.add("wishes", "WS", product=product, priority=priority)
    return {"wish_id": wish["id"], "count": len(world.tables["wishes"])}


def order_product(
    world: World, *, product_id: str, address: dict[str, Any], delivery: str = "standard"
) -> dict[str, Any]:
    total = _price(world, product_id) + EXTRA_COST[delivery]
    order = world.add("orders", "OD", product_id=product_id, address=address, delivery=delivery, total=total)
    return {"order_id": order["id"], "total": total}


def track_order(world: World, *, order_id: str) -> dict[str, Any]:
    order = world.get("orders", order_id)
    if order.get("status") == "returned":
        return {"status": "returned", "days_left": 0}
    slowest = 2 if order.get("delivery") in ("express", "overnight") else 7
    days_left = world.number("days left", order_id, low=1, high=slowest)
    return {"status": "shipped" if days_left < 4 else "packed", "days_left": days_left}


def return_order(world: World, *, order_id: str, reason: str, refund_to: str) -> dict[str, Any]:
    order = world.get("orders", order_id)
    if order.get("status") == "returned":
        raise SimulationError("the order was returned before")
    order["status"] = "returned"
    refund = order.get("total", world.number("order total", order_id, low=10, high=300))
    record = world.add("returns", "RN", order_id=order_id, reason=reason, refund_to=refund_to)
    return {"return_id": record["id"], "refund": refund}
