"""Requests worded by a language model: a scripted endpoint stands for it, and makes every kind of mistake."""

import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from fake_server import Fake
from hypothesis import given
from hypothesis import strategies as st
from test_synthesis_tasks import PARAMS, made_in

from itool.chat import Chat, Local, Replies, Reply, Served, open_replies
from itool.errors import UserError
from itool.params import Writer as Settings
from itool.params import load
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.toolcall.types import Call, Kind, Tool
from stages.synthesis import run as phase
from stages.synthesis.generate import synthesise
from stages.synthesis.lengths import Limits
from stages.synthesis.measure import text_of
from stages.synthesis.pool import load_pool
from stages.synthesis.programs import hold_out
from stages.synthesis.verify import Rejection
from stages.synthesis.writer import (
    Prompts,
    Writer,
    cleaned,
    judged,
    said_by_user,
    to_be_said,
    unfaithful,
    with_written_values,
)

SMALL = PARAMS.model_copy(update=dict.fromkeys(("train", "explore", "validation", "test_seen", "test_unseen"), 18))


@pytest.fixture(scope="module")
def pool():
    return load_pool("data/tools")


@pytest.fixture(scope="module")
def limits():
    return Limits(Prompter(load_tokenizer("data/base"), "pythonic", 1024), 128)


@pytest.fixture(scope="module")
def samples(pool, limits):
    return synthesise(SMALL, pool, limits, hold_out(pool, 0.25, random.Random(1)))[0]


def settings(port, **changes):
    writer = load().writer
    fields = {"model": "writer", "url": f"http://127.0.0.1:{port}/v1", "concurrency": 4, "timeout": 10, "retries": 0}
    return Settings.model_validate(writer.model_dump() | fields | changes)


def replies_of(fake, file, **changes):
    writer = settings(fake.server_port, **changes)
    return Replies(Served(writer.url, writer), file)


def saying(text, finish="stop", **message):
    """The body of a chat completion."""
    choice = {"message": {"role": "assistant", "content": text} | message, "finish_reason": finish}
    return {"choices": [choice], "usage": {"prompt_tokens": 30, "completion_tokens": 7}}


def draft_in(body):
    """The draft that the shipped prompt holds."""
    return re.search(r"clumsy words:\n(.*)\n\nSay the same", body["messages"][0]["content"], re.DOTALL)[1]


def faithful(body):
    return saying(f'"Good morning. {draft_in(body)}"')


def writer_at(fake, file, pool, attempts=1):
    return Writer(replies_of(fake, file), Prompts(), pool.entities, attempts, ["English"])


def test_a_faithful_writer_words_every_turn_and_changes_nothing_else(samples, pool, tmp_path):
    worded = writer_at(Fake(faithful, probes=0), tmp_path / "replies", pool).word(samples)
    assert all(not isinstance(each, Rejection) for each in worded), [e for e in worded if isinstance(e, Rejection)]
    for before, after in zip(samples, worded, strict=True):
        assert said_by_user(after) == [f"Good morning. {draft}" for draft in said_by_user(before)]
        others = [[m for m in each.task.messages if m["role"] != "user"] for each in (before, after)]
        assert others[0] == others[1]
        assert (after.task.reference, after.task.tools, after.program) == (
            before.task.reference,
            before.task.tools,
            before.program,
        )
        assert after.phrases == ()


def without_a_value(body):
    asked = re.findall(r"^- (.*)$", body["messages"][0]["content"], re.MULTILINE)
    return saying(draft_in(body).replace(asked[0], "it")) if asked else saying("")


MISTAKES = {
    "value not said": without_a_value,
    "a number that nobody wants": lambda body: saying(draft_in(body) + " for 777 people"),
    "says nothing": lambda body: saying(' "" '),
    "cut off by writer.max_tokens": lambda body: saying(draft_in(body), finish="length"),
}


