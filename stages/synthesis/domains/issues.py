"""Simulated issue tracker."""

from typing import Any

from stages.synthesis.world import SimulationError, World

USUAL_TITLES = ("Page loads slowly", "Button does nothing", "Test fails at night", "Link is dead")


def create_issue(
    world: World, *, repository: str, title: str, labels: list[str] | None = None, assignee: str | None = None
) -> dict[str, Any]:
    fields = {"repository": repository, "title": title, "labels": list(labels or []), "assignee": assignee}
    return {"issue_id": world.add("issues", "IS", state="open", **fields)["id"]}


def get_issue(world: World, *, issue_id: str) -> dict[str, Any]:
    issue = world.get("issues", issue_id)
    return {
        "title": issue.setdefault("title", world.pick(USUAL_TITLES, "title", issue_id)),
        "state": issue.setdefault("state", "open"),
        "assignee": issue.get("assignee") or "nobody",
    }


def list_issues(world: World, *, repository: str, state: str = "open", label: str | None = None) -> dict[str, Any]:
    def found() -> list[dict[str, Any]]:
        issues = world.matching("issues", repository=repository)
        issues = [issue for issue in issues if state == "all" or issue["state"] == state]
        return [issue for issue in issues if label is None or label in issue["labels"]]

    if not found():  # a tracker has issues from before the conversation
        world.add(
            "issues",
            "IS",
            repository=repository,
            title=world.pick(USUAL_TITLES, "title", repository),
            labels=[label] if label else [],
            assignee=None,
            state="closed" if state == "closed" else "open",
        )
    return {"count": len(found()), "latest_issue": found()[-1]["id"]}


def assign_issue(world: World, *, issue_id: str, assignee: str, due_date: str | None = None) -> dict[str, Any]:
    world.get("issues", issue_id).update(assignee=assignee, due_date=due_date)
    return {"assignee": assignee}


def comment_issue(world: World, *, issue_id: str, text: str) -> dict[str, Any]:
    world.get("issues", issue_id)
    return {"comment_id": world.add("issue_comments", "IC", issue_id=issue_id, text=text)["id"]}


def close_issue(world: World, *, issue_id: str, reason: str = "completed") -> dict[str, Any]:
    issue = world.get("issues", issue_id)
    if issue.get("state") == "closed":
        raise SimulationError(f"issue {issue_id} is closed already")
    issue.update(state="closed", reason=reason)
    return {"state": "closed"}


def log_work(world: World, *, issue_id: str, hours: float, date: str | None = None) -> dict[str, Any]:
    issue = world.get("issues", issue_id)
    issue["hours"] = round(issue.get("hours", 0.0) + hours, 1)
    return {"total_hours": issue["hours"]}
