"""The small interface that every inference engine fills: token ids in, token ids and log-probabilities out."""

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class Sampling:
    """How to sample. temperature 0 is greedy. Log-probabilities are those of the distribution sampled from (raw at
    temperature 0).
    """

    max_tokens: int
    temperature: float = 1.0


@dataclass(frozen=True)
class Request:
    """n completions of one prompt. `seed` fixes all n; what else is in the batch does not change which tokens are
    drawn.
    """

    prompt: tuple[int, ...]
    n: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Completion:
    """Generated ids (the end-of-turn token included where the model generated one) and one log-probability for each."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish: Literal["stop", "length"]


class Engine(Protocol):
    end_ids: frozenset[int]  # tokens that end a turn

    def generate(self, requests: list[Request], sampling: Sampling) -> list[list[Completion]]:
        """For each request its n completions, in order."""
        ...

    def score(self, pairs: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[list[float]]:
        """For each (prompt, continuation) the raw log-probability of every continuation token."""
        ...
