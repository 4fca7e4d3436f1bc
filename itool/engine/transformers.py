"""The engine that needs nothing but Transformers: its own decode loop over a causal language model with attention
layers.

Fast on a small model and a CPU: a prompt is prefilled once for all its samples, a Prefix once for all requests and
questions that start with it (as far as `engine.prefix_cache` holds its keys and values), the key-value cache is
allocated once and written in place, the query heads that share a key-value head attend together instead of copying it,
finished rows leave the batch, and waiting ones begin in their place (continuous batching).

Two runs of the same call give the same bytes (on a CPU with the same number of threads): rows are ordered by prompt
length and then by request, what decodes together depends only on the call's own requests, and the noise of a row is a
function of (seed, sample, position) alone.
"""

import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
from safetensors import SafetensorError
from torch.nn import functional
from transformers import AutoModelForCausalLM, DynamicCache, PreTrainedModel
from transformers.cache_utils import Cache
from transformers.utils import logging

from itool import params
from itool.engine import attention
from itool.engine.base import Completion, Ids, Prefix, Request, Sampling, adapter_config, inputs_of, is_adapter
from itool.errors import UserError, one_line

CHUNK = 8192  # tokens that run through the model together in prefill and scoring: more would not fit into a CPU's cache
REFILL = 0.25  # rows begin when there is room for at least this share of a batch: each time costs a step or two


class Prefilled(NamedTuple):
    """P prompts after their forward pass, padded on the left to L positions."""

    logits: torch.Tensor  # [P, keep, V] of the last positions
    mask: torch.Tensor  # [P, L] where a token stands
    layers: list[tuple[torch.Tensor, torch.Tensor]]  # keys and values of every layer, [P, K, L, D] each


PAD = 0  # stands where a batch is padded; no token attends to it


