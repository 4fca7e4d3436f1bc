"""The average of two models (Wortsman et al. 2022): of a start, and of what training made of it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import pad

from itool import params
from itool.engine.base import adapter_config, is_adapter
from itool.engine.transformers import load_whole
from itool.toolcall.prompt import load_tokenizer
from itool.training.models import write, write_config

WEIGHTS = "adapter_model.safetensors"
MAX_RANKS = 2  # largest rank of an average, in model.lora.rank


def write_averages(start: str | Path, ends: Sequence[Path], model: params.Model) -> list[Path]:
    """Writes the average of the model of `start` and each of the others beside the other as average-<name>.

    Of adapters the change of the weights is averaged; a whole model as start changes its own weights by nothing.
    Returns those folders.
    """
    averages = [end.with_name(f"average-{end.name}") for end in ends]
    for end, average in zip(ends, averages, strict=True):
        if is_adapter(end):
            assert model.lora is not None
            write_adapter_average(start, end, average, MAX_RANKS * model.lora.rank)
        else:
            write_whole_average(start, end, average)
    return averages


def write_whole_average(start: str | Path, end: Path, out: Path) -> None:
    """Writes the mean of every weight of two whole models, in float32."""
    mean, first = load_whole(end, torch.float32), load_whole(start, torch.float32)
    with torch.no_grad():
        for mine, other in zip(mean.parameters(), first.parameters(), strict=True):
            mine.lerp_(other, 0.5)
    write(mean, load_tokenizer(end), out)


def write_adapter_average(start: str | Path, end: Path, out: Path, max_rank: int) -> None:
    """Writes an adapter whose change of every weight, scale * B A, is the mean of the other two's [O].

    Without an adapter at the start, that is half of B. Otherwise the factors stand side by side, which adds the ranks
    and is exact. A sum above `max_rank` is cut to it by a singular value decomposition. That happens only where the
    start is such an average itself, and then end - start is a training's change dB, dA of factors of `max_rank`: the
    mean differs from the product of their means, which has that rank, by scale / 4 * dB dA, so the cut loses no more.
    """
    shutil.copytree(end, out)
    config, factors = adapter_config(end), load_file(end / WEIGHTS)
    names = {name: name.replace("lora_A", "lora_B").replace("lora_embedding_A", "lora_embedding_B") for name in factors}
    pairs = [(a, b) for a, b in names.items() if a != b]
    if not is_adapter(start):
        mean = factors | {b: factors[b] / 2 for _, b in pairs}
        save_file(mean, out / WEIGHTS, {"format": "pt"})
        return
    first_config, first = adapter_config(start), load_file(Path(start) / WEIGHTS)
    scale = config["lora_alpha"] / config["r"]
    share = first_config["lora_alpha"] / first_config["r"] / scale
    rank = min(config["r"] + first_config["r"], max(max_rank, config["r"]))
    mean = dict(factors)
    for a, b in pairs:
        joined = torch.cat([factors[a], first[a]]), torch.cat([factors[b], share * first[b]], dim=1) / 2
        cut = joined if len(joined[0]) == rank else truncated(*joined, rank)
        mean[a], mean[b] = (each.to(factors[a].dtype).contiguous() for each in cut)
    save_file(mean, out / WEIGHTS, {"format": "pt"})
    write_config(config | {"r": rank, "lora_alpha": scale * rank}, out)


def truncated(a: Tensor, b: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Factors A [rank, in] and B [out, rank] of the nearest matrix of that rank to b @ a, from [R, in] and [out, R]."""
    left, b_square = torch.linalg.qr(b.double())
    right, a_square = torch.linalg.qr(a.double().T)
    u, values, v = torch.linalg.svd(b_square @ a_square.T, full_matrices=False)
    root = values[:rank].sqrt()
    missing = rank - len(root)  # where the weight itself is smaller than the rank
    return pad(root[:, None] * (v[:rank] @ right.T), (0, 0, 0, missing)), pad(left @ u[:, :rank] * root, (0, missing))
