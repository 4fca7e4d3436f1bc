"""Engines generate and score token ids for a model folder."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from itool import params
from itool.engine.base import Engine


def open_engine(model_dir: str | Path, engine_params: params.Engine, end_ids: Collection[int]) -> Engine:
    """The engine of params.yaml over a model folder, which may be a PEFT adapter. Generation stops at `end_ids`.

    Raises UserError when the folder does not hold a causal language model, when vLLM is not installed, or when the
    server does not serve this model.
    """
    # Slow to import, each of them: only the one that is asked for.
    if engine_params.kind == "transformers":
        return open_local(model_dir, engine_params, end_ids)
    if engine_params.kind == "vllm":
        from itool.engine.vllm import VllmEngine

        return VllmEngine(model_dir, engine_params, end_ids)
    from itool.engine.server import ServerEngine

    return ServerEngine(model_dir, engine_params, end_ids)


def open_local(model_dir: str | Path, engine_params: params.Engine, end_ids: Collection[int]) -> Engine:
    """The `transformers` engine, whatever engine.kind is: training stages check their own models with it, beside the
    trainer that holds the device [O].
    """
    from itool.engine.transformers import TransformersEngine

    return TransformersEngine(model_dir, engine_params, end_ids)


def seed_of(*parts: Any) -> int:
    """A seed of 63 bits from what it is for, e.g. (seed, task, node, visit), so that no two requests share their noise
    [O].
    """
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big") >> 1
