"""Jobs of several threads for one place, done together: who comes while one is under way waits for it, and all who
waited go at once.

Transactions on one partition queue anyway, and duel for it; a batch with eight claims costs about what one costs.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

PATIENCE = 0.3  # seconds


@dataclass(eq=False)
class _Waiting(Generic[Job, Result]):
    job: Job
    woken: threading.Event = field(default_factory=threading.Event)
    leads: "list[_Waiting[Job, Result]] | None" = None  # with whom it goes, itself the first, when it is to do it
    result: Result | None = None
    error: BaseException | None = None


class Together(Generic[Job, Result]):
    """`run(jobs)` does some at once and answers for each; `may_join(jobs, job)`: whether it may go with these.
    `most()`: how many go at once, now; with one nobody waits. Who waited longer than `patience` (seconds) goes alone,
    for the one under way may get no answer for long."""

    def __init__(
        self,
        run: Callable[[Sequence[Job]], Sequence[Result]],
        may_join: Callable[[Sequence[Job], Job], bool],
        most: Callable[[], int],
        patience: float = PATIENCE,
    ) -> None:
        self._run, self._may_join, self._most, self._patience = run, may_join, most, patience
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, list[_Waiting[Job, Result]]] = {}  # by place, where one is under way

    def do(self, place: Hashable, job: Job) -> Result:
        """The job's result, or what `run` raised for it."""
        if self._most() <= 1:
            return self._run([job])[0]
        with self._lock:
            queue = self._waiting.get(place)
            if queue is None:
                self._waiting[place] = []
            else:
                own: _Waiting[Job, Result] = _Waiting(job)
                queue.append(own)
        if queue is None:
            try:
                return self._run([job])[0]
            finally:
                self._hand_over(place)
        return self._wait(place, own)

    def _wait(self, place: Hashable, own: _Waiting[Job, Result]) -> Result:
        if not own.woken.wait(self._patience) and self._withdraw(place, own):
            return self._run([own.job])[0]
        own.woken.wait()
        if own.leads is not None:
            self._lead(place, own.leads)
        if own.error is not None:
            raise own.error
        return own.result  # type: ignore[return-value]

    def _withdraw(self, place: Hashable, own: _Waiting[Job, Result]) -> bool:
        """False when it goes with others already."""
        with self._lock:
            queue = self._waiting.get(place, [])
            if own not in queue:
                return False
            queue.remove(own)
            return True

    def _lead(self, place: Hashable, some: Sequence[_Waiting[Job, Result]]) -> None:
        try:
            for one, result in zip(some, self._run([one.job for one in some]), strict=True):
                one.result = result
        except BaseException as error:
            for one in some:
                one.error = error
        finally:
            for one in some[1:]:
                one.woken.set()
            self._hand_over(place)

    def _hand_over(self, place: Hashable) -> None:
        """To the first who waits, with all that may go with it."""
        with self._lock:
            queue = self._waiting[place]
            if not queue:
                del self._waiting[place]
                return
            some, most = [queue[0]], self._most()
            for one in queue[1:]:
                if len(some) < most and self._may_join([other.job for other in some], one.job):
                    some.append(one)
            self._waiting[place] = [one for one in queue if one not in some]
        some[0].leads = some
        some[0].woken.set()
