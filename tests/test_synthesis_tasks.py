"""The generator on the real pool: what every split, scenario and rejection must be."""

import itertools
import json
import random
import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from itool import paths
from itool.artifacts import read_tasks
from itool.params import Synthesis, load
from itool.toolcall.checker import check
from itool.toolcall.dialects import DIALECTS
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.toolcall.types import Kind, Reference, ReferenceCall
from itool.toolcall.values import scalars
from stages.synthesis import run as phase
from stages.synthesis.generate import Part, fitted, possible, quotas, sample, synthesise, word
from stages.synthesis.lengths import Limits
from stages.synthesis.measure import Tally, metrics, text_of
from stages.synthesis.pool import load_pool
from stages.synthesis.programs import Sampler, Step, execute, hold_out, rosters
from stages.synthesis.run import arranged
from stages.synthesis.scenarios import SCENARIOS
from stages.synthesis.scenarios.irrelevant import REFUSAL_TEXT
from stages.synthesis.scenarios.multi_turn import ADD, CHANGE
from stages.synthesis.scenarios.parallel import EACH, SAME
from stages.synthesis.values import contains
from stages.synthesis.verify import Rejection, execution_error, format_error, semantics_error, verify
from stages.synthesis.wording import JOINS, WRAPPERS, SimulatedUser
from stages.synthesis.world import SimulationError

EVEN = dict.fromkeys(SCENARIOS, 1.0)
PARAMS = Synthesis(
    seed=3,
    tools="data/tools",
    invent=0,
    conversations="data/conversations.jsonl",
    format="auto",
    sources={},
    simulate=True,
    writer="phrases",
    judge="none",
    train=10 * len(SCENARIOS),
    explore=5 * len(SCENARIOS),
    validation=5 * len(SCENARIOS),
    test_seen=10 * len(SCENARIOS),
    test_unseen=10 * len(SCENARIOS),
    train_wording=0.5,
    new_wording=0.5,
    typos=0.3,
    unseen_tools=0.25,
    validation_tools=0.15,
    max_tools=6,
    train_irrelevant=1.0,
    mixture=EVEN,
)


@pytest.fixture(scope="module")
def pool():
    return load_pool("data/tools")


@pytest.fixture(scope="module")
def held(pool):
    return hold_out(pool, PARAMS.unseen_tools, random.Random(1))


@pytest.fixture(scope="module")
def limits():
    return Limits(Prompter(load_tokenizer("data/base"), "pythonic", 1024), 128)


@pytest.fixture(scope="module")
def made(pool, held, limits):
    return synthesise(PARAMS, pool, limits, held)


@pytest.fixture(scope="module")
def samples(made):
    return made[0]


def of(samples, scenario, keep=lambda _: True):
    return next(s for s in samples if s.task.scenario == scenario and keep(s))


def shown(samples, *splits):
    return {tool.name for s in samples if s.task.split in splits for tool in s.task.tools}


def test_quotas_are_filled_to_the_task(samples):
    for split in ("train", "explore", "validation", "test_seen", "test_unseen"):
        mine = [s.task.scenario for s in samples if s.task.split == split]
        assert {scenario: mine.count(scenario) for scenario in SCENARIOS} == dict.fromkeys(
            SCENARIOS, getattr(PARAMS, split) // len(SCENARIOS)
        )


def test_same_seed_same_bytes_and_another_seed_other_tasks(pool, limits, held, made):
    again = synthesise(PARAMS, pool, limits, held)
    assert [s.task for s in again[0]] == [s.task for s in made[0]]
    assert again[1] == made[1]
    other = synthesise(PARAMS.model_copy(update={"seed": 4}), pool, limits, held)[0]
    assert not {text_of(s.task) for s in other[:50]} & {text_of(s.task) for s in made[0]}


def test_held_out_tools_are_shown_in_no_other_split_and_are_the_targets_of_theirs(samples, held, pool):
    assert len(held) == round(PARAMS.unseen_tools * len(pool.tools))
    assert not shown(samples, "train", "explore", "validation", "test_seen") & held
    for s in samples:
        if s.task.split == "test_unseen":
            assert {call.name for call in s.task.reference.calls} <= held
            assert s.program.steps[-1].tool.name in held


