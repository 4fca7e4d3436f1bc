"""The losses: the likelihood of answers, and preferences between two fragments.

A loss of pairs is one function here and one line in PAIR_LOSSES. PyTorch is imported for its types alone, so that
reading params.yaml, which names a loss, costs no import of PyTorch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from itool.params import Preference


@dataclass(frozen=True)
class PairScores:
    """Log-probabilities, in nats, and numbers of tokens of both fragments of P pairs; each [P]."""

    chosen: "Tensor"  # under the policy, summed over the fragment's tokens
    rejected: "Tensor"
    chosen_reference: "Tensor"  # the same sums under the reference
    rejected_reference: "Tensor"
    chosen_tokens: "Tensor"
    rejected_tokens: "Tensor"

    @property
    def log_ratios(self) -> tuple["Tensor", "Tensor"]:
        """How much likelier the policy makes the chosen and the rejected fragments than the reference does."""
        return self.chosen - self.chosen_reference, self.rejected - self.rejected_reference


PairLoss = Callable[[PairScores, "Preference"], "Tensor"]  # one loss a pair, [P]


def negative_log_likelihood(logprobs: "Tensor", learnt: "Tensor", tokens: "Tensor") -> "Tensor":
    """The part of an update's mean over its learnt tokens that one of its batches contributes.

    logprobs [T] of the batch's tokens; learnt [T]: which of them are learnt; tokens: how many the whole update learns.
    """
    return -logprobs[learnt].sum() / tokens


def negative_log_sigmoid(x: "Tensor") -> "Tensor":
    """-log(1 / (1 + exp(-x))), without overflow."""
    from torch.nn.functional import logsigmoid

    return -logsigmoid(x)


def sigmoid(scores: PairScores, settings: "Preference") -> "Tensor":
    """DPO (Rafailov et al. 2023)."""
    chosen, rejected = scores.log_ratios
    return negative_log_sigmoid(settings.beta * (chosen - rejected))


def ipo(scores: PairScores, settings: "Preference") -> "Tensor":
    """IPO (Azar et al. 2023), with means over tokens in the place of sums, as TRL computes it."""
    chosen, rejected = scores.log_ratios
    margin = chosen / scores.chosen_tokens - rejected / scores.rejected_tokens
    return (margin - 1 / (2 * settings.beta)) ** 2


def simpo(scores: PairScores, settings: "Preference") -> "Tensor":
    """SimPO (Meng et al. 2024): means over tokens, without a reference. Its gamma is beta * simpo_margin."""
    margin = scores.chosen / scores.chosen_tokens - scores.rejected / scores.rejected_tokens
    return negative_log_sigmoid(settings.beta * (margin - settings.simpo_margin))


PAIR_LOSSES: dict[str, PairLoss] = {"sigmoid": sigmoid, "ipo": ipo, "simpo": simpo}
