"""The processes that train one model together, each on its share of every batch: ranks, the first of which is the main
one.

`training.launcher` starts them: `python` starts one, `accelerate launch` as many as its file says. The main rank alone
writes artifacts, logs, and answers with the trained model; the others wait for it where they next meet, or end.
"""

import os
import threading
import time
from datetime import timedelta

PATIENCE = timedelta(days=1)  # of a rank that waits, as others do while the main one answers between two trainings


def count() -> int:
    """How many ranks there are, as `accelerate launch` and `torchrun` tell each of them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process writes, logs and answers."""
    return os.environ.get("RANK", "0") == "0"


def join() -> None:
    """Connects the ranks, where they are not connected yet."""
    import torch
    from accelerate import PartialState

    if count() > 1 and not torch.distributed.is_initialized():
        threading.Thread(target=end_after, args=(os.getppid(),), daemon=True).start()
        PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)


def end_after(launcher: int) -> None:
    """Ends this process when its launcher was killed, which could not end it: the stage may be running anew by then."""
    while os.getppid() == launcher:
        time.sleep(1)
    os._exit(1)


def is_first_to_fail() -> bool:
    """Whether no other rank has asked this before: a rank that fails after another is only cut off from it."""
    if count() == 1:
        return True
    from torch.distributed.rendezvous import rendezvous

    store, _, _ = next(rendezvous("env://"))
    return bool(store.add("failed", 1) == 1)
