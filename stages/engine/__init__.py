"""Engines generate and score token ids for a model folder."""

import hashlib
from pathlib import Path
from typing import Any

from stages import params
from stages.engine.base import Engine


def open_engine(model_dir: str | Path, engine_params: params.Engine) -> Engine:
    """The engine of params.yaml over a model folder, which may be a PEFT adapter.

    Raises UserError when the folder does not hold a causal language model with an end-of-turn token.
    """
    from stages.engine.transformers import TransformersEngine, special_ids  # slow to import; seed_of() needs none of it

    end_ids, pad_id = special_ids(model_dir)
    return TransformersEngine(model_dir, engine_params, end_ids, pad_id)


def seed_of(*parts: Any) -> int:
    """A seed of 63 bits from what it is for, e.g. (seed, task, node, visit), so that no two requests share their noise
    [O].
    """
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big") >> 1
