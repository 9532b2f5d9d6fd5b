"""Works on the level of the transactions: takes claims, settles what got no answer, consumes, releases, destroys."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from author import KEEPS, KNOWN, MAYBE, PAUSE, TOGETHER, Author

from claims import consume, release, take
from claims.settle import close
from claims.types import Already, Done, Lost, Member, Order, Taken, Unsettled, claim_id
from providers.records import CLAIM, INSTANCE, Record
from store.failures import StoreUnavailable
from store.home import Home


class ClaimAuthor(Author):
    """Takes claims, and consumes, releases or destroys what it took."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.home = Home(self.work.claims_cell, self.work.datacenter)
        self.versions = dict.fromkeys(self.work.hosts, 1)
        self.claims: list[Record] = []
        self.instances: list[Record] = []

    def one_step(self) -> None:
        if len(self.claims) + len(self.instances) >= KEEPS or (self.claims and self.rng.random() < 0.3):
            self.end_one()
        else:
            self.take_some()

    def take_some(self) -> None:
        order = self.order(self.rng.choice(self.work.hosts))
        since = time.monotonic()
        try:
            outcome = take.take(order)
        except StoreUnavailable:  # certainly not run: so nothing of it may be there
            self.learn(order, None)
            self.report.timed("take, not run", since)
            time.sleep(PAUSE)
            return
        if isinstance(outcome, Unsettled):
            outcome = Taken() if self.until_known("settle", lambda: self.settled(order)) else None
        if isinstance(outcome, Lost) and (host := outcome.tree.providers.get(order.root_id)):
            self.versions[str(order.root_id)] = host.state_version
        self.report.timed("take", since)
        self.learn(order, CLAIM if outcome == Taken() else None)
        if outcome == Taken():
            with self.report.lock:
                self.report.claims += len(order.members)
            stay = str(order.root_id) in self.work.roomy
            self.claims += [record(order, m) for m in order.members if not stay or self.rng.random() < 0.5]

    def learn(self, order: Order, there: str | None) -> None:
        self.report.ids |= {str(member.claim_id): there for member in order.members}

    def settled(self, order: Order) -> Record | None:
        until = time.monotonic() + KNOWN
        root = order.root_id
        return close(self.home, root, root, order.members[0].claim_id, order.request_id, until)

    def order(self, host: str) -> Order:
        request, root, version = uuid4(), UUID(host), self.versions[host]
        members = tuple(
            Member(claim_id(request, 0, n, 0), n, root, "host", "compute", {"vcpus": vcpus, "memory_mb": 512}, version)
            for n, vcpus in enumerate(self.rng.choices((1, 2), k=self.rng.randint(1, TOGETHER)))
        )
        return Order(self.home, root, version, request, 0, "author", "faults", members)

    def end_one(self) -> None:
        if self.instances and (not self.claims or self.rng.random() < 0.3):
            record = self.instances.pop(self.rng.randrange(len(self.instances)))
            self.end("destroy", record, release.destroy, None)
            return
        record = self.claims.pop(self.rng.randrange(len(self.claims)))
        if self.rng.random() < 0.6:
            self.end("release", record, release.release, None)
        else:
            self.end("consume", record, consume.consume, INSTANCE)
            self.instances.append(record)

    def end(self, what: str, record: Record, run: Callable[[Record], Any], leaves: str | None) -> None:
        self.report.ids[str(record.id)] = MAYBE
        answer = self.until_known(what, lambda: run(record))
        if answer not in (Done(), Already()):
            self.surprise(f"{record.id}: {what} answered {answer}")
        self.report.ids[str(record.id)] = leaves


def record(order: Order, member: Member) -> Record:
    """The claim as it is right after it was taken."""
    return Record(
        id=member.claim_id,
        root_id=order.root_id,
        provider_id=member.provider_id,
        provider_name=member.provider_name,
        home=order.home,
        kind=CLAIM,
        state=order.state,
        resource_class=member.resource_class,
        request_id=order.request_id,
        epoch=order.epoch,
        member=member.number,
        consumer=order.consumer,
        project=order.project,
        amounts={name: -amount for name, amount in member.amounts.items()},
        gives_back={},
        created_at=None,
        expires_at=order.expires_at,
        release_requested=False,
        instance=None,
        generation=0,
    )
