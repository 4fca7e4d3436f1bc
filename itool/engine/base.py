"""The small interface that every inference engine fills: token ids in, token ids and log-probabilities out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from itool.errors import UserError
from itool.files import read_json

Ids = tuple[int, ...]
SEEDS = 2**62  # vLLM keeps a seed in an int64 and gives sample i of a request seed + i


@dataclass(frozen=True)
class Sampling:
    """How to sample. temperature 0 is greedy. Log-probabilities are those of the distribution sampled from (raw at
    temperature 0).
    """

    max_tokens: int
    temperature: float = 1.0


@dataclass(frozen=True, eq=False)
class Prefix:
    """What the prompts of many requests start with. Compared by identity: an engine may hold its keys and values while
    the object lives, and must not hold them longer [O].
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


def is_adapter(folder: str | Path) -> bool:
    """Whether a model folder holds a PEFT adapter in the place of a whole model."""
    return (Path(folder) / "adapter_config.json").is_file()


def adapter_config(folder: str | Path) -> dict[str, Any]:
    """What an adapter says of itself. Raises UserError when it does not name its base model."""
    file = Path(folder) / "adapter_config.json"
    config: dict[str, Any] = read_json(file)
    base = config.get("base_model_name_or_path") if isinstance(config, dict) else None
    if not isinstance(base, str) or not base:
        raise UserError(f"{file}: base_model_name_or_path: found {base!r}, expected the folder of a whole model")
    return config


def inputs_of(pairs: Sequence[tuple[Ids, Ids]]) -> dict[Ids, list[int]]:
    """What an engine has to read to score (prompt, continuation) pairs -> the pairs that it serves.

    The last token of a continuation predicts nothing, so continuations of one token (yes, no) share an input. Empty
    ones have nothing to score.
    """
    asked: dict[Ids, list[int]] = {}
    for pair, (prompt, continuation) in enumerate(pairs):
        if continuation:
            asked.setdefault(prompt + continuation[:-1], []).append(pair)
    return asked


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


def log_odds(
    engine: Engine, questions: Sequence[Ids], yes: int, no: int, prefixes: Sequence[Prefix] = ()
) -> list[float]:
    """log p(yes) - log p(no) of the next token after each question. `prefixes`, where given, is one for each."""
    pairs = [(question, (word,)) for question in questions for word in (yes, no)]
    scores = engine.score(pairs, [prefix for prefix in prefixes for _ in (yes, no)])
    return [for_it - against for (for_it,), (against,) in zip(scores[::2], scores[1::2], strict=True)]
