"""The Transformers engine against plain forward passes and Hugging Face's own generate."""

import json
from collections import Counter

import pytest
import torch
from pydantic import ValidationError
from tiny_model import ENGINE, PEAKED, new_model
from transformers import AutoModelForCausalLM

from itool.engine import open_engine, seed_of
from itool.engine.base import Prefix, Request, Sampling
from itool.engine.transformers import TransformersEngine, draw, noise
from itool.errors import UserError

END, PAD, VOCABULARY = 2, 0, 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    ids = {"vocab_size": VOCABULARY, "eos_token_id": END, "pad_token_id": PAD}
    new_model(**ids, initializer_range=PEAKED).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def model(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def engine_params(**changes):
    return ENGINE.model_copy(update=changes)


@pytest.fixture(scope="module")
def engine(folder):
    return TransformersEngine(folder, engine_params(), {END})


def prompts(count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 30, (count,), generator=generator).tolist()
    return [tuple(torch.randint(3, VOCABULARY, (length,), generator=generator).tolist()) for length in lengths]


def full_logprobs(model, prompt, ids, temperature=1.0):
    with torch.inference_mode():
        logits = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1].float()
    return (logits / temperature).log_softmax(-1).gather(1, torch.tensor(ids)[:, None])[:, 0].tolist()


def test_greedy_equals_generate(engine, model):
    for prompt, [completion] in zip(
        prompts(20), engine.generate([Request(p) for p in prompts(20)], Sampling(12, 0.0)), strict=True
    ):
        expected = model.generate(
            torch.tensor([prompt]), max_new_tokens=12, do_sample=False, eos_token_id=END, pad_token_id=PAD
        )
        assert completion.ids == tuple(expected[0, len(prompt) :].tolist())
        assert completion.finish == ("stop" if completion.ids[-1] == END else "length")
        assert completion.logprobs == pytest.approx(full_logprobs(model, prompt, completion.ids), abs=1e-4)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_logprobs_are_those_of_the_distribution_sampled_from(engine, model, temperature):
    requests = [Request(prompt, n=3, seed=index) for index, prompt in enumerate(prompts(9))]
    finishes = Counter()
    for request, completions in zip(requests, engine.generate(requests, Sampling(12, temperature)), strict=True):
        assert len(completions) == 3
        for completion in completions:
            finishes[completion.finish] += 1
            assert completion.logprobs == pytest.approx(
                full_logprobs(model, request.prompt, completion.ids, temperature), abs=1e-4
            )
            assert END not in completion.ids[:-1]
            assert (completion.ids[-1] == END) == (completion.finish == "stop")
            assert len(completion.ids) <= 12
    assert finishes["length"]
    assert finishes["stop"]


def test_sampling_follows_the_model(engine, model):
    prompt = prompts(1)[0]
    drawn = Counter(c.ids[0] for c in engine.generate([Request(prompt, n=4000, seed=5)], Sampling(1, 1.0))[0])
    with torch.inference_mode():
        expected = model(torch.tensor([prompt])).logits[0, -1].softmax(-1).tolist()
    assert sum(abs(drawn[token] / 4000 - share) for token, share in enumerate(expected)) / 2 < 0.06
    best = max(range(VOCABULARY), key=expected.__getitem__)
    assert abs(drawn[best] / 4000 - expected[best]) < 4 * (expected[best] * (1 - expected[best]) / 4000) ** 0.5


def test_a_request_draws_the_same_tokens_in_any_company(engine):
    requests = [Request(prompt, n=4, seed=seed_of("s", index)) for index, prompt in enumerate(prompts(25))]
    together = engine.generate(requests, Sampling(12, 1.0))
    alone = [engine.generate([request], Sampling(12, 1.0))[0] for request in requests]
    assert [[c.ids for c in completions] for completions in together] == [
        [c.ids for c in completions] for completions in alone
    ]
    fewer = engine.generate([Request(requests[0].prompt, n=2, seed=requests[0].seed)], Sampling(5, 1.0))[0]
    assert [c.ids for c in fewer] == [c.ids[:5] for c in together[0][:2]]


