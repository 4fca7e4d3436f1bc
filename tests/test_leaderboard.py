"""The stage: questions as tasks, answers as result files, resume, errors. The board's code is swapped for a fake."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml
from smoke import dvc

from itool.artifacts import BOARD_ANSWERS, read_table
from itool.engine.base import Completion
from itool.errors import UserError
from itool.formats.notes import Notes
from itool.params import load
from itool.toolcall.dialects import DIALECTS
from itool.toolcall.types import Answer, Call, Tool, Unparseable
from stages.leaderboard import board
from stages.leaderboard import run as stage

ROOT = Path(__file__).parents[1]
END = 0
DOCK = {
    "name": "dock.enter",
    "description": "lets a ship in Note that the provided function is in Python 3 syntax.",
    "parameters": {
        "type": "dict",
        "properties": {"ship": {"type": "string"}, "gate": {"type": "integer", "default": "1"}},
        "required": ["ship"],
    },
}
HOLD = {
    "name": "Hold.fill",
    "description": "Note that the provided function is in Java 8 SDK syntax.",
    "parameters": {"type": "dict", "properties": {"crates": {"type": "string"}}, "required": ["crates"]},
}


def question(task_id, *messages, functions=(DOCK,)):
    return {"id": task_id, "question": [list(messages)], "function": list(functions)}


def user(text):
    return {"role": "user", "content": text}


QUESTIONS = [
    question("simple_python_0", user("Let the Vega in")),
    question("simple_python_1", user("Let the Lyra in by gate two")),
    question("simple_java_0", user("Fill it"), functions=[HOLD]),
    question("irrelevance_0", user("Sing")),
    question("live_irrelevance_0-0-0", user("Dance"), functions=[]),
    question("live_relevance_0-0-0", user("The Vega is here, " + "really " * 40)),
]
ANSWERS = {  # what the fake model says, by the last word that it is asked
    "in": '[dock.enter(ship="Vega")]',
    "two": '[dock.enter(ship="Lyra", gate=2), dock.enter(ship="Vega")]',
    "it": '[Hold.fill(crates="new int[]{1, 2}")]',
    "Sing": "[dock.enter(ship=",
    "Dance": "None of the available functions can do that.",
}


def test_a_question_becomes_a_task_as_the_repaired_schema_shows_it():
    system = {"role": "system", "content": "Be brief."}
    notes = Notes()
    task = board.task_of(question("live_simple_7-3-1", system, user("Let the Vega in")), notes)
    assert (task.task_id, task.scenario) == ("live_simple_7-3-1", "live_simple")
    assert task.messages == (system, user("Let the Vega in"))
    assert task.tools[0].name == "dock.enter"
    assert task.tools[0].parameters["type"] == "object"
    assert task.tools[0].properties["gate"] == {"type": "integer", "default": 1}
    assert notes.repaired["default of another type"] == 1


def test_a_broken_question_names_the_field():
    with pytest.raises(UserError, match=r"simple_python_0: function: found NoneType"):
        board.task_of({"id": "simple_python_0", "question": [[user("a")]]}, Notes())


TOOLS = [Tool("dock.enter", "", {"type": "object", "properties": {}})]


@pytest.mark.parametrize(
    ("answer", "kind", "result"),
    [
        (Answer((Call("dock.enter", {"ship": "Véga"}),)), "calls", [{"dock.enter": '{"ship": "Véga"}'}]),
        (
            Answer((Call("f", {"a": [1, None], "b": {"c": True}}), Call("f", {}))),
            "calls",
            [{"f": '{"a": [1, null], "b": {"c": true}}'}, {"f": "{}"}],
        ),
        (
            Answer((Call("Hold.fill", {"crates": "new int[]{1}"}),)),
            "calls",
            [{"Hold.fill": '{"crates": "new int[]{1}"}'}],
        ),
        (Answer(text="Which ship?"), "text", "Which ship?"),
        (Answer(text=""), "text", ""),
        (Answer(text='Try dock.enter(ship="Vega").'), "call_in_text", 'Try dock.enter(ship="Vega").'),
        (Unparseable(3, "cut by the length limit"), "unparseable", "[dock"),
    ],
)
def test_an_answer_as_the_board_decodes_it(answer, kind, result):
    assert board.read(answer, "[dock", TOOLS) == (kind, result)


def test_result_files_have_the_layout_of_the_board():
    rows = [
        {"task_id": name, "category": board.category_of(name), "result": json.dumps(result)}
        for name, result in [("simple_python_0", "x"), ("live_simple_0-1-2", [{"f": "{}"}]), ("simple_python_1", "é")]
    ]
    assert board.result_files(rows) == {
        "non_live/BFCL_v4_simple_python_result.json": '{"id": "simple_python_0", "result": "x"}\n'
        '{"id": "simple_python_1", "result": "é"}\n',
        "live/BFCL_v4_live_simple_result.json": '{"id": "live_simple_0-1-2", "result": [{"f": "{}"}]}\n',
    }


NON_LIVE = (
    "Rank,Model,Non-Live Overall Acc,AST Summary,Simple AST,Python Simple AST,Java Simple AST,JavaScript Simple AST,"
    "Multiple AST,Parallel AST,Parallel Multiple AST,Irrelevance Detection\n"
    "1,base,21.25%,{},10.00%,20.00%,10.00%,0.00%,30.00%,25.00%,20.00%,50.00%"
)
LIVE = "Rank,Model,Live Overall Acc,AST Summary\n1,base,40.01%,40.01%"
OVERALL = "Rank,Overall Acc,Model,Relevance Detection,Irrelevance Detection\n1,11.00%,base,62.50%,60.20%"


def test_the_row_of_the_board():
    tables = {"non_live": NON_LIVE.format("21.25%"), "live": LIVE, "overall": OVERALL}
    row = {"non_live": 21.25, "simple": 10.0, "live": 40.01, "irrelevance": 60.2, "relevance": 62.5}
    assert board.board_row(tables) == {"overall": 40.49} | row
    tables["non_live"] = NON_LIVE.format("N/A")  # a category was not run
    assert board.board_row(tables) == {"overall": None} | row | {"non_live": None}


def test_the_table_of_dvc_fits_in_160_columns():
    tables = {"non_live": NON_LIVE.format("21.25%"), "live": LIVE, "overall": OVERALL}
    names = [*board.board_row(tables), *board.counts([], set())]
    assert len(names) <= 12
    assert len("metrics/leaderboard/base.json") + sum(4 + max(len(name), 5) for name in names) <= 160


def test_what_is_no_refusal_is_counted_where_the_board_credits_it():
    kinds = [
        ("irrelevance_0", "text"),
        ("irrelevance_1", "unparseable"),
        ("live_irrelevance_0-0-0", "call_in_text"),
        ("live_irrelevance_1-0-0", "too_long"),
        ("live_irrelevance_2-0-0", "calls"),
        ("simple_python_0", "unparseable"),
        ("live_relevance_0-0-0", "too_long"),
    ]
    rows = [{"task_id": name, "category": board.category_of(name), "kind": kind} for name, kind in kinds]
    wrong = {"live_irrelevance_2-0-0", "simple_python_0", "live_relevance_0-0-0"}
    assert board.counts(rows, wrong) == {"unparseable": 2, "too_long": 2, "credited": 3}
    assert board.details(rows, wrong)["live_irrelevance"] == {
        "questions": 3,
        "right": 2,
        "call_in_text": 1,
        "too_long": 1,
        "calls": 1,
    }


class FakePrompter:
    """A prompt is its last message; a token is a character."""

    dialect = DIALECTS["pythonic"]
    end_ids = frozenset({END})

    def prompt_ids(self, task):
        if task.messages[0]["role"] == "system":
            raise UserError(f"task {task.task_id}: the chat template refuses its messages: no system prompt")
        return tuple(map(ord, task.messages[-1]["content"]))

    def decode(self, ids):
        return "".join(chr(token) for token in ids if token != END)


class FakeEngine:
    def __init__(self, calls_until_killed=None):
        self.calls, self.calls_until_killed = [], calls_until_killed

    def generate(self, requests, sampling):
        if self.calls_until_killed == len(self.calls):
            raise KeyboardInterrupt
        assert sampling.temperature == 0.0
        self.calls.append(["".join(map(chr, request.prompt)) for request in requests])
        said = [ANSWERS[prompt.rpartition(" ")[2]] for prompt in self.calls[-1]]
        whole = [(*map(ord, text), END) for text in said]
        return [[Completion(ids[: sampling.max_tokens], (), "stop")] for ids in whole]


SCORE_HEADER = '{"accuracy": 0.5, "correct_count": 1, "total_count": 2}\n'


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with six questions in shards of two, and a fake of the board that finds simple_python_1 wrong."""
    monkeypatch.chdir(tmp_path)
    fields = yaml.safe_load((ROOT / "params.yaml").read_text())
    fields["leaderboard"] |= {"shard": 2, "max_length": 100, "models": {"mine": "data/mine"}}
    Path("params.yaml").write_text(yaml.safe_dump(fields))
    for folder in ("data/base", "data/mine"):
        Path(folder).mkdir(parents=True)
        Path(folder, "weights").write_text("0")

    def official(action, *arguments):
        if action == "questions":
            return "".join(json.dumps(each) + "\n" for each in QUESTIONS)
        folder, model = arguments[:2]
        for file in (folder / "result" / model).rglob("*.json"):
            wrong = [line for line in file.read_text().splitlines() if '"simple_python_1"' in line]
            target = folder / "score" / model / file.parent.name / file.name.replace("_result", "_score")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(SCORE_HEADER + "".join(line + "\n" for line in wrong))
        for name, table in {"non_live": NON_LIVE.format("21.25%"), "live": LIVE, "overall": OVERALL}.items():
            (folder / "score" / f"data_{name}.csv").write_text(table)
        (folder / ".file_locks").mkdir()
        return ""

    monkeypatch.setattr(stage, "official", official)
    monkeypatch.setattr(stage, "open_prompter", lambda *_: FakePrompter())

    def start(model="base", calls_until_killed=None):
        engine = FakeEngine(calls_until_killed)
        monkeypatch.setattr(stage, "open_engine", lambda *_: engine)
        stage.run(model)
        return engine

    return start


