"""The engine that needs nothing but Transformers: its own decode loop over a causal language model with attention
layers.

Fast on a small model and a CPU: a prompt is prefilled once for all its samples, the key-value cache is allocated once
and written in place, the query heads that share a key-value head attend together instead of copying it, and finished
rows leave the batch.

Two runs of the same call give the same bytes (on a CPU with the same number of threads): rows are ordered by prompt
length and then by request, batches depend only on the call's own requests, and the noise of a row is a function of
(seed, sample, position) alone.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import (
    AttentionInterface,
    AttentionMaskInterface,
    AutoModelForCausalLM,
    DynamicCache,
    PreTrainedModel,
)
from transformers.cache_utils import Cache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.utils import logging

from stages import params
from stages.engine.base import Completion, Request, Sampling
from stages.engine.special import one_line
from stages.errors import UserError

GROUPED = "itool_grouped"
CHUNK = 8192  # tokens that run through the model together in prefill and scoring: more would not fit into a CPU's cache
LEAVE = 0.8  # rows are dropped from the cache when at most this share is still running: dropping costs about one step


def grouped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Scaled dot-product attention that decodes without copying shared key-value heads [O].

    query [B, H, 1, D], key and value [B, K, L, D] with K dividing H, attention_mask [B, 1, 1, L] or None -> [B, 1, H,
    D]. One query position sees every cached key, so the H/K heads of a group may stand in the place of positions.
    Longer queries take the usual way.
    """
    batch, heads, length, width = query.shape
    if length > 1:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    shared = query.reshape(batch, key.shape[1], heads // key.shape[1], width)
    output = functional.scaled_dot_product_attention(shared, key, value, attn_mask=attention_mask, scale=scaling)
    return output.reshape(batch, 1, heads, -1), None


AttentionInterface.register(GROUPED, grouped_attention)
AttentionMaskInterface.register(GROUPED, sdpa_mask)


class ReservedLayer(DynamicLayer):
    """A cache layer with room reserved for all tokens to come; torch.cat at every step would copy the whole cache.

    keys, values [B, K, length + room, D] of one layer after prefill, one row a sample.
    """

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, room: int) -> None:
        super().__init__()
        self.length = keys.shape[2]
        self.keys = functional.pad(keys, (0, 0, 0, room))
        self.values = functional.pad(values, (0, 0, 0, room))
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        end = self.length + key_states.shape[2]
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        return self.length


