"""The report over hand-made predictions and pairs: figures, errors, and what a reader sees."""

import csv
import json
from pathlib import Path

import polars as pl
import pytest
import yaml
from tiny_tokenizer import save_tokenizer

from itool.artifacts import PAIRS, PREDICTIONS, TASKS, task_row, write_table
from itool.errors import UserError
from itool.files import write_json, write_text
from itool.metrics import detail, difference
from itool.toolcall.prompt import Prompter, load_tokenizer
from itool.toolcall.types import Kind, Reference, ReferenceCall, Task, Tool
from stages.report.run import run
from stages.report.tables import CURVES
from stages.synthesis.scenarios import SCENARIOS as BY_NAME

SCENARIOS = list(BY_NAME)[:9]

RIGHT = {"base": 30, "it0": 100, "it1": 130}  # of 200 test tasks, the easiest first
TOOL = Tool("get_weather", "Weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


def predictions(right: int) -> pl.DataFrame:
    rows = []
    for i in range(240):
        split = "validation" if i >= 200 else ("test_seen", "test_unseen")[i % 2]
        scenario = SCENARIOS[i // 2 % len(SCENARIOS)]
        good = i % 200 < right
        rows.append(
            {
                "task_id": f"{split}-{i:03}",
                "split": split,
                "scenario": scenario,
                "complex": scenario != "single",
                "prompt": "",
                "output": "",
                "right": good,
                "error": "" if good else ("wrong_value", "wrong_count")[i % 2],
                "path": "",
                "errors": [] if good else ["wrong_value"],
                "tokens": 1,
            }
        )
    return pl.DataFrame(rows, schema=PREDICTIONS)


def estimate(value: float) -> dict[str, float | int]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01, "n": 100}


DECAY_FIGURES = {
    "verdict": "decays",
    "points": {
        name: {"samples": n, "accuracy": {"all": estimate(value)}, "parameter_share": estimate(0.5)}
        for name, n, value in (("0.25", 250, 0.3), ("0.5", 500, 0.5), ("1", 1000, 0.6))
    },
    "all": {
        "verdict": "decays",
        "gain_per_doubling": {"0.25-0.5": estimate(0.2), "0.5-1": estimate(0.1)},
        "first_minus_last": estimate(0.1),
        "fit": None,
    },
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the report reads, of one iteration."""
    params = yaml.safe_load((Path(__file__).parents[1] / "params.yaml").read_text())
    params["model"] |= {"path": "base", "dialect": "pythonic"}
    params["iterations"] = {"it1": {"previous": "it0", "ratio": 0.5}}
    params["report"] = {"seed": 1, "pairs": 2}
    params["evaluation"]["bootstrap"] = 300
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    save_tokenizer(Path("base"))
    for model, right in RIGHT.items():
        write_table(predictions(right), PREDICTIONS, f"data/predictions/{model}.parquet")
        test = predictions(right).filter(pl.col("split") != "validation")
        write_json({"test": detail(test, 300, 1)}, f"metrics/detail/{model}.json")
    write_json(DECAY_FIGURES, "metrics/decay.json")
    prompter = Prompter(load_tokenizer("base"), "pythonic", 1000)

    def ids(text: str) -> list[int]:
        return list(prompter.tokenizer(text, add_special_tokens=False).input_ids)

    reference = Reference(Kind.CALLS, (ReferenceCall("get_weather", {"city": ["Paris"]}),))
    messages = (
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "Weather in\nParis? ```"},
    )
    task = Task("e1", "explore", "multi_turn", (TOOL,), messages, reference)
    write_table([task_row(task)], TASKS, "data/synthesis/explore.parquet")
    prompt = list(prompter.prompt_ids(task))
    pair = {
        "task_id": "e1",
        "scenario": "multi_turn",
        "kind": "argument",
        "path": "calls[0].arguments.city",
        "error": "wrong_value",
        "prompt": prompt + ids("[get_weather("),
        "chosen": ids('city="Paris"'),
        "rejected": ids('city="Rome"'),
        "chosen_q": 0.75,
        "rejected_q": 0.125,
        "chosen_visits": 9,
        "rejected_visits": 4,
        "answer": 0,
    }
    ending = pair | {
        "kind": "next",
        "path": "calls[0].next",
        "error": "wrong_count",
        "prompt": prompt + ids('[get_weather(city="Paris"'),
        "chosen": [*ids(")]"), prompter.end_id],
        "rejected": ids("), "),
    }
    write_table([pair, ending], PAIRS, "data/pairs/it1.parquet")
    found = {"wrong_count": {"multi_turn": 1}, "wrong_value": {"multi_turn": 1, "single": 3}}
    write_json({"scenarios": found}, "metrics/fragments/it1.json")
    write_json(
        {"answers": 3, "pairs": 2, "kept": "check 1", "validation": {"start": 0.4, "check 1": 0.55}},
        "metrics/preference/it1.json",
    )
    for name in CURVES:
        write_text(f"step\t{name}\n5\t0.1\n10\t0.4\n", f"data/curves/it1/plots/metrics/{name}.tsv")
    return tmp_path


def read_csv(name: str) -> list[dict[str, str]]:
    with open(f"report/{name}", newline="") as file:
        return list(csv.DictReader(file))


def table(report: str, heading: str) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of the first table below a heading."""
    lines = report.partition(f"## {heading}\n")[2].partition("\n## ")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return cells[0], cells[2:]


def test_the_curves_of_the_iterations_stand_in_one_table(project: Path) -> None:
    run()
    rows = read_csv("preference.csv")
    assert [(row["iteration"], row["step"], row["margin"]) for row in rows] == [
        ("it1", "5", "0.1"),
        ("it1", "10", "0.4"),
    ]


def test_latest_is_the_headline_of_the_last_iteration(project: Path) -> None:
    run()
    latest = json.loads(Path("metrics/latest.json").read_text())
    assert latest["model"] == "it1"
    assert latest["all"] == 65.0  # 130 of 200
    assert latest["tasks"] == 200
    assert latest["delta_all"] == 15.0
    assert len(latest) <= 13
    assert not any(isinstance(value, dict | list) for value in latest.values())


def test_plots_get_their_tables(project: Path) -> None:
    run()
    accuracy = read_csv("accuracy.csv")
    assert {row["model"] for row in accuracy} == set(RIGHT)
    assert {row["group"] for row in accuracy} == {"all", "complex", "simple", "seen", "unseen", *SCENARIOS}
    whole = next(row for row in accuracy if row["model"] == "it0" and row["group"] == "all")
    assert float(whole["value"]) == pytest.approx(0.5)
    errors = {(row["model"], row["error"]): int(row["answers"]) for row in read_csv("errors.csv")}
    assert errors["it1", "wrong_value"] + errors["it1", "wrong_count"] == 70
    smallest = read_csv("decay.csv")[0]
    assert (smallest["samples"], smallest["tasks"], smallest["value"]) == ("250", "all", "0.3")
    profile = read_csv("deficiency.csv")
    assert [(row["iteration"], row["error"], row["scenario"], row["pairs"]) for row in profile] == [
        ("it1", "wrong_count", "multi_turn", "1"),
        ("it1", "wrong_value", "multi_turn", "1"),
        ("it1", "wrong_value", "single", "3"),  # found, though not trained
    ]


def test_the_report_shows_models_tests_and_pairs(project: Path) -> None:
    run()
    text = Path("report/report.md").read_text()
    header, rows = table(text, "Accuracy")
    assert header == ["tasks", "n", "base", "it0", "it1"]
    scenarios = [f"scenario {name}" for name in sorted(SCENARIOS)]
    assert [row[0] for row in rows[:5]] == ["all", "complex", "simple", "seen", "unseen"]
    assert sorted(row[0] for row in rows[5:]) == sorted(scenarios)
    assert rows[0][:2] == ["all", "200"]
    assert [cell.split()[0] for cell in rows[0][2:]] == ["15.0", "50.0", "65.0"]
    _, rows = table(text, "Paired tests")
    assert [row[:3] for row in rows[:2]] == [["it0 against base", "all", "200"], ["it0 against base", "complex", "176"]]
    assert rows[0][3].startswith("+35.0 [+")
    tests = [predictions(RIGHT[model]).filter(pl.col("split") != "validation") for model in ("it0", "it1")]
    assert rows[3][4] == f"{difference(*tests, 'complex', 300, 1)['p_value']:.2g}"  # however small
    header, rows = table(text, "Errors")
    assert rows[3] == ["wrong_value", "85", "50", "35"]
    assert rows[-2:] == [
        ["**parameter errors, % of errors**", "50.0", "50.0", "50.0"],
        ["right refusals", "2", "10", "14"],
    ]
    _, rows = table(text, "Decay")
    assert [row[:2] for row in rows] == [["0.25", "250"], ["0.5", "500"], ["1", "1000"]]
    assert [row[-1] for row in rows] == ["", "+20.0 [+19.0, +21.0]", "+10.0 [+9.0, +11.0]"]
    assert "Verdict: **decays**" in text
    assert "2 pairs, 3 answers. Right validation tasks: start 40.0%, check 1 55.0%. Kept: check 1." in text
    _, rows = table(text, "Deficiency profile")
    assert rows == [["wrong_value", "4 (80%)"], ["wrong_count", "1 (20%)"], ["**pairs**", "5"]]
    assert "**wrong_value** at `calls[0].arguments.city` (multi_turn, e1)" in text
    assert "    request   Weather in Paris? ```\n" in text
    assert "    so far    '[get_weather('\n" in text
    assert "    chosen    'city=\"Paris\"'  Q=0.750  N=9\n" in text
    assert "    rejected  'city=\"Rome\"'  Q=0.125  N=4\n" in text
    assert "    chosen    ')]<end>'" in text


def test_two_reports_are_the_same_bytes(project: Path) -> None:
    run()
    files = [Path("metrics/latest.json"), *sorted(Path("report").iterdir())]
    first = [file.read_bytes() for file in files]
    run()
    assert [file.read_bytes() for file in files] == first


def edit_params(**iterations: dict[str, object]) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["iterations"] |= iterations
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def test_an_iteration_without_predictions_is_named(project: Path) -> None:
    edit_params(it2={"previous": "it1", "ratio": 0.5})
    with pytest.raises(UserError, match=r"data/predictions/it2\.parquet: no such file"):
        run()


def test_predictions_that_params_do_not_name_are_not_read(project: Path) -> None:
    Path("data/predictions/it9.parquet").write_bytes(b"stale")
    run()
    assert "it9" not in Path("report/report.md").read_text()


def test_models_that_answered_different_tasks_are_not_compared(project: Path) -> None:
    write_table(predictions(10).head(150), PREDICTIONS, "data/predictions/it1.parquet")
    with pytest.raises(UserError, match=r"data/predictions/it1\.parquet: column task_id: .*base\.parquet"):
        run()


def test_a_truncated_table_is_named(project: Path) -> None:
    file = Path("data/predictions/it0.parquet")
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(UserError, match=r"data/predictions/it0\.parquet: not a readable parquet file"):
        run()


def test_missing_or_broken_decay_figures_are_named(project: Path) -> None:
    Path("metrics/decay.json").write_text('{\n"points": ')
    with pytest.raises(UserError, match=r"metrics/decay\.json: not JSON: .* at line 2"):
        run()
    Path("metrics/decay.json").unlink()
    with pytest.raises(UserError, match=r"metrics/decay\.json: No such file"):
        run()


def test_a_pair_of_another_task_is_named(project: Path) -> None:
    pairs = pl.read_parquet("data/pairs/it1.parquet")
    write_table(pairs.with_columns(task_id=pl.lit("e9")), PAIRS, "data/pairs/it1.parquet")
    with pytest.raises(UserError, match=r"data/pairs/it1\.parquet: column task_id: found e9"):
        run()
    shifted = pairs.with_columns(prompt=pl.col("prompt").list.slice(1))
    write_table(shifted, PAIRS, "data/pairs/it1.parquet")
    with pytest.raises(UserError, match=r"data/pairs/it1\.parquet: column prompt: task e1"):
        run()


def test_a_name_that_the_model_wrote_stays_inside_its_line(project: Path) -> None:
    pairs = pl.read_parquet("data/pairs/it1.parquet")
    forged = pairs.with_columns(path=pl.lit("calls[0].arguments.x`\n\n# Forged"))
    write_table(forged, PAIRS, "data/pairs/it1.parquet")
    run()
    report = Path("report/report.md").read_text()
    assert "at `calls[0].arguments.x'  # Forged` (multi_turn, e1)" in report
    assert "\n# Forged" not in report


def test_an_iteration_without_pairs_says_so(project: Path) -> None:
    write_table([], PAIRS, "data/pairs/it1.parquet")
    write_json({"scenarios": {}}, "metrics/fragments/it1.json")
    run()
    assert "No pair was found." in Path("report/report.md").read_text()
    assert read_csv("deficiency.csv") == []


def test_without_iterations_it0_is_the_latest(project: Path) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text()) | {"iterations": {}}
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    run()
    latest = json.loads(Path("metrics/latest.json").read_text())
    assert latest["model"] == "it0"
    assert (latest["all"], latest["delta_all"], latest["delta_complex"]) == (50.0, 0.0, 0.0)
