"""Trains tokenizer and weights of the embedded base model: `python -m recipes.base --leg 1`, then `--leg 2` (make
base-model).

A 4-layer Qwen3 of width 128; benchmarks/larger.py trains others the same way. AdamW on embeddings and norms, Muon on
matrices. The first leg goes through the levels of recipes.base.corpus from easy to hard, the second one starts from its
model and stays on the hardest. Loss on assistant turns only, and the language-model head runs on those positions only:
most of a sample is prompt. The layers multiply in bf16, where a CPU has it 1.6 times as fast as float32 throughout
(docs/LOG.md); weights, attention and optimisers stay in float32. On a GPU autocast takes attention and head to bf16,
too.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from itool.errors import UserError
from itool.log import log
from recipes.base.corpus import LEVELS, dialogue
from recipes.base.muon import Muon
from recipes.templates import chat_template

OUT = Path("data/base")
SEED = 2
VOCABULARY = 2048


@dataclass(frozen=True)
class Leg:
    """A training: its tokens, prompts and padding included, and the shares of them at which each level begins. 15% of
    the samples of a level come from the levels before. `rate` is the highest learning rate, of either optimiser. An
    update has at most `batch` tokens, padding included. `workers`: processes that make samples, each of its own stream.
    """

    name: str
    tokens: int
    starts: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    rate: float = 5e-3
    batch: int = 4096
    workers: int = 1


LEGS = {"1": Leg("1", 38_000_000, (0.0, 0.06, 0.13, 0.22)), "2": Leg("2", 42_000_000)}
RISE, FALL = 0.01, 0.4  # shares of the training in which the learning rate rises and falls
ROLES = ("<|tools|>", "<|user|>", "<|assistant|>", "<|tool|>", "<|system|>")
END, PAD = "<|end|>", "<|pad|>"


def train_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE. Letters, single digits, spaces and punctuation never merge with each other, so that a word has
    the same ids in a request and inside quotes, where the model has to copy it, and tokens rarely span two fragments.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    pieces = Regex(r'="|, |: |[A-Za-z]+|\d|\s|[^\sA-Za-z\d]')
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(pieces, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, END, *ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    rng = Random(f"{SEED}/tokenizer")
    texts = ("\n".join(m["content"] for m in talk.messages) for talk in (dialogue(3, rng) for _ in range(20_000)))
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False
    )
    fast.chat_template = chat_template("base")
    return fast


class Batches(IterableDataset):
    """Endless batches (ids, targets) of at most leg.batch tokens, [rows, longest row] each, samples of like length
    together; targets are -100 where not learnt.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, leg: Leg) -> None:
        self.tokenizer, self.leg = tokenizer, leg

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        worker = get_worker_info()
        stream = f"/{worker.id}" if worker and worker.id else ""  # the first one is what one worker alone makes
        rng = Random(f"{SEED}/corpus/{self.leg.name}{stream}")
        assistant, end = (self.tokenizer.convert_tokens_to_ids(token) for token in ("<|assistant|>", END))
        tokens = self.leg.tokens / self.leg.workers
        pool = self.leg.batch // 8  # samples: so many that few are left over
        seen = 0
        while True:
            level = max(i for i, start in enumerate(self.leg.starts) if seen >= start * tokens)
            talks = [dialogue(level if rng.random() < 0.85 else rng.randint(0, level), rng) for _ in range(pool)]
            texts = [
                self.tokenizer.apply_chat_template(t.messages, tools=[x.spec() for x in t.tools], tokenize=False)
                for t in talks
            ]
            rows = []
            for talk, ids in zip(talks, self.tokenizer(texts)["input_ids"], strict=True):
                targets, turn, learning = [], -1, False
                for token in ids:
                    targets.append(token if learning else -100)
                    if token == assistant:
                        turn += 1
                        learning = talk.learned[turn]
                    elif token == end:
                        learning = False
                rows.append((ids, targets))
            rows.sort(key=lambda row: len(row[0]))
            batches: list[list[tuple[list[int], list[int]]]] = []
            batch: list[tuple[list[int], list[int]]] = []
            for row in rows:
                if batch and len(row[0]) * (len(batch) + 1) > self.leg.batch:
                    batches.append(batch)
                    batch = []
                batch.append(row)
            rng.shuffle(batches)  # the last, unfull batch, of the longest samples, is dropped
            for batch in batches:
                width = max(len(ids) for ids, _ in batch)
                padded = [ids + [self.tokenizer.pad_token_id] * (width - len(ids)) for ids, _ in batch]
                learnt = [targets + [-100] * (width - len(targets)) for _, targets in batch]
                seen += width * len(batch)
                yield torch.tensor(padded), torch.tensor(learnt)