def results(model="base"):
    files = sorted(Path(f"data/leaderboard/{model}/result").rglob("*.json"))
    return {entry["id"]: entry["result"] for file in files for entry in map(json.loads, file.read_text().splitlines())}


def test_a_model_is_asked_and_scored(project):
    project()
    assert results() == {
        "simple_python_0": [{"dock.enter": '{"ship": "Vega"}'}],
        "simple_python_1": [{"dock.enter": '{"ship": "Lyra", "gate": 2}'}, {"dock.enter": '{"ship": "Vega"}'}],
        "simple_java_0": [{"Hold.fill": '{"crates": "new int[]{1, 2}"}'}],
        "irrelevance_0": ANSWERS["Sing"],
        "live_irrelevance_0-0-0": ANSWERS["Dance"],
        "live_relevance_0-0-0": "",
    }
    row = json.loads(Path("metrics/leaderboard/base.json").read_text())
    assert list(row) == [
        *("overall", "non_live", "simple", "live", "irrelevance", "relevance"),
        *("unparseable", "too_long", "credited"),
    ]
    assert (row["unparseable"], row["too_long"], row["credited"]) == (1, 1, 1)
    answers = read_table("data/leaderboard/base/answers.parquet", BOARD_ANSWERS)
    assert answers.filter(pl.col("kind") == "too_long")["task_id"].to_list() == ["live_relevance_0-0-0"]
    details = json.loads(Path("data/leaderboard/base/details.json").read_text())
    assert details["simple_python"] == {"questions": 2, "right": 1, "calls": 2}
    assert {path.name for path in Path("data/leaderboard/base").iterdir()} == {
        *("answers.parquet", "details.json", "result", "score")
    }