@pytest.mark.parametrize("reason", MISTAKES)
def test_what_a_writer_does_wrong_is_the_reason_of_the_rejection(reason, samples, pool, tmp_path):
    single = [sample for sample in samples if sample.task.scenario == "single" and to_be_said_by(sample)]
    rejected = writer_at(Fake(MISTAKES[reason], probes=0), tmp_path / "replies", pool).word(single)
    assert {(each.layer, each.reason) for each in rejected} == {("writing", reason)}


def to_be_said_by(sample):
    return to_be_said(sample.program, said_by_user(sample)[0])


def test_a_second_attempt_asks_only_for_what_failed_and_differs(samples, pool, tmp_path):
    first, seen = set(), []

    def at_the_second_attempt(body):
        seen.append(body["seed"])
        draft = draft_in(body)
        if draft in first or len(draft) % 2:
            return faithful(body)
        first.add(draft)
        return saying("")

    worded = writer_at(Fake(at_the_second_attempt, probes=0), tmp_path / "replies", pool, attempts=2).word(samples)
    assert not any(isinstance(each, Rejection) for each in worded)
    assert first
    assert max(Counter(seen).values()) <= 2  # two turns of one sample share a seed, two attempts do not


def test_replies_are_kept_so_that_a_second_run_asks_nothing_and_costs_the_same(samples, pool, tmp_path):
    fake = Fake(faithful, probes=0)
    once = writer_at(fake, tmp_path / "replies", pool)
    again = writer_at(fake, tmp_path / "replies", pool)
    texts = [[text_of(each.task) for each in writer.word(samples)] for writer in (once, again)]
    assert texts[0] == texts[1]
    turns = sum(len(said_by_user(sample)) for sample in samples)
    assert fake.asked == turns
    assert once.replies.costs == again.replies.costs
    assert once.replies.costs == {"replies": turns, "tokens_read": 30 * turns, "tokens_written": 7 * turns}


def test_an_interrupted_run_goes_on_where_it_was(samples, pool, tmp_path):
    breaking = Fake(faithful, statuses=[400] * 1000, probes=20)
    with pytest.raises(UserError, match=r"/chat/completions: status 400.*out of order"):
        writer_at(breaking, tmp_path / "replies", pool).word(samples)
    mended = Fake(faithful, probes=0)
    writer_at(mended, tmp_path / "replies", pool).word(samples)
    whole = Fake(faithful, probes=0)
    writer_at(whole, tmp_path / "other", pool).word(samples)
    assert mended.asked <= whole.asked - 15  # up to four may have been in flight when the server broke


def test_another_sampling_or_model_is_asked_anew(tmp_path):
    fake = Fake(lambda body: saying("yes"), probes=0)
    chat = Chat(({"role": "user", "content": "Well?"},))
    for changes in ({}, {}, {"temperature": 0.1}, {"model": "other"}, {"max_tokens": 9}):
        assert (
            replies_of(fake, tmp_path / "replies", **changes).to([chat, chat], "asking")
            == [Reply("yes", (), "", 30, 7)] * 2
        )
    assert fake.asked == 4


def test_the_key_comes_from_the_environment(monkeypatch, tmp_path):
    fake = Fake(lambda body: saying("yes"), probes=0)
    monkeypatch.delenv("WRITER_KEY", raising=False)
    with pytest.raises(UserError, match=r"writer.key: found no WRITER_KEY in the environment"):
        replies_of(fake, tmp_path / "replies", key="WRITER_KEY")
    monkeypatch.setenv("WRITER_KEY", "secret")
    replies_of(fake, tmp_path / "replies", key="WRITER_KEY").to([Chat(({"role": "user", "content": "?"},))], "asking")
    assert fake.headers_seen[0]["Authorization"] == "Bearer secret"
    assert b"secret" not in (tmp_path / "replies").read_bytes()


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [{"message": None}]}, [], {"choices": [{}]}, "no"])
def test_an_answer_that_is_none_is_one_line(answer, tmp_path):
    fake = Fake(lambda body: answer, probes=0)
    with pytest.raises(UserError, match=r"/chat/completions: found .*, expected choices\[0\].message"):
        replies_of(fake, tmp_path / "replies").to([Chat(({"role": "user", "content": "?"},))], "asking")


