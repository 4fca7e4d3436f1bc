"""How much memory training and exploration take, on paper, from the shapes of models.

    python -m benchmarks.memory              # the tables of docs/scale.md
    python -m benchmarks.memory --measure    # the same formulae against a small random model on this machine's CPU

Nothing is loaded for the tables. The formulae follow what this code does with a Qwen3 model of Transformers: what is
kept for the backward pass was read off autograd, tensor by tensor, and `--measure` reads it again. Bytes are exact for
what is named. What the allocator cannot use, CUDA's own memory and the buffers of kernels are not in them.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

GIB = 2**30
RANK = 16
TOKENS, LEARNT = 4 * 1280, 4 * 128  # of one forward and backward pass: micro_batch 4, prompts of 1,024, answers of 256
PROMPT, ANSWER, ROWS, SAMPLES = 1024, 256, 64, 4  # of exploration: engine.batch 64, exploration.samples 4
CHECKED = (8, 64)  # rows of a batch of validation


@dataclass(frozen=True)
class Shape:
    """A decoder as in Qwen2.5 and Qwen3: gated MLP, grouped queries, RMS norms of queries and keys."""

    name: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    shared: int  # key-value heads
    width: int  # of a head
    tied: bool  # whether the output head is the embedding
    vocabulary: int = 151_936

    @property
    def queries(self) -> int:
        return self.heads * self.width

    @property
    def keys(self) -> int:
        return self.shared * self.width


SHAPES = (
    Shape("0.5B", 24, 896, 4864, 14, 2, 64, tied=True),
    Shape("1.7B", 28, 2048, 6144, 16, 8, 128, tied=True),
    Shape("8B", 36, 4096, 12288, 32, 8, 128, tied=False),
    Shape("32B", 64, 5120, 25600, 64, 8, 128, tied=False),
)
SMALL = Shape("small", 6, 384, 1024, 6, 2, 64, tied=True, vocabulary=8192)


def linears(shape: Shape) -> list[tuple[int, int]]:
    """Inputs and outputs of the seven matrices of a layer."""
    h, f, q, k = shape.hidden, shape.intermediate, shape.queries, shape.keys
    return [(h, q), (h, k), (h, k), (q, h), (h, f), (h, f), (f, h)]


def matrices(shape: Shape) -> int:
    return shape.layers * sum(inputs * outputs for inputs, outputs in linears(shape))


def embeddings(shape: Shape) -> int:
    return shape.vocabulary * shape.hidden


def parameters(shape: Shape) -> int:
    """Matrices, norms (two of the hidden state, one of queries and one of keys a layer), embedding and head."""
    norms = shape.layers * (2 * shape.hidden + 2 * shape.width) + shape.hidden
    return matrices(shape) + norms + embeddings(shape) * (1 if shape.tied else 2)


def adapter(shape: Shape, rank: int = RANK) -> int:
    """model.lora with targets all-linear: A [rank, inputs] and B [outputs, rank] of every matrix, but for the head."""
    return shape.layers * rank * sum(inputs + outputs for inputs, outputs in linears(shape))


def lora_bytes(shape: Shape) -> int:
    """The frozen base in bfloat16, and the adapter in float32 with gradient and both moments of AdamW: 2 and 16 bytes.

    2 more for the bfloat16 copy of the adapter that autocast keeps for the backward pass.
    """
    return 2 * parameters(shape) + 18 * adapter(shape)


def whole_bytes(shape: Shape, dtype: str = "bfloat16") -> int:
    """Whole weights are float32: 4 bytes where frozen (embeddings; a tied head with them), else 16 with gradient and
    moments. With bfloat16 autocast keeps 2 more bytes for a copy of each matrix, the head included.
    """
    trained = parameters(shape) - embeddings(shape)
    copies = 2 * (matrices(shape) + embeddings(shape)) if dtype == "bfloat16" else 0
    return 16 * trained + 4 * embeddings(shape) + copies


def kept_bytes(shape: Shape, case: str, rank: int = RANK) -> int:
    """What one layer keeps of one token for the backward pass.

    With h hidden, f intermediate, q queries, k keys, in bytes of bfloat16 (2) and float32 (4):
    lora      Norms keep their float32 input (4h twice, 4q, 4k). Each matrix keeps its own bfloat16 copy of its input,
              for A (10h + 2q + 2f). Attention keeps q, k, v and its output (4q + 4k), the gated MLP three numbers (6f).
    bfloat16  Norms also keep what they scale (8h twice, 6q, 6k). The rest is as above, but that attention's output is
              the very input of the matrix after it (10h + 2f, 4q + 4k, 6f).
    float32   Everything has 4 bytes, and inputs are shared: 24h + 16q + 16k + 16f.
    Norms keep one number a row and head, attention one a head (4 bytes each). Where rows have pairs, attention has a
    mask and spreads the keys over the query heads: 2 to 4 bytes a query more.
    """
    h, f, q, k = shape.hidden, shape.intermediate, shape.queries, shape.keys
    few = 4 * (2 + 2 * shape.heads + shape.shared)
    return (
        few
        + {
            "lora": 18 * h + 10 * q + 8 * k + 8 * f + 2 * 7 * rank,
            "bfloat16": 26 * h + 10 * q + 10 * k + 8 * f,
            "float32": 24 * h + 16 * q + 16 * k + 16 * f,
        }[case]
    )


def activation_bytes(shape: Shape, case: str, tokens: int, checkpointing: bool) -> int:
    """All layers of a pass; with model.checkpointing each layer's input (2 or 4 bytes of h) and one layer anew."""
    once = kept_bytes(shape, case) * tokens
    inputs = shape.layers * tokens * shape.hidden * (2 if case == "lora" else 4)
    return once + inputs if checkpointing else once * shape.layers


