"""Simulated file storage."""

from typing import Any

from stages.synthesis.world import SimulationError, World

USUAL_FOLDERS = ("Documents", "Downloads", "Shared", "Archive")


def create_file(world: World, *, name: str, folder: str, shared: bool = False) -> dict[str, Any]:
    if world.matching("files", name=name, folder=folder):
        raise SimulationError(f"{name} exists already in {folder}")
    return {"file_id": world.add("files", "FI", name=name, folder=folder, shared=shared)["id"]}


def find_file(world: World, *, name: str, folder: str | None = None) -> dict[str, Any]:
    wanted = {"name": name} if folder is None else {"name": name, "folder": folder}
    found = world.matching("files", **wanted)
    # A user looks for a file that exists: one not made in this conversation was there before it.
    file = found[0] if found else world.add("files", "FI", name=name, folder=folder or world.pick(USUAL_FOLDERS, name))
    return {"file_id": file["id"], "folder": file["folder"]}


def move_file(world: World, *, file_id: str, folder: str, replace: bool = False) -> dict[str, Any]:
    file = world.get("files", file_id)
    if "name" in file:
        for other in world.matching("files", name=file["name"], folder=folder):
            if other is file:
                continue
            if not replace:
                raise SimulationError(f"{file['name']} exists already in {folder}")
            world.remove("files", other["id"])
    file["folder"] = folder
    return {"folder": folder}


def copy_file(world: World, *, file_id: str, folder: str, name: str | None = None) -> dict[str, Any]:
    file = world.get("files", file_id)
    return {"file_id": world.add("files", "FI", name=name or file.get("name", "copy.txt"), folder=folder)["id"]}


def delete_file(world: World, *, file_id: str, permanent: bool = False) -> dict[str, Any]:
    file = world.remove("files", file_id)
    if not permanent:
        world.tables.setdefault("bin", {})[file_id] = file
    return {"deleted": True}


def share_file(
    world: World, *, file_id: str, grants: list[dict[str, Any]], expires: str | None = None
) -> dict[str, Any]:
    roles = world.get("files", file_id).setdefault("roles", {})
    for grant in grants:
        roles[grant["person"]] = {"role": grant["role"], "expires": expires}
    return {"shared": len(roles)}
