"""Base models of more parameters, for `python -m benchmarks.claims run --arms ...` and the arms named here.

    python -m benchmarks.larger 3x     # arm larger; on two CPU cores
    python -m benchmarks.larger 13x    # arms big_*; minutes on a GPU, days without one

3x is the embedded base with wider feed-forward layers. What is new multiplies into nothing at first, so the larger
model starts where the small one ended, and is trained on from there, on the hardest level. 13x starts from nothing and
goes through all levels of the corpus in one leg.
"""

import argparse
import copy
import sys

import torch
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from benchmarks.claims import COPIES
from itool.files import whole_folder
from recipes.base.train import OUT, Leg, fit, new_model
from tests.smoke import ROOT

WIDTH = 1792  # of a feed-forward layer of 3x; 384 in the small model
LEGS = {  # named as the arms' model.path ends
    "3x": Leg("larger", 6_000_000, rate=5e-4),  # at 2e-3 it ended behind the small base on validation
    "13x": Leg("big", 80_000_000, (0.0, 0.03, 0.07, 0.12), rate=3e-3, batch=32_768, workers=7),
}


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", choices=list(LEGS))
    size = parser.parse_args().size
    torch.set_num_threads(2)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(ROOT / OUT)
    if size == "3x":
        model = widened(Qwen3ForCausalLM.from_pretrained(ROOT / OUT), WIDTH)
    else:
        model = new_model(tokenizer, width=512, head=64)
    print(f"{model.num_parameters():,} parameters", file=sys.stderr)
    with whole_folder(COPIES / LEGS[size].name) as making:  # no arm may start from a model that is not trained yet
        fit(model, tokenizer, LEGS[size], making, [])


if __name__ == "__main__":
    main()