def logit_bytes(shape: Shape, predicted: int) -> int:
    """Logits of the tokens that an answer or a pair predicts: in bfloat16, as float32, their log-softmax, and the
    gradients of both, 16 bytes in all. The head sees no other position.
    """
    return 16 * predicted * shape.vocabulary


def cache_bytes(shape: Shape) -> int:
    """Keys and values of one token in bfloat16."""
    return 2 * 2 * shape.layers * shape.keys


def cached_tokens() -> int:
    """What exploration holds at a time: a prompt is held once for its samples, and every row has its own answer."""
    return ROWS // SAMPLES * PROMPT + ROWS * ANSWER


def checking_bytes(shape: Shape, rows: int) -> int:
    """Validation in the training stages, which the engine transformers does whatever engine.kind says: the weights, the
    keys and values of `rows` prompts, twice while they are laid side by side, and those of their answers.
    """
    return 2 * parameters(shape) + cache_bytes(shape) * rows * (2 * PROMPT + ANSWER)


def gib(count: float) -> str:
    return f"{count / GIB:,.1f}" if count < 100 * GIB else f"{count / GIB:,.0f}"


def training_rows() -> Iterator[list[str]]:
    for shape in SHAPES:
        logits = logit_bytes(shape, LEARNT)
        for name, case, held in (("LoRA", "lora", lora_bytes(shape)), ("whole", "bfloat16", whole_bytes(shape))):
            plain, anew = (activation_bytes(shape, case, TOKENS, checkpointing) for checkpointing in (False, True))
            totals = [gib(held + each + logits) for each in (plain, anew)]
            yield [shape.name, name, gib(held), gib(plain), gib(anew), gib(logits), *totals]


def exploration_rows() -> Iterator[list[str]]:
    for shape in SHAPES:
        count, token = parameters(shape), cache_bytes(shape)
        held = token * cached_tokens()
        sizes = [f"{count / 1e9:.2f}", f"{adapter(shape) / 1e6:.1f}", gib(2 * count), f"{token / 1024:.0f}"]
        checking = [gib(checking_bytes(shape, rows)) for rows in CHECKED]
        yield [shape.name, *sizes, gib(held), gib(2 * count + held), *checking]


