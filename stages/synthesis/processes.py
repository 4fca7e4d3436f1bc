"""A function over very many items, in several processes, with few items in memory at a time [O]."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

FEW = 5_000  # items that are not worth the start of processes
CHUNK = 250  # items that a process is given at a time
MOST = 16  # processes; a single one reads the files and writes the tables
AHEAD = 4  # chunks for each process that are waiting or done

_function: Callable[[Any], Any]  # of a process that was started here


def in_processes(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """function(item) for every item, in order. More than FEW are shared by as many processes as there are cores.

    The function goes to each process once, and it, the items and the results must be picklable. What it raises is
    raised here.
    """
    items = iter(items)
    first = list(islice(items, FEW))
    count = min(MOST, os.cpu_count() or 1)
    if len(first) < FEW or count == 1:
        yield from map(function, chain(first, items))
        return
    # A copy of this process could wait for ever for a lock of the threads that polars and tokenizers have.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, spawn, _start, (function,)) as pool:
        waiting: deque[Future[list[Result]]] = deque()
        for chunk in _chunks(chain(first, items)):
            waiting.append(pool.submit(_of_chunk, chunk))
            if len(waiting) > AHEAD * count:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _chunks(items: Iterator[Item]) -> Iterator[list[Item]]:
    while chunk := list(islice(items, CHUNK)):
        yield chunk


def _start(function: Callable[[Any], Any]) -> None:
    global _function
    _function = function


def _of_chunk(items: list[Any]) -> list[Any]:
    return [_function(item) for item in items]
