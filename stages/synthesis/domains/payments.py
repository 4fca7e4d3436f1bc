"""Simulated world of payments: invoices, payment links, payments between people and refunds [O]."""

from typing import Any

from stages.synthesis.world import SimulationError, World


def _amount(world: World, payment: dict[str, Any]) -> int:
    """Amount of a payment; one that the user merely named gets a stable amount, above any partial refund."""
    return payment.setdefault("amount", world.number("payment amount", payment["id"], low=100, high=500))


def create_invoice(world: World, *, customer: str, items: list[dict[str, Any]], due_date: str) -> dict[str, Any]:
    if not items:
        raise SimulationError("an invoice needs at least one item")
    total = sum(item["price"] for item in items)
    invoice = world.add("invoices", "IN", customer=customer, items=items, due_date=due_date, total=total)
    return {"invoice_id": invoice["id"], "total": total}


def send_invoice(world: World, *, invoice_id: str, email: str, note: str | None = None) -> dict[str, Any]:
    invoice = world.get("invoices", invoice_id)
    status = "resent" if invoice.get("sent_to") else "sent"
    invoice.update(sent_to=email, note=note)
    return {"status": status}


def create_payment_link(world: World, *, product: str, price: int, quantity: int = 1) -> dict[str, Any]:
    if price <= 0 or quantity <= 0:
        raise SimulationError("price and quantity must be positive")
    link = world.add("payment_links", "LK", product=product, price=price, quantity=quantity)
    return {"link_id": link["id"], "total": price * quantity}


def send_payment(world: World, *, recipient: str, amount: int, currency: str) -> dict[str, Any]:
    if amount <= 0:
        raise SimulationError("amount must be positive")
    payment = world.add("payments", "PY", recipient=recipient, amount=amount, currency=currency, status="pending")
    return {"payment_id": payment["id"], "fee": world.number("fee", currency, amount, low=1, high=40) / 10}


def request_payment(world: World, *, payer: str, amount: int, due_date: str) -> dict[str, Any]:
    if amount <= 0:
        raise SimulationError("amount must be positive")
    earlier = world.matching("payment_requests", payer=payer)
    request = world.add("payment_requests", "RQ", payer=payer, amount=amount, due_date=due_date)
    return {"request_id": request["id"], "status": "reminded" if earlier else "asked"}


def refund_payment(world: World, *, payment_id: str, amount: int | None = None) -> dict[str, Any]:
    payment = world.get("payments", payment_id)
    left = _amount(world, payment) - payment.get("refunded", 0)
    refunded = left if amount is None else amount
    if not 0 < refunded <= left:
        raise SimulationError("more than what is left of the payment cannot be refunded")
    payment["refunded"] = payment.get("refunded", 0) + refunded
    payment["status"] = "refunded" if refunded == left else "partly refunded"
    refund = world.add("refunds", "RF", payment_id=payment_id, amount=refunded)
    return {"refund_id": refund["id"], "amount": refunded}


def get_payment(world: World, *, payment_id: str) -> dict[str, Any]:
    payment = world.get("payments", payment_id)
    status = payment.setdefault("status", world.pick(["pending", "completed", "failed"], "payment status", payment_id))
    return {"status": status, "amount": _amount(world, payment)}