def test_test_values_and_phrases_are_not_those_of_training(samples, pool):
    tally = Tally()
    for each in samples:
        tally.add(each.task)
    overlap = metrics(samples, tally, pool.entities)["overlap"]
    for pair, counts in overlap.items():
        if "test" in pair:
            assert counts["prompts"] == counts["values"] == 0
    years = {split: set() for split in ("train", "test_seen")}
    for s in samples:
        if s.task.split in years:
            # What users say: a result may be of the year after.
            said = "\n".join(m["content"] for m in s.task.messages if m["role"] == "user")
            years[s.task.split] |= {year for year in ("2025-", "2026-") if year in said}
    assert years == {"train": {"2025-"}, "test_seen": {"2026-"}}


def test_own_phrases_of_test_are_not_those_of_training():
    for templates, train, test in (
        (WRAPPERS, 12, 6),
        (JOINS, 4, 3),
        (SAME, 4, 3),
        (EACH, 3, 2),
        (CHANGE, 12, 6),
        (ADD, 4, 3),
    ):
        assert len(set(templates["train"])) >= train
        assert len(set(templates["test"])) >= test
        assert not set(templates["train"]) & set(templates["test"])


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("name", DIALECTS)
def test_every_reference_is_right_and_its_answer_to_another_task_is_not(samples, scenario, name):
    tasks = [s.task for s in samples if s.task.scenario == scenario]
    speak = DIALECTS[name]
    for task in tasks:
        parsed = speak.parse(speak.render(task.reference.answer()))
        assert check(parsed, task.reference, task.tools, strict=True).right
    wrong = [check(a.reference.answer(), b.reference, b.tools, strict=True).right for a, b in itertools.pairwise(tasks)]
    if scenario != "irrelevant":
        assert sum(wrong) < len(wrong) / 4


def test_shape_of_the_scenarios(samples):
    for s in samples:
        task, names = s.task, [tool.name for tool in s.task.tools]
        calls = task.reference.calls
        roles = [message["role"] for message in task.messages]
        assert len(set(names)) == len(names) <= PARAMS.max_tools
        domains = {tool.name: tool.domain for tool in s.program.candidates}
        match task.scenario:
            case "single":
                assert len(calls) == 1
                assert sum(domain == domains[calls[0].name] for domain in domains.values()) == 1
            case "multiple":
                assert len(calls) == 1
                assert len(names) >= 2
            case "parallel":
                assert 2 <= len(calls) <= 3
                assert len({call.name for call in calls}) == 1
            case "parallel_multiple":
                assert 2 <= len(calls) <= 3
                assert len({call.name for call in calls}) == len(calls)
            case "multi_turn":
                assert roles == ["user", "assistant", "tool", "assistant", "user"]
                assert calls[0].name == task.messages[1]["tool_calls"][0]["function"]["name"]
            case "dependent":
                assert roles == ["user", "assistant", "tool"]
                result = scalars(json.loads(task.messages[2]["content"]))
                linked = calls[0].arguments[s.program.link.parameter][0]
                assert linked in result
                assert not contains(task.messages[0]["content"], str(linked))
            case "missing_parameter":
                assert task.reference.kind is Kind.QUESTION
                assert all(name.replace("_", " ") in task.reference.text for _, name in task.reference.parameters)
            case "irrelevant":
                assert task.reference == Reference(Kind.REFUSAL, text=REFUSAL_TEXT)
                assert s.program.steps[0].tool.name not in names
            case "report":
                assert roles == ["user", "assistant", "tool"]
                assert list(task.reference.values) == [
                    value if isinstance(value, str) else json.dumps(value)
                    for value in json.loads(task.messages[2]["content"]).values()
                ]


def test_multiple_shows_look_alikes(samples):
    alike = [
        len({tool.domain for tool in s.program.candidates}) < len(s.program.candidates)
        for s in samples
        if s.task.scenario == "multiple"
    ]
    assert sum(alike) > 0.9 * len(alike)


def test_optional_parameters_are_sometimes_given(samples):
    optional = [p for s in samples for p in s.program.steps[0].tool.parameters if not p.required]
    given = [
        p.name in s.program.steps[0].said for s in samples for p in s.program.steps[0].tool.parameters if not p.required
    ]
    assert 0.2 < sum(given) / len(optional) < 0.5


def test_verified_samples_pass_again(samples, pool):
    assert all(verify(s, pool.entities) is None for s in samples)


def with_reference(s, **arguments):
    call = s.task.reference.calls[0]
    changed = ReferenceCall(call.name, call.arguments | arguments)
    return replace(s.task, reference=replace(s.task.reference, calls=(changed, *s.task.reference.calls[1:])))


