"""dvc.yaml says of every stage which parameters it reads, or a changed one would leave stale results."""

import re
from pathlib import Path

import pytest
import yaml

from tests.smoke import ROOT

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


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


@pytest.mark.parametrize("stage", ["start", "selection", "exploration", "evaluation"])
def test_a_stage_that_generates_depends_on_all_of_the_engine_that_changes_what_it_says(stage: str) -> None:
    engine = yaml.safe_load((ROOT / "params.yaml").read_text())["engine"]
    vllm = engine.pop("vllm")
    assert engine.pop("server")  # where it is changes nothing, and memory is only speed
    expected = {f"engine.{name}" for name in engine} | {f"engine.vllm.{name}" for name in vllm if name != "memory"}
    assert {name for name in STAGES[stage]["do"]["params"] if name.startswith("engine.")} == expected
