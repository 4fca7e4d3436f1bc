"""The arms of docs/RESULTS.md: each is the pipeline of dvc.yaml with some parameters changed."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from itool import params
from itool.files import read_text
from tests.smoke import ROOT, lay_over

MODELS = ("it0", "it1", "it2", "it3")

# 24 rollouts from the root, as many as the tree of a task has; nothing to search where only references are learnt.
INDEPENDENT = {"exploration": {"simulations": 1, "samples": 24}}
UNSEARCHED = {
    "exploration": {"simulations": 1, "samples": 1},
    "fragments": {"answers": "reference"},
    "preference": {"loss": "sft"},
}
EASY_TOO = {"selection": {"calibration": 0.0}, "ratio": 1.0}
RIVALS: dict[str, dict[str, Any]] = {
    "itool": {},
    "sft_more": UNSEARCHED | EASY_TOO,  # tasks drawn at random
    "sft_same": UNSEARCHED,  # those of iTool
    "sft_hard": UNSEARCHED | {"fragments": {"answers": "reference", "rehearse": False}},
    "rejection_sampling": INDEPENDENT | {"preference": {"loss": "sft"}, "fragments": {"answers": "found"}},
    "responses_independent": INDEPENDENT | {"fragments": {"span": "response"}},
    "responses_tree": {"fragments": {"span": "response"}},
    "fragments_independent": INDEPENDENT,
    "authors": {"fragments": {"span": "path"}},
}
# The best rate where that is not iTool's, which profiles/full has; `larger` was run at no other.
RATE = {"sft_same": 0.004, "sft_hard": 0.002, "rejection_sampling": 0.004, "larger": 0.004}
ABLATIONS: dict[str, dict[str, Any]] = {
    "no_warmup_order": {"warmup": {"easy_to_hard": False}},
    "no_selection": {"ratio": 1.0},
    # All drawn tasks searched, and nothing learnt but what the rollouts found; then without tree and pairs.
    "no_references": {"ratio": 1.0, "fragments": {"answers": "found"}},
    "no_references_sampling": INDEPENDENT
    | {"ratio": 1.0, "fragments": {"answers": "found"}, "preference": {"loss": "sft"}},
    "updates_480": {"preference": {"updates": 480}},  # as much arithmetic as `larger` has
    "iterations_6": {"iterations": {f"it{n}": {"previous": f"it{n - 1}", "ratio": 0.26} for n in range(1, 7)}},
    "no_rehearsal": {"fragments": {"rehearse": False}},
    "no_calibration": {"selection": {"calibration": 0.0}},
    "no_self_evaluation": {"exploration": {"self_evaluation": 0.0}},
    "no_answers": {"preference": {"sft": 0.0}},
    "simpo": {"preference": {"loss": "simpo"}},
    "ipo": {"preference": {"loss": "ipo"}},
    "beta_0.2": {"preference": {"beta": 0.2}},
    "simulations_1": {"exploration": {"simulations": 1}},
    "simulations_16": {"exploration": {"simulations": 16}},
    "visits_1": {"fragments": {"visits": 1}},
    "span_rest": {"fragments": {"span": "rest"}},
}
# Of models that benchmarks/larger.py makes. `larger` has three times the parameters and is trained as sft_more. `big`
# has 13 times as many and four times the width: its rates are a quarter of the small one's in the warm-up and of
# iTool's in the iterations.
LARGER: dict[str, dict[str, Any]] = {"larger": UNSEARCHED | EASY_TOO | {"model": {"path": "data/larger"}}}
BIG: dict[str, dict[str, Any]] = {
    f"big_{name}": RIVALS[name] | {"model": {"path": "data/big"}, "warmup": {"learning_rate": 0.001}}
    for name in ("itool", "sft_more", "sft_same", "rejection_sampling", "fragments_independent")
}
RATE |= dict.fromkeys(BIG, 0.002)
ARMS = RIVALS | ABLATIONS | LARGER | BIG


def base_parameters(profile: Path | None = None) -> dict[str, Any]:
    """params.yaml, with the values of a profile laid over it: a file of the options that `dvc exp run` takes."""
    fields = params.read(ROOT / "params.yaml")
    return lay_over(fields, options(read_text(profile))) if profile else fields


def options(text: str) -> dict[str, Any]:
    """What options such as `-S warmup.epochs=6` set, in the form of params.yaml."""
    fields: dict[str, Any] = {}
    for option in text.split():
        name, equals, value = option.lstrip("+").partition("=")
        *sections, key = name.split(".")
        inner = fields
        for section in sections:
            inner = inner.setdefault(section, {})
        if equals:
            inner[key] = YAML(typ="safe", pure=True).load(value)
    return fields


def changes(arm: str, seed: int, base: dict[str, Any], rate: float | None = None) -> dict[str, Any]:
    """What the arm changes in the parameters `base`, in the form of params.yaml.

    `rate` is a learning rate instead of the arm's best one. The data stay those of synthesis.seed.
    """
    changed = {name: dict(section) for name, section in ARMS[arm].items() if name != "ratio"}
    for stage in ("warmup", "selection", "exploration", "preference"):
        changed.setdefault(stage, {})["seed"] = seed
    if rate := rate or RATE.get(arm):
        changed["preference"]["learning_rate"] = rate
    if "ratio" in ARMS[arm]:
        changed["iterations"] = {
            name: item | {"ratio": ARMS[arm]["ratio"]} for name, item in base["iterations"].items()
        }
    return changed
