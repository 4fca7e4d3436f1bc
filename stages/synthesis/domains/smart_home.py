"""Simulated world of a smart home: rooms, devices, sensors, the robot vacuum and routines [O].

Temperatures are degrees Celsius, brightness and humidity percent, noise decibels.
"""

from typing import Any

from stages.synthesis.world import SimulationError, World

SENSOR_RANGES = {"temperature": (160, 260, "C"), "humidity": (300, 700, "%"), "noise": (200, 700, "dB")}  # tenths


def set_thermostat(world: World, *, room: str, temperature: float, until: str | None = None) -> dict[str, Any]:
    if not 5 <= temperature <= 30:
        raise SimulationError("temperature must be from 5 to 30 degrees")
    record = world.ensure("home_rooms", room)
    previous = record.get("temperature", world.number("temperature", room, low=160, high=240) / 10)
    record.update(temperature=temperature, until=until)
    return {"previous": previous, "temperature": temperature}


def set_lights(world: World, *, room: str, brightness: int, color: str) -> dict[str, Any]:
    if not 0 <= brightness <= 100:
        raise SimulationError("brightness must be from 0 to 100 percent")
    record = world.ensure("home_rooms", room)
    previous = record.get("brightness", world.number("brightness", room, low=0, high=100))
    record.update(brightness=brightness, color=color)
    return {"previous": previous, "brightness": brightness}


def switch_device(world: World, *, device: str, on: bool, room: str) -> dict[str, Any]:
    record = world.ensure("devices", f"{room}/{device}")
    state = "on" if on else "off"
    unchanged = record.get("state") == state
    record["state"] = state
    return {"state": f"still {state}" if unchanged else state}


def start_vacuum(world: World, *, rooms: list[str], mode: str = "normal") -> dict[str, Any]:
    if not rooms:
        raise SimulationError("there is no room to clean")
    minutes_per_room = {"quiet": 20, "normal": 15, "turbo": 10}[mode]
    minutes = sum(minutes_per_room + world.number("room size", room, low=0, high=20) for room in rooms)
    job = world.add("vacuum_jobs", "VJ", rooms=list(rooms), mode=mode)
    return {"job_id": job["id"], "minutes": minutes}


def get_sensor(world: World, *, room: str, sensor: str) -> dict[str, Any]:
    low, high, unit = SENSOR_RANGES[sensor]
    value = world.number("sensor", room, sensor, low=low, high=high) / 10
    if sensor == "temperature":
        value = world.ensure("home_rooms", room).get("temperature", value)
    return {"value": value, "unit": unit}


def create_routine(world: World, *, time: str, actions: list[dict[str, Any]], days: str) -> dict[str, Any]:
    if not actions:
        raise SimulationError("a routine needs at least one action")
    routine = world.add("routines", "RT", time=time, actions=actions, days=days, status="active")
    return {"routine_id": routine["id"], "actions": len(actions)}


def pause_routine(world: World, *, routine_id: str, until: str) -> dict[str, Any]:
    routine = world.get("routines", routine_id)
    status = "still paused" if routine.get("status") == "paused" else "paused"
    routine.update(status="paused", until=until)
    return {"status": status}
