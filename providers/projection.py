"""Keeps the `capacity` table and the event log behind the records: after a transaction one read of the tree, then
writes stamped with its generation, so that a late write never undoes a newer one.

The transaction decides and this may lag. Whoever finds it behind calls `project_now`; the conductor sweeps the rest.
"""

import atexit
import functools
import logging
import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from events.append import Write, event_writes, forget_directory
from events.types import PROVIDER_REMOVED, News
from providers.image import image_of
from providers.records import OwnRow, Tree, read_tree, state_above, tree_of
from providers.refusals import NotFound
from providers.resource_classes.kind import COMMON, ResourceClass
from providers.tree_columns import complete, select
from store.home import Home
from store.session import keyspace, read_many, write_many

log = logging.getLogger("sched_portal.projection")

AT_ONCE = 32  # trees projected side by side; bounds the memory and the driver's queue
LATER = 2.0  # seconds that a projection waits for one which mostly comes sooner


@dataclass(frozen=True, slots=True)
class Behind:
    """A tree that was changed, and what there is to tell about it."""

    home: Home
    root_id: UUID
    news: tuple[News, ...] = ()
    others: tuple[Write, ...] = ()  # plain writes that go in the same message


def project_now(home: Home, root_id: UUID, *news: News, others: Sequence[Write] = ()) -> Tree:
    """Projects one tree and tells the news, after what still waits to be told of it (`project_later`); answers with the
    tree as read. Raises StoreUnavailable."""
    earlier = projector().take_over(home, root_id)
    try:
        return _project([Behind(home, root_id, (*earlier, *news), tuple(others))])[0]
    except Exception:
        forget_directory()
        projector().put_back(home, root_id, earlier)
        raise


def project_together(places: Sequence[tuple[Home, UUID]]) -> list[Tree]:
    """Projects several trees, each with what waits to be told of it (`project_later`); answers with the trees as read.
    What was not told waits again. Raises StoreUnavailable."""
    trees: list[Tree] = []
    for begin in range(0, len(places), AT_ONCE):
        some = [Behind(*place, projector().take_over(*place)) for place in places[begin : begin + AT_ONCE]]
        try:
            trees += _project(some)
        except Exception:
            forget_directory()
            for one in some:
                projector().put_back(one.home, one.root_id, one.news)
            raise
    return trees


def _project(behind: Sequence[Behind]) -> list[Tree]:
    trees = _read(behind)
    write_many([write for b, tree in zip(behind, trees, strict=True) for write in _writes(b, tree)])
    return trees


def _read(behind: Sequence[Behind]) -> list[Tree]:
    selects = [select(b.home, b.root_id) for b in behind]
    pages = read_many((cql, [b.root_id]) for (cql, _), b in zip(selects, behind, strict=True))
    trees = []
    for b, (_, classes), rows in zip(behind, selects, pages, strict=True):
        enough = complete(b.root_id, rows, classes)
        trees.append(tree_of(b.home, b.root_id, rows) if enough else read_tree(b.home, b.root_id))
    return trees


def _writes(behind: Behind, tree: Tree) -> Iterable[Write]:
    # The whole tree, whoever was changed: so a row that shows an older generation is behind, and the sweep knows it.
    for own in tree.providers.values():
        yield _upsert(tree, own)
    yield from behind.others
    last = {news.provider_id: index for index, news in enumerate(behind.news)}
    for index, news in enumerate(behind.news):
        if news.provider_id is None:
            yield from event_writes(behind.home, news)
            continue
        provider = tree.providers.get(news.provider_id)
        if news.type == PROVIDER_REMOVED and provider is None:
            yield _delete(tree, news)
        yield from event_writes(
            behind.home,
            news,
            root_id=tree.root_id,
            resource_class=provider.row["resource_class"] if provider else news.data.get("resource_class"),
            generation=tree.generation,
            # Of several about one provider the last has its row, for all of them: it is as it is after all of them.
            image=image_of(tree, provider) if provider and last[news.provider_id] == index else None,
        )


def _delete(tree: Tree, news: News) -> Write:
    cql = (
        f"DELETE FROM {keyspace(tree.home.datacenter)}.capacity USING TIMESTAMP ? "
        "WHERE cell = ? AND resource_class = ? AND shard = ? AND root_id = ? AND provider_id = ?"
    )
    key = [tree.home.cell, news.data["resource_class"], news.data["shard"], tree.root_id, news.provider_id]
    return cql, [tree.generation, *key]


@functools.lru_cache(maxsize=256)
def _columns(of_class: ResourceClass) -> tuple[str, ...]:
    common = (*COMMON, "claims", "instances")
    if of_class.custom:
        own = ["own_amounts", "own_total", "own_reserved", "own_ratio", "own_available", "own_properties"]
        return (*common, *own)
    amounts = [
        f"{prefix}{n}" for n in of_class.amounts for prefix in ("", "total_", "reserved_", "ratio_", "available_")
    ]
    return (*common, *amounts, *(f"prop_{name}" for name in of_class.properties))


