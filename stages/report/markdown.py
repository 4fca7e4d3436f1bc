"""The report as Markdown: a figure never stands without its interval, a claim never without its pairs."""

from collections.abc import Sequence
from typing import Any

from itool.statistics import Estimate
from itool.toolcall.types import ErrorKind
from stages.report.comparison import Comparison
from stages.report.pairs import Shown, Side


def render(
    figures: dict[str, dict[str, Any]],
    comparisons: Sequence[Comparison],
    decay: dict[str, Any],
    profile: Sequence[dict[str, Any]],
    trained: dict[str, dict[str, Any]],
    pairs: dict[str, list[Shown]],
) -> str:
    """The whole report. `figures`: per model those of `itool.answering.metrics` on the test splits; `trained`: per
    iteration metrics/preference/<iteration>.json.
    """
    parts = [
        "# Report",
        "Accuracy in percent of the test tasks, with a 95% bootstrap interval. "
        "*Complex* is everything that is not one call to one obvious tool.",
        "## Accuracy",
        accuracy_table(figures),
        "## Paired tests",
        "Differences in percentage points over the same tasks; p is McNemar's exact test, two-sided.",
        comparison_table(comparisons),
        "## Errors",
        "Wrong test answers by their first wrong fragment. Unparseable answers are never counted as refusals.",
        error_table(figures),
        "## Decay",
        "Supervised fine-tuning of the base on growing shares of the training data.",
        decay_table(decay),
        f"First gain minus last gain, in points per doubling: {percent(decay['all']['first_minus_last'])}. "
        f"Verdict: **{decay['verdict']}**.",
    ]
    if pairs:
        parts += [
            "## Deficiency profile",
            "What the search of each iteration found wrong: pairs by error kind of the rejected fragment. Of those "
            "that teach to call, and of those that teach to talk, as many are trained.",
            profile_table(profile, list(pairs)),
            "## Pairs",
            "A random sample. Both fragments continue the same answer; Q is a fragment's value in the search tree, "
            "N its visits. The preference loss sees only the fragments.",
        ]
    for iteration, shown in pairs.items():
        parts += [f"### {iteration}", training_line(trained[iteration])]
        parts += [pair_block(pair) for pair in shown] or ["No pair was found."]
    return "\n\n".join(parts) + "\n"


def grid(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table, first column left, the others right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in (header, rule, *rows))


def percent(estimate: dict[str, Any] | Estimate, sign: str = "") -> str:
    """A share as percent with its interval, e.g. `63.2 [60.1, 66.0]`."""
    fields = vars(estimate) if isinstance(estimate, Estimate) else estimate
    if fields["value"] is None:
        return "-"
    value, low, high = (format(100 * fields[name], f"{sign}.1f") for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def accuracy_table(figures: dict[str, dict[str, Any]]) -> str:
    """Groups down, models across."""
    accuracies = [figure["accuracy"] for figure in figures.values()]
    groups = [name for name in accuracies[0] if name != "scenario"]
    rows = [[name, accuracies[0][name]["n"], *(percent(each[name]) for each in accuracies)] for name in groups]
    for name, first in accuracies[0]["scenario"].items():
        rows.append([f"scenario {name}", first["n"], *(percent(each["scenario"][name]) for each in accuracies)])
    return grid(["tasks", "n", *figures], rows)


def comparison_table(comparisons: Sequence[Comparison]) -> str:
    """One row a pair of models and group of tasks."""
    rows = [
        [f"{one.model} against {one.reference}", one.group, one.delta.n, percent(one.delta, "+"), f"{one.p_value:.2g}"]
        for one in comparisons
    ]
    return grid(["models", "tasks", "n", "difference", "p"], rows)


def error_table(figures: dict[str, dict[str, Any]]) -> str:
    """Kinds down, models across."""
    errors = [figure["errors"] for figure in figures.values()]
    rows = [[kind, *(each[kind] for each in errors)] for kind in errors[0] if kind != "parameter_share"]
    rows.append(["**parameter errors, % of errors**", *(f"{100 * each['parameter_share']:.1f}" for each in errors)])
    rows.append(["right refusals", *(figure["refusals"] for figure in figures.values())])
    return grid(["first error", *figures], rows)


def decay_table(decay: dict[str, Any]) -> str:
    """One row a data size; the gain stands with the larger size of its step."""
    gains = ["", *(percent(gain, "+") for gain in decay["all"]["gain_per_doubling"].values())]
    rows = []
    for (ratio, point), gain in zip(decay["points"].items(), gains, strict=True):
        accuracy = point["accuracy"]
        of_complex = percent(accuracy["complex"]) if "complex" in accuracy else "-"
        rows.append(
            [ratio, point["samples"], percent(accuracy["all"]), of_complex, percent(point["parameter_share"]), gain]
        )
    return grid(["share", "samples", "all", "complex", "parameter errors, % of errors", "gain per doubling"], rows)


def profile_table(profile: Sequence[dict[str, Any]], iterations: Sequence[str]) -> str:
    """Error kinds down, iterations across, with their part in percent."""
    counts = {str(kind): dict.fromkeys(iterations, 0) for kind in ErrorKind}
    for row in profile:
        counts[row["error"]][row["iteration"]] += row["pairs"]
    totals = {name: sum(kinds[name] for kinds in counts.values()) for name in iterations}
    rows = [
        [kind, *(f"{kinds[name]} ({100 * kinds[name] / max(1, totals[name]):.0f}%)" for name in iterations)]
        for kind, kinds in counts.items()
        if any(kinds.values())
    ]
    return grid(["error kind", *iterations], [*rows, ["**pairs**", *totals.values()]])


def training_line(trained: dict[str, Any]) -> str:
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
