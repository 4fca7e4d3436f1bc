"""dvc.yaml says of every stage which parameters it reads and which code computes its result, or a change would leave
stale results.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from itool import paths
from tests.smoke import ROOT

CARRIERS = {
    f"itool/{name}.py"
    for name in ("__init__", "log", "cli", "errors", "files", "endpoint", "artifacts", "paths", "params", "scratch")
}
DEFAULT = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
LEADERBOARD = yaml.safe_load((ROOT / "leaderboard/dvc.yaml").read_text())["stages"]
STAGES = DEFAULT | {f"leaderboard {name}": fields for name, fields in LEADERBOARD.items()}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_every_parameter_that_its_code_names(stage: str) -> None:
    fields = STAGES[stage].get("do", STAGES[stage])
    room = re.search(r"-m stages\.(\w+)", fields["cmd"])
    assert room
    code = "".join(file.read_text() for file in Path(ROOT / "stages" / room[1]).glob("*.py"))
    sections = "|".join(yaml.safe_load((ROOT / "params.yaml").read_text()))
    named = {
        ".".join(found) for found in re.findall(rf"(?:params|settings|load\(\))\.({sections})\.(?!model_)(\w+)", code)
    }
    known = {*fields["params"], *(dep.strip("${}") for dep in fields["deps"])}
    assert [name for name in sorted(named) if not {name, name.partition(".")[0]} & known] == []


@pytest.mark.parametrize(
    "stage", ["start", "selection", "exploration", "evaluation", *(f"leaderboard {name}" for name in LEADERBOARD)]
)
def test_a_stage_that_generates_depends_on_all_of_the_engine_that_changes_what_it_says(stage: str) -> None:
    engine = yaml.safe_load((ROOT / "params.yaml").read_text())["engine"]
    vllm = engine.pop("vllm")
    for name in ("server", "prefix_cache"):  # where a server is changes nothing, and memory is only speed
        assert engine.pop(name)
    expected = {f"engine.{name}" for name in engine} | {f"engine.vllm.{name}" for name in vllm if name != "memory"}
    if stage not in DEFAULT:
        expected -= {"engine.max_tokens"}  # the leaderboard has its own
    assert {name for name in STAGES[stage]["do"]["params"] if name.startswith("engine.")} == expected


def file_of(module: str) -> str | None:
    """The file of one of this project's modules; None for any other name."""
    path = module.replace(".", "/")
    return next((file for file in (f"{path}.py", f"{path}/__init__.py") if (ROOT / file).exists()), None)


def imports(file: str) -> Iterator[str]:
    """The project's files that a file imports, in functions too."""
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            names = [str(node.module), *(f"{node.module}.{name}" for name in names)]
        yield from filter(None, map(file_of, names))


def shared_code(stage: str) -> set[str]:
    """The files of itool that compute the stage's result: those that it imports, directly or through others."""
    found = re.search(r"-m (stages\.\w+\.run)", STAGES[stage].get("do", STAGES[stage])["cmd"])
    assert found
    reached, ahead = set(), [file_of(found[1])]
    while ahead:
        file = ahead.pop()
        if file and file not in reached | CARRIERS:
            reached.add(file)
            ahead += imports(file)
    return {file for file in reached if file.startswith("itool/")}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_exactly_the_shared_code_that_it_imports(stage: str) -> None:
    deps = {dep for dep in STAGES[stage].get("do", STAGES[stage])["deps"] if dep.startswith("itool")}
    needed = {file: {dep for dep in deps if f"{file}/".startswith(f"{dep}/")} for file in shared_code(stage)}
    assert sorted(file for file, covering in needed.items() if not covering) == []
    assert sorted(deps - set().union(*needed.values())) == []


def test_every_model_that_is_an_artifact_is_made() -> None:
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    iterations = list(yaml.safe_load((ROOT / "params.yaml").read_text())["iterations"])
    made = {name: artifact["path"] for name, artifact in pipeline["artifacts"].items()}
    assert made == {"warmup": "data/models/it0", "latest": f"data/models/{iterations[-1]}"}


def declared(fields: dict[str, Any]) -> list[str]:
    """What a stage writes: outputs and metrics, by their paths."""
    entries = [*fields.get("outs", []), *fields.get("metrics", [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def test_every_path_of_an_artifact_is_an_output_of_a_stage_or_lies_in_one() -> None:
    outs = {path.replace("${key}", "{}") for fields in STAGES.values() for path in declared(fields.get("do", fields))}
    known = [value for name, value in vars(paths).items() if name.isupper()]
    assert len(known) > 20
    assert [path for path in known if not {path, str(Path(path).parent)} & outs] == []


BOARD_READERS = {"itool/formats/__init__.py"}  # where the layout of a user's own files is registered


def test_no_stage_that_trains_reads_the_leaderboard() -> None:
    """Neither its environment, nor what its stage writes, nor the code that asks for its questions."""
    for fields in DEFAULT.values():
        stage = fields.get("do", fields)
        assert [dep for dep in stage["deps"] if "leaderboard" in dep or "bfcl" in dep] == []
        assert [name for name in stage["params"] if name.startswith("leaderboard")] == []
    code = [file for folder in ("itool", "stages", "recipes") for file in sorted((ROOT / folder).rglob("*.py"))]
    others = {file.relative_to(ROOT).as_posix(): file.read_text() for file in code if file.parent.name != "leaderboard"}
    assert len(others) > 100
    assert {file for file, text in others.items() if "bfcl" in text} == BOARD_READERS
    asking = {file for file in others if any(name.startswith("stages/leaderboard") for name in imports(file))}
    assert asking == set()
    holding = {file for file, text in others.items() if re.search(r"paths\.LEADERBOARD|BOARD_ANSWERS", text)}
    assert holding == {"itool/artifacts.py"}


def test_the_leaderboard_shares_nothing_but_the_models_with_the_default_pipeline() -> None:
    written = {path for fields in DEFAULT.values() for path in declared(fields.get("do", fields))}
    read = {dep for fields in LEADERBOARD.values() for dep in fields["do"]["deps"]} & written
    assert read == {"data/models/${key}"}
    assert {fields["do"]["wdir"] for fields in LEADERBOARD.values()} == {".."}


def test_only_headline_figures_are_metrics() -> None:
    metrics = [str(metric) for fields in STAGES.values() for metric in fields.get("do", fields).get("metrics", [])]
    assert metrics == ["{'metrics/${key}.json': {'cache': False}}"] * 2  # in git, to be compared without DVC's cache
