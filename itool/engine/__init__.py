"""Engines generate and score token ids for a model folder."""

import hashlib
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itool.engine.base import Engine

if TYPE_CHECKING:
    from itool import params  # which reads ENGINES

# Every engine.kind and the class that fills itool.engine.base.Engine. All are slow to import, so that only the one that
# is asked for is imported.
ENGINES = {
    "transformers": "itool.engine.transformers:TransformersEngine",
    "vllm": "itool.engine.vllm:VllmEngine",
    "server": "itool.engine.server:ServerEngine",
}


def open_engine(model_dir: str | Path, engine_params: "params.Engine", end_ids: Collection[int]) -> Engine:
    """The engine of params.yaml over a model folder, which may be a PEFT adapter. Generation stops at `end_ids`.

    Raises UserError when the folder does not hold a causal language model, when vLLM is not installed, or when the
    server does not serve this model.
    """
    module, name = ENGINES[engine_params.kind].split(":")
    engine: Engine = getattr(import_module(module), name)(model_dir, engine_params, end_ids)
    return engine


def open_local(model_dir: str | Path, engine_params: "params.Engine", end_ids: Collection[int]) -> Engine:
    """The `transformers` engine, whatever engine.kind is: training stages check their own models with it, beside the
    trainer that holds the device [O].
    """
    return open_engine(model_dir, engine_params.model_copy(update={"kind": "transformers"}), end_ids)


def seed_of(*parts: Any) -> int:
    """A seed of 63 bits from what it is for, e.g. (seed, task, node, visit), so that no two requests share their noise
    [O].
    """
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big") >> 1
