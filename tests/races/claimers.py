"""One process of claimants: threads that take, release, consume and destroy, and write down what they were told.

Run as a script (see processes.py). Every operation leaves two lines in the history, flushed before it starts (`intent`)
and after its answer (`outcome`), so a history tells what was acknowledged even when the process dies in between.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO
from uuid import UUID, uuid4

import seeded_bugs

from claims import consume, release, repeat, take
from claims.types import Already, Closed, Done, Lost, Member, Not, Order, Taken, Unsettled, claim_id
from providers.projection import projector
from providers.records import CLAIM, Record
from store import lwt
from store.home import Home

HOLDS_AT_MOST = 4  # claims that one thread keeps while it wants more
KEPT = 1  # claims that it leaves behind: if all kept all, the last ones would find the hosts full for ever
PAUSE_WITHOUT_STORE = 0.1  # seconds; Cassandra was killed


unanswered = threading.local()


def run_counted(*arguments: Any) -> lwt.Outcome:
    """A transaction of consume, release or destroy; how many of this thread's got no answer is kept."""
    outcome = lwt.run(*arguments)
    unanswered.count += isinstance(outcome, lwt.Unknown)
    return outcome


@dataclass(frozen=True)
class Work:
    """What one process is to do: until each thread has `claims` acknowledged claims, or `seconds` have passed, or its
    standard input is closed."""

    history: str
    cell: str
    datacenter: str
    hosts: list[str]
    threads: int
    claims: int
    seconds: float
    seed: int
    bug: str = ""
    gives_back: bool = True  # False: only takes, so that hosts fill up at once
    members: int = 2  # claims of one order, all on one host, at the most


@dataclass
class History:
    file: TextIO
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, **line: Any) -> None:
        text = json.dumps(line)
        with self.lock:
            self.file.write(text + "\n")
            self.file.flush()


class Claimant:
    """One thread's claims. It works only on what it took itself, so each claim's history has one author."""

    def __init__(self, work: Work, history: History, stop: threading.Event, number: int) -> None:
        self.work, self.history, self.stop = work, history, stop
        self.home = Home(work.cell, work.datacenter)
        self.rng = random.Random(work.seed * 1000 + number)
        self.versions = dict.fromkeys(work.hosts, 1)
        self.claims: list[Record] = []
        self.instances: list[Record] = []
        self.acknowledged = 0

    def run(self) -> None:
        until = time.monotonic() + self.work.seconds
        while self.acknowledged < self.work.claims and time.monotonic() < until and not self.stop.is_set():
            self.one_step()
        while self.work.gives_back and len(self.claims) + len(self.instances) > KEPT and not self.stop.is_set():
            self.end_one()

    def one_step(self) -> None:
        full = len(self.claims) + len(self.instances) >= HOLDS_AT_MOST
        if self.work.gives_back and (full or (self.claims and self.rng.random() < 0.3)):
            self.end_one()
        else:
            self.take_some()

    def end_one(self) -> None:
        if self.instances and (not self.claims or self.rng.random() < 0.3):
            record = self.instances.pop(self.rng.randrange(len(self.instances)))
            self.tell("destroy", record, release.destroy)
            return
        record = self.claims.pop(self.rng.randrange(len(self.claims)))
        if self.rng.random() < 0.6:
            self.tell("release", record, release.release)
        elif self.tell("consume", record, consume.consume):
            self.instances.append(record)

    def tell(self, operation: str, record: Record, run: Callable[[Record], Done | Already | Not]) -> bool:
        self.history.write(step="intent", operation=operation, claims=[str(record.id)])
        unanswered.count = 0
        try:
            outcome = type(run(record)).__name__
            if outcome == "Already" and unanswered.count:
                outcome = "Done"  # by the try before, which a busy Cassandra did not answer in time
        except Exception as error:  # no answer, from Cassandra or of our own making: the test settles it
            outcome = "Unknown"
            self.history.write(step="error", operation=operation, error=f"{type(error).__name__}: {error}")
            time.sleep(PAUSE_WITHOUT_STORE)
        self.history.write(step="outcome", operation=operation, claims=[str(record.id)], outcome=outcome)
        return outcome == "Done"

    def take_some(self) -> None:
        order = self.order(UUID(self.rng.choice(self.work.hosts)))
        ids = [str(m.claim_id) for m in order.members]
        amounts = [dict(m.amounts) for m in order.members]
        host = str(order.root_id)
        request = str(order.request_id)
        self.history.write(step="intent", operation="take", claims=ids, host=host, amounts=amounts, request=request)
        try:
            result = take.take(order)
        except Exception as error:  # certainly not run: take promises that
            self.history.write(step="error", operation="take", error=f"{type(error).__name__}: {error}")
            self.history.write(step="outcome", operation="take", claims=ids, outcome="NotRun")
            time.sleep(PAUSE_WITHOUT_STORE)
            return
        if isinstance(result, Lost) and self.overtaken(host, result):
            self.history.write(step="outcome", operation="take", claims=ids, outcome="Overtaken")
            return
        self.history.write(step="outcome", operation="take", claims=ids, outcome=type(result).__name__)
        match result:
            case Taken():
                self.acknowledged += len(ids)
                self.claims += [self.record(order, m) for m in order.members]
            case Lost() | Closed():
                if self.work.gives_back and (self.claims or self.instances):
                    self.end_one()
            case Unsettled():
                time.sleep(PAUSE_WITHOUT_STORE)

    def overtaken(self, host: str, lost: Lost) -> bool:
        """Whether it was the host's new `state_version` that refused (closed ids were removed), not its amounts."""
        known, now = self.versions[host], lost.tree.providers[UUID(host)].state_version
        self.versions[host] = now
        return now != known

    def order(self, host: UUID) -> Order:
        request, version = uuid4(), self.versions[str(host)]
        number = self.rng.randint(1, self.work.members) if self.work.members > 1 else 1
        members = []
        for member in range(number):
            vcpus = self.rng.randint(1, 3)
            amounts = {"vcpus": vcpus, "memory_mb": vcpus * 512, "disk_gb": self.rng.randint(0, 2)}
            members.append(Member(claim_id(request, 0, member, 0), member, host, "host", "compute", amounts, version))
        return Order(self.home, host, version, request, 0, "claimant", "races", tuple(members))

    def record(self, order: Order, member: Member) -> Record:
        amounts = {name: -amount for name, amount in member.amounts.items() if amount}
        return _record(order, member, amounts)


def _record(order: Order, member: Member, amounts: Mapping[str, int]) -> Record:
    return Record(
        id=member.claim_id,
        root_id=order.root_id,
        provider_id=member.provider_id,
        provider_name=member.provider_name,
        home=order.home,
        kind=CLAIM,
        state="claimed",
        resource_class=member.resource_class,
        request_id=order.request_id,
        epoch=0,
        member=member.number,
        consumer=order.consumer,
        project=order.project,
        amounts=amounts,
        gives_back={},
        created_at=None,
        expires_at=None,
        release_requested=False,
        instance=None,
        generation=0,
    )


def main(work: Work) -> None:
    seeded_bugs.plant(work.bug)
    repeat.run = run_counted
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    with open(work.history, "a") as file:
        history = History(file)
        claimants = [Claimant(work, history, stop, number) for number in range(work.threads)]
        threads = [threading.Thread(target=claimant.run) for claimant in claimants]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        projector().drain()


if __name__ == "__main__":
    main(Work(**json.loads(sys.argv[1])))