def test_second_run_gives_the_same_bytes(folder, engine):
    requests = [Request(prompt, n=3, seed=index) for index, prompt in enumerate(prompts(30))]
    first = engine.generate(requests, Sampling(12, 1.0))
    assert (
        TransformersEngine(folder, engine_params(), {END}).generate(requests, Sampling(12, 1.0)) == first
    )  # logprobs bit by bit


def test_samples_and_seeds_differ(engine):
    # A fixed seed made the authors' second expansion nearly the same as the first.
    prompt = prompts(1)[0]
    first, second = engine.generate([Request(prompt, n=8, seed=1), Request(prompt, n=8, seed=2)], Sampling(12, 1.0))
    assert len({c.ids for c in first + second}) > 12
    assert seed_of(1, "task", 0, 0) != seed_of(1, "task", 1, 0) != seed_of(1, "task", 1, 1)
    assert seed_of(1, "task", 0, 0) == seed_of(1, "task", 0, 0) < 2**63


def test_no_penalty_for_or_reward_of_repetition(engine, model):
    # repetition_penalty=0.75 rewarded the authors' model for repeating itself.
    prompt = (7,) * 20
    [[completion]] = engine.generate([Request(prompt)], Sampling(6, 0.0))
    assert completion.logprobs == pytest.approx(full_logprobs(model, prompt, completion.ids), abs=1e-4)


def test_score_equals_a_full_forward_pass(engine, model):
    continuations = prompts(40, seed=2)
    pairs = list(zip(prompts(40), continuations, strict=True))
    pairs += [(pairs[0][0], (token,)) for token in (5, 6)] + [(pairs[3][0], ())]
    for (prompt, continuation), scores in zip(pairs, engine.score(pairs), strict=True):
        assert scores == pytest.approx(full_logprobs(model, prompt, continuation) if continuation else [], abs=1e-4)
    assert engine.score(pairs) == engine.score(pairs)


def test_score_of_one_prompt_is_one_forward_pass(engine, monkeypatch):
    rows = []
    forward = engine.model.forward
    monkeypatch.setattr(
        engine.model, "forward", lambda **inputs: rows.append(len(inputs["input_ids"])) or forward(**inputs)
    )
    yes, no = engine.score([((3, 4, 5), (6,)), ((3, 4, 5), (7,))])
    assert rows == [1]
    assert yes != no


def test_finished_rows_leave_the_batch(engine, monkeypatch):
    sizes = []
    forward = engine.model.forward
    monkeypatch.setattr(
        engine.model, "forward", lambda **inputs: sizes.append(tuple(inputs["input_ids"].shape)) or forward(**inputs)
    )
    completions = engine.generate([Request(prompts(1)[0], n=16, seed=3)], Sampling(60, 1.0))[0]
    assert sizes[0] == (1, len(prompts(1)[0]))  # one prefill for all samples
    decode = [rows for rows, _ in sizes[1:]]
    assert decode[0] > decode[-1]
    assert len(decode) == max(len(c.ids) for c in completions) - 1


def test_waiting_rows_begin_where_others_have_ended(engine, monkeypatch):
    requests = [Request(prompt, n=5, seed=index) for index, prompt in enumerate(prompts(9))]
    together = engine.generate(requests, Sampling(60, 1.0))
    passes = []
    forward = engine.model.forward
    monkeypatch.setattr(
        engine.model, "forward", lambda **inputs: passes.append(tuple(inputs["input_ids"].shape)) or forward(**inputs)
    )
    monkeypatch.setattr(engine, "batch", 8)
    few = engine.generate(requests, Sampling(60, 1.0))
    assert [[c.ids for c in some] for some in few] == [[c.ids for c in some] for some in together]
    for one, other in zip(few, together, strict=True):
        assert [c.logprobs for c in one] == [pytest.approx(c.logprobs, abs=1e-4) for c in other]
    decode = [rows for rows, width in passes if width == 1]
    assert max(decode) == 8
    tokens = sum(len(c.ids) for some in few for c in some)
    longest = max(len(c.ids) for some in few for c in some)
    assert len(decode) < tokens / 8 + longest  # batch after batch would take 310