def test_a_model_that_params_do_not_name(tmp_path):
    everything = load()
    with pytest.raises(UserError, match=r"writer.model: found none, expected the folder of a model"):
        open_replies(everything)
    nowhere = everything.writer.model_copy(update={"model": str(tmp_path / "nowhere")})
    with pytest.raises(UserError, match="no such folder"):
        open_replies(everything.model_copy(update={"writer": nowhere}))


def test_a_model_folder_writes_and_calls_through_the_engine(tmp_path):
    everything = load()
    writer = everything.writer.model_copy(update={"model": "data/base", "temperature": 0.0, "max_tokens": 40})
    replies = Replies(Local(everything.model_copy(update={"writer": writer})), tmp_path / "replies")
    weather = Tool(
        "get_weather",
        "get the weather",
        {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    )
    asked = Chat(({"role": "user", "content": "get the weather with city Oslo"},), (weather,))
    plain = replace(asked, tools=())
    called, said = replies.to([asked, plain], "asking")
    assert called.calls == (Call("get_weather", {"city": "Oslo"}),)
    assert (said.calls, bool(said.text or said.problem)) == ((), True)
    assert called.read > said.read > 0
    assert called.written > 0


def reading_like(samples, **wrong):
    """A judge that knows the references by the last message of the user."""
    known = {said_by_user(sample)[-1]: sample.task.reference for sample in samples}

    def judge(body):
        last = [message["content"] for message in body["messages"] if message["role"] == "user"][-1]
        answer = known[last].answer()
        calls = [
            {"function": {"name": call.name, "arguments": json.dumps(call.arguments)}} | {"id": "a", "type": "function"}
            for call in answer.calls
        ]
        if wrong.get("arguments") and calls:
            calls[0]["function"]["arguments"] = wrong["arguments"]
        if wrong.get("always"):
            calls = calls or [{"function": {"name": body["tools"][0]["function"]["name"], "arguments": "{}"}}]
        return saying(answer.text, **({"tool_calls": calls} if calls else {}))

    return judge


def test_a_judge_that_reads_as_it_is_meant_keeps_everything(samples, tmp_path):
    assert judged(samples, replies_of(Fake(reading_like(samples), probes=0), tmp_path / "replies")) == samples


def test_a_judge_that_reads_otherwise_rejects(samples, tmp_path):
    wrong = Fake(reading_like(samples, arguments='{"nobody": "knows"}', always=True), probes=0)
    results = judged(samples, replies_of(wrong, tmp_path / "replies"))
    assert {each.reason for each in results} == {"the judge does otherwise"}
    broken = Fake(reading_like(samples, arguments='{"city": '), probes=0)
    calls = [sample for sample in samples if sample.task.reference.kind is Kind.CALLS]
    results = judged(calls, replies_of(broken, tmp_path / "others"))
    assert {each.reason for each in results} == {"the judge's answer cannot be read"}
    assert all("not JSON" in each.detail for each in results)


def test_the_judge_is_shown_calls_and_results_as_endpoints_take_them(samples, tmp_path):
    bodies = []

    def note(body):
        bodies.append(body)
        return saying("no")

    judged([s for s in samples if s.task.scenario == "dependent"], replies_of(Fake(note, probes=0), tmp_path / "r"))
    for body in bodies:
        _, call, result = body["messages"]
        [made] = call["tool_calls"]
        assert made["id"] == result["tool_call_id"]
        assert isinstance(made["function"]["arguments"], str)
        assert body["tools"][0]["type"] == "function"


def test_values_of_free_texts_come_from_the_model_where_there_are_enough(tmp_path):
    tools = [
        {
            "name": "search_recipes",
            "description": "Searches recipes.",
            "parameters": {
                "type": "object",
                "properties": {
                    "query": {"type": "string", "description": "What to look for."},
                    "topic": {"type": "string", "maxLength": 12},
                    "count": {"type": "integer"},
                },
                "required": ["query"],
            },
        }
    ]
    file = tmp_path / "own.json"
    file.write_text(json.dumps(tools))

    def listing(body):
        text = body["messages"][0]["content"]
        if '"query"' in text:
            return saying(
                "- lentil soup\n2. apple {pie}\n* onion tart\n\nfish stew\nlentil soup\n\u201crye bread\u201d\nx"
            )
        return saying("a topic that is far too long\nsoup")

    pool = load_pool(file)
    found = with_written_values(pool, replies_of(Fake(listing, probes=0), tmp_path / "replies"), Prompts())
    query, topic, count = found.tools[0].parameters
    assert found.entities[query.kind] == {"train": ["lentil soup", "fish stew"], "test": ["onion tart", "rye bread"]}
    assert [topic.kind, count.kind] == [parameter.kind for parameter in pool.tools[0].parameters[1:]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("request.jinja", "{{ nobody }}", r"request.jinja: .*nobody.* is undefined"),
        ("request.jinja", "\n{% for %}", r"request.jinja: line 2: "),
        ("styles.json", '{"train": ["One."]}', r"styles.json: test: found None, expected a list of texts"),
        ("styles.json", '{"train": ["One."], "test": [1]}', r"styles.json: test: found \[1\], expected a list"),
        ("styles.json", "[]", r"styles.json: train: found None"),
    ],
)
def test_prompts_that_a_user_broke_are_one_line(name, text, message, samples, pool, tmp_path):
    for file in Path("data/prompts").iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / name).write_text(text)
    replies = replies_of(Fake(faithful, probes=0), tmp_path / "replies")
    with pytest.raises(UserError, match=message):
        Writer(replies, Prompts(tmp_path), pool.entities, 1, ["English"]).word(samples[:1])


