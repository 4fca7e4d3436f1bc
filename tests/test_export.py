"""A model for other tools: the folder, its card, the GGUF file, and nothing half written."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_training_averages import save_adapter
from tiny_model import ENGINE, PEAKED, digests, save_model, weights
from tiny_tokenizer import TEMPLATE
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from itool import params, paths
from itool.artifacts import TASKS, task_row, write_table
from itool.engine.transformers import load_adapter, load_whole
from itool.errors import UserError
from itool.export import folder as export_folder
from itool.export.__main__ import main
from itool.export.card import licence, parameters, stages_of
from itool.export.folder import export, write_merged
from itool.files import write_json
from itool.toolcall.types import Kind, Reference, ReferenceCall, Task, Tool

ROOT = Path(__file__).parents[1]
WEATHER = Tool("weather", "Weather of a city", {"type": "object", "properties": {"city": {"type": "string"}}})
TASK = Task(
    "validation-1",
    "validation",
    "single",
    (WEATHER,),
    ({"role": "user", "content": "Weather in Rome, please"},),
    Reference(Kind.CALLS, (ReferenceCall("weather", {"city": ["Rome"]}),)),
)
LEARNT = {"answers": 1600, "pairs": 18, "kept": "checkpoint 1"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project in which it0 is a whole model and it1 an adapter on the base. The test runs in it."""
    monkeypatch.chdir(tmp_path)
    save_model(Path("base"), initializer_range=PEAKED)
    save_model(Path("data/models/it0"), initializer_range=PEAKED + 0.1)
    save_adapter(Path("base"), Path("data/models/it1"), seed=1)
    fields = params.read(ROOT / "params.yaml")
    fields["model"] |= {"path": "base", "dialect": "pythonic"}
    fields["engine"] |= {"threads": 1, "batch": 4, "max_tokens": 12}
    Path("params.yaml").write_text(yaml.safe_dump(fields))
    shutil.copy(ROOT / "dvc.lock", "dvc.lock")
    Path("metrics/preference").mkdir(parents=True)
    for model in ("base", "it0", "it1"):
        shutil.copy(ROOT / paths.HEADLINE.format(model), paths.HEADLINE.format(model))
    write_json({"tasks": {"train": {"all": 1600, "single": 400}}}, paths.SYNTHESIS_METRICS)
    write_json({"answers": 1600, "self_evaluations": 400}, paths.WARMUP_METRICS)
    write_json(LEARNT, paths.PREFERENCE_METRICS.format("it1"))
    write_table([task_row(TASK)], TASKS, paths.VALIDATION)
    return tmp_path


@torch.inference_mode()
def logits(model):
    return model(torch.tensor([[1, 2, 3, 90, 200, 7]])).logits[0]


def test_a_whole_model(project):
    export("it0", Path("new/out"))
    written, own = digests(Path("new/out")), digests(Path("data/models/it0"))
    assert written.keys() == own.keys() | {"README.md"}
    for name in own.keys() - {"config.json", "model.safetensors"}:
        assert written[name] == own[name]
    for name, weight in weights(Path("data/models/it0")).items():
        assert torch.equal(weights(Path("new/out"))[name], weight)
    assert [each.name for each in Path("new").iterdir()] == ["out"]


def test_an_adapter_that_is_merged_equals_the_adapter_applied(project):
    export("it1", Path("out"))
    assert not (Path("out") / "adapter_config.json").exists()
    applied = load_adapter(load_whole("base", torch.float32), "data/models/it1").eval()
    merged = AutoModelForCausalLM.from_pretrained("out").eval()
    torch.testing.assert_close(logits(merged), logits(applied), atol=1e-4, rtol=1e-4)
    base = AutoModelForCausalLM.from_pretrained("base").eval()
    assert (logits(merged) - logits(base)).abs().max() > 1e-2


def test_an_adapter_as_it_is(project):
    export("it1", Path("out"), adapter=True)
    written = digests(Path("out"))
    written.pop("README.md")
    own = digests(Path("data/models/it1"))
    own.pop("README.md", None)
    assert written == own


LINES = st.lists(st.text(st.characters(exclude_characters="#{}%", exclude_categories=["Cs"])), max_size=4)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]))
@example(["", "two lines, and a line end of another system", ""], "\r\n")
@example(["Größe 漢字 \ufeff \x85 \u2028"], "\n")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_chat_template_is_kept_byte_for_byte(tmp_path_factory, lines, end):
    folder = tmp_path_factory.mktemp("model")
    save_model(folder)
    template = (TEMPLATE + "{#" + end.join(lines) + "#}" + end).encode()
    (folder / "chat_template.jinja").write_bytes(template)
    write_merged(folder, folder / "out", ENGINE)
    assert (folder / "out/chat_template.jinja").read_bytes() == template