def test_format_layer_catches_planted_faults(samples):
    single = of(samples, "single", lambda s: s.program.steps[0].said)
    name = next(iter(single.program.steps[0].said))
    assert format_error(with_reference(single, **{name: [{"no": "such"}]}))[0] == "argument against schema"
    good = single.task.reference.calls[0].arguments[name][0]
    assert format_error(with_reference(single, **{name: [good, {"no": "such"}]})) is None  # the preferred one decides
    assert format_error(with_reference(single, nobody=["x"]))[0] == "argument against schema"
    assert format_error(replace(single.task, tools=()))[0] == "unknown tool"
    asking = of(samples, "missing_parameter")
    vague = replace(asking.task.reference, text="What else?")
    assert format_error(replace(asking.task, reference=vague))[0] == "reference fails its own check"
    assert format_error(replace(asking.task, reference=Reference(Kind.REFUSAL)))[0] == "empty answer"
    report = of(samples, "report")
    lied = replace(report.task.reference, text="All done.")
    assert format_error(replace(report.task, reference=lied))[0] == "reference fails its own check"


def test_a_layer_names_itself_and_its_scenario(samples, pool):
    single = of(samples, "single", lambda s: s.program.steps[0].said)
    found = verify(replace(single, task=replace(single.task, tools=())), pool.entities)
    assert (found.scenario, found.layer, found.reason) == ("single", "format", "unknown tool")


def test_a_right_answer_that_generation_would_cut_is_rejected(samples, limits):
    report = of(samples, "report")
    length = len(limits.prompter.completion_ids(report.task.reference.answer()))
    assert fitted(report, replace(limits, max_tokens=length)) == report
    found = fitted(report, replace(limits, max_tokens=length - 1))
    detail = f"{length} tokens, expected at most engine.max_tokens = {length - 1}"
    assert found == Rejection("report", "format", "answer too long", detail)


@pytest.mark.parametrize(("scenario", "fewest"), [("multiple", 2), ("irrelevant", 1), ("parallel_multiple", 2)])
def test_candidates_that_do_not_fit_are_dropped_and_those_that_are_asked_for_stay(samples, limits, scenario, fewest):
    whole = of(samples, scenario, lambda s: len(s.task.tools) > 3 and len(s.task.reference.calls) < 3)
    prompter, answer = limits.prompter, limits.prompter.completion_ids(whole.task.reference.answer())
    length = len(prompter.selfeval_ids(prompter.prompt_ids(whole.task), answer)) + 2

    def fitted_to(most):
        return fitted(whole, Limits(Prompter(prompter.tokenizer, "pythonic", most), 128))

    assert fitted_to(length) == whole
    one_less = fitted_to(length - 1)
    assert len(one_less.task.tools) == len(whole.task.tools) - 1
    assert [tool.tool for tool in one_less.program.candidates] == [*one_less.task.tools]
    cut = [fitted_to(most) for most in range(length, 20, -10)]
    tasks = [sample.task for sample in cut if not isinstance(sample, Rejection)]
    wanted = {call.name for call in whole.task.reference.calls}
    assert all(wanted <= {tool.name for tool in task.tools} for task in tasks)
    assert min(len(task.tools) for task in tasks) == fewest
    assert (cut[-1].layer, cut[-1].reason) == ("format", "does not fit the model")
    assert cut[-1].detail.endswith("tokens, expected at most model.max_length = " + cut[-1].detail.rpartition(" ")[2])


def test_execution_layer_catches_planted_faults(samples, pool):
    program = of(samples, "dependent").program
    lied = replace(program.steps[0], result={**program.steps[0].result, "more": 1})
    assert execution_error(replace(program, steps=(lied, program.steps[1])))[0] == "result differs"
    flights = next((t for t in pool.tools if t.name == "search_flights"), None)
    said = {"origin": "Oslo", "destination": "Oslo", "date": "2025-01-01"}
    nowhere = replace(program, steps=(Step(flights, said, said),), link=None)
    assert execution_error(nowhere)[0] == "simulation error"
    with pytest.raises(SimulationError):
        execute(nowhere)