def test_prompts_that_are_too_long_are_not_asked_and_short_ones_come_first(project):
    asked = project().calls
    assert [len(call) for call in asked] == [2, 2, 1]
    lengths = [len(prompt) for call in asked for prompt in call]
    assert lengths == sorted(lengths)
    assert lengths[-1] <= 100


def test_a_question_that_the_template_refuses_gets_an_empty_answer_and_is_told(project, monkeypatch, caplog):
    refused = question("irrelevance_0", {"role": "system", "content": "Be brief."}, user("Sing"))
    monkeypatch.setattr(stage, "read_questions", lambda _: [*QUESTIONS[:3], refused, *QUESTIONS[4:]])
    project()
    assert results()["irrelevance_0"] == ""
    details = json.loads(Path("data/leaderboard/base/details.json").read_text())
    assert details["irrelevance"] == {"questions": 1, "right": 1, "no_prompt": 1}
    assert json.loads(Path("metrics/leaderboard/base.json").read_text())["credited"] == 1
    assert "question that the chat template refuses 1; task irrelevance_0: the chat template refuses" in caplog.text


def test_a_killed_stage_resumes_with_the_same_bytes(project):
    project()
    whole = Path("data/leaderboard/base/answers.parquet").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        project(calls_until_killed=2)
    assert len(list(Path(".scratch").rglob("*.parquet"))) == 2
    assert len(project().calls) == 1
    assert Path("data/leaderboard/base/answers.parquet").read_bytes() == whole
    assert not list(Path(".scratch").rglob("*.parquet"))


