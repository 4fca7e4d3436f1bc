"""The stage: trees are read one by one, whatever the row groups; what is left out is counted; one-line errors."""

import json
import logging
from pathlib import Path

import polars as pl
import pytest
import yaml
from exploration_fakes import TOKEN_BYTES, FakeEngine, FakePrompter, ids_of, tasks

from itool import params
from itool.artifacts import ANSWERS, NODES, PAIRS, SELECTED, read_runs, read_table, task_row, write_table
from itool.errors import UserError
from stages.exploration.search import explore, node_rows
from stages.fragments import run as stage
from stages.preference.rows import read_rows

PARAMS = Path(__file__).parents[1] / "params.yaml"
TREES = "data/exploration/it1.parquet"
COUNT = 12


@pytest.fixture(scope="module")
def nodes():
    settings = params.load(PARAMS).exploration.model_copy(update={"wave": COUNT})
    trees = explore(tasks(COUNT), FakeEngine(), FakePrompter(), settings, 20, strict=False)
    rows = [row for task, tree in zip(tasks(COUNT), trees, strict=True) for row in node_rows(task.task_id, tree)]
    return pl.DataFrame(rows, schema=NODES)


@pytest.fixture
def project(tmp_path, monkeypatch, nodes):
    """A project folder with the trees of 12 selected tasks."""
    monkeypatch.chdir(tmp_path)
    settings = yaml.safe_load(PARAMS.read_text())
    settings["fragments"] |= {"visits": 1}
    settings["iterations"] = {"it1": {"previous": "it0", "ratio": 0.5}}
    Path("params.yaml").write_text(yaml.safe_dump(settings))
    drawn = {"perplexity": 2.0, "calls": True, "weight": 1.0, "kept": True}
    write_table([task_row(task) | drawn for task in tasks(COUNT)], SELECTED, "data/selection/it1.parquet")
    write_table(nodes, NODES, TREES)
    monkeypatch.setattr(stage, "open_prompter", lambda *_: FakePrompter())


def test_row_groups_do_not_matter(project, nodes):
    stage.run("it1")
    pairs, answers = read_table("data/pairs/it1.parquet", PAIRS), read_table("data/answers/it1.parquet", ANSWERS)
    assert pairs["task_id"].n_unique() == COUNT
    nodes.write_parquet(TREES, row_group_size=5)  # every tree spans several
    stage.run("it1")
    assert read_table("data/pairs/it1.parquet", PAIRS).equals(pairs)
    assert read_table("data/answers/it1.parquet", ANSWERS).equals(answers)


@pytest.mark.parametrize("rows", [1, 7, 10_000])
def test_runs_of_rows_are_whole_and_in_order(project, nodes, rows):
    nodes.write_parquet(TREES, row_group_size=9)
    runs = list(read_runs(TREES, NODES, "task_id", rows))
    assert [run["task_id"].unique().to_list() for run in runs] == [[task.task_id] for task in tasks(COUNT)]
    assert pl.concat(runs).equals(nodes)


def test_a_table_without_rows_has_no_runs(project):
    write_table(pl.DataFrame(schema=NODES), NODES, TREES)
    assert list(read_runs(TREES, NODES, "task_id")) == []


def test_pairs_left_out_for_balance_are_counted_and_told(project, monkeypatch, caplog):
    monkeypatch.setattr(stage, "balanced", lambda pairs: list(pairs)[3:])
    with caplog.at_level(logging.INFO):
        stage.run("it1")
    figures = json.loads(Path("metrics/fragments/it1.json").read_text())
    assert figures["left_out"] == {"balance": 3}
    assert figures["trained"] == figures["pairs"] - 3 == read_table("data/pairs/it1.parquet", PAIRS).height
    calling = figures["errors"]["should_call"]
    assert f"fragments it1: 3 left out: {calling} pairs teach to call, 0 to talk" in caplog.text


def test_errors_are_one_line(project, nodes):
    first = nodes.filter(pl.col("task_id") == "task-000")
    for broken in (nodes.filter(pl.col("node") != 1), pl.concat([nodes, first])):
        broken.write_parquet(TREES, row_group_size=5)
        with pytest.raises(UserError, match="task task-000: expected one tree of nodes 0, 1, 2"):
            stage.run("it1")
    write_table(nodes.with_columns(task_id=pl.lit("other")), NODES, TREES)
    with pytest.raises(UserError, match="column task_id: found other, which was not kept by selection"):
        stage.run("it1")
    nodes.drop("q").write_parquet(TREES)
    with pytest.raises(UserError, match=r"it1\.parquet: column q: missing"):
        stage.run("it1")
    Path(TREES).write_bytes(b"PAR1 no table")
    with pytest.raises(UserError, match=r"it1\.parquet: not a readable parquet file"):
        stage.run("it1")
    Path(TREES).unlink()
    with pytest.raises(UserError, match=r"it1\.parquet: no such file"):
        stage.run("it1")


@pytest.mark.parametrize("thoughts", [True, False])
def test_a_thought_is_learnt_or_stands_before_what_is_learnt(project, nodes, monkeypatch, thoughts):
    """The model thinks `No fits` before each answer."""
    monkeypatch.setattr(FakePrompter, "token_bytes", [*TOKEN_BYTES, b"<think>", b"</think>"])
    settings = yaml.safe_load(Path("params.yaml").read_text())
    settings["fragments"] |= {"thoughts": thoughts}
    Path("params.yaml").write_text(yaml.safe_dump(settings))
    thought = [len(TOKEN_BYTES), *ids_of(b"No", b" fits"), len(TOKEN_BYTES) + 1]
    first = pl.concat_list(pl.lit(thought, dtype=pl.List(pl.Int32)), "ids")
    write_table(nodes.with_columns(ids=pl.when(parent=0).then(first).otherwise("ids")), NODES, TREES)
    stage.run("it1")
    answers = read_table("data/answers/it1.parquet", ANSWERS)
    pairs = read_table("data/pairs/it1.parquet", PAIRS)
    assert pairs.height > 0
    for prompt, answer in answers.select("prompt", "answer").iter_rows():
        start = (prompt + answer).index(thought[0])
        assert (prompt + answer)[start : start + len(thought)] == thought
        assert len(prompt) == start + (0 if thoughts else len(thought))
    read_rows("it1", max_length=100)  # training finds every pair on its answer
