"""What is done on several trees for one request, done at once: each waits for a transaction of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AT_ONCE = 8  # of one request
THREADS = 32  # of all requests of this process

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="trees")


def side_by_side(do: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """The results in the items' order. When one raises, that is raised after all have come to an end."""
    if len(items) == 1:
        return [do(items[0])]
    futures = [_pool.submit(do, item) for item in items]
    errors = [error for error in (future.exception() for future in futures) if error is not None]
    if errors:
        raise errors[0]
    return [future.result() for future in futures]


def in_chunks(items: Sequence[Item]) -> list[Sequence[Item]]:
    """So many as are done at once, and the next."""
    return [items[begin : begin + AT_ONCE] for begin in range(0, len(items), AT_ONCE)]
