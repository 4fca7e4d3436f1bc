"""The logger of all stages: plain lines with the time of day, on stderr."""

import logging
import sys

log = logging.getLogger("itool")
CHATTY = ("httpx", "transformers", "datasets", "accelerate")  # libraries that log progress of their own


def start_logging() -> None:
    """Sends the lines of this project to stderr, and of CHATTY only the warnings."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
