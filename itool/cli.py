"""The command line of every stage."""

import argparse
import sys
from collections.abc import Callable

from itool.errors import UserError
from itool.log import start_logging


def command_line(run: Callable[..., None], *arguments: str) -> None:
    """Calls `run` with the named command line arguments as keywords: `command_line(run, "iteration")` reads
    `--iteration it1`.

    A `UserError` ends the process with its one line on stderr and exit status 1, and Ctrl-C with one word. Any other
    exception is a bug and keeps its traceback.
    """
    parser = argparse.ArgumentParser(description=run.__doc__)
    for argument in arguments:
        parser.add_argument(f"--{argument}", required=True)
    start_logging()
    try:
        run(**vars(parser.parse_args()))
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")
