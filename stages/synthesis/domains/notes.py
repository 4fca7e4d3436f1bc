"""Simulated notes and checklists."""

from typing import Any

from stages.synthesis.world import World


def create_note(
    world: World, *, title: str, text: str, tags: list[str] | None = None, pinned: bool = False
) -> dict[str, Any]:
    return {"note_id": world.add("notes", "NO", title=title, text=text, tags=list(tags or []), pinned=pinned)["id"]}


def search_notes(world: World, *, query: str, tag: str | None = None) -> dict[str, Any]:
    def found() -> list[dict[str, Any]]:
        notes = list(world.tables.get("notes", {}).values())
        notes = [note for note in notes if query in note.get("title", "") or query in note.get("text", "")]
        return [note for note in notes if tag is None or tag in note.get("tags", [])]

    if not found():  # a user searches for a note that exists: it was written before the conversation
        world.add("notes", "NO", title=query, text="", tags=[tag] if tag else [], pinned=False)
    return {"note_id": found()[0]["id"], "count": len(found())}


def append_note(world: World, *, note_id: str, text: str) -> dict[str, Any]:
    note = world.get("notes", note_id)
    note["text"] = f"{note['text']}\n{text}" if note.get("text") else text
    return {"length": len(note["text"])}


def delete_note(world: World, *, note_id: str) -> dict[str, Any]:
    world.remove("notes", note_id)
    return {"deleted": True}


def share_note(world: World, *, note_id: str, person: str, editable: bool = False) -> dict[str, Any]:
    readers = world.get("notes", note_id).setdefault("readers", {})
    readers[person] = {"editable": editable}
    return {"shared_with": len(readers)}


def create_checklist(world: World, *, title: str, items: list[str]) -> dict[str, Any]:
    tasks = [{"item": item, "due_date": None} for item in items]
    return {"list_id": world.add("checklists", "CK", title=title, items=tasks)["id"], "count": len(tasks)}


def add_checklist_item(world: World, *, list_id: str, item: str, due_date: str | None = None) -> dict[str, Any]:
    tasks = world.get("checklists", list_id).setdefault("items", [])
    tasks.append({"item": item, "due_date": due_date})
    return {"count": len(tasks)}