def test_work_is_chunked_by_tokens(engine, monkeypatch):
    requests = [Request(prompt, n=2, seed=index) for index, prompt in enumerate(prompts(12))]
    pairs = list(zip(prompts(12), prompts(12, seed=3), strict=True))
    whole = engine.generate(requests, Sampling(8, 1.0)), engine.score(pairs)
    sizes = []
    forward = engine.model.forward
    monkeypatch.setattr(
        engine.model, "forward", lambda **inputs: sizes.append(inputs["input_ids"].numel()) or forward(**inputs)
    )
    monkeypatch.setattr("itool.engine.transformers.CHUNK", 64)
    chunked = engine.generate(requests, Sampling(8, 1.0)), engine.score(pairs)
    assert max(sizes) <= 64
    assert [[c.ids for c in some] for some in chunked[0]] == [[c.ids for c in some] for some in whole[0]]
    assert chunked[1] == [pytest.approx(scores, abs=1e-4) for scores in whole[1]]


def test_draw():
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()
    uniforms = [0.0, 0.0999, 0.1001, 0.2999, 0.3001, 0.5999, 0.6001, 1 - 2**-53]
    assert [draw(logits, torch.tensor([u], dtype=torch.float64), 1.0)[0].item() for u in uniforms] == [
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
    ]
    never = torch.tensor([[float("-inf"), 0.0, float("-inf")]])
    assert [draw(never, torch.tensor([u], dtype=torch.float64), 1.0)[0].item() for u in (0.0, 0.5, 1 - 2**-53)] == [
        1,
        1,
        1,
    ]
    assert (noise(1, 0, 5)[:3] == noise(1, 0, 3)).all()
    assert not (noise(1, 0, 3) == noise(1, 1, 3)).any()


def branches(count=8):
    """Prompts that share prefixes: each of `count` starts, alone and with two continuations of different length."""
    starts = prompts(count, seed=5)
    return [(start, start + rest) for start in starts for rest in ((), (7, 8, 9), tuple(range(10, 24)))]


def test_a_prefix_changes_no_answer(engine):
    plain = [Request(prompt, n=3, seed=index) for index, (_, prompt) in enumerate(branches())]
    prefixes = {start: Prefix(start) for start, _ in branches()}
    shared = [
        Request(prompt, n=3, seed=index, prefix=prefixes[start] if index % 4 else None)  # with and without in a batch
        for index, (start, prompt) in enumerate(branches())
    ]
    for temperature in (0.0, 1.0):
        expected = engine.generate(plain, Sampling(12, temperature))
        for _ in range(2):  # the second time all prefixes are held
            for whole, reused in zip(expected, engine.generate(shared, Sampling(12, temperature)), strict=True):
                assert [each.ids for each in reused] == [each.ids for each in whole]
                for left, right in zip(reused, whole, strict=True):
                    assert left.logprobs == pytest.approx(right.logprobs, abs=1e-4)


def test_a_prefix_changes_no_score(engine):
    pairs = [(prompt, tail) for _, prompt in branches() for tail in ((4,), (5,), (6, 7, 8))]
    prefixes = {start: Prefix(start) for start, _ in branches()}
    starts = [prefixes[start] for start, _ in branches() for _ in range(3)]
    for expected, reused in zip(engine.score(pairs), engine.score(pairs, starts), strict=True):
        assert reused == pytest.approx(expected, abs=1e-4)


def test_a_prefix_is_held_as_long_as_it_lives_and_no_longer(engine):
    one, other = Prefix((3, 4, 5)), Prefix((3, 4, 5))
    engine.generate([Request((3, 4, 5, 6), prefix=one), Request((3, 4, 5, 7), prefix=other)], Sampling(2, 0.0))
    held = len(engine.held)
    assert one in engine.held
    assert other in engine.held
    del one
    assert len(engine.held) == held - 1


BYTES = 2 * 2 * 2 * 8 * 4  # of a token's keys and values: two tensors, two layers, two heads, eight numbers, four bytes


