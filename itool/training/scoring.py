"""Log-probabilities of the tokens of rows, and what is read off them: the scores of pairs, and their reference."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from torch import Tensor
from torch.nn.functional import cross_entropy

from itool.errors import UserError
from itool.params import Engine
from itool.training.losses import PairScores
from itool.training.rows import Collator, Row

# Nats a token by which a branch's log-probability may differ from that of the same text alone; the second where the
# engine's dtype is not float32: a logit of 16 to 32 moves in steps of 1/8 in bfloat16.
TOLERANCE, COARSE_TOLERANCE = 0.05, 0.5


def score(model: Any, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Of the batch's tokens the log-probability [T], and whether it is the likeliest [T].

    The head sees the positions that predict one of them, and no other.
    """
    row, column = batch["at"].unbind(1)
    head = getattr(model, "module", model).get_output_embeddings()  # a module of several ranks holds the model
    hook = head.register_forward_pre_hook(lambda _, inputs: inputs[0][row, column][None])  # [1, T, H]
    names = [name for name in ("input_ids", "position_ids", "attention_mask") if name in batch]
    try:
        output = model(**{name: batch[name] for name in names}, use_cache=False)
    finally:
        hook.remove()
    logits = output.logits[0].float()  # [T, V]
    return -cross_entropy(logits, batch["tokens"], reduction="none"), logits.detach().argmax(-1) == batch["tokens"]


def pair_scores(logprobs: Tensor, batch: dict[str, Tensor]) -> PairScores:
    """Both sides of the batch's pairs, from the log-probabilities [T] of its tokens."""
    chosen, chosen_tokens = side(logprobs, batch["chosen"], len(batch["reference"]))
    rejected, rejected_tokens = side(logprobs, batch["rejected"], len(batch["reference"]))
    chosen_reference, rejected_reference = batch["reference"].unbind(1)
    return PairScores(chosen, rejected, chosen_reference, rejected_reference, chosen_tokens, rejected_tokens)


def side(logprobs: Tensor, index: Tensor, pairs: int) -> tuple[Tensor, Tensor]:
    """Of one side of every pair the log-probability and the number of tokens, both [P]. index: as in Collator."""
    zero = logprobs.new_zeros(pairs)
    pair, token = index.unbind(1)
    return zero.index_add(0, pair, logprobs[token]), zero.index_add(0, pair, torch.ones_like(logprobs[token]))


class Scorer:
    """Scores rows without training on them, with the network that is trained, and in the precision of its training."""

    def __init__(self, network: Any, collator: Collator, engine: Engine, device: torch.device) -> None:
        self.network, self.collator, self.device = network, collator, device
        self.dtype = getattr(torch, engine.dtype)

    @torch.no_grad()
    def __call__(self, rows: Sequence[Row]) -> tuple[Tensor, dict[str, Tensor]]:
        """The batch of the rows, and the log-probabilities [T] of its tokens."""
        batch = {name: each.to(self.device) for name, each in self.collator(rows).items()}
        self.network.eval()  # an adapter comes with its dropout on
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return score(self.network, batch)[0], batch


def check_branches(scorer: Scorer, rows: Sequence[Row], start: str | Path) -> None:
    """Compares the fragments of the row with most pairs as branches and as texts of their own.

    Raises UserError that opens with `start`, the model's folder, where they differ: with layers that see a window, or
    carry a state past the attention mask.
    """
    row = max(rows, key=lambda row: len(row.pairs), default=None)
    if row is None or not row.pairs:
        return
    scores = pair_scores(*scorer([row]))
    alone = torch.stack([torch.stack([scorer([each])[0].sum() for each in row.alone(pair)]) for pair in row.pairs])
    tolerance = TOLERANCE if scorer.dtype == torch.float32 else COARSE_TOLERANCE
    for name, branched, plain, tokens in (
        ("chosen", scores.chosen, alone[:, 0], scores.chosen_tokens),
        ("rejected", scores.rejected, alone[:, 1], scores.rejected_tokens),
    ):
        off = ((branched - plain).abs() / tokens).max().item()
        if off > tolerance:
            raise UserError(
                f"{start}: found {off:.2f} nats a token between a {name} fragment as a branch and alone, expected at "
                f"most {tolerance}: this model does not keep to the attention mask (sliding window, recurrent layer)"
            )


def with_reference(scorer: Scorer, rows: Sequence[Row], order: Sequence[int], batch_size: int) -> list[Row]:
    """The rows with the log-probabilities of their pairs under the network as it is now.

    They are scored in the batches in which the training sees them first, because a bfloat16 log-probability depends on
    the width of its batch, and the first update is to find the reference's own numbers. Every rank scores as many
    batches, since the network may lie on all of them together.
    """
    indices = list(dict.fromkeys(order))
    batches = [indices[begin : begin + batch_size] for begin in range(0, len(indices), batch_size)]
    paired = [numbers for numbers in batches if any(rows[number].pairs for number in numbers)]
    if not paired:
        return list(rows)
    with PartialState().split_between_processes(paired, apply_padding=True) as share:
        scored = [with_scores(scorer, {number: rows[number] for number in numbers}) for numbers in share]
    known = {number: row for batch in gather_object(scored) for number, row in batch.items()}
    return [known.get(number, row) for number, row in enumerate(rows)]


def with_scores(scorer: Scorer, batch: Mapping[int, Row]) -> dict[int, Row]:
    """A batch of numbered rows, with the log-probabilities of their pairs."""
    scores = pair_scores(*scorer([*batch.values()]))
    both = iter(zip(scores.chosen.tolist(), scores.rejected.tolist(), strict=True))
    return {
        number: replace(row, pairs=tuple(replace(pair, reference=next(both)) for pair in row.pairs))
        for number, row in batch.items()
    }
