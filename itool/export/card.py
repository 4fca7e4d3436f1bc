"""The model card: how well the model does, and the recipe that made it."""

from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from itool import params, paths
from itool.errors import UserError, one_line
from itool.files import read_json, read_text

# Dialects have the names of vLLM's parsers (--tool-call-parser), but for these, which it reads by another name or not.
PARSERS = {"mistral_json": "mistral"} | dict.fromkeys(("apriel", "functionary", "minimax", "nemotron_json", "solar"))
LOCK = "dvc.lock"

CARD = """---
library_name: transformers
pipeline_tag: text-generation
tags: [tool-calling, itool]
{licence}---

# {model}

A model that calls tools: `{base}` after supervised fine-tuning{iterations} by
[iTool](https://arxiv.org/abs/2501.09766). Its licence is that of `{base}`.

## How well it does

Percent of the test tasks. *Complex* is every task that is not one call to one obvious tool, and *unseen* are tools that
training never showed.

{figures}

## How it was made

{recipe}

The parameters, as {lock} has them:

```yaml
{parameters}```

## How to use it

Calls are written in the dialect `{dialect}`. The chat template shows the tools that it is given as `tools`.
{serving}"""

SERVING = """
    vllm serve OUT --enable-auto-tool-choice --tool-call-parser {parser}
"""


def model_card(model: str, settings: params.Params, dialect: str) -> str:
    """The text of README.md. `dialect`: the name of the model's own.

    Raises UserError naming a file that is missing or is not what a stage wrote.
    """
    stages = stages_of(model)
    used = parameters(stages)
    chain = [name.partition("@")[2] for name in stages if name.startswith("preference@")]
    parser = PARSERS.get(dialect, dialect)
    return CARD.format(
        licence=licence(Path(settings.model.path)),
        model=model,
        base=settings.model.path,
        iterations=f" and {len(chain)} iterations of preference training on wrong fragments of calls" if chain else "",
        figures=figures(dict.fromkeys(("base", "it0", model))),
        recipe="\n".join(f"- {line}" for line in recipe(model, chain)),
        lock=LOCK,
        parameters=yaml_text(used),
        dialect=dialect,
        serving=SERVING.format(parser=parser) if parser else "",
    )


def licence(base: Path) -> str:
    """The lines about the licence in the front matter of the base model's card."""
    card = base / "README.md"
    lines = read_text(card).splitlines() if card.is_file() else []
    front = lines[1 : lines.index("---", 1)] if lines[:1] == ["---"] and "---" in lines[1:] else []
    return "".join(f"{line}\n" for line in front if line.startswith("license"))


def figures(models: Iterable[str]) -> str:
    """The headline figures as a Markdown table, one row a model."""
    rows = {name: read_json(paths.HEADLINE.format(name)) for name in models}
    names = [name for name in next(iter(rows.values())) if not name.startswith("delta_")]
    lines = [["model", *names], ["---", *["---:"] * len(names)]]
    lines += [[model, *(str(row.get(name)) for name in names)] for model, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def recipe(model: str, chain: list[str]) -> Iterable[str]:
    """The data, what each training learnt, and the commands, a line each."""
    sizes = {split: tasks["all"] for split, tasks in read_json(paths.SYNTHESIS_METRICS)["tasks"].items()}
    yield "Tasks: " + ", ".join(f"{split} {size:,}" for split, size in sizes.items()) + "."
    warmup = read_json(paths.WARMUP_METRICS)
    yield f"`it0`: {warmup['answers']:,} answers and {warmup['self_evaluations']:,} self-evaluations."
    for name in chain:
        learnt = read_json(paths.PREFERENCE_METRICS.format(name))
        kept = f"validation kept: {learnt['kept']}"
        yield f"`{name}`: {learnt['answers']:,} answers and {learnt['pairs']:,} pairs of fragments; {kept}."
    stage = "start@it0" if model == "it0" else f"evaluation@{model}"
    yield f"`dvc repro {stage}` makes and evaluates it, and `python -m itool.export {model} OUT` wrote this folder."


def stages_of(model: str) -> dict[str, dict[str, Any]]:
    """The parameters of each stage that made the model, as DVC noted them, in the order in which they ran.

    Raises UserError when the file does not know one of them.
    """
    try:
        lock = YAML(typ="safe", pure=True).load(read_text(LOCK))["stages"]
        names = ["synthesis", "warmup"]
        iterations: list[str] = []
        while model != "it0":
            iterations.insert(0, model)
            model = lock[f"preference@{model}"]["params"]["params.yaml"][f"iterations.{model}.previous"]
        for name in iterations:
            names += [f"{stage}@{name}" for stage in ("selection", "exploration", "fragments", "preference")]
        return {name: lock[name]["params"]["params.yaml"] for name in names}
    except KeyError as error:
        raise UserError(f"{LOCK}: found no {error}; run the stages that make the model with dvc repro") from None
    except (TypeError, YAMLError) as error:
        raise UserError(f"{LOCK}: not a lock file of DVC: {one_line(error)}") from None


def parameters(stages: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The parameters of all the stages in the form of params.yaml.

    Raises UserError when two stages ran with different values of one: the model then has no one recipe.
    """
    by: dict[tuple[str, ...], tuple[str, Any]] = {}
    for stage, values in stages.items():
        for keys, value in flat(values):
            first, known = by.setdefault(keys, (stage, value))
            if known != value:
                found = f"{LOCK}: {'.'.join(keys)}: found {value!r} for {stage}, and {known!r} for {first}"
                raise UserError(f"{found}; run dvc repro, so that one recipe makes the model")
    nested: dict[str, Any] = {}
    for (*sections, last), (_, value) in by.items():
        inner = nested
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = value
    return nested


def flat(values: dict[str, Any]) -> Iterable[tuple[tuple[str, ...], Any]]:
    """Every value with the keys that lead to it. DVC joins keys at the top with dots, and none further down."""
    for name, value in values.items():
        yield from _leaves(tuple(name.split(".")), value)


def _leaves(keys: tuple[str, ...], value: Any) -> Iterable[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves((*keys, key), inner)
    else:
        yield keys, value


def yaml_text(values: dict[str, Any]) -> str:
    text = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # it starts as None
    yaml.dump(values, text)
    return text.getvalue()
