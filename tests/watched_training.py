"""Looks into a training as it runs."""

from typing import Any

import pytest
import torch
from transformers import TrainerCallback, TrainingArguments

from itool.training.trainer import RowTrainer


class Gradients(TrainerCallback):
    """Keeps the gradients of every update, by name, and whether activations were checkpointed."""

    def __init__(self) -> None:
        self.updates: list[dict[str, torch.Tensor]] = []
        self.checkpointed = False

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        self.updates.append({name: each.grad.clone() for name, each in model.named_parameters() if each.requires_grad})
        self.checkpointed = model.is_gradient_checkpointing


def keep_gradients(monkeypatch: pytest.MonkeyPatch) -> Gradients:
    """Those of the trainings to come."""
    gradients = Gradients()
    build = RowTrainer.__init__

    def watched(self: RowTrainer, *args: Any, **options: Any) -> None:
        build(self, *args, **options)
        self.add_callback(gradients)

    monkeypatch.setattr(RowTrainer, "__init__", watched)
    return gradients


def pretend_two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    count_gpus = TrainingArguments.__post_init__

    def count_two(self: TrainingArguments) -> None:
        count_gpus(self)
        self._n_gpu = 2

    monkeypatch.setattr(TrainingArguments, "__post_init__", count_two)