def test_semantics_layer_catches_planted_faults(samples, pool):
    def reason(s):
        return semantics_error(s, pool.entities)[0]

    def said_as(s, text):
        return replace(s, task=replace(s.task, messages=({"role": "user", "content": text}, *s.task.messages[1:])))

    single = of(samples, "single", lambda s: s.program.steps[0].said)
    assert reason(said_as(single, "Please do it")) == "value not said"
    dependent = of(samples, "dependent")
    unknown = tuple(m | {"content": "{}"} if m["role"] == "tool" else m for m in dependent.task.messages)
    assert reason(replace(dependent, task=replace(dependent.task, messages=unknown))) == "value not said"

    parallel = of(samples, "parallel")
    twice = replace(parallel.task.reference, calls=parallel.task.reference.calls[:1] * 2)
    assert reason(replace(parallel, task=replace(parallel.task, reference=twice))) == "equal calls"

    turns = of(samples, "multi_turn")
    same = replace(turns.program, steps=turns.program.steps[:1] * 2)
    assert reason(replace(turns, program=same)) == "nothing changed"

    flights = next(t for t in pool.tools if t.name == "search_flights")
    said = {"origin": "Oslo", "destination": "Oslo", "date": "2025-01-01"}
    ambiguous = replace(single.program, steps=(Step(flights, said, said),))
    text = "Find flights from Oslo to Oslo on 2025-01-01"
    assert reason(said_as(replace(single, program=ambiguous), text)) == "ambiguous values"

    origin = flights.parameter("origin").phrases["train"][0].replace("{}", "Oslo")
    said = {"destination": "Rome", "date": "2025-01-01"}
    asking = of(samples, "missing_parameter")
    program = replace(asking.program, steps=(Step(flights, said, said),), missing=("origin",))
    text = f"Find flights {origin} to Rome on 2025-01-01"
    assert reason(said_as(replace(asking, program=program), text)) == "missing parameter is said"
    assert (
        semantics_error(said_as(replace(asking, program=program), "Find flights to Rome on 2025-01-01"), pool.entities)
        is None
    )

    refused = of(samples, "irrelevant", lambda s: s.program.steps[0].said)
    fitting = replace(refused.program, candidates=(refused.program.steps[0].tool,))
    assert reason(replace(refused, program=fitting)) == "a candidate fits"

    report = of(samples, "report")
    lied = replace(report.task.reference, values=("never",))
    assert reason(replace(report, task=replace(report.task, reference=lied))) == "value not in result"


def test_quotas_sum_up_and_leave_out_what_the_tools_do_not_allow(pool, held):
    seen, _, unseen = rosters(pool, held)
    uneven = PARAMS.model_copy(update={"mixture": {name: weight for name, weight in EVEN.items() if name != "report"}})
    counts = quotas(uneven, Part("test", "test_seen", seen, 101))
    assert sum(counts.values()) == 101
    assert counts["report"] == 0
    kinds = len(SCENARIOS)
    refusing = PARAMS.model_copy(update={"train_irrelevant": kinds - 1.0})
    counts = [quotas(refusing, Part("", split, seen, 18 * kinds)) for split in ("train", "explore", "validation")]
    assert [each["irrelevant"] for each in counts] == [9 * kinds, 9 * kinds, 18]
    alone = replace(seen, targets=seen.targets[:1], shown=seen.targets[:1], links=())
    able = set(quotas(PARAMS, Part("train", "train", alone, 10)))
    assert not {"multiple", "parallel_multiple", "dependent", "irrelevant"} & able
    assert possible(replace(seen, targets=(), links=()), 6) == []
    assert set(possible(unseen, 6)) == set(SCENARIOS)


def test_half_of_validation_asks_for_tools_of_its_own(pool, limits, held):
    others = replace(pool, tools=tuple(tool for tool in pool.tools if tool.name not in held))
    own = hold_out(others, 0.15, random.Random(1), least=0)
    assert len(own) == round(0.15 * len(others.tools))
    samples, _ = synthesise(PARAMS, pool, limits, held, own)
    assert not shown(samples, "train", "explore", "test_seen") & (own | held)
    assert not shown(samples, "validation") & held
    validation = [s for s in samples if s.task.split == "validation"]
    assert len(validation) == PARAMS.validation
    assert sum(s.program.steps[-1].tool.name in own for s in validation) == PARAMS.validation // 2


def test_drawing_is_independent_of_the_other_splits(pool, limits, held):
    """More training tasks must not change the tests."""
    few = synthesise(PARAMS.model_copy(update={"train": 9, "explore": 9}), pool, limits, held)[0]
    many = synthesise(PARAMS.model_copy(update={"train": 90, "explore": 9}), pool, limits, held)[0]
    tests = [[s.task for s in made if s.task.split.startswith("test")] for made in (few, many)]
    assert tests[0] == tests[1]


