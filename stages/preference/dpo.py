"""Preference optimisation of fragments on token ids [P]: answers as trunks, what was rejected as branches off them.

A row holds one answer and all fragments that were rejected somewhere along it. Prompt, answer and branches are one
sequence, in which a branch sees the trunk up to where it leaves it, so that the prompt is computed once for the
likelihood of the answer and for all pairs [O]. TRL would compute it once for either side of each pair.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.nn.functional import logsigmoid
from trl import DPOConfig, DPOTrainer

from itool import params
from itool.engine import open_local
from itool.errors import UserError
from itool.training.models import load_trainable
from itool.training.trainer import Checkpoints, Curves, arguments, on_one_device, schedule, train

SIMPO_MARGIN = 0.5  # gamma / beta: by how much a chosen token's mean log-probability is to exceed a rejected one's
# Nats a token by which a branch's log-probability may differ from that of the same text alone; the second where the
# engine's dtype is not float32: a logit of 16 to 32 moves in steps of 1/8 in bfloat16.
TOLERANCE, COARSE_TOLERANCE = 0.05, 0.5
CURVES = {
    "loss": "loss",
    "answer_nll": "answer_nll",
    "pair_loss": "pair_loss",
    "logps/chosen": "chosen_logprob",
    "logps/rejected": "rejected_logprob",
    "rewards/margins": "margin",
    "rewards/accuracies": "accuracy",
}


@dataclass(frozen=True)
class Pair:
    """A pair at token `at` of an answer: its next `chosen` tokens are preferred to `rejected`."""

    at: int
    chosen: int
    rejected: tuple[int, ...]
    reference: tuple[float, float] = (0.0, 0.0)  # log-probabilities of both sides under the reference


@dataclass(frozen=True)
class Trunk:
    """An answer and the pairs along it. `learn`: its likelihood is raised, too."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    learn: bool = True
    pairs: list[Pair] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer) + sum(len(pair.rejected) - 1 for pair in self.pairs)


class Collator:
    """Trunks (as dicts) to one batch of B rows of L tokens, T log-probabilities that the loss needs, and P pairs."""

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        ids, positions, segments, limits = [], [], [], []  # a list a row
        at: list[tuple[int, int]] = []  # row and column whose output predicts a token
        tokens: list[int] = []
        learnt: list[bool] = []
        chosen: list[tuple[int, int]] = []  # pair and token of one side
        rejected: list[tuple[int, int]] = []
        reference: list[tuple[float, float]] = []
        for number, row in enumerate(rows):
            trunk = [*row["prompt"], *row["answer"]]
            first = len(row["prompt"]) - 1  # predicts the answer's first token
            answer_at = len(tokens) - first
            ids.append(trunk[:-1])
            positions.append(list(range(len(trunk) - 1)))
            segments.append([0] * (len(trunk) - 1))
            limits.append(list(range(1, len(trunk))))
            at += [(number, column) for column in range(first, len(trunk) - 1)]
            tokens += row["answer"]
            learnt += [row["learn"]] * len(row["answer"])
            for branch, pair in enumerate(row["pairs"], start=1):
                start = first + pair["at"]
                chosen += [(len(reference), answer_at + start + step) for step in range(pair["chosen"])]
                begun, length = pair["rejected"][:-1], len(ids[-1])
                rejected += [(len(reference), len(tokens) + step) for step in range(len(pair["rejected"]))]
                at += [(number, start), *((number, length + step) for step in range(len(begun)))]
                tokens += pair["rejected"]
                learnt += [False] * len(pair["rejected"])
                ids[-1] += begun
                positions[-1] += range(start + 1, start + 1 + len(begun))
                segments[-1] += [branch] * len(begun)
                limits[-1] += [start + 1] * len(begun)
                reference.append(pair["reference"])
        width = max(map(len, ids))

        def padded(lists: list[list[int]], value: int) -> torch.Tensor:
            return torch.tensor([each + [value] * (width - len(each)) for each in lists])

        segment, limit = padded(segments, -1), padded(limits, 0)
        column = torch.arange(width)
        on_trunk = (segment == 0)[:, None, :] & (column < limit[:, :, None])
        on_branch = (segment[:, :, None] == segment[:, None, :]) & (column[:, None] >= column)
        return {
            "input_ids": padded(ids, self.pad),  # [B, L]
            "position_ids": padded(positions, 0),  # [B, L]
            "attention_mask": (on_trunk | on_branch)[:, None],  # [B, 1, L, L]
            "at": torch.tensor(at),  # [T, 2]
            "tokens": torch.tensor(tokens),  # [T]
            "learnt": torch.tensor(learnt),  # [T]
            "chosen": torch.tensor(chosen, dtype=torch.long).reshape(-1, 2),
            "rejected": torch.tensor(rejected, dtype=torch.long).reshape(-1, 2),
            "reference": torch.tensor(reference, dtype=torch.float32).reshape(-1, 2),  # [P, 2]
        }


