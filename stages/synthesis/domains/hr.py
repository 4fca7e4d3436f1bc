"""Simulated world of human resources: employees, leave, jobs and candidates [O]. Salaries are yearly."""

from typing import Any

from stages.synthesis.world import SimulationError, World

DAYS_PER_YEAR = 30


def find_employee(world: World, *, name: str, department: str) -> dict[str, Any]:
    known = world.matching("employees", name=name, department=department)
    employee = known[0] if known else world.add("employees", "EM", name=name, department=department)
    return {"employee_id": employee["id"], "salary": _salary(world, employee)}


def _salary(world: World, employee: dict[str, Any]) -> int:
    return employee.setdefault("salary", 100 * world.number("salary", employee["id"], low=300, high=900))


def add_employee(world: World, *, contact: dict[str, Any], department: str, start_date: str) -> dict[str, Any]:
    employee = world.add(
        "employees",
        "EM",
        name=contact["name"],
        email=contact["email"],
        phone=contact.get("phone"),
        department=department,
        start_date=start_date,
    )
    return {"employee_id": employee["id"], "department": department}


def update_salary(world: World, *, employee_id: str, salary: int, start_date: str) -> dict[str, Any]:
    if salary <= 0:
        raise SimulationError("salary must be positive")
    employee = world.get("employees", employee_id)
    previous = _salary(world, employee)
    employee.update(salary=salary, salary_from=start_date)
    return {"previous": previous, "salary": salary}


def request_leave(world: World, *, employee: str, start_date: str, days: int, kind: str = "vacation") -> dict[str, Any]:
    """Only vacation draws on the yearly days."""
    taken = sum(leave["days"] for leave in world.matching("leaves", employee=employee, kind="vacation"))
    days_left = DAYS_PER_YEAR - taken - (days if kind == "vacation" else 0)
    if days < 1 or days_left < 0:
        raise SimulationError("there are not that many days left")
    leave = world.add("leaves", "LV", employee=employee, start_date=start_date, days=days, kind=kind)
    return {"leave_id": leave["id"], "days_left": days_left}


def decide_leave(world: World, *, leave_id: str, approved: bool, comment: str | None = None) -> dict[str, Any]:
    leave = world.get("leaves", leave_id)
    if "status" in leave:
        raise SimulationError("the leave request is already decided")
    leave.update(status="approved" if approved else "rejected", comment=comment)
    return {"status": leave["status"]}


def post_job(world: World, *, department: str, skills: list[str], remote: bool) -> dict[str, Any]:
    if not skills:
        raise SimulationError("a job needs at least one skill")
    job = world.add("jobs", "JB", department=department, skills=list(skills), remote=remote)
    return {"job_id": job["id"], "status": "online"}


def add_candidate(world: World, *, job_id: str, name: str, email: str) -> dict[str, Any]:
    world.get("jobs", job_id)
    candidate = world.add("candidates", "CN", job_id=job_id, name=name, email=email)
    return {"candidate_id": candidate["id"], "candidates": len(world.matching("candidates", job_id=job_id))}
