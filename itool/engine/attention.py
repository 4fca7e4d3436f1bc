"""Decode attention in which the samples of a prompt share its keys and values [O].

A decode step reads every cached key once for each row that attends to it, and on a small model that is most of its
time. The samples of one prompt have the prompt in common: here their queries stand side by side before one copy of it,
and only what a row generated itself is its own. Query heads that share a key-value head stand side by side as well.

Transformers calls `decode_attention` as it calls any attention; the cache layer hands itself over in the place of keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from itool.errors import UserError

NAME = "itool_decode"
LEAVE = 0.8  # rows are dropped from the cache when at most this share is still running: dropping costs about one step


@dataclass(frozen=True)
class Rows:
    """Where B rows find their prompt among P."""

    prompt: torch.Tensor  # [B]
    slot: torch.Tensor  # [B] a row's number among those of its prompt
    slots: int  # most rows of one prompt
    mask: torch.Tensor  # [P, 1, 1, L] added to the scores: -inf where a prompt is padded

    def grid(self, of_rows: torch.Tensor) -> torch.Tensor:
        """[B, K, G, X] -> [P, K, slots * G, X], zero where a prompt has fewer rows."""
        _, shared, group, width = of_rows.shape
        grid = of_rows.new_zeros(len(self.mask), self.slots, shared, group, width)
        grid[self.prompt, self.slot] = of_rows
        return grid.transpose(1, 2).reshape(len(self.mask), shared, self.slots * group, width)

    def rows(self, grid: torch.Tensor) -> torch.Tensor:
        """[P, K, slots * G, X] -> [B, K, G, X]."""
        prompts, shared, _, width = grid.shape
        return grid.view(prompts, shared, self.slots, -1, width)[self.prompt, :, self.slot]


def rows_of(prompt: torch.Tensor, mask: torch.Tensor) -> Rows:
    """Rows by the index of their prompt [B]; mask as in Rows."""
    counts = functional.one_hot(prompt, len(mask)).cumsum(0)
    slot = counts.gather(1, prompt[:, None])[:, 0] - 1
    return Rows(prompt, slot, int(slot.max()) + 1, mask)


class Group:
    """One layer's keys and values of rows that began together: of P prompts, padded on the left to L positions, and of
    what B rows generated after them.
    """

    keys: torch.Tensor  # [B, K, capacity, D], of which the first `length` positions are written
    values: torch.Tensor

    def __init__(self, prompt_keys: torch.Tensor, prompt_values: torch.Tensor, rows: Rows, capacity: int) -> None:
        self.rows = rows
        self.prompt_keys = prompt_keys.transpose(-1, -2).contiguous()  # [P, K, D, L]
        self.prompt_values = prompt_values  # [P, K, L, D]
        _, shared, _, width = prompt_values.shape
        self.keys = prompt_values.new_empty(len(rows.prompt), shared, capacity, width)
        self.values = torch.empty_like(self.keys)
        self.length = 0

    def append(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Of the token that every row generated last, [B, K, 1, D]."""
        self.keys[:, :, self.length] = keys[:, :, 0]
        self.values[:, :, self.length] = values[:, :, 0]
        self.length += 1

    def attend(self, queries: torch.Tensor) -> torch.Tensor:
        """Attention of scaled queries [B, K, G, D] to their prompt and to what their row generated, of the same
        shape.
        """
        rows, length = self.rows, self.prompt_values.shape[2]
        own_keys, own_values = self.keys[:, :, : self.length], self.values[:, :, : self.length]
        of_prompt = rows.grid(queries) @ self.prompt_keys + rows.mask
        scores = torch.cat([of_prompt, rows.grid(queries @ own_keys.transpose(-1, -2))], dim=-1)
        weights = scores.softmax(-1, dtype=torch.float32).to(queries.dtype)
        return rows.rows(weights[..., :length] @ self.prompt_values) + rows.rows(weights[..., length:]) @ own_values

    def stay(self, rows: Rows, running: torch.Tensor, prompts: torch.Tensor | None) -> None:
        """Drops all rows but `running`, and all prompts but `prompts` where given."""
        self.rows = rows
        if prompts is not None:
            self.prompt_keys, self.prompt_values = self.prompt_keys[prompts], self.prompt_values[prompts]
        keys, values = self.keys[running, :, : self.length], self.values[running, :, : self.length]
        self.keys = self.keys[: len(running)]  # what stands in front of the written rows is written over
        self.values = self.values[: len(running)]
        self.keys[:, :, : self.length], self.values[:, :, : self.length] = keys, values


def stay(layers: Sequence[Group], running: torch.Tensor) -> None:
    """Drops all rows but `running` [B'] from a group's layers, and prompts that have none left when they are many."""
    rows = layers[0].rows
    prompts, prompt = torch.unique(rows.prompt[running], return_inverse=True)
    if len(prompts) <= LEAVE * len(rows.mask):
        rows = rows_of(prompt, rows.mask[prompts])
    else:
        rows, prompts = rows_of(rows.prompt[running], rows.mask), None
    for layer in layers:
        layer.stay(rows, running, prompts)


class DecodeLayer(DynamicLayer):
    """One layer's cache of all the groups that decode together."""

    def __init__(self, groups: Sequence[Group]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.groups = groups
        self.sizes = [len(group.rows.prompt) for group in groups]
        self.is_initialized = True

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        each = zip(self.groups, key_states.split(self.sizes), value_states.split(self.sizes), strict=True)
        for group, keys, values in each:
            group.append(keys, values)
        return self, self

    def get_seq_length(self) -> int:
        return max(group.prompt_values.shape[2] + group.length for group in self.groups)


def decode_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: Any,
    value: Any,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Scaled dot-product attention [B, H, 1, D] -> [B, 1, H, D] over a DecodeLayer; the usual way over tensors.

    Raises UserError where a sliding window would be shorter than what is attended to.
    """
    window = kwargs.get("sliding_window")
    reach = key.get_seq_length() if isinstance(key, DecodeLayer) else key.shape[2]
    if window is not None and reach > window:
        raise UserError(
            f"engine.kind transformers: {reach} tokens in a sliding window of {window}; expected no more (use vllm)"
        )
    if not isinstance(key, DecodeLayer):
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    batch, heads, _, width = query.shape
    shared = key.groups[0].keys.shape[1]
    factor = width**-0.5 if scaling is None else scaling
    queries = (query * factor).reshape(batch, shared, heads // shared, width).split(key.sizes)
    attended = [group.attend(part) for group, part in zip(key.groups, queries, strict=True)]
    return torch.cat(attended).reshape(batch, 1, heads, width), None


AttentionInterface.register(NAME, decode_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