def token_logprobs(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Log-probabilities [T] of the batch's tokens. The head sees the positions that predict one, and no other."""
    row, column = batch["at"].unbind(1)
    head = model.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, inputs: inputs[0][row, column][None])  # [1, T, H]
    try:
        names = ("input_ids", "position_ids", "attention_mask")
        output = model(**{name: batch[name] for name in names}, use_cache=False)
    finally:
        hook.remove()
    return output.logits[0].float().log_softmax(-1).gather(-1, batch["tokens"][:, None])[:, 0]


def side(logprobs: torch.Tensor, index: torch.Tensor, pairs: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of one side of every pair the log-probability and the number of tokens, both [P]."""
    zero = logprobs.new_zeros(pairs)
    pair, token = index.unbind(1)
    return zero.index_add(0, pair, logprobs[token]), zero.index_add(0, pair, torch.ones_like(logprobs[token]))


def pair_losses(
    loss: str, beta: float, chosen: torch.Tensor, rejected: torch.Tensor, reference: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """The loss of every pair, [P], of log-probabilities [P] and [P, 2] and numbers of tokens [P, 2].

    sigmoid: DPO (Rafailov et al. 2023). ipo: with the mean over tokens in the place of the sum, as TRL has it (Azar et
    al. 2023). simpo: without reference, mean over tokens (Meng et al. 2024).
    """
    if loss == "simpo":
        return -logsigmoid(beta * (chosen / lengths[:, 0] - rejected / lengths[:, 1] - SIMPO_MARGIN))
    gain_chosen, gain_rejected = chosen - reference[:, 0], rejected - reference[:, 1]
    if loss == "ipo":
        return (gain_chosen / lengths[:, 0] - gain_rejected / lengths[:, 1] - 1 / (2 * beta)) ** 2
    return -logsigmoid(beta * (gain_chosen - gain_rejected))


class FragmentTrainer(DPOTrainer):
    """DPOTrainer with the loss on trunks and branches; no template, no generation prompt, no end token is added."""

    settings: params.Preference
    loss_is_scaled_for_ga = True  # each pass of an update returns its share of the update's loss

    def _send_telemetry(self) -> None:
        """Nothing leaves this machine."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, *_: Any) -> Dataset:
        """The pairs bring their reference log-probabilities along."""
        return dataset

    def get_batch_samples(self, *args: Any) -> tuple[list[dict[str, torch.Tensor]], torch.Tensor]:
        """The passes of the next update, and how many tokens it learns."""
        passes, _ = super().get_batch_samples(*args)
        return passes, torch.stack([inputs["learnt"].sum() for inputs in passes]).sum().clamp(min=1)

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        logprobs = token_logprobs(model, inputs)
        nll = -logprobs[inputs["learnt"]].sum() / num_items_in_batch
        pair_loss = nll.new_zeros(())
        found = {}
        reference = inputs["reference"]
        if len(reference):
            chosen, chosen_tokens = side(logprobs, inputs["chosen"], len(reference))
            rejected, rejected_tokens = side(logprobs, inputs["rejected"], len(reference))
            lengths = torch.stack([chosen_tokens, rejected_tokens], dim=1)
            losses = pair_losses(self.settings.loss, self.settings.beta, chosen, rejected, reference, lengths)
            pair_loss = losses.sum() / self.settings.batch  # every pair weighs the same in every batch
            margins = self.settings.beta * ((chosen - rejected) - (reference[:, 0] - reference[:, 1]))
            found = {
                "logps/chosen": chosen.mean(),
                "logps/rejected": rejected.mean(),
                "rewards/margins": margins.mean(),
                "rewards/accuracies": (margins > 0).float().mean(),
            }
        passes = self.current_gradient_accumulation_steps  # what is logged is a mean over them
        found |= {"answer_nll": nll * passes, "pair_loss": pair_loss * passes}
        for name, value in found.items():
            self._metrics["train"][name].append(value.item())
        return self.settings.sft * nll + pair_loss


def optimise(
    trunks: Sequence[Trunk],
    start: str | Path,
    model: params.Model,
    out: str | Path,
    settings: params.Preference,
    engine: params.Engine,
    curves: str | Path,
) -> list[Path]:
    """Trains the model of `start`; writes it to out/1, out/2, ... at settings.checks evenly spaced moments and returns
    those folders.

    Each update sees settings.batch trunks. The preference loss sees the fragments' tokens only, its reference is the
    model of `start`; the mean negative log-likelihood of the answers is added with the weight settings.sft [O]. With
    loss `sft` there are no pairs. margin and accuracy in the curves compare log-probabilities less those of the
    reference, times beta. Raises UserError for a model to which a branch is not what the same text alone would be.
    """
    if settings.loss == "sft":
        trunks = [Trunk(trunk.prompt, trunk.answer, trunk.learn) for trunk in trunks if trunk.learn]
    trunks = with_reference(trunks, start, engine)
    samples = settings.updates * settings.batch
    order = schedule([len(trunk) for trunk in trunks], samples, settings.batch, settings.seed)
    network, tokenizer = load_trainable(start, model, engine, settings.seed)
    collator = Collator(tokenizer.pad_token_id)
    checkpoints = Checkpoints(Path(out), settings.checks, settings.updates, tokenizer)
    trainer = FragmentTrainer(
        model=network,
        args=on_one_device(
            DPOConfig(
                **arguments(settings, model, engine, samples, Path(out)),
                precompute_ref_log_probs=True,
                remove_unused_columns=False,
            )
        ),
        data_collator=collator,
        train_dataset=Dataset.from_list([row_of(trunk) for trunk in trunks]).select(order),
        processing_class=tokenizer,
        callbacks=[Curves(Path(curves), CURVES), checkpoints],
    )
    trainer.settings = settings
    # Only now, since the trainer has moved the network to its device.
    check_branches(network, trunks, collator, start, TOLERANCE if engine.dtype == "float32" else COARSE_TOLERANCE)
    train(trainer)
    return list(checkpoints.folders.values())


def row_of(trunk: Trunk) -> dict[str, Any]:
    return {**vars(trunk), "pairs": [vars(pair) for pair in trunk.pairs]}


def with_reference(trunks: Sequence[Trunk], start: str | Path, engine: params.Engine) -> list[Trunk]:
    """The trunks with the log-probabilities of all pairs under the model of `start`."""
    sides = []
    for trunk in trunks:
        for pair in trunk.pairs:
            prompt = trunk.prompt + trunk.answer[: pair.at]
            sides += [(prompt, trunk.answer[pair.at : pair.at + pair.chosen]), (prompt, pair.rejected)]
    sums = [math.fsum(score) for score in open_local(start, engine, ()).score(sides)] if sides else []
    both = iter(zip(sums[::2], sums[1::2], strict=True))
    return [
        Trunk(
            trunk.prompt,
            trunk.answer,
            trunk.learn,
            [Pair(pair.at, pair.chosen, pair.rejected, next(both)) for pair in trunk.pairs],
        )
        for trunk in trunks
    ]


def check_branches(
    network: Any, trunks: Sequence[Trunk], collator: Collator, start: str | Path, tolerance: float
) -> None:
    """Raises UserError when a branch's log-probability is not that of the reference, which was scored alone: with
    layers that see a window, or carry a state past the attention mask.
    """
    branched = max(trunks, key=lambda trunk: len(trunk.pairs), default=None)
    if branched is None or not branched.pairs:
        return
    network.eval()  # an adapter comes with its dropout on
    batch = {name: value.to(network.device) for name, value in collator([row_of(branched)]).items()}
    with torch.no_grad():
        logprobs = token_logprobs(network, batch)
    for name, column in (("chosen", 0), ("rejected", 1)):
        found, tokens = side(logprobs, batch[name], len(branched.pairs))
        off = ((found - batch["reference"][:, column]).abs() / tokens).max().item()
        if off > tolerance:
            raise UserError(
                f"{start}: found {off:.2f} nats a token between a {name} fragment as a branch and alone, expected at "
                f"most {tolerance}: this model does not keep to the attention mask (sliding window, recurrent layer)"
            )
