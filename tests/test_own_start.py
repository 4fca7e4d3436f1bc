"""A user's own start: a model, a dialect, tools and conversations never seen before, through all phases."""

import json
import math
import re
import shutil
from pathlib import Path

import polars as pl
import pytest
import torch
import yaml
from safetensors.torch import load_file
from tiny_tokenizer import save_tokenizer
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from itool import artifacts
from itool.engine import open_engine
from itool.params import load
from stages.decay.run import run as run_decay
from stages.evaluation.run import run as run_evaluation
from stages.exploration.run import run as run_exploration
from stages.fragments.run import run as run_fragments
from stages.preference.run import run as run_preference
from stages.report.run import run as run_report
from stages.selection.run import run as run_selection
from stages.synthesis.run import run as run_synthesis
from stages.warmup.run import run as run_warmup

ROOT = Path(__file__).parents[1]
# Earlier calls as the user's model writes them.
TEMPLATE = """{% for tool in tools or [] %}<|tool|>{{ tool.function | tojson }}{% endfor %}
{% for message in messages %}<|turn|>{{ message.role }} {{ message.content }}
{% for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}<|end|>
{% endfor %}
{% if add_generation_prompt %}<|turn|>assistant {% endif %}"""


def tool(name: str, description: str, **parameters: str) -> dict[str, object]:
    properties = {parameter: {"type": kind} for parameter, kind in parameters.items()}
    return {
        "name": name,
        "description": description,
        "parameters": {"type": "object", "properties": properties, "required": [*properties]},
    }


TOOLS = [
    tool("feed_cat", "feed a cat", cat="string", grams="integer"),
    tool("call_cat", "call a cat to the door", cat="string"),
    tool("weigh_cat", "weigh a cat", cat="string", scale="string"),
    tool("open_flap", "open the cat flap", minutes="integer"),
    tool("play_purr", "play a purring sound", volume="integer"),
]


def conversation(number: int) -> dict[str, object]:
    cat = f"Tom{chr(97 + number // 10)}{chr(97 + number % 10)}"  # not a number, or all would be near duplicates
    call = {"name": "feed_cat", "arguments": json.dumps({"cat": cat, "grams": number})}
    return {
        "tools": [{"type": "function", "function": TOOLS[0]}],
        "messages": [
            {"role": "user", "content": f"Give {number} grams to {cat}"},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": call}]},
            {"role": "tool", "tool_call_id": "1", "content": json.dumps({"left": 3 * number})},
            {"role": "assistant", "content": f"There are {3 * number} grams left."},
        ],
    }


def save_model(folder: Path) -> None:
    save_tokenizer(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE.replace("\n", "")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=2048,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)


LORA = {"rank": 4, "alpha": 8.0, "dropout": 0.0, "targets": "all-linear"}


@pytest.fixture(
    params=[(None, "float32"), pytest.param((LORA, "bfloat16"), marks=pytest.mark.slow)], ids=["whole", "lora"]
)
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Everything that a user brings, and small numbers."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    shutil.copy(ROOT / "data/entities.json", "data")
    save_model(Path("model"))
    Path("tools.json").write_text(json.dumps([{"type": "function", "function": each} for each in TOOLS]))
    Path("talks.jsonl").write_text("".join(json.dumps(conversation(number)) + "\n" for number in range(10, 40)))
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    lora, dtype = request.param
    params["model"] |= {"path": "model", "dialect": "hermes", "lora": lora, "max_length": 2048}
    params["engine"] |= {"dtype": dtype, "threads": 1, "max_tokens": 200}
    sizes = {"train": 12, "explore": 6, "validation": 4, "test_seen": 4, "test_unseen": 4}
    params["synthesis"] |= sizes | {"tools": "tools.json", "conversations": "talks.jsonl", "max_tools": 2}
    params["decay"] |= {"ratios": [0.3, 1.0], "seeds": [1], "tasks": 4, "epochs": 1, "bootstrap": 50}
    params["warmup"] |= {"epochs": 1, "batch": 8}
    params["selection"] |= {"draw": 6}
    params["exploration"] |= {"simulations": 2, "samples": 2}
    params["preference"] |= {"updates": 2, "batch": 8}
    params["iterations"] = {"it1": {"previous": "it0", "ratio": 0.5}}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path