class TransformersEngine:
    """Fills stages.engine.base.Engine. `pad_id` stands where a batch is padded; no token attends to it."""

    def __init__(
        self, model_dir: str | Path, engine_params: params.Engine, end_ids: Sequence[int], pad_id: int
    ) -> None:
        torch.set_num_threads(engine_params.threads)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = load_model(model_dir, getattr(torch, engine_params.dtype)).eval().to(self.device)
        if self.model.config._attn_implementation == "sdpa":
            self.model.set_attn_implementation(GROUPED)
        self.batch = engine_params.batch
        self.end_ids = frozenset(end_ids)
        self.pad_id = pad_id

    @torch.inference_mode()
    def generate(self, requests: list[Request], sampling: Sampling) -> list[list[Completion]]:
        rows = [(request, sample) for request in range(len(requests)) for sample in range(requests[request].n)]
        rows.sort(key=lambda row: len(requests[row[0]].prompt))
        completions: list[list[Completion]] = [[] for _ in requests]
        for start in range(0, len(rows), self.batch):
            batch = rows[start : start + self.batch]
            decoded = self._decode([(requests[request], sample) for request, sample in batch], sampling)
            for (request, _), completion in zip(batch, decoded, strict=True):
                completions[request].append(completion)
        return completions

    @torch.inference_mode()
    def score(self, pairs: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[list[float]]:
        # The last token predicts nothing, and continuations of one token (yes, no) then share one forward pass.
        inputs = [prompt + continuation[:-1] for prompt, continuation in pairs]
        distinct = sorted(dict.fromkeys(inputs), key=len)
        asked: dict[tuple[int, ...], list[int]] = {ids: [] for ids in distinct}
        for pair, ids in enumerate(inputs):
            asked[ids].append(pair)
        scores: list[list[float]] = [[] for _ in pairs]
        for batch in chunks(distinct):
            keep = max(len(pairs[pair][1]) for ids in batch for pair in asked[ids])
            logits, _ = self._forward(batch, keep, None)
            for row, ids in enumerate(batch):
                for pair in filter(lambda pair: pairs[pair][1], asked[ids]):
                    continuation = torch.tensor(pairs[pair][1], device=self.device)
                    each = logits[row, -len(continuation) :].float()
                    chosen = each.gather(1, continuation[:, None])[:, 0]
                    scores[pair] = (chosen - each.logsumexp(-1)).tolist()
        return scores

    def _forward(
        self, prompts: list[tuple[int, ...]], keep: int, cache: Cache | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the last `keep` positions [B, keep, V] and the attention mask [B, L] of left-padded prompts."""
        length = max(map(len, prompts))
        ids = torch.tensor([(self.pad_id,) * (length - len(prompt)) + prompt for prompt in prompts], device=self.device)
        pads = torch.tensor([length - len(prompt) for prompt in prompts], device=self.device)[:, None]
        place = torch.arange(length, device=self.device)[None, :]
        output = self.model(
            input_ids=ids,
            attention_mask=place >= pads,
            position_ids=(place - pads).clamp(min=0),
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=keep,
        )
        return output.logits, place >= pads

    def _prefill(
        self, prompts: list[tuple[int, ...]], length: int
    ) -> tuple[torch.Tensor, torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
        """Last logits [P, V], attention mask [P, length], and of every layer keys and values [P, K, length, D], padded
        on the left.
        """
        logits, masks, caches = [], [], []
        for chunk in chunks(prompts):
            caches.append(DynamicCache())
            last, mask = self._forward(chunk, 1, caches[-1])
            logits.append(last[:, -1])
            masks.append(functional.pad(mask, (length - mask.shape[1], 0), value=False))

        def joined(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
            return torch.cat([functional.pad(tensor, (0, 0, length - tensor.shape[2], 0)) for tensor in tensors])

        layers = [
            (joined(layer.keys for layer in same), joined(layer.values for layer in same))
            for same in zip(*(cache.layers for cache in caches), strict=True)
        ]
        return torch.cat(logits), torch.cat(masks), layers

    def _decode(self, rows: list[tuple[Request, int]], sampling: Sampling) -> list[Completion]:
        """One completion for each (request, sample). Arrays have one line for each row, in the order given."""
        prompts = list(dict.fromkeys(request.prompt for request, _ in rows))
        place = {prompt: index for index, prompt in enumerate(prompts)}
        source = torch.tensor([place[request.prompt] for request, _ in rows], device=self.device)

        length = max(map(len, prompts))
        room = sampling.max_tokens
        logits, mask, layers = self._prefill(prompts, length)
        cache = Cache(layers=[ReservedLayer(keys[source], values[source], room) for keys, values in layers])
        del layers
        logits = logits[source]
        mask = functional.pad(mask[source], (0, room), value=True)
        positions = torch.tensor([len(request.prompt) for request, _ in rows], device=self.device)
        uniform = torch.from_numpy(np.stack([noise(request.seed, sample, room) for request, sample in rows])).to(
            self.device
        )

        ends = torch.tensor(sorted(self.end_ids), device=self.device)
        tokens = torch.zeros((len(rows), room), dtype=torch.long, device=self.device)
        logprobs = torch.zeros((len(rows), room), device=self.device)
        lengths = torch.full((len(rows),), room, device=self.device)
        stopped = torch.zeros(len(rows), dtype=torch.bool, device=self.device)
        batch = torch.arange(len(rows), device=self.device)  # which row stands at each place of the running batch
        for step in range(room):
            chosen, logprob = draw(logits, uniform[batch, step], sampling.temperature)
            tokens[batch, step] = torch.where(stopped[batch], tokens[batch, step], chosen)
            logprobs[batch, step] = torch.where(stopped[batch], logprobs[batch, step], logprob)
            ending = torch.isin(chosen, ends) & ~stopped[batch]
            lengths[batch[ending]] = step + 1
            stopped[batch[ending]] = True
            running = ~stopped[batch]
            count = int(running.sum())
            if count == 0 or step + 1 == room:
                break
            if count <= LEAVE * len(batch):
                stay = running.nonzero()[:, 0]
                cache.batch_select_indices(stay)
                batch, chosen, mask, positions = batch[stay], chosen[stay], mask[stay], positions[stay]
            logits = self.model(
                input_ids=chosen[:, None],
                attention_mask=mask[:, : length + step + 1],
                position_ids=(positions + step)[:, None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]

        results = zip(tokens.tolist(), logprobs.tolist(), lengths.tolist(), stopped.tolist(), strict=True)
        return [
            Completion(tuple(ids[:end]), tuple(values[:end]), "stop" if stop else "length")
            for ids, values, end, stop in results
        ]


def chunks(prompts: Iterable[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
    """Prompts in the order given, shortest first, in runs of at most CHUNK tokens with their padding (one prompt may be
    longer).
    """
    chunk: list[tuple[int, ...]] = []
    for prompt in prompts:
        if chunk and (len(chunk) + 1) * len(prompt) > CHUNK:
            yield chunk
            chunk = []
        chunk.append(prompt)
    if chunk:
        yield chunk


def noise(seed: int, sample: int, positions: int) -> np.ndarray:
    """Uniform numbers in [0, 1), one for each position: a counter-based stream for each (seed, sample) [O]."""
    return np.random.Generator(np.random.Philox(key=[seed, sample])).random(positions)


def draw(logits: torch.Tensor, uniform: torch.Tensor, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """One token for each row by inversion of the cumulative distribution, and its log-probability at that temperature.

    logits [B, V], uniform [B] -> ids [B], logprobs [B]. Temperature 0: the most probable token and its raw
    log-probability.
    """
    logits = logits.float()
    if temperature == 0:
        chosen = logits.argmax(-1)
        return chosen, logits.log_softmax(-1).gather(1, chosen[:, None])[:, 0]
    logprobs = (logits / temperature).log_softmax(-1)
    cumulative = logprobs.exp().cumsum(-1, dtype=torch.float64)
    chosen = torch.searchsorted(cumulative, uniform[:, None] * cumulative[:, -1:], right=True).clamp(
        max=logits.shape[1] - 1
    )
    return chosen[:, 0], logprobs.gather(1, chosen)[:, 0]


def load_model(model_dir: str | Path, dtype: torch.dtype) -> PreTrainedModel:
    """A causal language model from a folder; a PEFT adapter is merged into its base. Raises UserError naming the
    folder.
    """
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        if (Path(model_dir) / "adapter_config.json").is_file():
            from peft import AutoPeftModelForCausalLM  # two seconds to import, and most folders hold whole models

            return AutoPeftModelForCausalLM.from_pretrained(model_dir, dtype=dtype).merge_and_unload()
        return AutoModelForCausalLM.from_pretrained(model_dir, dtype=dtype)
    except (OSError, ValueError) as error:
        raise UserError(f"{model_dir}: not a causal language model: {one_line(error)}") from None
