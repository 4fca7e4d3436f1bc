"""Simulated calendar: events and reminders."""

from typing import Any

from stages.synthesis.world import SimulationError, World

HALF_HOURS = [f"{hour:02}:{minute:02}" for hour in range(8, 18) for minute in (0, 30)]


def _minutes(time: str) -> int:
    hours, minutes = time.split(":")
    return 60 * int(hours) + int(minutes)


def _overlaps(event: dict[str, Any], time: str, duration: int) -> bool:
    start = _minutes(event.get("time", "12:00"))
    return start < _minutes(time) + duration and _minutes(time) < start + event.get("duration", 60)


def create_event(
    world: World, *, title: str, date: str, time: str, duration: int = 60, attendees: list[str] | None = None
) -> dict[str, Any]:
    conflict = any(_overlaps(event, time, duration) for event in world.matching("events", date=date))
    event = world.add(
        "events", "EV", title=title, date=date, time=time, duration=duration, attendees=list(attendees or [])
    )
    return {"event_id": event["id"], "conflict": conflict}


def list_events(world: World, *, date: str, calendar: str | None = None) -> dict[str, Any]:
    """Events made here are in every calendar: no call says which one an event belongs to."""
    events = sorted(world.matching("events", date=date), key=lambda event: event["time"])
    if not events:
        title = world.pick(("Dentist", "Team call", "Gym", "Lunch"), "event", date, calendar)
        events = [world.add("events", "EV", title=title, date=date, time="12:00", duration=60, attendees=[])]
    return {"count": len(events), "next_event": events[0]["title"]}


def move_event(world: World, *, event_id: str, date: str, time: str | None = None) -> dict[str, Any]:
    event = world.get("events", event_id)
    new_time = time or event.get("time", "12:00")
    others = [other for other in world.matching("events", date=date) if other is not event]
    conflict = any(_overlaps(other, new_time, event.get("duration", 60)) for other in others)
    event.update(date=date, time=new_time, title=event.get("title", "Appointment"))
    return {"date": date, "conflict": conflict}


def cancel_event(world: World, *, event_id: str, reason: str | None = None) -> dict[str, Any]:
    world.remove("events", event_id)
    return {"cancelled": True}


def invite_guests(world: World, *, event_id: str, guests: list[str], message: str | None = None) -> dict[str, Any]:
    attendees = world.get("events", event_id).setdefault("attendees", [])
    attendees.extend(guest for guest in guests if guest not in attendees)
    return {"invited": len(attendees)}


def find_free_slot(world: World, *, attendees: list[str], date: str, duration: int = 30) -> dict[str, Any]:
    taken = world.matching("events", date=date)
    free = [time for time in HALF_HOURS if not any(_overlaps(event, time, duration) for event in taken)]
    if not free:
        raise SimulationError(f"no free slot on {date}")
    return {"time": world.pick(free, "slot", tuple(attendees), date)}


def create_reminder(world: World, *, text: str, date: str, time: str = "09:00") -> dict[str, Any]:
    return {"reminder_id": world.add("reminders", "RM", text=text, date=date, time=time)["id"]}