@pytest.mark.timeout(300)
def test_the_whole_pipeline_on_a_users_own_start(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    run_synthesis()
    run_decay()
    run_warmup()
    for model in ("base", "it0"):
        run_evaluation(model)
    run_selection("it1")
    run_exploration("it1")
    run_fragments("it1")
    run_preference("it1")
    run_evaluation("it1")
    run_report()

    splits = [
        artifacts.read_table(f"data/synthesis/{name}.parquet", artifacts.TASKS)
        for name in ("train", "explore", "validation", "test")
    ]
    tasks = pl.concat(splits)
    assert {each["name"] for tools in tasks["tools"] for each in json.loads(tools)} == {each["name"] for each in TOOLS}
    own = tasks.filter(pl.col("task_id").str.starts_with("user-"))
    assert set(own["scenario"]) == {"single", "report"}
    assert own.height == 60  # two assistant turns in each conversation
    assert '"There are 30 grams left."' in str(own["reference"].to_list())

    for model in ("base", "it0", "it1"):
        predictions = artifacts.read_table(f"data/predictions/{model}.parquet", artifacts.PREDICTIONS)
        assert predictions["task_id"].to_list() == [*splits[2]["task_id"], *splits[3]["task_id"]]
        shown = predictions.filter(pl.col("prompt").str.contains('<tool_call>{"name": "feed_cat"', literal=True))
        assert shown.height > 0
        figures = json.loads(Path(f"metrics/detail/{model}.json").read_text())["test"]
        own_test = predictions.filter(pl.col("task_id").str.starts_with("user-") & (pl.col("split") != "validation"))
        assert figures["accuracy"]["own"]["n"] == own_test.height > 0
    assert json.loads(Path("metrics/latest.json").read_text())["model"] == "it1"
    report = Path("report/report.md").read_text()
    assert re.search(r"\| +base +\| +it0 +\| +it1 +\|", report)
    assert "| own " in report

    params = load()
    file = "adapter_model.safetensors" if params.model.lora else "model.safetensors"
    assert {path.name for path in Path("data/models/it0").glob("*.safetensors")} == {file}
    engines = {model: open_engine(params.model_folder(model), params.engine, {0}) for model in ("base", "it0", "it1")}
    scores = {model: engine.score([((1, 2, 3), (4, 5, 6))]) for model, engine in engines.items()}
    assert scores["it0"] != scores["base"]  # what warm-up trained is what answers, be it weights or an adapter

    # What was drawn is learnt: explored without success or too easy to be, by its reference.
    answers = artifacts.read_table("data/answers/it1.parquet", artifacts.ANSWERS)
    drawn = artifacts.read_table("data/selection/it1.parquet", artifacts.SELECTED)
    assert drawn["kept"].sum() < drawn.height
    assert set(answers.filter("learn")["task_id"]) == set(drawn["task_id"])

    # A random model answers nothing right, so there are no pairs, and few updates on references make it no better.
    trained = json.loads(Path("metrics/preference/it1.json").read_text())
    assert (trained["pairs"], trained["kept"]) == (0, "start")
    assert "preference it1: nothing is better: the model stays as it was" in caplog.text
    it0, it1 = (load_file(f"data/models/{model}/{file}") for model in ("it0", "it1"))
    assert it0.keys() == it1.keys()
    assert all(torch.equal(it0[name], it1[name]) for name in it0)

    # Selection scored the reference calls as the user's model would write them, after the user's own template.
    selected = artifacts.read_table("data/selection/it1.parquet", artifacts.SELECTED).filter("calls").row(0, named=True)
    task = artifacts.row_task(selected)
    calls = [{"name": call.name, "arguments": call.arguments} for call in task.reference.answer().calls]
    answer = "".join(f"<tool_call>{json.dumps(call)}</tool_call>" for call in calls)
    tokenizer = AutoTokenizer.from_pretrained("model")
    prompt = tokenizer.apply_chat_template(
        list(task.messages), tools=[each.spec() for each in task.tools], add_generation_prompt=True, tokenize=False
    )
    prompt_ids, answer_ids = (tuple(tokenizer(text).input_ids) for text in (prompt, answer + "<|end|>"))
    (score,) = engines["it0"].score([(prompt_ids, answer_ids)])
    assert math.exp(-sum(score) / len(score)) == pytest.approx(selected["perplexity"], rel=1e-3)
