"""The losses of pairs: which names params.yaml may give, and what they ask of an import."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from itool.errors import UserError
from itool.params import Params, load
from itool.training.losses import PAIR_LOSSES, PairScores, negative_log_sigmoid

SHIPPED = Path(__file__).parents[1] / "params.yaml"


def load_with(loss: str, folder: Path) -> Params:
    text = yaml.safe_load(SHIPPED.read_text())
    text["preference"]["loss"] = loss
    file = folder / "params.yaml"
    file.write_text(yaml.safe_dump(text))
    return load(file)


def test_params_name_a_registered_loss(tmp_path: Path) -> None:
    """A new loss is one function and one line."""
    for name in (*PAIR_LOSSES, "sft"):
        assert load_with(name, tmp_path).preference.loss == name
    with pytest.raises(UserError, match=rf"loss: found 'new'; expected one of {', '.join(PAIR_LOSSES)}, sft$"):
        load_with("new", tmp_path)


def test_parameters_are_read_without_pytorch() -> None:
    code = "import sys, itool.params; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SHIPPED.parent)


@pytest.mark.parametrize("name", list(PAIR_LOSSES))
def test_every_loss_falls_with_the_chosen_side_and_rises_with_the_rejected(name: str) -> None:
    settings = load(SHIPPED).preference
    chosen, rejected = (torch.tensor([value, value - 1], requires_grad=True) for value in (-4.0, -3.0))
    two, three = torch.tensor([2.0, 2.0]), torch.tensor([3.0, 3.0])
    losses = PAIR_LOSSES[name](PairScores(chosen, rejected, *torch.zeros(2, 2), two, three), settings)
    assert losses.shape == (2,)
    losses.sum().backward()
    assert chosen.grad is not None
    assert rejected.grad is not None
    assert (chosen.grad < 0).all()
    assert (rejected.grad > 0).all()


def test_the_log_sigmoid_of_large_numbers_is_finite() -> None:
    x = torch.tensor([-1000.0, 0.0, 1000.0], requires_grad=True)
    torch.testing.assert_close(negative_log_sigmoid(x), -torch.nn.functional.logsigmoid(x))
    negative_log_sigmoid(x).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.tensor([-1.0, -0.5, 0.0]))
