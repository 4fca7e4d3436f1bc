"""The same pairs of whole answers, trained by TRL's DPOTrainer and by our trainer, give the same losses."""

import polars as pl
import pytest
from tiny_model import END, all_params, model_params, save_model

from benchmarks.trl_dpo import examples, train_dpo
from itool import params
from itool.artifacts import PAIRS
from itool.errors import UserError
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.training.rows import Pair, Row
from itool.training.trainer import train

pytestmark = pytest.mark.slow

SIDES = [
    (b"weather in Rome", b"[get(a=1)]", b"I cannot"),
    (b"hi", b"no tool", b"[get(b=22)]"),
    (b"x=", b"1", b"23"),
]
LORA = params.Lora(rank=2, alpha=4.0, dropout=0.0)


def table(ended: bool) -> pl.DataFrame:
    end = (END,) if ended else ()
    rows = [
        dict.fromkeys(PAIRS) | {"prompt": tuple(prompt), "chosen": (*chosen, *end), "rejected": (*rejected, *end)}
        for prompt, chosen, rejected in SIDES
    ]
    return pl.DataFrame(rows, schema=PAIRS)


@pytest.mark.parametrize("lora", [None, LORA], ids=["whole", "lora"])
def test_whole_responses_are_trained_as_trl_does(tmp_path, lora):
    save_model(tmp_path / "base")
    tokenizer = load_tokenizer(tmp_path / "base")
    ids = table(ended=True).with_columns(
        pl.col(side).list.eval(pl.element().replace_strict(byte_ids(tokenizer), return_dtype=pl.Int32))
        for side in ("prompt", "chosen", "rejected")
    )
    everything = all_params(model_params(tmp_path / "base", lora, train_embeddings=False))
    changes = {"loss": "sigmoid", "beta": 0.5, "sft": 0.0, "updates": 4, "batch": 3, "learning_rate": 0.01, "checks": 1}
    settings = everything.preference.model_copy(update=changes)
    everything = everything.model_copy(update={"preference": settings})
    order = [0, 1, 2, 1, 2, 0, 2, 1, 0, 0, 1, 2]
    texts = examples(ids, Prompter(tokenizer, "pythonic", 100), tokenizer)
    assert texts[0] == {"prompt": "weather in Rome", "chosen": "[get(a=1)]<|end|>", "rejected": "I cannot<|end|>"}
    theirs = train_dpo(texts, order, tmp_path / "base", tmp_path / "trl", everything)
    rows = [
        Row(tuple(row["prompt"]), tuple(row["chosen"]), False, (Pair(0, len(row["chosen"]), tuple(row["rejected"])),))
        for row in ids.iter_rows(named=True)
    ]
    train(rows, tmp_path / "base", tmp_path / "ours", everything, settings, order, curves=tmp_path / "curves")
    ours = pl.read_csv(tmp_path / "curves/plots/metrics/loss.tsv", separator="\t")["loss"].to_list()
    assert ours == pytest.approx(theirs, abs=2e-4)
    assert ours[0] - ours[-1] > 0.05


def byte_ids(tokenizer) -> dict[int, int]:
    """The tokenizer's id of each ASCII character, and of the end of a turn, which stands for itself."""
    return {byte: tokenizer(chr(byte)).input_ids[0] for byte in range(128)} | {END: END}


def test_parts_of_answers_are_refused(tmp_path):
    save_model(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    with pytest.raises(UserError, match="row 0 of the pairs: column chosen: found a part of an answer"):
        examples(table(ended=False), Prompter(tokenizer, "pythonic", 100), tokenizer)
