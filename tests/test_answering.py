"""Answers through a scripted engine."""

import polars as pl
import pytest
from tiny_tokenizer import save_tokenizer

from itool.answering import answer
from itool.artifacts import PREDICTIONS
from itool.engine.base import Completion
from itool.errors import UserError
from itool.params import Evaluation
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.toolcall.types import Kind, Reference, ReferenceCall, Task, Tool
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