def test_verbalising_never_says_an_unsaid_value_and_varies(pool, held):
    rng = random.Random(0)
    roster = rosters(pool, held)[0]
    program = execute(sample("report", Sampler("report", roster, pool.entities, "train", 6, rng)))
    texts = {word(program, "train", PARAMS, rng).task.messages[0]["content"] for _ in range(20)}
    assert len(texts) > 10


def test_arranged_shuffles_and_numbers_each_split(samples):
    tasks = arranged([s.task for s in samples], 1)
    assert [t.task_id for t in tasks if t.split == "validation"] == [
        f"validation-{i:05d}" for i in range(PARAMS.validation)
    ]
    assert len({t.scenario for t in tasks[:15]}) > 4
    assert len({t.task_id for t in tasks}) == len(tasks)


def made_in(folder, monkeypatch):
    """The bytes of all files that the stage writes, to the folder and to the metrics beside it."""
    for written in ("TRAIN", "EXPLORE", "VALIDATION", "TEST", "REJECTED"):
        monkeypatch.setattr(paths, written, str(folder / Path(getattr(paths, written)).name))
    monkeypatch.setattr(paths, "SYNTHESIS_METRICS", f"{folder}.json")
    phase.run()
    return [path.read_bytes() for path in (*sorted(folder.iterdir()), Path(f"{folder}.json"))]


def test_run_writes_readable_tables_and_metrics_twice_the_same(tmp_path, monkeypatch):
    params = load().model_copy(update={"synthesis": PARAMS.model_copy(update={"train": 27, "explore": 18})})
    monkeypatch.setattr(phase, "load", lambda: params)
    assert made_in(tmp_path / "a", monkeypatch) == made_in(tmp_path / "b", monkeypatch)
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [
        f"{name}.parquet" for name in ("explore", "rejected", "test", "train", "validation")
    ]
    found = json.loads((tmp_path / "a.json").read_text())
    table = pl.read_parquet(tmp_path / "a" / "test.parquet")
    assert set(table["split"]) == {"test_seen", "test_unseen"}
    assert found["tasks"]["test_seen"]["all"] + found["tasks"]["test_unseen"]["all"] == len(table)
    assert found["rejected"]["all"] == len(pl.read_parquet(tmp_path / "a" / "rejected.parquet"))
    assert found["rejected"]["all"] == sum(sum(layer.values()) for layer in list(found["rejected"].values())[1:])
    assert len(read_tasks(tmp_path / "a" / "train.parquet")) == 27


def test_training_and_exploration_use_a_part_of_the_phrases_and_validation_the_rest(samples):
    """The first half of every list of phrases, rounded up; half of a validation request and its frame are new."""
    splits = ("train", "explore", "validation")
    said = {split: [s.phrases for s in samples if s.task.split == split] for split in splits}
    train, explore, validation = ({phrase for each in side for phrase in each} for side in said.values())
    assert (train | explore).isdisjoint({*JOINS["train"][3:], *WRAPPERS["train"][8:]})
    assert not validation.isdisjoint(JOINS["train"][3:])
    assert validation.isdisjoint(WRAPPERS["train"][:8])
    assert len(validation - train - explore) > 50


def test_only_the_users_of_exploration_mistype_and_never_a_value(samples, pool):
    """Every template is in the request as it stands, but for exploration, where values still are."""

    def as_written(sample):
        asked = "\n".join(m["content"] for m in sample.task.messages if m["role"] == "user").lower()
        parts = [part.strip().lower() for phrase in sample.phrases for part in re.split(r"{\w*}|\|", phrase)]
        return all(part in asked for part in parts)

    exact = {split: [as_written(s) for s in samples if s.task.split == split] for split in ("train", "explore")}
    assert sum(exact["train"]) > 0.9 * len(exact["train"])
    assert sum(exact["explore"]) < 0.3 * len(exact["explore"])
    explored = [s for s in samples if s.task.split == "explore"]
    assert all(verify(sample, pool.entities) is None for sample in explored)


def test_new_wording_is_the_share_of_parts_that_training_words_otherwise():
    def new(share):
        settings = PARAMS.model_copy(update={"new_wording": share})
        users = [SimulatedUser("test_seen", settings, random.Random(seed)) for seed in range(400)]
        return sum(user.wordings(JOINS) is JOINS["test"] for user in users) / len(users)

    assert (new(0.0), new(1.0)) == (0.0, 1.0)
    assert new(0.3) == pytest.approx(0.3, abs=0.07)
