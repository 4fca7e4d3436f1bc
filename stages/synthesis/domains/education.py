"""Simulated world of education: courses, homework, quizzes, flashcards and tutors [O]."""

from typing import Any

from stages.synthesis.world import SimulationError, World

PASS_POINTS = 50
MINUTES_PER_QUESTION = {"easy": 1, "medium": 2, "hard": 4}


def search_courses(
    world: World, *, subject: str, level: str | None = None, language: str | None = None
) -> dict[str, Any]:
    weeks = world.number("course weeks", subject, level, low=3, high=16)
    course = world.add("courses", "CO", subject=subject, level=level, language=language, weeks=weeks)
    return {"course_id": course["id"], "weeks": weeks}


def enroll_course(world: World, *, course_id: str, student: str, start_date: str) -> dict[str, Any]:
    course = world.get("courses", course_id)
    students = course.setdefault("students", [])
    if student in students:
        raise SimulationError("the student is already enrolled")
    students.append(student)
    enrollment = world.add("enrollments", "EN", course_id=course_id, student=student, start_date=start_date)
    return {"enrollment_id": enrollment["id"], "fee": 10 * world.number("fee", course_id, low=4, high=40)}


def submit_homework(world: World, *, student: str, course: str, file: str, note: str | None = None) -> dict[str, Any]:
    submission = world.add("submissions", "SB", student=student, course=course, file=file, note=note)
    return {
        "submission_id": submission["id"],
        "submissions": len(world.matching("submissions", student=student, course=course)),
    }


def grade_homework(world: World, *, submission_id: str, points: int) -> dict[str, Any]:
    if not 0 <= points <= 100:
        raise SimulationError("points must be from 0 to 100")
    world.get("submissions", submission_id).update(points=points)
    return {"points": points, "passed": points >= PASS_POINTS}


def create_quiz(world: World, *, topic: str, difficulty: str, questions: int = 10) -> dict[str, Any]:
    if questions < 1:
        raise SimulationError("a quiz needs at least one question")
    quiz = world.add("quizzes", "QZ", topic=topic, difficulty=difficulty, questions=questions)
    return {"quiz_id": quiz["id"], "minutes": questions * MINUTES_PER_QUESTION[difficulty]}


def create_flashcards(world: World, *, language: str, words: list[str], pictures: bool) -> dict[str, Any]:
    if not words:
        raise SimulationError("a deck needs at least one word")
    deck = world.add("decks", "DK", language=language, words=list(words), pictures=pictures)
    return {"deck_id": deck["id"], "cards": len(words)}


def book_tutor(
    world: World, *, subject: str, date: str, time: str, online: bool, tutor: str | None = None
) -> dict[str, Any]:
    if world.matching("lessons", date=date, time=time):
        raise SimulationError("there is already a lesson at that time")
    lesson = world.add("lessons", "LS", subject=subject, tutor=tutor, online=online, date=date, time=time)
    price = world.number("lesson price", subject, tutor, low=15, high=60) - (5 if online else 0)
    return {"lesson_id": lesson["id"], "price": price}
