"""A base model of more than three times the parameters: `python -m benchmarks.larger`, then `python -m
benchmarks.claims run --arms larger`.

The embedded base with wider feed-forward layers. What is new multiplies into nothing at first, so the larger model
starts where the small one ended, and is trained on from there with the same recipe.
"""

import argparse
import copy
import sys
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from stages.base.train import OUT, Leg, fit
from tests.smoke import ROOT

LARGER = ROOT / "tmp/claims/larger"
WIDTH = 1792  # of a feed-forward layer; 384 in the small model
LEG = Leg("larger", 6_000_000, rate=5e-4)  # at 2e-3 it ended behind the small base on validation


def widened(small: Qwen3ForCausalLM, width: int) -> Qwen3ForCausalLM:
    """The same function with feed-forward layers of `width`."""
    config = copy.deepcopy(small.config)
    config.intermediate_size = width
    torch.manual_seed(0)
    large = Qwen3ForCausalLM(config)
    weights = large.state_dict()
    for name, known in small.state_dict().items():
        rows, columns = known.shape if known.ndim == 2 else (len(known), 0)
        if name.endswith("down_proj.weight"):
            weights[name].zero_()[:, :columns] = known
        elif name.endswith(("gate_proj.weight", "up_proj.weight")):
            weights[name][:rows] = known
        else:
            weights[name].copy_(known)
    return large


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(2)
    small = Qwen3ForCausalLM.from_pretrained(ROOT / OUT)
    large = widened(small, WIDTH)
    print(f"{small.num_parameters():,} -> {large.num_parameters():,} parameters", file=sys.stderr)
    fit(large, PreTrainedTokenizerFast.from_pretrained(ROOT / OUT), LEG, Path(LARGER), [])


if __name__ == "__main__":
    main()