def test_other_questions_start_afresh(project, monkeypatch):
    with pytest.raises(KeyboardInterrupt):
        project(calls_until_killed=2)
    monkeypatch.setitem(QUESTIONS[0], "function", [DOCK | {"description": "another"}])
    assert len(project().calls) == 3


def test_a_folder_of_ones_own_is_scored_by_its_name(project):
    project("mine")
    assert results("mine") != {}
    assert Path("metrics/leaderboard/mine.json").exists()
    with pytest.raises(UserError, match=r"params\.yaml: iterations: found no yours; expected base"):
        project("yours")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("models", {"Mine/1": "x"}, r"leaderboard\.models"),
        ("categories", ["simple"], r"leaderboard\.categories\.0: found 'simple'; expected one of simple_python, "),
        ("categories", [], r"leaderboard\.categories: found \[\]"),
        ("max_tokens", 0, r"leaderboard\.max_tokens: found 0"),
    ],
)
def test_settings_out_of_range_are_named(project, field, value, message):
    fields = yaml.safe_load(Path("params.yaml").read_text())
    fields["leaderboard"][field] = value
    Path("params.yaml").write_text(yaml.safe_dump(fields))
    with pytest.raises(UserError, match=rf"params\.yaml: {message}"):
        load()


def test_without_the_boards_environment_one_line_says_how_to_make_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^\.venv-bfcl/bin/python: no such file; .* \(make bfcl\)$"):
        stage.official("questions", "simple_python")


def test_what_fails_in_the_boards_environment_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    python = Path(".venv-bfcl/bin/python")
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho Traceback >&2; echo 'KeyError: 7' >&2; exit 1\n")
    python.chmod(0o755)
    with pytest.raises(UserError, match=r"^official\.py score: KeyError: 7$"):
        stage.official("score", "folder", "base")


def test_dvc_knows_a_pipeline_apart_from_the_default_one(tmp_path):
    fields = yaml.safe_load((ROOT / "params.yaml").read_text())
    fields["leaderboard"]["models"] = {"mine": "/models/mine"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(fields))
    for file in ("dvc.yaml", "leaderboard/dvc.yaml"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    assert "leaderboard" not in dvc(tmp_path, "stage", "list", "--name-only")
    models = ("start@base", "start@it0", *(f"iteration@{key}" for key in fields["iterations"]), "own@mine")
    assert dvc(tmp_path, "stage", "list", "--name-only", "leaderboard/dvc.yaml").splitlines() == [
        f"leaderboard/dvc.yaml:{model}" for model in models
    ]