class TransformersEngine:
    """Fills itool.engine.base.Engine."""

    def __init__(self, model_dir: str | Path, engine_params: params.Engine, end_ids: Collection[int]) -> None:
        torch.set_num_threads(engine_params.threads)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = load_model(model_dir, getattr(torch, engine_params.dtype)).eval().to(self.device)
        if self.model.config._attn_implementation != "sdpa":
            raise UserError(
                f"{model_dir}: attention {self.model.config._attn_implementation}, expected sdpa; try engine.kind: vllm"
            )
        self.model.set_attn_implementation(attention.NAME)
        self.batch = engine_params.batch
        self.end_ids = frozenset(end_ids)
        self.cache_bytes = engine_params.prefix_cache * 2**30
        # Keys and values [2 * layers, K, length, D] of prefixes, the least recently used first.
        self.held: WeakKeyDictionary[Prefix, torch.Tensor] = WeakKeyDictionary()

    @torch.inference_mode()
    def generate(self, requests: list[Request], sampling: Sampling) -> list[list[Completion]]:
        rows = [(request, sample) for request in range(len(requests)) for sample in range(requests[request].n)]
        rows.sort(key=lambda row: len(requests[row[0]].prompt))
        decoded = self._decode([(requests[request], sample) for request, sample in rows], sampling)
        completions: list[list[Completion]] = [[] for _ in requests]
        for (request, _), completion in zip(rows, decoded, strict=True):
            completions[request].append(completion)
        return completions

    @torch.inference_mode()
    def score(self, pairs: Sequence[tuple[Ids, Ids]], prefixes: Sequence[Prefix] = ()) -> list[list[float]]:
        asked = inputs_of(pairs)
        known = {ids: prefixes[of[0]] for ids, of in asked.items()} if prefixes else {}
        scores: list[list[float]] = [[] for _ in pairs]
        wanted = {ids: max(len(pairs[pair][1]) for pair in of) for ids, of in asked.items()}
        for batch, prefilled in self._prefill(list(asked), known, wanted):
            for row, ids in enumerate(batch):
                for pair in asked[ids]:
                    tokens = torch.tensor(pairs[pair][1], device=self.device)
                    each = prefilled.logits[row, -len(tokens) :].float()
                    chosen = each.gather(1, tokens[:, None])[:, 0]
                    scores[pair] = (chosen - each.logsumexp(-1)).tolist()
        return scores

    def _prefill(
        self, prompts: Sequence[Ids], prefixes: Mapping[Ids, Prefix], wanted: Mapping[Ids, int]
    ) -> Iterator[tuple[list[Ids], Prefilled]]:
        """All the prompts, in chunks, after their forward pass. Only what follows a prefix runs through the model, and
        only the logits of the last positions that are wanted are kept. Prompts with little left to run come first, so
        that little is padded. Raises ValueError when a prompt does not start with its prefix.
        """
        for ids, prefix in prefixes.items():
            if ids[: len(prefix.ids)] != prefix.ids:
                raise ValueError(f"a prompt of {len(ids)} tokens does not start with its prefix of {len(prefix.ids)}")
        known = {ids: min(len(prefix.ids), len(ids) - wanted[ids]) for ids, prefix in prefixes.items()}

        def new(ids: Ids) -> int:
            return len(ids) - known.get(ids, 0)

        for chunk in chunks(sorted(prompts, key=lambda ids: (new(ids), len(ids))), new):
            pasts = [
                self._keys_and_values(prefixes[ids])[:, :, : known[ids]] if known.get(ids, 0) > 0 else None
                for ids in chunk
            ]
            yield chunk, self._forward(chunk, pasts, max(wanted[ids] for ids in chunk))

    def _keys_and_values(self, prefix: Prefix) -> torch.Tensor:
        """[2 * layers, K, length, D] of a prefix, from what is held if it is there, and held from now on.

        Prefixes run through the model one by one: in a batch the last bits would depend on what else is computed again.
        """
        found = self.held.pop(prefix, None)
        if found is None:
            layers = self._forward([prefix.ids], [None], 1).layers
            found = torch.stack([tensor[0] for layer in layers for tensor in layer])
        self.held[prefix] = found
        while sum(tensor.nbytes for tensor in self.held.values()) > self.cache_bytes:
            del self.held[next(iter(self.held))]
        return found

    def _forward(self, prompts: Sequence[Ids], pasts: Sequence[torch.Tensor | None], keep: int) -> Prefilled:
        """One forward pass over what follows the pasts: keys and values [2 * layers, K, length, D] of a prompt's first
        tokens, or None. Both parts are padded on their left.
        """
        lengths = [0 if past is None else past.shape[2] for past in pasts]
        new = [prompt[length:] for prompt, length in zip(prompts, lengths, strict=True)]
        before, after = max(lengths), max(map(len, new))
        ids = torch.tensor([(PAD,) * (after - len(each)) + each for each in new], device=self.device)
        stand = torch.tensor(lengths, device=self.device)[:, None]
        pads = torch.tensor([after - len(each) for each in new], device=self.device)[:, None]
        place = torch.arange(after, device=self.device)[None, :]
        mask = torch.cat([torch.arange(before, device=self.device)[None, :] >= before - stand, place >= pads], dim=1)
        cache: Any = DynamicCache()
        if before:
            shape = next(past.shape for past in pasts if past is not None)
            joined = torch.zeros(shape[0], len(prompts), shape[1], before, shape[3], dtype=self.model.dtype)
            joined = joined.to(self.device)
            for row, past in enumerate(pasts):
                if past is not None:
                    joined[:, row, :, before - past.shape[2] :] = past
            for layer in range(shape[0] // 2):
                cache.update(joined[2 * layer], joined[2 * layer + 1], layer)
        output = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(stand + place - pads).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        )
        layers = [(layer.keys, layer.values) for layer in cache.layers]
        return Prefilled(output.logits, mask, layers)

    def _decode(self, rows: Sequence[tuple[Request, int]], sampling: Sampling) -> list[Completion]:
        """One completion for each (request, sample). At most `engine.batch` of them decode at a time, and where enough
        have ended the next ones begin.
        """
        ends = torch.tensor(sorted(self.end_ids), device=self.device)
        tokens = torch.zeros((len(rows), sampling.max_tokens), dtype=torch.long, device=self.device)
        logprobs = torch.zeros((len(rows), sampling.max_tokens), device=self.device)
        lengths = torch.full((len(rows),), sampling.max_tokens, device=self.device)
        stopped = torch.zeros(len(rows), dtype=torch.bool, device=self.device)
        groups: list[Decoding] = []
        begun = 0
        while groups or begun < len(rows):
            room = min(self.batch - sum(len(group.rows) for group in groups), len(rows) - begun)
            if room and (not groups or room >= REFILL * self.batch or begun + room == len(rows)):
                groups.append(self._begin(rows[begun : begun + room], begun, sampling.max_tokens))
                begun += room
            row, step, uniform = (torch.cat(each) for each in zip(*(group.next() for group in groups), strict=True))
            chosen, logprob = draw(torch.cat([group.logits for group in groups]), uniform, sampling.temperature)
            running = ~stopped[row]
            tokens[row, step] = torch.where(running, chosen, tokens[row, step])
            logprobs[row, step] = torch.where(running, logprob, logprobs[row, step])
            ending = torch.isin(chosen, ends) & running
            lengths[row[ending]] = step[ending] + 1
            stopped[row[ending]] = True
            groups = [group for group in groups if group.goes_on(stopped)]
            if groups:
                self._step(groups, tokens)

        results = zip(tokens.tolist(), logprobs.tolist(), lengths.tolist(), stopped.tolist(), strict=True)
        return [
            Completion(tuple(ids[:end]), tuple(values[:end]), "stop" if stop else "length")
            for ids, values, end, stop in results
        ]

    def _begin(self, rows: Sequence[tuple[Request, int]], first: int, longest: int) -> "Decoding":
        """Rows after the forward pass of their prompts; the first of them is row `first` of the call."""
        prompts = dict.fromkeys((request.prompt for request, _ in rows), 1)
        prefixes = {request.prompt: request.prefix for request, _ in rows if request.prefix is not None}
        chunked = list(self._prefill(list(prompts), prefixes, prompts))
        place = {ids: index for index, ids in enumerate(ids for chunk, _ in chunked for ids in chunk)}
        source = torch.tensor([place[request.prompt] for request, _ in rows], device=self.device)
        prefilled = [each for _, each in chunked]
        length = max(each.mask.shape[1] for each in prefilled)
        mask = torch.cat([functional.pad(each.mask, (length - each.mask.shape[1], 0)) for each in prefilled])
        shown = torch.zeros(mask.shape, dtype=self.model.dtype, device=self.device).masked_fill(~mask, float("-inf"))
        where = attention.rows_of(source, shown[:, None, None, :])
        uniform = np.stack([noise(request.seed, sample, longest) for request, sample in rows])
        return Decoding(
            rows=torch.arange(first, first + len(rows), device=self.device),
            positions=torch.tensor([len(request.prompt) for request, _ in rows], device=self.device),
            uniform=torch.from_numpy(uniform).to(self.device),
            layers=[attention.Group(*layer, where, longest) for layer in joined(prefilled, length)],
            logits=torch.cat([each.logits[:, -1] for each in prefilled])[source],
        )

    def _step(self, groups: Sequence["Decoding"], tokens: torch.Tensor) -> None:
        """One forward pass over the last token of every row of all the groups."""
        layers = zip(*(group.layers for group in groups), strict=True)
        output = self.model(
            input_ids=torch.cat([tokens[group.rows, group.step - 1] for group in groups])[:, None],
            position_ids=torch.cat([group.positions + group.step - 1 for group in groups])[:, None],
            past_key_values=Cache(layers=[attention.DecodeLayer(each) for each in layers]),
            use_cache=True,
            logits_to_keep=1,
        )
        of_groups = output.logits[:, -1].split([len(group.rows) for group in groups])
        for group, logits in zip(groups, of_groups, strict=True):
            group.logits = logits


