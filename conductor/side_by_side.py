"""What is done on several trees for one request, done at once: each waits for a transaction of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AT_ONCE = 16  # of one request
THREADS = 32  # of all requests of this process

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="trees")


def side_by_side(do: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """The results in the items' order. When one raises, that is raised after all have come to an end. The caller does
    what no other thread has begun with: he needs none of them."""
    if len(items) <= 1:
        return [do(item) for item in items]
    results: dict[int, Result] = {}
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            results[number] = do(items[number])
        except Exception as error:
            errors.append(error)

    futures = {number: _submit(work, number) for number in range(1, len(items))}
    work(0)
    for number, future in futures.items():
        if future is None or future.cancel():
            work(number)
        else:
            future.result()
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(items))]


def _submit(work: Callable[[int], None], number: int) -> "Future[None] | None":
    try:
        return _pool.submit(work, number)
    except RuntimeError:  # the process ends
        return None


def in_chunks(items: Sequence[Item]) -> list[Sequence[Item]]:
    """So many as are done at once, and the next."""
    return [items[begin : begin + AT_ONCE] for begin in range(0, len(items), AT_ONCE)]
