"""params.yaml: what its sections must agree on."""

import re
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from itool.errors import UserError
from itool.params import load


@pytest.mark.parametrize(
    ("section", "field", "value", "message"),
    [
        ("evaluation", "seed", -1, r"evaluation\.seed: found -1; input should be greater than or equal to 0"),
        ("warmup", "seed", 2**32, r"warmup\.seed: found 4294967296; input should be less than 4294967296"),
        ("decay", "seeds", [1, -2], r"decay\.seeds\.1: found -2; input should be greater than or equal to 0"),
        ("model", "dialect", "xml", r"model\.dialect: found 'xml'; expected one of auto, pythonic, .*gemma4$"),
        ("preference", "loss", "kto", r"preference\.loss: found 'kto'; expected one of sigmoid, ipo, simpo, sft$"),
        (
            "iterations",
            "it1",
            {"previous": "base", "ratio": 0.5},
            r"iterations\.it1\.previous: found 'base', expected one of it0$",
        ),
        ("warmup", "self_evaluation", 1.0, r"warmup\.self_evaluation: found 1\.0; input should be less than 1"),
        (
            "iterations",
            "it1",
            {"previous": "it7", "ratio": 0.5},
            r"iterations\.it1\.previous: found 'it7', expected one of it0$",
        ),
        (
            "iterations",
            "it2",
            {"previous": "it2", "ratio": 0.5},
            r"iterations\.it2\.previous: found 'it2', expected one of it0, it1$",
        ),
        (
            "iterations",
            "it1",
            {"previous": "it2", "ratio": 0.5},
            r"iterations\.it1\.previous: found 'it2', expected one of it0$",
        ),
        ("iterations", "it1", {"previous": "it0", "ratio": 0.0}, r"iterations\.it1\.ratio: found 0\.0; input should"),
    ],
)
def test_a_field_out_of_range_is_named(tmp_path: Path, section: str, field: str, value: object, message: str) -> None:
    file = tmp_path / "params.yaml"
    text = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    text[section][field] = value
    file.write_text(yaml.safe_dump(text))
    with pytest.raises(UserError, match=rf"params\.yaml: {message}"):
        load(file)


@pytest.mark.parametrize("name", ["base", "it0", "latest", "It4", "it 4", "../it4", "-it4", "it4.2", ""])
def test_an_iteration_has_a_plain_name_of_its_own(tmp_path: Path, name: str) -> None:
    """The name becomes that of files in data/ and metrics/, and an argument of commands."""
    file = tmp_path / "params.yaml"
    text = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    text["iterations"][name] = {"previous": "it0", "ratio": 0.5}
    file.write_text(yaml.safe_dump(text, sort_keys=False))
    with pytest.raises(UserError, match=rf"params\.yaml: iterations: found the name '{re.escape(name)}', expected "):
        load(file)


def test_an_iteration_may_start_from_any_earlier_model(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    text = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    text["iterations"] = {
        name: {"previous": previous, "ratio": 1.0}
        for name, previous in (("second_try-2", "it0"), ("b", "it0"), ("a", "b"), ("c", "b"))
    }
    file.write_text(yaml.safe_dump(text, sort_keys=False))
    assert list(load(file).iterations) == ["second_try-2", "b", "a", "c"]


def test_micro_batch_divides_every_batch(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    text = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    batches = {"decay": 8, "warmup": 12, "preference": 16}
    for name, batch in batches.items():
        text[name]["batch"] = batch
    for micro in (None, 1, 2, 4):
        text["model"]["micro_batch"] = micro
        file.write_text(yaml.safe_dump(text))
        assert load(file).model.micro_batch == micro
    for micro, first in ((8, "warmup"), (3, "decay"), (32, "decay"), (12, "decay")):
        text["model"]["micro_batch"] = micro
        file.write_text(yaml.safe_dump(text))
        expected = rf"params\.yaml: model\.micro_batch: found {micro}; expected a divisor of {first}\.batch, "
        with pytest.raises(UserError, match=f"{expected}{batches[first]}$"):
            load(file)
    text["model"]["micro_batch"] = 0
    file.write_text(yaml.safe_dump(text))
    with pytest.raises(UserError, match=r"model\.micro_batch: found 0; input should be greater than or equal to 1"):
        load(file)


def test_numbers_are_read_as_dvc_writes_them(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "params.yaml").read_text()
    written = text.replace("  learning_rate: 0.004", "  learning_rate: 5e-05")
    assert written != text
    (tmp_path / "params.yaml").write_text(written)
    assert load(tmp_path / "params.yaml").preference.learning_rate == 5e-5
    (tmp_path / "params.yaml").write_text(text.replace("seed: 1", "seed: one", 1))
    with pytest.raises(UserError, match=r"seed: found 'one'"):
        load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("model: [")
    with pytest.raises(UserError, match=r"params\.yaml: not YAML"):
        load(tmp_path / "params.yaml")


def test_a_model_that_params_do_not_name_is_an_error() -> None:
    params = load(Path(__file__).parents[1] / "params.yaml")
    assert params.model_folder("base") == params.model.path
    assert params.model_folder("it0") == "data/models/it0"
    with pytest.raises(UserError, match=r"params\.yaml: iterations: found no it99"):
        params.model_folder("it99")


PROFILES = sorted((Path(__file__).parents[1] / "profiles").iterdir())


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_profile_is_laid_over_params_as_dvc_does(tmp_path: Path, profile: Path) -> None:
    """`dvc exp run $(cat profiles/NAME)`, also where another profile, or this one, has left its parameters."""
    text = (Path(__file__).parents[1] / "params.yaml").read_text()
    comments = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
    for before in (None, *PROFILES):
        file = tmp_path / "params.yaml"
        file.write_text(text)
        for overrides in map(options, filter(None, (before, profile))):
            apply_overrides(file, overrides)
        params = load(file)
        iterations = len(params.iterations)
        assert params.synthesis.explore >= iterations * params.selection.draw * params.selection.headroom
        assert params.engine.vllm.context >= params.model.max_length + 2 * params.engine.max_tokens
        assert all(comment in file.read_text() for comment in comments)


def options(profile: Path) -> list[str]:
    """What the options `-S` of a profile say."""
    words = profile.read_text().split()
    assert set(words[::2]) == {"-S"}
    return words[1::2]


@pytest.mark.parametrize(
    ("name", "path", "iterations"),
    [("full", "data/base", 3), ("smollm2", "data/smollm2", 2), ("gpu-8b", "models/your-8b", 3)],
)
def test_what_a_profile_says_of_model_and_iterations(tmp_path: Path, name: str, path: str, iterations: int) -> None:
    root, file = Path(__file__).parents[1], tmp_path / "params.yaml"
    file.write_text((root / "params.yaml").read_text())
    apply_overrides(file, options(root / "profiles" / name))
    params = load(file)
    assert params.model.path == path
    assert list(params.iterations) == [f"it{number + 1}" for number in range(iterations)]
    assert params.exploration.c == load(root / "params.yaml").exploration.c
