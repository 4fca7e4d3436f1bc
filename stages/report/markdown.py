"""The report as Markdown: a figure never stands without its interval, a claim never without its pairs."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from itool.metrics import GROUPS
from itool.statistics import Estimate
from itool.toolcall.types import ErrorKind
from stages.report.pairs import Shown, Side
from stages.report.tables import BOUNDS, accuracy_table, error_table


def render(
    figures: Mapping[str, Any],
    comparisons: pd.DataFrame,
    decay: dict[str, Any],
    deficiency: pd.DataFrame,
    trained: Mapping[str, Any],
    pairs: Mapping[str, list[Shown]],
) -> str:
    """The whole report. `figures`: metrics/detail/<model>.json of each model; `trained`: of each iteration
    metrics/preference/<iteration>.json; `comparisons`, `deficiency`: as stages/report/tables.py makes them.
    """
    parts = [
        "# Report",
        "Accuracy in percent of the test tasks, with a 95% bootstrap interval. "
        "*Complex* is everything that is not one call to one obvious tool.",
        "## Accuracy",
        grid(accuracy_by_model(accuracy_table(figures))),
        "## Paired tests",
        "Differences in percentage points over the same tasks; p is McNemar's exact test, two-sided.",
        grid(tests(comparisons)),
        "## Errors",
        "Wrong test answers by their first wrong fragment. Unparseable answers are never counted as refusals.",
        grid(errors_by_model(figures)),
        "## Decay",
        "Supervised fine-tuning of the base on growing shares of the training data.",
        grid(decay_by_size(decay)),
        f"First gain minus last gain, in points per doubling: {percent(decay['all']['first_minus_last'])}. "
        f"Verdict: **{decay['verdict']}**.",
    ]
    if pairs:
        parts += [
            "## Deficiency profile",
            "What the search of each iteration found wrong: pairs by error kind of the rejected fragment. Of those "
            "that teach to call, and of those that teach to talk, as many are trained.",
            grid(profile_by_iteration(deficiency, list(pairs))),
            "## Pairs",
            "A random sample. Both fragments continue the same answer; Q is a fragment's value in the search tree, "
            "N its visits. The preference loss sees only the fragments.",
        ]
    for iteration, shown in pairs.items():
        parts += [f"### {iteration}", training_line(trained[iteration])]
        parts += [pair_block(pair) for pair in shown] or ["No pair was found."]
    return "\n\n".join(parts) + "\n"


def grid(table: pd.DataFrame) -> str:
    """A Markdown table, first column left, the others right."""
    align = ("left", *["right"] * (table.shape[1] - 1))
    return str(table.to_markdown(index=False, disable_numparse=True, colalign=align))


def percent(estimate: Mapping[str, Any] | pd.Series | Estimate, sign: str = "") -> str:
    """A share with its bounds as percent, e.g. `63.2 [60.1, 66.0]`."""
    fields = vars(estimate) if isinstance(estimate, Estimate) else estimate
    if pd.isna(fields["value"]):
        return "-"
    value, low, high = (format(100 * fields[bound], f"{sign}.1f") for bound in BOUNDS)
    return f"{value} [{low}, {high}]"


def across(table: pd.DataFrame, rows: list[str], columns: str, values: str) -> pd.DataFrame:
    """The long table with one column for each value of `columns`; rows and columns in the order of the table."""
    return table.set_index([*rows, columns])[values].unstack(sort=False)


def accuracy_by_model(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Groups of tasks down, models across."""
    known = (*GROUPS, "own")
    tasks = [name if name in known else f"scenario {name}" for name in accuracy["group"]]
    told = accuracy.assign(tasks=tasks, told=accuracy.apply(percent, axis="columns"))
    return across(told, ["tasks", "n"], "model", "told").reset_index()


def tests(comparisons: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of models and group of tasks."""
    return pd.DataFrame(
        {
            "models": comparisons["model"] + " against " + comparisons["reference"],
            "tasks": comparisons["group"],
            "n": comparisons["n"],
            "difference": comparisons.apply(percent, axis="columns", sign="+"),
            "p": comparisons["p_value"].map("{:.2g}".format),
        }
    )


def errors_by_model(figures: Mapping[str, Any]) -> pd.DataFrame:
    """Error kinds down, models across."""
    table = across(error_table(figures), ["error"], "model", "answers").astype(object)
    tests = {model: figure["test"] for model, figure in figures.items()}
    shares = {model: f"{100 * test['errors']['parameter_share']:.1f}" for model, test in tests.items()}
    table.loc["**parameter errors, % of errors**"] = shares
    table.loc["right refusals"] = {model: test["refusals"] for model, test in tests.items()}
    return table.reset_index(names="first error")


def decay_by_size(decay: dict[str, Any]) -> pd.DataFrame:
    """One row a data size; the gain stands with the larger size of its step."""
    gains = ["", *(percent(gain, "+") for gain in decay["all"]["gain_per_doubling"].values())]
    rows = [
        {
            "share": ratio,
            "samples": point["samples"],
            **{tasks: percent(accuracy) for tasks, accuracy in point["accuracy"].items()},
            "parameter errors, % of errors": percent(point["parameter_share"]),
            "gain per doubling": gain,
        }
        for (ratio, point), gain in zip(decay["points"].items(), gains, strict=True)
    ]
    return pd.DataFrame(rows)


def profile_by_iteration(deficiency: pd.DataFrame, iterations: list[str]) -> pd.DataFrame:
    """Error kinds down, iterations across, with their part in percent."""
    counts = deficiency.groupby(["error", "iteration"])["pairs"].sum().unstack(fill_value=0)
    kinds = [kind for kind in ErrorKind if kind in counts.index]
    counts = counts.reindex(index=kinds, columns=iterations, fill_value=0).astype(int)
    totals = counts.sum()
    shares = 100 * counts / totals.clip(lower=1)
    table = counts.astype(str) + shares.map(" ({:.0f}%)".format).astype(str)
    table.loc["**pairs**"] = totals
    return table.reset_index(names="error kind")


def training_line(trained: Mapping[str, Any]) -> str:
    """What preference training did, and which model the iteration kept."""
    if len(trained["validation"]) == 1:
        return "Nothing to learn: the model stays as it was."
    shares = ", ".join(f"{name} {100 * accuracy:.1f}%" for name, accuracy in trained["validation"].items())
    kept = f"Kept: {trained['kept']}."
    return f"{trained['pairs']} pairs, {trained['answers']} answers. Right validation tasks: {shares}. {kept}"


def pair_block(pair: Shown) -> str:
    """One pair as an indented block, which no model text can break out of: every text stands on one line."""

    def flat(text: str) -> str:
        return " ".join(text.splitlines())

    def line(label: str, text: str) -> str:
        return f"    {label:<9} {flat(text)}"

    def side(label: str, fragment: Side) -> str:
        return line(label, f"{fragment.text!r}  Q={fragment.q:.3f}  N={fragment.visits}")

    at = flat(pair.path.replace("`", "'"))  # may hold an argument's name as the model wrote it
    return "\n".join(
        [
            f"**{pair.error}** at `{at}` ({pair.scenario}, {pair.task_id})",
            "",
            line("request", pair.request),
            line("so far", repr(pair.so_far)),
            side("chosen", pair.chosen),
            side("rejected", pair.rejected),
        ]
    )
