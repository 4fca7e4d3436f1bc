"""The command line of every stage."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from itool.errors import UserError
from itool.log import start_logging


def command_line(run: Callable[..., None], *arguments: str) -> None:
    """Calls `run` with the named command line arguments as keywords: `command_line(run, "iteration")` reads
    `--iteration it1`.

    Errors end the process as `one_line_errors` says.
    """
    parser = argparse.ArgumentParser(description=run.__doc__)
    for argument in arguments:
        parser.add_argument(f"--{argument}", required=True)
    start_logging()
    with one_line_errors():
        run(**vars(parser.parse_args()))


@contextmanager
def one_line_errors() -> Iterator[None]:
    """A `UserError` ends the process with its one line on stderr and exit status 1, and Ctrl-C with one word. Any other
    exception is a bug and keeps its traceback.
    """
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")
