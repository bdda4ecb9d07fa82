"""Work that is cut into parts, on as many threads as torch may use: what comes of it does not depend on how many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch

Part = TypeVar("Part")
Made = TypeVar("Made")


def each(function: Callable[[Part], Made], parts: Sequence[Part]) -> Iterable[Made]:
    """What a function of tensors makes of each part, in order. One operation of torch then has one thread.

    torch itself splits operations, and those on a block of rows that fits the cache are too short for that.
    """
    count = torch.get_num_threads()
    if count == 1 or len(parts) == 1:
        return map(function, parts)
    inference = torch.is_inference_mode_enabled()

    def call(part: Part) -> Made:
        with torch.inference_mode(inference):
            return function(part)

    return _pool(count).map(call, parts)


@cache
def _pool(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count, "gdtrain", initializer=torch.set_num_threads, initargs=(1,))


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many torch threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