def test_a_template_inside_the_tokenizer_config_is_kept(tmp_path):
    save_model(tmp_path)
    config = tmp_path / "tokenizer_config.json"
    (tmp_path / "chat_template.jinja").unlink()
    config.write_text(json.dumps(json.loads(config.read_text()) | {"chat_template": TEMPLATE + "\n"}, indent=1))
    write_merged(tmp_path, tmp_path / "out", ENGINE)
    assert (tmp_path / "out/tokenizer_config.json").read_bytes() == config.read_bytes()
    assert (tmp_path / "out/chat_template.jinja").read_bytes() == (TEMPLATE + "\n").encode()


def refused(monkeypatch, *arguments):
    """The one line of an error, after which the folder is as it was."""
    before = sorted(Path().rglob("*"))
    monkeypatch.setattr(sys, "argv", ["export", *arguments])
    with pytest.raises(SystemExit) as error:
        main()
    assert error.value.code not in (0, None)
    assert sorted(Path().rglob("*")) == before
    message = str(error.value.code)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("it9 out", r"error: params.yaml: iterations: found no it9; expected base, it0"),
        ("base out", r"error: base: found the model that is given as base; expected it0 or an iteration"),
        ("it0 base", r"error: base: exists; expected a new path"),
        ("it0 params.yaml/out", r"error: params.yaml/out: cannot be written: "),
        ("it2 out", r"error: data/models/it2: no such model folder; run the stage that makes it"),
        ("it0 out --adapter", r"error: data/models/it0: found a whole model, expected a LoRA adapter"),
        ("it0 out --gguf base", r"error: base: exists; expected a new path"),
        ("it0 out --gguf out/it0.gguf", r"error: out/it0.gguf: lies in out"),
    ],
)
def test_what_cannot_be_exported_is_one_line(project, monkeypatch, arguments, expected):
    assert re.match(expected, refused(monkeypatch, *arguments.split()))


@pytest.mark.parametrize("missing", ["dvc.lock", "metrics/it0.json", "metrics/preference/it1.json", paths.VALIDATION])
def test_what_the_card_and_the_check_need_is_named(project, monkeypatch, missing):
    Path(missing).unlink()
    assert refused(monkeypatch, "it1", "out").startswith(f"error: {missing}: ")


