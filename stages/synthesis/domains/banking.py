"""Simulated world of banking: accounts, transfers, standing orders and cards [O]. Amounts in whole units."""

from typing import Any

from stages.synthesis.world import SimulationError, World

PAYMENTS_PER_YEAR = {"weekly": 52, "monthly": 12, "yearly": 1}


def _account(world: World, name: str) -> dict[str, Any]:
    """The account of that name, opened with a stable balance the first time it is mentioned."""
    account = world.ensure("accounts", name)
    account.setdefault("balance", world.number("balance", name, low=1000, high=9000))
    account.setdefault("entries", [])
    return account


def get_balance(world: World, *, account: str) -> dict[str, Any]:
    return {"balance": _account(world, account)["balance"]}


def list_transactions(world: World, *, account: str, since: str, limit: int = 10) -> dict[str, Any]:
    if limit < 1:
        raise SimulationError("limit must be at least 1")
    old_count = world.number("old entries", account, since, low=1, high=12)
    old = [world.number("old entry", account, since, i, low=5, high=90) for i in range(old_count)]
    newest = (old + _account(world, account)["entries"])[-limit:]
    return {"count": len(newest), "total": sum(newest)}


def transfer_money(
    world: World, *, from_account: str, to_account: str, amount: int, date: str | None = None
) -> dict[str, Any]:
    if from_account == to_account:
        raise SimulationError("both accounts are the same")
    source, target = _account(world, from_account), _account(world, to_account)
    if not 0 < amount <= source["balance"]:
        raise SimulationError("amount is not covered by the balance")
    source["balance"] -= amount
    target["balance"] += amount
    source["entries"].append(-amount)
    target["entries"].append(amount)
    transfer = world.add(
        "transfers", "TR", from_account=from_account, to_account=to_account, amount=amount, date=date, status="sent"
    )
    return {"transfer_id": transfer["id"], "balance": source["balance"]}


def cancel_transfer(world: World, *, transfer_id: str, reason: str) -> dict[str, Any]:
    transfer = world.get("transfers", transfer_id)
    if transfer.get("status") == "cancelled":
        raise SimulationError("the transfer is already cancelled")
    source = _account(world, transfer.get("from_account", "main"))
    amount = transfer.get("amount", world.number("transfer amount", transfer_id, low=20, high=900))
    source["balance"] += amount
    source["entries"].append(amount)
    if "to_account" in transfer:
        target = _account(world, transfer["to_account"])
        target["balance"] -= amount
        target["entries"].append(-amount)
    transfer.update(status="cancelled", reason=reason)
    return {"status": "cancelled", "balance": source["balance"]}


def create_standing_order(world: World, *, account: str, recipient: str, amount: int, frequency: str) -> dict[str, Any]:
    if amount <= 0:
        raise SimulationError("amount must be positive")
    order = world.add(
        "standing_orders",
        "SO",
        account=account,
        recipient=recipient,
        amount=amount,
        frequency=frequency,
    )
    return {"order_id": order["id"], "yearly_total": amount * PAYMENTS_PER_YEAR[frequency]}


def order_card(world: World, *, account: str, holder: str, kind: str) -> dict[str, Any]:
    limit = 100 * world.number("card limit", account, kind, low=5, high=30)
    card = world.add("cards", "CD", account=account, holder=holder, kind=kind, limit=limit)
    return {"card_id": card["id"], "limit": limit}


def set_card_limit(world: World, *, card_id: str, limit: int, period: str) -> dict[str, Any]:
    if limit <= 0:
        raise SimulationError("limit must be positive")
    card = world.get("cards", card_id)
    previous = card.get("limit", 100 * world.number("card limit", card_id, low=5, high=30))
    card.update(limit=limit, period=period)
    return {"previous": previous, "limit": limit}
