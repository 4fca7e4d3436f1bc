"""Simulated mailbox, short messages and address book."""

from typing import Any

from stages.synthesis.world import World


def send_mail(world: World, *, recipient: str, subject: str, body: str, cc: list[str] | None = None) -> dict[str, Any]:
    mail = world.add("mails", "ML", sender="me", recipient=recipient, subject=subject, body=body, cc=list(cc or []))
    return {"mail_id": mail["id"]}


def send_message(world: World, *, recipient: str, text: str, channel: str = "sms") -> dict[str, Any]:
    return {"message_id": world.add("messages", "MS", recipient=recipient, text=text, channel=channel)["id"]}


def search_mail(
    world: World, *, sender: str, subject: str | None = None, unread: bool | None = None, limit: int = 10
) -> dict[str, Any]:
    wanted = {"sender": sender, "subject": subject, "unread": unread}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    # A user searches for what is there: the first search of its kind finds mail that came before the conversation.
    if not world.matching("mails", **wanted):
        world.add("mails", "ML", **{"subject": "Hello", "body": "", "unread": True, **wanted})
    found = world.matching("mails", **wanted)[:limit]
    return {"mail_id": found[0]["id"], "count": len(found)}


def reply_mail(world: World, *, mail_id: str, body: str, reply_all: bool = False) -> dict[str, Any]:
    mail = world.get("mails", mail_id)
    mail["unread"] = False
    reply = world.add(
        "mails",
        "ML",
        sender="me",
        recipient=mail.get("sender", "unknown"),
        subject=f"Re: {mail.get('subject', 'Hello')}",
        body=body,
        cc=mail.get("cc", []) if reply_all else [],
    )
    return {"reply_id": reply["id"]}


def forward_mail(world: World, *, mail_id: str, recipient: str, note: str | None = None) -> dict[str, Any]:
    mail = world.get("mails", mail_id)
    body = f"{note}\n{mail.get('body', '')}" if note else mail.get("body", "")
    world.add(
        "mails", "ML", sender="me", recipient=recipient, subject=f"Fwd: {mail.get('subject', 'Hello')}", body=body
    )
    return {"forwarded": True}


def create_mail_filter(world: World, *, criteria: dict[str, Any], folder: str) -> dict[str, Any]:
    mails = world.matching("mails", **criteria)
    for mail in mails:
        mail["folder"] = folder
    mail_filter = world.add("mail_filters", "MF", criteria=dict(criteria), folder=folder)
    return {"filter_id": mail_filter["id"], "moved": len(mails)}


def find_contact(world: World, *, name: str, company: str | None = None) -> dict[str, Any]:
    contacts = world.matching("contacts", name=name)
    if not contacts:
        local = name.lower().replace(" ", ".")
        host = company.lower().replace(" ", "") if company else world.pick(("post", "inbox", "webmail"), "host", name)
        phone = f"555-{world.number('phone', name, low=1000, high=9999)}"
        contacts = [world.add("contacts", "CT", name=name, email=f"{local}@{host}.com", phone=phone)]
    return {"email": contacts[0]["email"], "phone": contacts[0]["phone"]}