def new_model(tokenizer: PreTrainedTokenizerFast, width: int, head: int) -> Qwen3ForCausalLM:
    """Two query heads, of `head` dimensions, share a key-value head; feed-forward layers are three times as wide."""
    torch.manual_seed(SEED)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=4,
        num_attention_heads=width // head,
        num_key_value_heads=width // head // 2,
        head_dim=head,
        max_position_embeddings=1024,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen3ForCausalLM(config)


def loss_of(model: Qwen3ForCausalLM, ids: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the learnt tokens. Rows are padded on the right, so causal attention needs no mask."""
    hidden = model.model(ids).last_hidden_state[:, :-1]
    learnt = targets[:, 1:] != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[learnt]), targets[:, 1:][learnt])


def in_bf16(layer: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.linear(x.bfloat16(), layer.weight.bfloat16()).float()


def train(leg: str) -> None:
    """Trains one leg, the second one from data/base; writes model, tokenizer and the loss curve of all legs there."""
    if leg not in LEGS:
        raise UserError(f"--leg: found {leg}, expected one of {', '.join(LEGS)}")
    torch.set_num_threads(2)
    if leg == "1":
        tokenizer = train_tokenizer()
        fit(new_model(tokenizer, width=128, head=32), tokenizer, LEGS[leg], OUT, [])
    else:
        curve = json.loads((OUT / "training.json").read_text())["curve"]
        model = Qwen3ForCausalLM.from_pretrained(OUT)
        fit(model, PreTrainedTokenizerFast.from_pretrained(OUT), LEGS[leg], OUT, curve)


def fit(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, leg: Leg, out: Path, curve: list[dict[str, float]]
) -> None:
    """Trains on a leg's tokens; writes the model to `out` every 500 updates and at the end, `curve` prolonged."""
    before = curve[-1]["tokens"] if curve else 0
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)  # type: ignore[arg-type]
    if device.type == "cpu":
        for layer in model.model.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.forward = partial(in_bf16, layer)  # type: ignore[method-assign]
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    rest = [p for p in model.parameters() if all(p is not m for m in matrices)]
    muon = Muon(matrices, lr=leg.rate)
    adamw = torch.optim.AdamW(rest, lr=leg.rate, betas=(0.9, 0.95), weight_decay=0.0)
    batches = iter(DataLoader(Batches(tokenizer, leg), batch_size=None, num_workers=leg.workers, prefetch_factor=16))
    seen, step, start, recent = 0, 0, time.monotonic(), []
    while seen < leg.tokens:
        ids, targets = next(batches)
        done = seen / leg.tokens
        scale = min(1.0, done / RISE + 0.01, (1 - done) / FALL)
        for optimizer in (muon, adamw):
            for group in optimizer.param_groups:
                group["lr"] = leg.rate * scale
        with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
            loss = loss_of(model, ids.to(device), targets.to(device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in (muon, adamw):
            optimizer.step()
            optimizer.zero_grad()
        seen, step = seen + ids.numel(), step + 1
        recent.append(loss.item())
        if step % 50 == 0:
            mean = sum(recent) / len(recent)
            curve.append({"tokens": before + seen, "loss": round(mean, 4)})
            rate = seen / (time.monotonic() - start)
            log.info("tokens %.2fM of %.0fM, loss %.4f, %.0f tokens/s", seen / 1e6, leg.tokens / 1e6, mean, rate)
            recent = []
        if step % 500 == 0:
            save(model, tokenizer, curve, out)
    save(model, tokenizer, curve, out)


def save(model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, curve: list[dict[str, float]], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    (out / "training.json").write_text(json.dumps({"levels": len(LEVELS), "curve": curve}, indent=1) + "\n")
