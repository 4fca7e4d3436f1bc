"""The command line of every stage."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from itool.errors import UserError
from itool.log import start_logging
from itool.training import ranks


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

    Of several ranks the first that fails tells why, and all others end without a word.
    """
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {error}" if ranks.is_first_to_fail() else 1)
    except KeyboardInterrupt:
        sys.exit("interrupted" if ranks.is_main() else 1)
    except Exception:
        if ranks.is_first_to_fail():
            raise
        sys.exit(1)
