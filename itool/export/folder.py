"""Writes the folder, and holds it against the model that it was made from before it takes its place."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError

from itool import params, paths
from itool.answering import complete
from itool.artifacts import read_tasks
from itool.engine import open_engine
from itool.engine.base import is_adapter
from itool.engine.transformers import load_model
from itool.errors import UserError, one_line
from itool.export.card import model_card
from itool.log import log
from itool.toolcall.prompt import load_tokenizer, open_prompter
from itool.toolcall.types import Task
from itool.training.models import write


def export(model: str, out: Path, adapter: bool = False, gguf: Path | None = None, kind: str = "transformers") -> None:
    """Writes the model `it0` or of an iteration to the folder `out`, and where asked to a GGUF file as well.

    Both are written whole or not at all, and only after the engine `kind` has answered one validation task from the
    written folder with the token ids with which the model itself answers it. Raises UserError.
    """
    settings = params.load()
    folder = model_to_export(model, settings, adapter)
    if gguf and out in gguf.parents:
        raise UserError(f"{gguf}: lies in {out}, which is written as a whole; expected a path outside it")
    card = model_card(model, settings, open_prompter(folder, settings.model).dialect_name)
    task = read_tasks(paths.VALIDATION)[0]
    with taking_places([out, *([gguf] if gguf else [])]) as written:
        if adapter:
            shutil.copytree(folder, written[0])
        else:
            write_merged(folder, written[0], settings.engine)
        (written[0] / "README.md").write_text(card, encoding="utf-8")
        check(folder, written[0], settings, task, kind)
        if gguf:
            from itool.export.gguf import check_gguf, write_gguf  # needs the package gguf

            write_gguf(written[0], written[1], model, settings)
            check_gguf(written[0], written[1], settings, task)
    log.info("%s: written, and answers %s as %s does", out, task.task_id, folder)


def model_to_export(model: str, settings: params.Params, adapter: bool) -> Path:
    """The folder of the model. Raises UserError when it is not there, or is no adapter where one is asked for."""
    if model == "base":
        raise UserError(f"base: found the model that is given as {settings.model.path}; expected it0 or an iteration")
    folder = Path(settings.model_folder(model))
    if not folder.is_dir():
        raise UserError(f"{folder}: no such model folder; run the stage that makes it (dvc repro)")
    if adapter and not is_adapter(folder):
        raise UserError(f"{folder}: found a whole model, expected a LoRA adapter for --adapter; leave the option out")
    return folder


@contextmanager
def taking_places(outs: list[Path]) -> Iterator[list[Path]]:
    """Where to write each of the paths: beside its place first, and moved there in the end, or removed.

    Raises UserError for a path that exists, and for what the file system refuses.
    """
    for out in outs:
        if os.path.lexists(out):
            raise UserError(f"{out}: exists; expected a new path")
    made: list[TemporaryDirectory[str]] = []
    try:
        for out in outs:
            out.parent.mkdir(parents=True, exist_ok=True)
            made.append(TemporaryDirectory(dir=out.parent, prefix=f"{out.name}.", suffix=".part"))
        written = [Path(each.name) / out.name for each, out in zip(made, outs, strict=True)]
        yield written
        for here, out in zip(written, outs, strict=True):
            here.rename(out)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{outs[0]}: cannot be written: {one_line(error)}") from None
    finally:
        for each in made:
            each.cleanup()


def write_merged(folder: Path, out: Path, engine: params.Engine) -> None:
    """Writes the weights as the engine loads them, an adapter merged into its base, in the engine's dtype.

    Of the tokenizer, its chat template and the generation config, files that the model's folder has are kept byte for
    byte: Transformers would write line ends and numbers of its own.
    """
    write(load_model(folder, getattr(torch, engine.dtype)), load_tokenizer(folder), out)
    for written in out.iterdir():
        kept = folder / written.name
        if kept.is_file() and written.name != "config.json" and not written.name.startswith("model"):
            shutil.copyfile(kept, written)


def check(folder: Path, out: Path, settings: params.Params, task: Task, kind: str) -> None:
    """Raises UserError when the written folder, opened anew by the engine `kind`, does not answer the task as the model
    itself does with the built-in engine.
    """
    expected, found = answer(folder, settings, task, "transformers"), answer(out, settings, task, kind)
    for what, ours, theirs in zip(("prompt", "answer"), expected, found, strict=True):
        if ours != theirs:
            differing = f"{list(theirs)}, expected {list(ours)}, the token ids of {folder}"
            raise UserError(f"{out.name}: {what} to validation task {task.task_id}: found {differing}")


def answer(folder: Path, settings: params.Params, task: Task, kind: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The token ids of the task's prompt, and of the greedy answer of a model folder."""
    prompter = open_prompter(folder, settings.model)
    engine = open_engine(folder, settings.engine.model_copy(update={"kind": kind}), prompter.end_ids)
    ((prompt, completion),) = complete(engine, prompter, [task], settings.engine.max_tokens)
    return prompt, completion.ids