def _upsert(tree: Tree, own: OwnRow) -> Write:
    columns = _columns(own.resource_class)
    root = tree.providers.get(tree.root_id, own).row
    extra: dict[str, Any] = {
        "generation": tree.generation,
        "root_state": state_above(tree, own),
        "root_state_version": root["state_version"],
        "root_resource_class": root["resource_class"],
        "root_shard": root["shard"],
        "root_heartbeat": root["heartbeat"],
        "traits": sorted(own.row["traits"] or ()),
        "aggregates": sorted(own.row["aggregates"] or ()),
        "claims": len(tree.claims_on(own.id)),
        "instances": len(tree.instances_on(own.id)),
    }
    values = [extra[name] if name in extra else own.row[name] for name in columns]
    cql = (
        f"INSERT INTO {keyspace(tree.home.datacenter)}.capacity ({', '.join(columns)}) "
        f"VALUES ({', '.join('?' * len(columns))}) USING TIMESTAMP ?"
    )
    return cql, [*values, tree.generation]


@dataclass(slots=True)
class _Waiting:
    news: list[News]
    due: float  # time.monotonic()


class Projector:
    """Projects in the background, coalescing: ten claims on one host that wait here are one read and one row."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[Home, UUID], _Waiting] = {}
        self._wake = threading.Condition()
        self._busy = False
        self._thread = threading.Thread(target=self._run, name="projector", daemon=True)
        self._thread.start()

    def add(self, home: Home, root_id: UUID, news: Iterable[News], after: float = 0.0) -> None:
        """`after` so many seconds, or with whatever is sooner on this tree."""
        due = time.monotonic() + after
        with self._wake:
            waiting = self._waiting.setdefault((home, root_id), _Waiting([], due))
            waiting.news.extend(news)
            waiting.due = min(waiting.due, due)
            self._wake.notify_all()

    def take_over(self, home: Home, root_id: UUID) -> tuple[News, ...]:
        """What waits to be told of this tree: whoever takes it projects the tree now."""
        with self._wake:
            waiting = self._waiting.pop((home, root_id), None)
            self._wake.notify_all()  # who drains: it may have been the last
        return tuple(waiting.news) if waiting else ()

    def put_back(self, home: Home, root_id: UUID, news: Sequence[News]) -> None:
        """What was taken over and could not be told, before what came meanwhile."""
        if not news:
            return
        with self._wake:
            waiting = self._waiting.setdefault((home, root_id), _Waiting([], 0.0))
            waiting.news[:0] = news
            waiting.due = 0.0
            self._wake.notify_all()

    def drain(self, timeout: float = 10.0) -> bool:
        """Waits until nothing is waiting, and nothing later than now; False when that took longer than `timeout`
        seconds."""
        deadline = time.monotonic() + timeout
        with self._wake:
            while self._waiting or self._busy:
                for waiting in self._waiting.values():
                    waiting.due = 0.0
                self._wake.notify_all()
                if time.monotonic() >= deadline:
                    return False
                self._wake.wait(min(0.05, max(0.0, deadline - time.monotonic())))
        return True

    def _take(self) -> list[Behind]:
        with self._wake:
            self._busy = False
            self._wake.notify_all()
            while not (keys := self._due()):
                soonest = min((waiting.due for waiting in self._waiting.values()), default=None)
                self._wake.wait(None if soonest is None else max(0.0, soonest - time.monotonic()))
            self._busy = True
            return [Behind(*key, tuple(self._waiting.pop(key).news)) for key in keys]

    def _due(self) -> list[tuple[Home, UUID]]:
        now = time.monotonic()
        return list(islice((key for key, waiting in self._waiting.items() if waiting.due <= now), AT_ONCE))

    def _run(self) -> None:
        while True:
            work = self._take()
            try:
                _project(work)
            except Exception:  # the thread must live, and one tree that fails must not keep the others waiting
                log.exception("projection of %d trees failed; each is tried alone", len(work))
                forget_directory()
                self._one_by_one(work)

    def _one_by_one(self, work: Sequence[Behind]) -> None:
        failed = False
        for one in work:
            try:
                _project([one])
            except NotFound:
                log.exception("tree %s cannot be projected: its resource class is gone", one.root_id)
            except Exception:
                failed = True
                self.add(one.home, one.root_id, one.news)
        if failed:
            time.sleep(1.0)


_projectors: dict[int, Projector] = {}
_lock = threading.Lock()


def project_soon(home: Home, root_id: UUID, *news: News) -> None:
    """Projects in the background within milliseconds; for claims, whose answer need not wait for it."""
    projector().add(home, root_id, news)


def project_later(home: Home, root_id: UUID, *news: News) -> None:
    """Like `project_soon`, but leaves some time for what is about to happen to this tree: one projection shows both."""
    projector().add(home, root_id, news, LATER)


def projector() -> Projector:
    found = _projectors.get(os.getpid())
    if found is None:
        with _lock:
            found = _projectors.get(os.getpid())
            if found is None:
                found = _projectors[os.getpid()] = Projector()
                atexit.register(found.drain, 3.0)
    return found
