"""Simulated weather service."""

from typing import Any

from stages.synthesis.world import World

CONDITIONS = ("sunny", "cloudy", "rainy", "windy", "foggy", "snowy")


def _in_unit(celsius: int, unit: str) -> int:
    return round(celsius * 1.8 + 32) if unit == "fahrenheit" else celsius


def get_current_weather(world: World, *, city: str, unit: str = "celsius") -> dict[str, Any]:
    celsius = world.number("temperature", city, low=-5, high=35)
    return {"temperature": _in_unit(celsius, unit), "condition": world.pick(CONDITIONS, "condition", city)}


def get_forecast(world: World, *, city: str, date: str, unit: str = "celsius") -> dict[str, Any]:
    low = world.number("low", city, date, low=-8, high=20)
    high = low + world.number("range", city, date, low=3, high=14)
    condition = world.pick(CONDITIONS, "condition", city, date)
    return {"high": _in_unit(high, unit), "low": _in_unit(low, unit), "condition": condition}


def get_air_quality(world: World, *, city: str, pollutant: str | None = None) -> dict[str, Any]:
    index = world.number("air", city, pollutant, low=10, high=180)
    return {"index": index, "level": "good" if index <= 50 else "fair" if index <= 100 else "poor"}


def get_sun_times(world: World, *, city: str, date: str | None = None) -> dict[str, Any]:
    sunrise = world.number("sunrise", city, date, low=5 * 60, high=8 * 60)
    sunset = world.number("sunset", city, date, low=16 * 60, high=21 * 60)
    return {"sunrise": f"{sunrise // 60:02}:{sunrise % 60:02}", "sunset": f"{sunset // 60:02}:{sunset % 60:02}"}


def create_weather_alert(world: World, *, city: str, hazard: str, email: str, hours: int = 24) -> dict[str, Any]:
    alert = world.add("weather_alerts", "WA", city=city, hazard=hazard, email=email, hours=hours)
    return {"alert_id": alert["id"]}


def delete_weather_alert(world: World, *, alert_id: str) -> dict[str, Any]:
    world.remove("weather_alerts", alert_id)
    return {"deleted": True}
