"""The command line: `python -m itool.export it3 OUT` writes the model of an iteration for other tools."""

import argparse
from pathlib import Path

from itool.cli import one_line_errors
from itool.export.folder import export
from itool.log import start_logging


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m itool.export", description="Writes a model for other tools.")
    parser.add_argument("model", help="it0 or an iteration of params.yaml")
    parser.add_argument("out", metavar="OUT", type=Path, help="the folder to write, which must not exist")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--adapter", action="store_true", help="write the LoRA adapter as it is, not merged into its base"
    )
    form.add_argument("--gguf", metavar="FILE", type=Path, help="write the model as one GGUF file, too")
    parser.add_argument(
        "--check",
        choices=("transformers", "vllm"),
        default="transformers",
        help="the engine that opens what was written",
    )
    start_logging()
    asked = parser.parse_args()
    with one_line_errors():
        export(asked.model, asked.out, asked.adapter, asked.gguf, asked.check)


if __name__ == "__main__":
    main()
