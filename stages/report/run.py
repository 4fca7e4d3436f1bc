"""The report: what each iteration changed, where, and why. The models are those named in params.yaml, never a glob."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from itool.answering import metrics
from itool.cli import command_line
from itool.files import read_json, write_json, write_text
from itool.log import log
from itool.params import load
from itool.toolcall.prompt import Prompter, load_tokenizer
from stages.report.comparison import compare, read_predictions
from stages.report.markdown import render
from stages.report.pairs import sample

FOLDER = Path("report")
CURVES = ("loss", "answer_nll", "pair_loss", "margin", "accuracy", "chosen_logprob", "rejected_logprob")


def run() -> None:
    """Compare base, it0 and the iterations: metrics/latest.json, and in report/ report.md and the data of the plots."""
    params = load()
    settings, resamples, seed = params.report, params.evaluation.bootstrap, params.evaluation.seed
    models = ["base", "it0", *params.iterations]
    latest = models[-1]
    decay = read_json("metrics/decay.json")
    predictions = read_predictions(models)
    tests = {model: table.filter(pl.col("split") != "validation") for model, table in predictions.items()}
    validation = predictions[latest].filter(pl.col("split") == "validation")
    figures = {model: metrics(table, resamples, seed) for model, table in tests.items()}

    previous = {model: item.previous for model, item in params.iterations.items()}
    versus = [("it0", "base"), *((model, "it0") for model in params.iterations)]
    versus += [pair for pair in previous.items() if pair not in versus]
    tested = [name for name in ("all", "complex", "own") if name in figures[latest]["accuracy"]]
    comparisons = [
        compare(tests, model, reference, name, resamples, seed) for model, reference in versus for name in tested
    ]
    progress = compare(tests, latest, "it0", "complex", resamples, seed)
    summary = {
        "model": latest,
        "delta_complex": {"value": progress.delta.value, "low": progress.delta.low, "high": progress.delta.high},
        "p_value": progress.p_value,
        "validation": metrics(validation, resamples, seed),
        "test": figures[latest],
    }

    prompter = Prompter(load_tokenizer(params.model.path), params.model.dialect, params.model.max_length)
    trained = {iteration: read_json(f"metrics/preference/{iteration}.json") for iteration in params.iterations}
    pairs = {iteration: sample(iteration, settings.pairs, settings.seed, prompter) for iteration in params.iterations}
    profile = [row for iteration in params.iterations for row in profile_rows(iteration)]

    write_csv("accuracy.csv", ("model", "group", "value", "low", "high", "n"), accuracy_rows(figures))
    write_csv("errors.csv", ("model", "error", "answers"), error_rows(figures))
    write_csv("decay.csv", ("samples", "tasks", "value", "low", "high"), decay_rows(decay))
    write_csv("deficiency.csv", ("iteration", "error", "scenario", "pairs"), profile)
    write_csv("preference.csv", ("iteration", "step", *CURVES), curve_rows(list(params.iterations)))
    write_text(render(figures, comparisons, decay, profile, trained, pairs), FOLDER / "report.md")
    write_json(summary, "metrics/latest.json")
    if progress.delta.value is not None:
        log.info(
            "%s against it0 on complex tasks: %+.1f points, p = %.3g",
            latest,
            100 * progress.delta.value,
            progress.p_value,
        )


def accuracy_rows(figures: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a model and group of tasks that has any."""
    rows = []
    for model, figure in figures.items():
        groups = {name: value for name, value in figure["accuracy"].items() if name != "scenario"}
        for name, accuracy in (groups | figure["accuracy"]["scenario"]).items():
            if accuracy["n"]:
                rows.append({"model": model, "group": name, **accuracy})
    return rows


def error_rows(figures: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a model and error kind: how many test answers went wrong there first."""
    return [
        {"model": model, "error": kind, "answers": count}
        for model, figure in figures.items()
        for kind, count in figure["errors"].items()
        if kind != "parameter_share"
    ]


def decay_rows(decay: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a data size and kind of tasks (all, complex)."""
    return [
        {"samples": point["samples"], "tasks": part, **{bound: accuracy[bound] for bound in ("value", "low", "high")}}
        for point in decay["points"].values()
        for part, accuracy in point["accuracy"].items()
    ]


def profile_rows(iteration: str) -> list[dict[str, Any]]:
    """The iteration's deficiency profile, one row an error kind and scenario: all pairs found, trained or not."""
    found = read_json(f"metrics/fragments/{iteration}.json")["scenarios"]
    return [
        {"iteration": iteration, "error": error, "scenario": scenario, "pairs": pairs}
        for error, scenarios in sorted(found.items())
        for scenario, pairs in scenarios.items()
    ]


def curve_rows(iterations: Sequence[str]) -> list[dict[str, Any]]:
    """One row an iteration and logged step of its preference training; none where it had nothing to learn."""
    rows = []
    for iteration in iterations:
        steps: dict[int, dict[str, Any]] = {}
        for name in CURVES:
            file = Path(f"data/curves/{iteration}/plots/metrics/{name}.tsv")
            if not file.exists():
                continue
            with file.open(newline="") as lines:
                for point in csv.DictReader(lines, delimiter="\t"):
                    steps.setdefault(int(point["step"]), {})[name] = float(point[name])
        rows += [{"iteration": iteration, "step": step, **values} for step, values in sorted(steps.items())]
    return rows


def write_csv(name: str, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """A table for `dvc plots`, floats to six digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: round(item, 6) if isinstance(item, float) else item for key, item in row.items()})
    write_text(text.getvalue(), FOLDER / name)


if __name__ == "__main__":
    command_line(run)
