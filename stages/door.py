"""The one door of every stage: arguments, plain log lines, and one-line errors with exit status 1."""

import argparse
import logging
import sys
from collections.abc import Callable

from stages.errors import UserError

log = logging.getLogger("itool")


def enter(run: Callable[..., None], *arguments: str) -> None:
    """Calls `run` with the named command line arguments as keywords, e.g. `enter(run, "iteration")` for `--iteration
    it1`.

    A `UserError` ends the process with its one line on stderr and exit status 1, Ctrl-C with one word; any other
    exception is a bug and keeps its traceback.
    """
    parser = argparse.ArgumentParser(description=run.__doc__)
    for argument in arguments:
        parser.add_argument(f"--{argument}", required=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    for chatty in ("httpx", "transformers", "datasets", "accelerate"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        run(**vars(parser.parse_args()))
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")