def test_train_and_test_have_styles_of_their_own():
    styles = Prompts().styles
    assert not set(styles["train"]) & set(styles["test"])


@given(st.text(max_size=60))
def test_cleaning_takes_only_a_beginning_and_an_end(text):
    kept = cleaned(text)
    assert kept in text
    assert cleaned(kept) == kept
    assert re.sub(r"[\s\"'`\u201c\u201d\u2018\u2019]", "", text) == re.sub(
        r"[\s\"'`\u201c\u201d\u2018\u2019]", "", kept
    )


def test_a_thought_before_a_request_is_no_part_of_it():
    assert cleaned('<think>\nThey want "it".\n</think>\n\n"Book it."') == "Book it."
    assert cleaned("<think> it never ends") == ""


def test_a_boolean_must_be_said_in_the_words_of_the_draft(samples):
    said = [
        (sample, parameter)
        for sample in samples
        for parameter in sample.program.steps[0].tool.parameters
        if parameter.kind == "bool" and parameter.name in sample.program.steps[0].said
    ]
    assert said
    for sample, parameter in said:
        draft = said_by_user(sample)[0]
        phrases = [phrase for each in parameter.phrases.values() for both in each.values() for phrase in both]
        required = [each for each in to_be_said(sample.program, draft) if each in phrases]
        assert required
        assert unfaithful(sample.program, draft, draft.replace(required[0], "")) == "value not said"


def test_the_whole_stage_with_a_writer_and_a_judge_is_the_same_twice(monkeypatch, tmp_path):
    """The endpoint writes and judges; the second run is answered from the file alone."""

    def both(body):
        if "tools" not in body:
            return faithful(body)
        return saying("I call nothing.")

    fake = Fake(both, probes=0)
    everything = load().model_copy(
        update={
            "synthesis": SMALL.model_copy(update={"writer": "model", "judge": "model", "mixture": {"irrelevant": 1.0}}),
            "writer": settings(fake.server_port),
        }
    )
    monkeypatch.setattr(phase, "load", lambda: everything)
    monkeypatch.setattr("itool.chat.REPLIES", tmp_path / "replies")
    once = made_in(tmp_path / "a", monkeypatch)
    asked = fake.asked
    assert made_in(tmp_path / "b", monkeypatch) == once
    assert fake.asked == asked
    costs = json.loads((tmp_path / "a.json").read_text())["writer"]
    assert costs["replies"] >= 2 * 90
    assert costs["tokens_written"] == 7 * costs["replies"]