def test_answers_do_not_depend_on_how_much_is_held(folder):
    starts = {start: Prefix(start) for start, _ in branches()}
    requests = [
        Request(prompt, n=3, seed=index, prefix=starts[start]) for index, (start, prompt) in enumerate(branches())
    ]
    pairs = [(prompt, tail) for _, prompt in branches() for tail in ((4,), (6, 7, 8))]
    prefixes = [starts[start] for start, _ in branches() for _ in range(2)]
    tokens = sum(map(len, starts))
    found = []
    for bound in (0, tokens * BYTES // 2, tokens * BYTES):
        engine = TransformersEngine(folder, engine_params(prefix_cache=bound / 2**30), {END})
        for _ in range(2):  # the second time what is held is used
            found.append((engine.generate(requests, Sampling(12, 1.0)), engine.score(pairs, prefixes)))
        held = sum(len(prefix.ids) for prefix in engine.held) * BYTES
        assert held <= bound
        assert held == bound or bound < tokens * BYTES
        assert len(engine.held) > 0 or bound == 0
    assert all(each == found[0] for each in found)  # log-probabilities bit by bit


def test_what_was_used_least_recently_is_computed_again(folder, monkeypatch):
    engine = TransformersEngine(folder, engine_params(prefix_cache=2 * 3 * BYTES / 2**30), {END})
    first, second, third = (Prefix((3, 4, token)) for token in (5, 6, 7))
    computed = []
    forward = engine.model.forward
    monkeypatch.setattr(
        engine.model, "forward", lambda **inputs: computed.append(inputs["input_ids"].numel()) or forward(**inputs)
    )

    def ask(prefix):
        """Whether the prefix of three tokens ran through the model before the one token after it."""
        computed.clear()
        engine.score([((*prefix.ids, 8), (9,))], [prefix])
        return computed == [3, 1]

    assert [ask(prefix) for prefix in (first, second, first)] == [True, True, False]
    assert ask(third)  # second leaves
    assert not ask(first)
    assert ask(second)
    assert [prefix.ids for prefix in engine.held] == [first.ids, second.ids]


def test_a_prompt_that_starts_otherwise_is_an_error(engine):
    with pytest.raises(ValueError, match="does not start with its prefix"):
        engine.generate([Request((3, 4, 5), prefix=Prefix((3, 5)))], Sampling(2, 0.0))


def test_a_sliding_window_shorter_than_the_text_is_an_error(folder, tmp_path, engine):
    config = json.loads((folder / "config.json").read_text())
    changes = {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 0}
    config |= changes | {"layer_types": ["sliding_attention"] * 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    windowed = TransformersEngine(tmp_path, ENGINE, {END})
    short, long = Request((3, 4, 5)), Request(tuple(range(3, 20)))
    assert windowed.generate([short], Sampling(8, 0.0)) == engine.generate([short], Sampling(8, 0.0))
    with pytest.raises(UserError, match="sliding window of 16"):
        windowed.generate([long], Sampling(8, 0.0))


def test_open_engine_opens_the_kind_that_is_asked_for(folder, engine):
    opened = open_engine(folder, engine_params(), {2, 3})
    assert isinstance(opened, TransformersEngine)
    assert opened.end_ids == {2, 3}
    assert opened.score([((5, 6), (7,))]) == engine.score([((5, 6), (7,))])


def test_an_unknown_kind_is_told_the_known_ones():
    fields = engine_params().model_dump() | {"kind": "magic"}
    with pytest.raises(ValidationError, match="expected one of transformers, vllm, server"):
        type(engine_params()).model_validate(fields)


def test_adapter_is_merged(folder, tmp_path, engine):
    from peft import LoraConfig, get_peft_model

    adapter = get_peft_model(
        AutoModelForCausalLM.from_pretrained(folder),
        LoraConfig(r=2, init_lora_weights=False, target_modules="all-linear"),
    )
    adapter.save_pretrained(tmp_path)
    merged = TransformersEngine(tmp_path, engine_params(), {END})
    [scores] = merged.score([((5, 6), (7, 8))])
    assert scores == pytest.approx(full_logprobs(adapter.eval(), (5, 6), (7, 8)), abs=1e-4)
    assert scores != pytest.approx(engine.score([((5, 6), (7, 8))])[0], abs=1e-2)


def test_a_folder_without_a_model_is_one_line(tmp_path):
    with pytest.raises(UserError, match="none: not a causal language model: no such folder") as error:
        TransformersEngine(tmp_path / "none", engine_params(), {END})
    assert "\n" not in str(error.value)
    for config in ("{}", "[]"):
        (tmp_path / "adapter_config.json").write_text(config)
        with pytest.raises(UserError, match=r"adapter_config\.json: base_model_name_or_path: found None"):
            TransformersEngine(tmp_path, engine_params(), {END})
