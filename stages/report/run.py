"""The report: what each iteration changed, where, and why. The models are those named in params.yaml, never a glob."""

from pathlib import Path

import pandas as pd
import polars as pl

from itool import paths
from itool.cli import command_line
from itool.files import read_json, write_json, write_text
from itool.log import log
from itool.metrics import headline, read_predictions
from itool.params import load
from itool.toolcall.prompt import open_prompter
from stages.report.markdown import render
from stages.report.pairs import sample
from stages.report.tables import (
    accuracy_table,
    comparison_table,
    curve_table,
    decay_table,
    deficiency_table,
    error_table,
)


def run() -> None:
    """Compare base, it0 and the iterations: metrics/latest.json, and in report/ report.md and the data of the plots."""
    params = load()
    settings, iterations = params.report, params.iterations
    models = ["base", "it0", *iterations]
    tests = {model: table.filter(pl.col("split") != "validation") for model, table in read_predictions(models).items()}
    figures = {model: read_json(paths.DETAIL.format(model)) for model in models}
    decay = read_json(paths.DECAY_METRICS)
    trained = {iteration: read_json(paths.PREFERENCE_METRICS.format(iteration)) for iteration in iterations}
    previous = {iteration: fields.previous for iteration, fields in iterations.items()}
    comparisons = comparison_table(tests, previous, params.evaluation.bootstrap, params.evaluation.seed)
    deficiency = deficiency_table(iterations)
    prompter = open_prompter(params.model.path, params.model)
    pairs = {iteration: sample(iteration, settings.pairs, settings.seed, prompter) for iteration in iterations}

    write_csv(accuracy_table(figures), "accuracy.csv")
    write_csv(error_table(figures), "errors.csv")
    write_csv(decay_table(decay), "decay.csv")
    write_csv(deficiency, "deficiency.csv")
    write_csv(curve_table(iterations), "preference.csv")
    write_text(render(figures, comparisons, decay, deficiency, trained, pairs), Path(paths.REPORT) / "report.md")
    latest = {"model": models[-1]} | headline(tests[models[-1]], tests["it0"])
    write_json(latest, paths.LATEST)
    log.info("%(model)s: %(all)s%% right, %(delta_complex)s points over it0 on complex tasks", latest)


def write_csv(table: pd.DataFrame, name: str) -> None:
    """A table for `dvc plots`, floats to six digits."""
    write_text(table.round(6).to_csv(index=False, lineterminator="\n"), Path(paths.REPORT) / name)


if __name__ == "__main__":
    command_line(run)
