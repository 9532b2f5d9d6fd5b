"""Sends whole requests, of one tree and of two, asks again until it has an outcome, and gives back."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from author import KEEPS, TOGETHER, Author

from conductor.place import schedule
from conductor.release import delete_request, release_claim
from conductor.types import Contended, NoValidHost, Placed, ScheduleRequest
from providers.refusals import Conflict, NotFound, Undecided
from scheduler.types import Resource


class RequestAuthor(Author):
    """Sends requests of one tree and of two, and deletes them or releases their claims."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.placed: list[Placed] = []

    def one_step(self) -> None:
        if len(self.placed) >= KEEPS // 2 or (self.placed and self.rng.random() < 0.3):
            self.give_back(self.placed.pop(self.rng.randrange(len(self.placed))))
        else:
            self.ask()

    def ask(self) -> None:
        request = self.request()
        since = time.monotonic()
        outcome = self.until_known("schedule", lambda: self.outcome(request))
        self.report.timed(type(outcome).__name__, since)
        self.report.unknowns.all_settled()
        claims = [claim["id"] for claim in outcome.claims] if isinstance(outcome, Placed) else []
        self.report.told[str(request.request_id)] = [claims, False]
        if isinstance(outcome, Placed):
            with self.report.lock:
                self.report.claims += len(claims)
            self.placed.append(outcome)

    def outcome(self, request: ScheduleRequest) -> Placed | NoValidHost | Contended:
        outcome = schedule(request)
        if isinstance(outcome, Placed | NoValidHost | Contended):
            return outcome
        raise Undecided(f"{outcome}, {self.report.unknowns.left_open()}")

    def request(self) -> ScheduleRequest:
        resources = [Resource("compute", {"vcpus": self.rng.randint(1, 2), "memory_mb": 512})]
        if self.rng.random() < 0.3:
            resources.append(Resource("block_storage", {"capacity_gb": self.rng.randint(1, 5)}))
        body = {"all_or_nothing": True, "seed": self.rng.random()}
        count = self.rng.randint(1, TOGETHER) if len(resources) == 1 else 1
        return ScheduleRequest(
            "author", "faults", tuple(resources), body, "author", uuid4(), self.work.requests_cell, count
        )

    def give_back(self, placed: Placed) -> None:
        self.report.told[str(placed.request_id)][1] = None
        if self.rng.random() < 0.5:
            self.until_known("delete", lambda: self.ended(lambda: delete_request(placed.request_id, "author")))
        else:
            for claim in placed.claims:
                one = partial(self.released, UUID(claim["id"]))
                self.until_known("release claim", partial(self.ended, one))
        self.report.unknowns.all_settled()
        self.report.told[str(placed.request_id)][1] = True

    def ended(self, run: Callable[[], bool]) -> bool:
        if not run():
            raise Undecided("it has not ended yet")
        return True

    def released(self, claim: UUID) -> bool:
        try:
            return release_claim(claim, "author")
        except NotFound:  # a call before this one did it
            return True
        except Conflict as error:
            raise Undecided(str(error)) from error
