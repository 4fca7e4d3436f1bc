"""params.yaml: what its sections must agree on."""

from pathlib import Path

import pytest
import yaml

from itool.errors import UserError
from itool.params import load


@pytest.mark.parametrize(
    ("section", "field", "value", "message"),
    [
        ("evaluation", "seed", -1, r"evaluation\.seed: found -1; input should be greater than or equal to 0"),
        ("warmup", "seed", 2**32, r"warmup\.seed: found 4294967296; input should be less than 4294967296"),
        ("decay", "seeds", [1, -2], r"decay\.seeds\.1: found -2; input should be greater than or equal to 0"),
        ("warmup", "self_evaluation", 1.0, r"warmup\.self_evaluation: found 1\.0; input should be less than 1"),
        (
            "iterations",
            "it1",
            {"previous": "it7", "ratio": 0.5},
            r"iterations\.it1\.previous: found 'it7', expected one of base, it0, it1",
        ),
    ],
)
def test_a_field_out_of_range_is_named(tmp_path: Path, section: str, field: str, value: object, message: str) -> None:
    file = tmp_path / "params.yaml"
    text = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    text[section][field] = value
    file.write_text(yaml.safe_dump(text))
    with pytest.raises(UserError, match=rf"params\.yaml: {message}"):
        load(file)


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
