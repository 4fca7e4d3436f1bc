"""Simulated world of fitness: workouts, meals, weight, classes and training plans [O]. Weight in kilograms."""

from typing import Any

from stages.synthesis.world import SimulationError, World

CALORIES_PER_MINUTE = {"easy": 5, "moderate": 8, "hard": 11}


def log_workout(world: World, *, sport: str, minutes: int, date: str, intensity: str = "moderate") -> dict[str, Any]:
    if minutes < 1:
        raise SimulationError("a workout lasts at least a minute")
    calories = minutes * CALORIES_PER_MINUTE[intensity] + world.number("effort", sport, low=0, high=60)
    workout = world.add("workouts", "WO", sport=sport, minutes=minutes, date=date, calories=calories)
    return {"workout_id": workout["id"], "calories": calories}


def share_workout(world: World, *, workout_id: str, friends: list[str], message: str | None = None) -> dict[str, Any]:
    workout = world.get("workouts", workout_id)
    shared_with = workout.setdefault("shared_with", [])
    shared_with.extend(friend for friend in friends if friend not in shared_with)
    if message is not None:
        workout["message"] = message
    return {"shared_with": len(shared_with)}


def log_meal(world: World, *, dish: str, calories: int, time: str) -> dict[str, Any]:
    if calories < 0:
        raise SimulationError("calories must not be negative")
    world.add("meals", "ME", dish=dish, calories=calories, time=time)
    meals = world.tables["meals"].values()
    return {"meals": len(meals), "total": sum(meal["calories"] for meal in meals)}


def log_weight(world: World, *, weight: float, date: str) -> dict[str, Any]:
    """The change is against the entry made last, or against a stable earlier weight near the first one."""
    if not 20 <= weight <= 300:
        raise SimulationError("weight must be from 20 to 300 kg")
    entries = world.tables.get("weights", {})
    if entries:
        previous = list(entries.values())[-1]["weight"]
    else:
        previous = weight + world.number("earlier weight", low=-30, high=30) / 10
    world.add("weights", "WT", weight=weight, date=date)
    return {"change": round(weight - previous, 1), "entries": len(world.tables["weights"])}


def book_class(world: World, *, sport: str, date: str, time: str, trainer: str) -> dict[str, Any]:
    slot = {"sport": sport, "date": date, "time": time}
    booked = len(world.matching("fitness_classes", **slot))
    spots_left = world.number("spots", sport, date, time, low=1, high=15) - booked - 1
    if spots_left < 0:
        raise SimulationError("the class is full")
    booking = world.add("fitness_classes", "FT", **slot, trainer=trainer)
    return {"class_id": booking["id"], "spots_left": spots_left}


def create_training_plan(world: World, *, sport: str, weeks: int, goal: str) -> dict[str, Any]:
    if weeks < 1:
        raise SimulationError("a plan lasts at least a week")
    plan = world.add("training_plans", "TP", sport=sport, weeks=weeks, goal=goal)
    return {"plan_id": plan["id"], "sessions": weeks * world.number("sessions", sport, goal, low=2, high=5)}


def add_exercise(world: World, *, plan_id: str, exercise: str, repetitions: int = 10) -> dict[str, Any]:
    """Adding an exercise that the plan has adds up the repetitions."""
    if repetitions < 1:
        raise SimulationError("repetitions must be at least 1")
    exercises = world.get("training_plans", plan_id).setdefault("exercises", {})
    exercises[exercise] = exercises.get(exercise, 0) + repetitions
    return {"exercises": len(exercises), "repetitions": exercises[exercise]}
