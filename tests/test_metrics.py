"""The figures read off hand-made predictions."""

import json
from itertools import chain
from pathlib import Path

import polars as pl
import pytest

from itool.artifacts import PREDICTIONS
from itool.files import write_json
from itool.metrics import DELTAS, GROUPS, HEADLINE, detail, difference, headline
from itool.statistics import paired_test
from itool.toolcall.types import ErrorKind


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
    figures = detail(TABLE, 200, 1)
    assert list(figures["accuracy"]) == [*GROUPS, "scenario"]
    assert list(figures["accuracy"]["scenario"]) == ["single", "parallel", "irrelevant"]
    estimates = [figures["accuracy"][name] for name in GROUPS] + list(figures["accuracy"]["scenario"].values())
    for estimate in estimates:
        assert list(estimate) == ["value", "low", "high", "n"]
        assert 0 <= estimate["low"] <= estimate["value"] <= estimate["high"] <= 1
    assert set(figures["errors"]) == {str(kind) for kind in ErrorKind} | {"parameter_share"}


def test_a_users_own_tasks_are_a_group_where_there_are_any() -> None:
    own = TABLE.with_columns(task_id=pl.concat_str(pl.lit("user-"), "task_id")).filter(pl.col("split") == "test_unseen")
    figures = detail(pl.concat([TABLE, own]), 50, 1)
    assert list(figures["accuracy"]) == [*GROUPS, "own", "scenario"]
    assert figures["accuracy"]["own"]["value"] == pytest.approx(10 / 30)
    assert figures["accuracy"]["own"]["n"] == 30


def test_metrics_count_what_they_say() -> None:
    figures = detail(TABLE, 200, 1)
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
    figures = detail(TABLE, 50, 1)
    assert figures["unparseable"] == 5
    assert figures["refusals"] == 5


def test_metrics_of_an_empty_group_are_null() -> None:
    figures = detail(TABLE.filter(pl.col("split") == "test_seen"), 50, 1)
    assert figures["accuracy"]["unseen"] == {"value": None, "low": None, "high": None, "n": 0}
    perfect = detail(TABLE.filter("right"), 50, 1)
    assert perfect["errors"]["parameter_share"] == 0.0


def test_a_headline_is_flat_and_counts_what_it_says() -> None:
    assert headline(TABLE) | {
        "tasks": 120,
        "all": 62.5,
        "complex": 37.5,
        "simple": 75.0,
        "seen": 72.2,
        "unseen": 33.3,
        "parameter_errors": 25.0,  # 20 wrong values and 10 missing parameters
        "unparseable": 4.2,
    } == headline(TABLE)
    assert list(headline(TABLE, TABLE)) == [*HEADLINE, *(f"delta_{name}" for name in DELTAS)]


def test_a_delta_is_in_points_and_of_figures_not_yet_rounded() -> None:
    better = TABLE.with_columns(right=pl.col("right") | (pl.col("error") == "wrong_function"))
    figures = headline(better, TABLE)
    assert (figures["delta_all"], figures["delta_complex"]) == (8.3, 25.0)
    assert headline(TABLE, better)["delta_all"] == -8.3


def test_a_headline_of_an_empty_group_is_null() -> None:
    simple = TABLE.filter(pl.col("scenario") == "single")
    figures = headline(simple, simple)
    assert (figures["complex"], figures["unseen"], figures["delta_complex"]) == (None, None, None)
    assert (figures["all"], figures["delta_all"]) == (75.0, 0.0)


def test_the_table_of_dvc_fits_in_160_columns() -> None:
    """`dvc metrics show` puts four blanks between columns, and sorts them."""
    names = [*HEADLINE, *(f"delta_{name}" for name in DELTAS)]
    assert len(names) <= 12
    assert len("metrics/base.json") + sum(4 + max(len(name), len("-10.5")) for name in names) <= 160


def test_a_difference_is_paired_and_has_its_test() -> None:
    better = TABLE.with_columns(right=pl.col("right") | (pl.col("error") == "wrong_function"))
    found = difference(TABLE, better, "complex", 300, 1)
    assert found["value"] == pytest.approx(0.25)
    assert 0 < found["low"] < 0.25 < found["high"]
    assert found["n"] == 40
    assert found["p_value"] == paired_test([0] * 10, [1] * 10)


def test_small_numbers_are_kept_in_metrics(tmp_path: Path) -> None:
    write_json({"p_value": 7.1234567e-27, "rates": [1.5e-6, 0.1234567], "n": 1234567}, tmp_path / "metrics.json")
    kept = json.loads((tmp_path / "metrics.json").read_text())
    assert kept == {"p_value": 7.12346e-27, "rates": [1.5e-6, 0.123457], "n": 1234567}
