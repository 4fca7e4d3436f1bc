"""Runs the whole pipeline on the tiny profile in a copy of the project: `python -m tests.smoke [FOLDER]`
(make smoke).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from itool import params

ROOT = Path(__file__).parents[1]
CODE = ("itool", "stages", "dvc.yaml", ".dvcignore", ".dvc/plots")
INPUTS = (
    "data/base",
    "data/tools",
    "data/phrases",
    "data/entities.json",
    "data/prompts",
    "data/invented.json",
    "data/conversations.jsonl",
)


def lay_over(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `top`; iterations are replaced as a whole, other sections key by key."""
    both = {key: base[key] | top[key] if key in top and key != "iterations" else base[key] for key in base}
    return both | {key: top[key] for key in top if key == "iterations"}


def copy_project(folder: Path, overrides: dict[str, Any]) -> None:
    """A copy of the code, and of everything that the pipeline reads, with its own parameters and without any result, as
    a DVC project without git.
    """
    copy_inputs(folder, overrides, (*CODE, *INPUTS))
    dvc(folder, "init", "--no-scm", "--force", "--quiet")


def copy_inputs(folder: Path, overrides: dict[str, Any], names: Sequence[str] = INPUTS) -> None:
    """A copy of these files and folders, and params.yaml with the overrides laid over it."""
    for name in names:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    fields = lay_over(params.read(ROOT / "params.yaml"), overrides)
    (folder / "params.yaml").write_text(yaml.safe_dump(fields, sort_keys=False))


def dvc(folder: Path, *arguments: str) -> str:
    """Runs dvc with the python of this process first on PATH; returns its standard output."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=folder,
        env=os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1"},
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folder", nargs="?", type=Path, help="where the project is copied to; a temporary one if left out"
    )
    start, asked = time.monotonic(), parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        copy_project(folder, yaml.safe_load((ROOT / "tests/smoke.yaml").read_text()))
        dvc(folder, "repro")
        print(dvc(folder, "metrics", "show"))
    print(f"the whole pipeline on the tiny profile: {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
