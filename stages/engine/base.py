"""The small interface that every inference engine fills: token ids in, token ids and log-probabilities out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Sampling:
    """How to sample. temperature 0 is greedy. Log-probabilities are those of the distribution sampled from (raw at
    temperature 0).
    """

    max_tokens: int
    temperature: float = 1.0


@dataclass(frozen=True, eq=False)
class Prefix:
    """What the prompts of many requests start with. Compared by identity: an engine may hold its keys and values for as
    long as the object lives, and no longer [O].
    """

    ids: Ids


@dataclass(frozen=True)
class Request:
    """n completions of one prompt. `seed` fixes all n; what else is in the batch does not change which tokens are
    drawn. `prefix`, where given, is what the prompt starts with.
    """

    prompt: Ids
    n: int = 1
    seed: int = 0
    prefix: Prefix | None = None


@dataclass(frozen=True)
class Completion:
    """Generated ids (the end-of-turn token included where the model generated one) and one log-probability for each."""

    ids: Ids
    logprobs: tuple[float, ...]
    finish: Literal["stop", "length"]


class Engine(Protocol):
    end_ids: frozenset[int]  # tokens that end a turn

    def generate(self, requests: list[Request], sampling: Sampling) -> list[list[Completion]]:
        """For each request its n completions, in order."""
        ...

    def score(self, pairs: Sequence[tuple[Ids, Ids]], prefixes: Sequence[Prefix] = ()) -> list[list[float]]:
        """For each (prompt, continuation) the raw log-probability of every continuation token. `prefixes`, where given,
        is one for each pair: what its prompt starts with.
        """
        ...