def test_a_stage_that_dvc_did_not_run_is_named(project, monkeypatch):
    Path("dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    assert "dvc.lock: found no 'preference@it1'" in refused(monkeypatch, "it1", "out")
    Path("dvc.lock").write_text("[")
    assert "dvc.lock: not a lock file of DVC" in refused(monkeypatch, "it1", "out")


def test_another_answer_is_an_error_and_leaves_nothing(project, monkeypatch):
    def spoil(folder, out, engine):
        write_merged(Path("base"), out, engine)

    monkeypatch.setattr(export_folder, "write_merged", spoil)
    message = refused(monkeypatch, "it0", "out")
    assert message.startswith("error: out: answer to validation task validation-1: found [")

    def other_template(folder, out, engine):
        write_merged(folder, out, engine)
        (out / "chat_template.jinja").write_text(TEMPLATE + " ")

    monkeypatch.setattr(export_folder, "write_merged", other_template)
    assert "out: prompt to validation task" in refused(monkeypatch, "it0", "out")


@pytest.mark.parametrize("step", ["load_model", "write", "check"])
def test_nothing_is_left_of_what_fails_midway(project, monkeypatch, step):
    before = sorted(Path().rglob("*"))
    monkeypatch.setattr(export_folder, step, lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export("it0", Path("out"))
    assert sorted(Path().rglob("*")) == before


def test_the_card(project):
    export("it1", Path("out"))
    text = (Path("out") / "README.md").read_text()
    figures = json.loads(Path("metrics/it1.json").read_text())
    assert f"| it1 | {figures['tasks']} | {figures['all']} | {figures['complex']} |" in text
    assert "| base | " in text
    assert "| it0 | " in text
    assert "`it1`: 1,600 answers and 18 pairs of fragments; validation kept: checkpoint 1." in text
    assert "--tool-call-parser pythonic" in text
    assert "license" not in text.partition("\n---\n")[0]
    front, block = text.split("```yaml\n")[0], text.split("```yaml\n")[1].split("```")[0]
    made = yaml.safe_load(block)
    assert yaml.safe_load(front.split("---")[1])["library_name"] == "transformers"
    assert made["iterations"].keys() == {"it1"}
    lock = yaml.safe_load(Path("dvc.lock").read_text())["stages"]
    assert made["preference"] == lock["preference@it1"]["params"]["params.yaml"]["preference"]
    assert made["synthesis"] == lock["synthesis"]["params"]["params.yaml"]["synthesis"]


def test_the_recipe_of_it0_has_no_iterations(project):
    assert parameters(stages_of("it0")).keys() == {
        "engine",
        "evaluation",
        "model",
        "synthesis",
        "training",
        "warmup",
        "writer",
    }


def test_stages_of_different_recipes_are_an_error():
    same = {"a": {"model": {"path": "base"}, "engine.batch": 4}, "b": {"model": {"path": "base"}, "engine.batch": 4}}
    assert parameters(same) == {"model": {"path": "base"}, "engine": {"batch": 4}}
    for sources in ({}, {"old.jsonl": 0.2}):
        assert parameters({"a": {"synthesis": {"sources": sources}}}) == {"synthesis": {"sources": sources}}
    with pytest.raises(UserError, match=r"dvc.lock: engine.batch: found 8 for b, and 4 for a; run dvc repro"):
        parameters(same | {"b": {"engine.batch": 8}})


def test_the_licence_is_what_the_base_models_card_says(tmp_path):
    assert licence(tmp_path) == ""
    card = tmp_path / "README.md"
    card.write_text("# license: none\n---\n")
    assert licence(tmp_path) == ""
    card.write_text("---\ntags: [a]\nlicense: other\nlicense_link: https://example.org\n---\nlicense: not this\n")
    assert licence(tmp_path) == "license: other\nlicense_link: https://example.org\n"


def save_llama(folder, **changes):
    """A random Llama whose tokenizer has merges."""
    save_model(folder)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["merges"] = [["e", "r"], ["Ġ", "R"]]
    tokenizer["model"]["vocab"] |= {"er": 256, "ĠR": 257}
    for token in tokenizer["added_tokens"]:
        token["id"] += 2
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 8}
    shape |= {"num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 264, "initializer_range": PEAKED}
    ends = {"eos_token_id": 258, "pad_token_id": 258, "bos_token_id": None}
    LlamaForCausalLM(LlamaConfig(**shape | ends | changes)).save_pretrained(folder)


@pytest.mark.parametrize(
    ("dtype", "changes"),
    [
        ("float32", {"tie_word_embeddings": True}),
        ("float32", {"tie_word_embeddings": False, "num_key_value_heads": 4, "head_dim": 16, "rope_theta": 500.0}),
        ("float16", {"tie_word_embeddings": True, "rms_norm_eps": 1e-5}),
        ("bfloat16", {"tie_word_embeddings": False}),
    ],
)
def test_gguf_is_read_back(project, dtype, changes):
    reader = pytest.importorskip("gguf").GGUFReader
    shutil.rmtree("data/models/it0")
    save_llama(Path("data/models/it0"), **changes)
    text = Path("params.yaml").read_text().replace("dtype: float32", f"dtype: {dtype}")
    Path("params.yaml").write_text(text)
    export("it0", Path("out"), gguf=Path("it0.gguf"))
    fields = reader("it0.gguf").fields
    assert fields["tokenizer.chat_template"].contents() == (Path("out") / "chat_template.jinja").read_text()
    assert fields["tokenizer.ggml.tokens"].contents()[-3:] == ["[PAD261]", "[PAD262]", "[PAD263]"]
    back = PreTrainedTokenizerFast.from_pretrained(".", gguf_file="it0.gguf")
    ids = back("<|turn|> Rome<|end|>er", add_special_tokens=False).input_ids
    assert (ids[:2], ids[-2:]) == ([259, 257], [258, 256])


def test_gguf_with_rows_in_transformers_order_is_refused(project, monkeypatch):
    pytest.importorskip("gguf")
    from itool.export import gguf

    shutil.rmtree("data/models/it0")
    save_llama(Path("data/models/it0"))
    monkeypatch.setattr(gguf, "interleaved", lambda weight, heads: weight)
    assert "it0.gguf: logits are off by " in refused(monkeypatch, "it0", "out", "--gguf", "it0.gguf")


def test_what_gguf_cannot_say_is_one_line(project, monkeypatch):
    pytest.importorskip("gguf")
    asked = ("it0", "out", "--gguf", "it0.gguf")
    assert "config.json: model_type: found 'qwen3'; --gguf writes 'llama' only" in refused(monkeypatch, *asked)
    shutil.rmtree("data/models/it0")
    scaled = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}
    save_llama(Path("data/models/it0"), rope_parameters=scaled)
    assert "rope_type: found 'linear'; --gguf writes 'default'" in refused(monkeypatch, *asked)
    save_llama(Path("data/models/it0"))
    shipped = json.loads((ROOT / "data/base/tokenizer.json").read_text())
    file = Path("data/models/it0/tokenizer.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"pre_tokenizer": shipped["pre_tokenizer"]}))
    assert "tokenizer.json: pre_tokenizer: found [{" in refused(monkeypatch, *asked)


def test_gguf_without_the_package_is_one_line(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    monkeypatch.delitem(sys.modules, "itool.export.gguf", raising=False)
    message = refused(monkeypatch, "it0", "out", "--gguf", "it0.gguf")
    assert message.startswith("error: --gguf needs the package gguf")
