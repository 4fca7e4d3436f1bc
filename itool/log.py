"""The logger of all stages: plain lines with the time of day, on stderr. And how far a long stage has come."""

import logging
import sys
import time

from tqdm import tqdm

from itool.training import ranks

log = logging.getLogger("itool")
CHATTY = ("httpx", "transformers", "datasets", "accelerate")  # libraries that log progress of their own


def start_logging() -> None:
    """Sends the lines of this project to stderr, and of CHATTY only the warnings. Of several ranks one logs."""
    if not ranks.is_main():
        logging.disable(logging.WARNING)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class Progress:
    """How far a stage has come, and the time left: a bar on a terminal, a log line now and then elsewhere."""

    SECONDS = 10  # between two log lines

    def __init__(self, name: str, total: int, unit: str) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.done = self.skipped = 0
        self.start = self.told = time.monotonic()
        self.bar = tqdm(total=total, desc=name, unit=unit) if sys.stderr.isatty() else None

    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.start

    def skip(self, count: int) -> None:
        """Counts what an interrupted run left finished, which says nothing about the time left."""
        self.done += count
        self.skipped += count
        if self.bar is not None:
            self.bar.initial += count
            self.bar.update(count)

    def advance(self, count: int, note: str) -> None:
        """Counts what was finished just now. `note` says what else there is to tell, such as rates."""
        self.done += count
        if self.bar is not None:
            self.bar.set_postfix_str(note)
            self.bar.update(count)
        elif count and (self.done == self.total or time.monotonic() - self.told > self.SECONDS):
            left = (self.total - self.done) * self.seconds() / (self.done - self.skipped)
            log.info("%s: %d/%d %ss, %s, %.0f s left", self.name, self.done, self.total, self.unit, note, left)
            self.told = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