def table(header: list[str], rows: Iterator[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables() -> str:
    training = ["model", "trained", "weights, gradients, AdamW", "activations", "with checkpointing", "logits"]
    exploration = ["model", "parameters, 10^9", "adapter, 10^6", "weights", "KiB a token", "keys and values", "total"]
    exploration += [f"validation, {rows} rows" for rows in CHECKED]
    return "\n\n".join(
        [
            f"Training, GiB: {TOKENS:,} tokens a pass, {LEARNT} of them predicted (LoRA: rank {RANK}, all-linear).",
            table([*training, "total", "total with checkpointing"], training_rows()),
            f"Exploration, GiB: {ROWS} rows, {SAMPLES} of a prompt of {PROMPT:,} tokens, answers of {ANSWER}.",
            table(exploration, exploration_rows()),
        ]
    )


def new_model(shape: Shape, dtype: Any) -> Any:
    """A random model of the shape."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.shared,
        head_dim=shape.width,
        tie_word_embeddings=shape.tied,
    )
    torch.set_default_dtype(dtype)
    model = Qwen3ForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    return model


def trained_model(shape: Shape, case: str) -> Any:
    """The model as itool.training.models has it ready to train."""
    import torch
    from peft import LoraConfig, get_peft_model

    if case != "lora":
        model = new_model(shape, torch.float32)
        model.get_input_embeddings().requires_grad_(False)
        return model.train()
    config = LoraConfig(task_type="CAUSAL_LM", r=RANK, target_modules="all-linear")
    return get_peft_model(new_model(shape, torch.bfloat16), config).train()


def saved_bytes(shape: Shape, case: str, tokens: int) -> int:
    """What autograd keeps of a forward pass, storages counted once, without the weights."""
    import torch

    model = trained_model(shape, case)
    weights = {each.untyped_storage().data_ptr() for each in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=case != "float32"),
    ):
        model(input_ids=torch.zeros(1, tokens, dtype=torch.long), use_cache=False, logits_to_keep=1)
    return sum(storage.nbytes() for storage in kept.values())


def measured_layer(shape: Shape, case: str) -> float:
    """Bytes that one layer keeps of one token: what a layer and what tokens add, so that nothing else is counted."""

    def of(layers: int, tokens: int) -> int:
        return saved_bytes(replace(shape, layers=layers), case, tokens)

    return (of(2, 128) - of(1, 128) - of(2, 64) + of(1, 64)) / 64


def resident(field: str) -> int:
    """VmRSS, the memory of this process now, or VmHWM, the most that it ever was; in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def step_peak(shape: Shape, tokens: int) -> int:
    """By how much two updates of whole float32 weights raise the most memory of this process (Linux)."""
    import torch

    torch.set_num_threads(1)
    tiny = replace(shape, layers=1, hidden=16, intermediate=16, vocabulary=16)
    trained_model(tiny, "float32")(input_ids=torch.zeros(1, 8, dtype=torch.long))  # libraries take memory of their own
    before = resident("VmRSS")
    model = trained_model(shape, "float32")
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], fused=True)
    for _ in range(2):
        model(
            input_ids=torch.zeros(1, tokens, dtype=torch.long), use_cache=False, logits_to_keep=1
        ).logits.sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return resident("VmHWM") - before


def measure() -> None:
    import torch

    for shape in SHAPES:
        with torch.device("meta"):
            counted = new_model(shape, torch.float32).num_parameters()
        print(f"{shape.name}: {counted:,} parameters, {parameters(shape):,} on paper")
    for case in ("lora", "bfloat16", "float32"):
        print(
            f"{case}: {measured_layer(SMALL, case):,.0f} bytes a token and layer, {kept_bytes(SMALL, case):,} on paper"
        )
    for tokens in (256, 4096):
        with ProcessPoolExecutor(1, get_context("spawn")) as anew:  # the most memory is a process's
            found = anew.submit(step_peak, SMALL, tokens).result()
        paper = whole_bytes(SMALL, "float32") + activation_bytes(SMALL, "float32", tokens, False)
        print(f"an update of {tokens:,} tokens: {found / 2**20:,.0f} MiB, {paper / 2**20:,.0f} on paper")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="hold the formulae against a small model")
    if parser.parse_args().measure:
        measure()
    else:
        print(tables())


if __name__ == "__main__":
    main()