@dataclass
class Decoding:
    """B rows that began together, and have `step` tokens each."""

    rows: torch.Tensor  # [B] which of the call's rows they are
    positions: torch.Tensor  # [B] lengths of their prompts
    uniform: torch.Tensor  # [B, longest] noise
    layers: list[attention.Group]
    logits: torch.Tensor  # [B, V] of the next token
    step: int = 0

    def next(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Row, step and noise [B] of the next token."""
        return self.rows, torch.full_like(self.rows, self.step), self.uniform[:, self.step]

    def goes_on(self, stopped: torch.Tensor) -> bool:
        """After another token: whether one of the rows needs more. Rows that have stopped leave when they are many."""
        self.step += 1
        stay = (~stopped[self.rows]).nonzero()[:, 0]
        if len(stay) == 0 or self.step == self.uniform.shape[1]:
            return False
        if len(stay) <= attention.LEAVE * len(self.rows):
            attention.stay(self.layers, stay)
            self.rows, self.positions, self.uniform = self.rows[stay], self.positions[stay], self.uniform[stay]
        return True


def joined(prefilled: Sequence[Prefilled], length: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Keys and values [P, K, length, D] of every layer, of all the prompts."""

    def padded(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
        return torch.cat([functional.pad(tensor, (0, 0, length - tensor.shape[2], 0)) for tensor in tensors])

    for same in zip(*(each.layers for each in prefilled), strict=True):
        yield padded(keys for keys, _ in same), padded(values for _, values in same)


def chunks(prompts: Sequence[Ids], new: Callable[[Ids], int]) -> Iterator[list[Ids]]:
    """Prompts in the order given, in runs of at most CHUNK new tokens with their padding (one prompt may have more)."""
    chunk: list[Ids] = []
    widest = 0
    for prompt in prompts:
        if chunk and (len(chunk) + 1) * max(widest, new(prompt)) > CHUNK:
            yield chunk
            chunk, widest = [], 0
        chunk.append(prompt)
        widest = max(widest, new(prompt))
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
    if not is_adapter(model_dir):
        return load_whole(model_dir, dtype)
    base = adapter_config(model_dir)["base_model_name_or_path"]
    merged: PreTrainedModel = load_adapter(load_whole(base, dtype), model_dir).merge_and_unload()
    return merged


def load_whole(folder: str | Path, dtype: torch.dtype) -> PreTrainedModel:
    """A causal language model from a folder that holds all of it. Raises UserError naming the folder, and the first
    weight that is missing, for which Transformers would draw random numbers, or of another size.
    """
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    auto: Any = AutoModelForCausalLM  # whose stubs do not know that it returns both
    model: PreTrainedModel
    try:
        model, found = auto.from_pretrained(
            str(folder), dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True
        )
    except (OSError, ValueError, SafetensorError) as error:
        why = one_line(error) if Path(folder).is_dir() else "no such folder"
        raise UserError(f"{folder}: not a causal language model: {why}") from None
    if found["mismatched_keys"]:
        name, size, expected = min(found["mismatched_keys"])
        raise UserError(f"{folder}: {name}: found a weight of {[*size]}, expected {[*expected]}, by its config.json")
    if found["missing_keys"]:
        raise UserError(f"{folder}: found no weight {min(found['missing_keys'])}")
    return model


def load_adapter(whole: PreTrainedModel, folder: str | Path, trainable: bool = False) -> Any:
    """A PEFT adapter on its base. Raises UserError naming the folder, as `load_whole` does."""
    from peft import PeftModel  # two seconds to import, and most folders hold whole models

    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Found missing adapter keys")  # PEFT would leave them as they are drawn
        try:
            return PeftModel.from_pretrained(whole, str(folder), is_trainable=trainable)
        except (OSError, ValueError, SafetensorError, RuntimeError, UserWarning) as error:
            why = " ".join(str(error).split())[:300]
            raise UserError(f"{folder}: not an adapter of {whole.name_or_path}: {why}") from None
