"""params.yaml: what its sections must agree on."""

from pathlib import Path

import pytest
import yaml

from stages.errors import UserError
from stages.params import load


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
