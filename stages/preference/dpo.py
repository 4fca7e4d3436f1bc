"""Preference optimisation of fragments, on token ids, with TRL's DPOTrainer [P]."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import PreTrainedTokenizerBase, TrainerCallback
from trl import DPOConfig, DPOTrainer

from stages import params
from stages.errors import UserError
from stages.training.models import load_trainable, write
from stages.training.trainer import Curves, arguments, schedule, score_answers_only, train

SIMPO_MARGIN = 0.5  # gamma / beta: by how much a chosen token's mean log-probability is to exceed a rejected one's
CURVES = {
    "loss": "loss",
    "logps/chosen": "chosen_logprob",
    "logps/rejected": "rejected_logprob",
    "rewards/margins": "margin",
    "rewards/accuracies": "accuracy",
}

Pair = dict[str, list[int]]  # prompt_ids, chosen_ids, rejected_ids


class FragmentTrainer(DPOTrainer):
    """DPOTrainer that takes token ids as they are: no template, no generation prompt, no end token added."""

    def _send_telemetry(self) -> None:
        """Nothing leaves this machine."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        """Scores all pairs under the model as it is before the first update; SimPO's pairs bring the columns along."""
        score_answers_only(self.model)
        if "ref_chosen_logps" in dataset.column_names:
            return dataset
        return super()._precompute_ref_logps(dataset, name, batch_size)


def optimise(
    pairs: Sequence[Pair],
    start: str | Path,
    model: params.Model,
    out: str | Path,
    settings: params.Preference,
    engine: params.Engine,
    curves: str | Path,
) -> list[Path]:
    """Trains the model of `start` on pairs that `check_pair` has passed; writes it to out/1, out/2, ... after each
    epoch and returns those folders.

    The loss sees the fragments' tokens only. The reference is the model of `start`. `sft` adds the mean negative
    log-likelihood of the chosen tokens with that weight. margin and accuracy in the curves compare log-probabilities
    less those of the reference, times beta.
    """
    lengths = [len(pair["prompt_ids"]) + max(len(pair["chosen_ids"]), len(pair["rejected_ids"])) for pair in pairs]
    order = schedule(lengths, settings.epochs, settings.batch, settings.seed)
    updates = -(-len(order) // settings.batch)
    epochs = {
        round(epoch * updates / settings.epochs): Path(out) / str(epoch) for epoch in range(1, settings.epochs + 1)
    }
    network, tokenizer = load_trainable(start, model, engine, settings.seed)
    trainer = FragmentTrainer(
        model=network,
        args=DPOConfig(
            **arguments(settings, engine, len(order), Path(out)),
            beta=settings.beta,
            loss_type=[{"simpo": "sigmoid_norm"}.get(settings.loss, settings.loss), "sft"],
            loss_weights=[1.0, settings.sft],
            precompute_ref_log_probs=True,
        ),
        train_dataset=Dataset.from_list(
            [reference_free(pair) if settings.loss == "simpo" else pair for pair in pairs]
        ).select(order),
        processing_class=tokenizer,
        callbacks=[Curves(Path(curves), CURVES), Checkpoints(epochs, tokenizer)],
    )
    train(trainer)
    return list(epochs.values())


class Checkpoints(TrainerCallback):
    """Writes the model to a folder after each of the given updates."""

    def __init__(self, folders: dict[int, Path], tokenizer: PreTrainedTokenizerBase) -> None:
        self.folders, self.tokenizer = folders, tokenizer

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if state.global_step in self.folders:
            write(model, self.tokenizer, self.folders[state.global_step])


def reference_free(pair: Pair) -> dict[str, Any]:
    """A pair with the constants in place of a reference that make TRL's `sigmoid_norm` the loss of SimPO.

    sigmoid_norm: -log sigmoid(beta * ((logp_c - ref_c) / |c| - (logp_r - ref_r) / |r|)); SimPO: the same with gamma /
    beta for ref_c / |c| and 0 for ref_r (Meng et al. 2024).
    """
    return {**pair, "ref_chosen_logps": SIMPO_MARGIN * len(pair["chosen_ids"]), "ref_rejected_logps": 0.0}


def check_pair(pair: Pair, where: str, max_length: int) -> None:
    """Raises UserError naming `where` for a pair whose sides are not one differing fragment each, or too long."""
    prompt, chosen, rejected = pair["prompt_ids"], pair["chosen_ids"], pair["rejected_ids"]
    for name, ids in (("prompt", prompt), ("chosen", chosen), ("rejected", rejected)):
        if not ids:
            raise UserError(f"{where}: column {name}: found no tokens")
    if chosen[0] == rejected[0]:
        raise UserError(f"{where}: chosen and rejected both begin with token {chosen[0]}, which belongs to the prompt")
    length = len(prompt) + max(len(chosen), len(rejected))
    if length > max_length:
        raise UserError(f"{where}: found {length} tokens, expected at most model.max_length = {max_length}")
