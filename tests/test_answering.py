"""Answers through a scripted engine, and the figures read off hand-made predictions."""

import json
from itertools import chain
from pathlib import Path

import polars as pl
import pytest
from tiny_tokenizer import save_tokenizer

from itool.answering import GROUPS, answer, metrics
from itool.artifacts import PREDICTIONS
from itool.engine.base import Completion
from itool.errors import UserError
from itool.files import write_json
from itool.params import Evaluation, load
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.toolcall.types import ErrorKind, Kind, Reference, ReferenceCall, Task, Tool
from stages.evaluation.run import self_evaluation

TOOL = Tool(
    "get_weather",
    "Weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CALL = Reference(Kind.CALLS, (ReferenceCall("get_weather", {"city": ["Paris"]}),))


@pytest.fixture(scope="module")
def prompter(tmp_path_factory: pytest.TempPathFactory) -> Prompter:
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(folder)
    return Prompter(load_tokenizer(folder), "pythonic", 1000)


class Scripted:
    """Says the texts given, in order; scores "yes" by the length of what it is asked about."""

    def __init__(self, prompter: Prompter, texts: list[str], finish: str = "stop"):
        ids = [tuple(prompter.tokenizer(text, add_special_tokens=False).input_ids) for text in texts]
        ends = (prompter.end_id,) if finish == "stop" else ()
        self.completions = [Completion((*each, *ends), (0.0,) * (len(each) + len(ends)), finish) for each in ids]
        self.yes = prompter.yes

    def generate(self, requests, sampling):
        assert sampling.temperature == 0
        assert all(request.n == 1 for request in requests)
        return [[completion] for completion in self.completions]

    def score(self, pairs, prefixes=()):
        return [[-len(prompt) / 100 if continuation[0] == self.yes else -1.0] for prompt, continuation in pairs]


def task(name: str, reference: Reference, scenario: str = "single", split: str = "test_seen") -> Task:
    return Task(name, split, scenario, (TOOL,), ({"role": "user", "content": "Weather in Paris?"},), reference)


SETTINGS = Evaluation(seed=1, bootstrap=100, strict=False)


def test_answers_are_checked_and_told_as_they_were_generated(prompter: Prompter) -> None:
    refusal = Reference(Kind.REFUSAL, text="I can not do that with these tools.")
    texts = ['[get_weather(city="Paris")]', '[get_weather(city="Rome")]', '[get_weather(city="Par', refusal.text]
    tasks = [task("a", CALL), task("b", CALL), task("c", CALL), task("d", refusal, "irrelevant", "validation")]
    table = answer(Scripted(prompter, texts), prompter, tasks, SETTINGS, 50)
    assert table.schema == pl.Schema(PREDICTIONS)
    assert table["output"].to_list() == texts
    assert table["right"].to_list() == [True, False, False, True]
    assert table["error"].to_list() == ["", "wrong_value", "unparseable", ""]
    assert table["path"].to_list()[:2] == ["", "calls[0].arguments.city"]
    assert table["errors"].to_list()[:2] == [[], ["wrong_value"]]
    assert table["complex"].to_list() == [False, False, False, True]
    assert table["tokens"].to_list() == [len(text) + 1 for text in texts]
    assert table["prompt"][0] == "<|tool|>get_weather<|turn|>user Weather in Paris?<|end|><|turn|>assistant "


def test_a_cut_answer_is_unparseable_even_where_its_text_would_pass(prompter: Prompter) -> None:
    refusal = Reference(Kind.REFUSAL, text="I can not do that with these tools.")
    engine = Scripted(prompter, [refusal.text], finish="length")
    table = answer(engine, prompter, [task("a", refusal, "irrelevant")], SETTINGS, 50)
    assert table["error"].to_list() == ["unparseable"]
    assert not table["right"][0]


def test_a_too_long_prompt_is_an_error_that_names_the_task(prompter: Prompter) -> None:
    short = Prompter(prompter.tokenizer, "pythonic", 10)
    with pytest.raises(UserError, match="task a"):
        answer(Scripted(prompter, ["x"]), short, [task("a", CALL)], SETTINGS, 5)


def test_self_evaluation_is_the_auc_of_yes(prompter: Prompter) -> None:
    engine = Scripted(prompter, ["ab", "abcd", "abc"])
    completed = [((1, 2), completion) for completion in engine.completions]
    assert self_evaluation(engine, prompter, completed, [True, False, False]) == {"auc": 1.0, "n": 3}
    assert self_evaluation(engine, prompter, completed, [False, True, False]) == {"auc": 0.0, "n": 3}
    assert self_evaluation(engine, prompter, completed, [True, True, True]) == {"auc": None, "n": 3}


def rows(*groups: tuple[int, str, str, bool, str]) -> pl.DataFrame:
    """Predictions from (count, split, scenario, right, error)."""
    listed = list(chain.from_iterable([group[1:]] * group[0] for group in groups))
    return pl.DataFrame(
        [
            {
                "task_id": f"t{i}",
                "split": split,
                "scenario": scenario,
                "complex": scenario != "single",
                "prompt": "p",
                "output": "o",
                "right": right,
                "error": error,
                "path": "",
                "errors": [error] if error else [],
                "tokens": 3,
            }
            for i, (split, scenario, right, error) in enumerate(listed)
        ],
        schema=PREDICTIONS,
    )


TABLE = rows(
    (60, "test_seen", "single", True, ""),
    (20, "test_seen", "single", False, "wrong_value"),
    (10, "test_unseen", "parallel", True, ""),
    (10, "test_unseen", "parallel", False, "wrong_function"),
    (10, "test_unseen", "parallel", False, "missing_parameter"),
    (5, "test_seen", "irrelevant", True, ""),
    (5, "test_seen", "irrelevant", False, "unparseable"),
)


def test_metrics_have_the_schema_that_others_rely_on() -> None:
    figures = metrics(TABLE, 200, 1)
    assert list(figures["accuracy"]) == [*GROUPS, "scenario"]
    assert list(figures["accuracy"]["scenario"]) == ["single", "parallel", "irrelevant"]
    estimates = [figures["accuracy"][name] for name in GROUPS] + list(figures["accuracy"]["scenario"].values())
    for estimate in estimates:
        assert list(estimate) == ["value", "low", "high", "n"]
        assert 0 <= estimate["low"] <= estimate["value"] <= estimate["high"] <= 1
    assert set(figures["errors"]) == {str(kind) for kind in ErrorKind} | {"parameter_share"}


def test_a_users_own_tasks_are_a_group_where_there_are_any() -> None:
    own = TABLE.with_columns(task_id=pl.concat_str(pl.lit("user-"), "task_id")).filter(pl.col("split") == "test_unseen")
    figures = metrics(pl.concat([TABLE, own]), 50, 1)
    assert list(figures["accuracy"]) == [*GROUPS, "own", "scenario"]
    assert figures["accuracy"]["own"]["value"] == pytest.approx(10 / 30)
    assert figures["accuracy"]["own"]["n"] == 30


def test_metrics_count_what_they_say() -> None:
    figures = metrics(TABLE, 200, 1)
    values = {name: (figures["accuracy"][name]["value"], figures["accuracy"][name]["n"]) for name in GROUPS}
    assert values["all"] == (pytest.approx(75 / 120), 120)
    assert values["complex"] == (pytest.approx(15 / 40), 40)
    assert values["simple"] == (pytest.approx(60 / 80), 80)
    assert values["seen"] == (pytest.approx(65 / 90), 90)
    assert values["unseen"] == (pytest.approx(10 / 30), 30)
    assert figures["errors"]["wrong_value"] == 20
    assert figures["errors"]["should_call"] == 0
    assert figures["errors"]["parameter_share"] == pytest.approx(30 / 45)


def test_unparseable_is_never_a_refusal() -> None:
    figures = metrics(TABLE, 50, 1)
    assert figures["unparseable"] == 5
    assert figures["refusals"] == 5


def test_metrics_of_an_empty_group_are_null() -> None:
    figures = metrics(TABLE.filter(pl.col("split") == "test_seen"), 50, 1)
    assert figures["accuracy"]["unseen"] == {"value": None, "low": None, "high": None, "n": 0}
    perfect = metrics(TABLE.filter("right"), 50, 1)
    assert perfect["errors"]["parameter_share"] == 0.0


def test_numbers_are_read_as_dvc_writes_them(tmp_path) -> None:
    text = (Path(__file__).parents[1] / "params.yaml").read_text()
    written = text.replace("  learning_rate: 0.008", "  learning_rate: 5e-05")
    assert written != text
    (tmp_path / "params.yaml").write_text(written)
    assert load(tmp_path / "params.yaml").preference.learning_rate == 5e-5
    (tmp_path / "params.yaml").write_text(text.replace("seed: 1", "seed: one", 1))
    with pytest.raises(UserError, match=r"seed: found 'one'"):
        load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("model: [")
    with pytest.raises(UserError, match=r"params\.yaml: not YAML"):
        load(tmp_path / "params.yaml")


def test_small_numbers_are_kept_in_metrics(tmp_path) -> None:
    write_json({"p_value": 7.1234567e-27, "rates": [1.5e-6, 0.1234567], "n": 1234567}, tmp_path / "metrics.json")
    kept = json.loads((tmp_path / "metrics.json").read_text())
    assert kept == {"p_value": 7.12346e-27, "rates": [1.5e-6, 0.123457], "n": 1234567}


def test_a_model_that_params_do_not_name_is_an_error() -> None:
    params = load(Path(__file__).parents[1] / "params.yaml")
    assert params.model_folder("base") == params.model.path
    assert params.model_folder("it0") == "data/models/it0"
    with pytest.raises(UserError, match=r"params\.yaml: iterations: found no it99"):
        params.model_folder("it99")
