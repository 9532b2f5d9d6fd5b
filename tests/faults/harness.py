"""A run under fire: authors and a conductor work through the proxy while a serial reader looks on and things break.

Used by the short run on one node and by the long one on a ring of three, whose nodes are paused and killed as well.
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import judge
from author import MAYBE
from judge import Told, tree_at
from processes import start
from proxy import CUT, CUT_BEFORE, HELD, LOST, SILENT, Message, Proxy

from conductor.recover import recover_cell
from providers import cells
from providers.cells import Cell
from providers.inventory import Inventory
from providers.records import CLOSED, Tree
from providers.register import NewProvider, register
from store.failures import StoreUnavailable
from store.session import AWAY

COMPUTE = {"vcpus": 8, "memory_mb": 8 * 512, "disk_gb": 40}
ROOMY = {"vcpus": 4000, "memory_mb": 4000 * 512, "disk_gb": 40}
STORAGE = {"capacity_gb": 30, "iops": 1000}
LAST = 180.0  # seconds for what is open at the end


@dataclass(frozen=True, slots=True)
class Stage:
    """The cells and hosts of a run. The claims' hosts are in a cell of their own: they know no requests."""

    claims: Cell
    requests: Cell
    hosts: Sequence[UUID]  # of the claims; every second one is roomy, the others are always full
    others: Sequence[UUID]  # of the requests

    def trees(self) -> tuple[list[Tree], list[Tree]]:
        return (
            [tree_at(self.claims.home, root) for root in self.hosts],
            [tree_at(self.requests.home, root) for root in self.others],
        )


def build(name: str, hosts: int) -> Stage:
    claims, requests = cells.create(f"{name}-claims"), cells.create(f"{name}-requests")
    of_claims = [_provider(claims, n, "compute", ROOMY if n % 2 else COMPUTE) for n in range(hosts)]
    of_requests = [_provider(requests, n, "compute", COMPUTE) for n in range(hosts)]
    of_requests += [_provider(requests, n, "block_storage", STORAGE) for n in range(2)]
    return Stage(claims, requests, of_claims, of_requests)


def _provider(cell: Cell, number: int, resource_class: str, amounts: dict[str, int]) -> UUID:
    inventory = {name: Inventory(total) for name, total in amounts.items()}
    new = NewProvider(f"{resource_class}-{number}", cell.name, resource_class, inventory, heartbeat="none")
    return register(new)[1].id


def break_at_random(proxy: Proxy, share: float, cuts: int, seed: int) -> None:
    """Loses that share of the transactions' answers, or delays them; and so many are left without answer, cut, and cut
    before they went through."""
    rng = random.Random(seed)

    def some(of: float) -> Callable[[Message], bool]:
        return lambda message: message.is_transaction and rng.random() < of

    everything = 10**9
    proxy.add(LOST, some(share / 2), everything)
    for seconds in (0.5, 2.0, 5.0, 8.0):  # the last ones come when a closed id may have been removed
        proxy.add(HELD, some(share / 8), everything, after=seconds)
    for action in (SILENT, CUT, CUT_BEFORE):
        proxy.add(action, some(share / 20), cuts)


@dataclass
class Reader:
    """Reads whole trees at SERIAL all the time, each reading as of one instant: it must add up."""

    stage: Stage
    readings: int = 0
    wrong: list[str] = field(default_factory=list)

    @contextmanager
    def reading(self) -> Iterator["Reader"]:
        stop = threading.Event()
        thread = threading.Thread(target=self._read, args=(stop,))
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()

    def _read(self, stop: threading.Event) -> None:
        try:
            self._read_all(stop)
        except Exception as error:
            self.wrong.append(f"the reader ended: {type(error).__name__}: {error}")

    def _read_all(self, stop: threading.Event) -> None:
        homes = dict.fromkeys(self.stage.hosts, self.stage.claims.home)
        homes |= dict.fromkeys(self.stage.others, self.stage.requests.home)
        while not stop.is_set():
            for root, home in homes.items():
                try:
                    self.wrong += judge.sums([tree_at(home, root, LAST)])
                    self.readings += 1
                except AWAY:  # no quorum for a while is not what is judged here
                    continue
                if stop.wait(0.1):
                    return


@dataclass
class Run:
    """What came of it. `unknown`: how long each unknown outcome was open, in seconds."""

    claims: int
    unknown: list[float]
    names: Counter[str]
    errors: Counter[str]
    counts: Counter[str]
    slowest: dict[str, float]
    slowest_to_settle: dict[str, float]
    readings: int
    conductor: dict[str, int]
    wrong: list[str]

    def figures(self) -> dict[str, Any]:
        took = sorted(self.unknown) or [0.0]
        return {
            "claims": self.claims,
            "unknown": len(self.unknown),
            "settled_median_s": round(took[len(took) // 2], 3),
            "settled_max_s": round(took[-1], 3),
            "of": dict(self.names),
            "because": dict(self.errors),
            "operations": dict(self.counts),
            "slowest_s": {name: round(seconds, 1) for name, seconds in self.slowest.items()},
            "slowest_to_settle_s": {name: round(seconds, 1) for name, seconds in self.slowest_to_settle.items()},
            "conductor": self.conductor,
            "serial_readings": self.readings,
            "wrong": len(self.wrong),
        }


def run(
    stage: Stage,
    proxy: Proxy,
    directory: Path,
    processes: int,
    claims: int,
    seconds: float,
    meanwhile: Callable[[], None] = lambda: time.sleep(0.2),
    before_judging: Callable[[], None] = lambda: None,
    **authors: int,
) -> Run:
    """`authors`: claim_authors and request_authors, threads of each process. `meanwhile` is done again and again."""
    reports = [directory / f"report-{number}" for number in range(processes)]
    common = {
        "proxies": proxy.addresses,
        "claims_cell": stage.claims.name,
        "requests_cell": stage.requests.name,
        "datacenter": stage.claims.datacenter,
        "hosts": [str(host) for host in stage.hosts],
        "roomy": [str(host) for host in stage.hosts[1::2]],
        "claims": claims // processes + 1,
        "seconds": seconds,
        **authors,
    }
    conducted = directory / "conducted"
    with Reader(stage).reading() as reader, ExitStack() as ends:
        conductor = start(
            "../faults/conductor_under_fire.py",
            proxies=proxy.addresses,
            cells=[common["claims_cell"], common["requests_cell"]],
            report=str(conducted),
        )
        working = [
            start("../faults/under_fire.py", seed=number, report=str(path), **common)
            for number, path in enumerate(reports)
        ]
        for process in (conductor, *working):
            ends.callback(process.kill)
        while any(process.poll() is None for process in working):
            meanwhile()
        exits = [process.returncode for process in working]
        conductor.communicate(timeout=LAST)
    assert exits == [0] * processes
    assert conductor.returncode == 0
    before_judging()
    return _judge(stage, reader, [json.loads(path.read_text()) for path in reports], json.loads(conducted.read_text()))


def _judge(stage: Stage, reader: Reader, reports: Sequence[dict[str, Any]], conducted: dict[str, int]) -> Run:
    told = {
        UUID(i): Told(UUID(i), frozenset(map(UUID, claims)), back)
        for report in reports
        for i, (claims, back) in report["told"].items()
    }
    ids = {UUID(i): kind for report in reports for i, kind in report["ids"].items()}
    _finish(stage, told)
    of_claims, of_requests = stage.trees()
    wrong = [*reader.wrong, *(surprise for report in reports for surprise in report["surprises"])]
    wrong += judge.sums([*of_claims, *of_requests])
    wrong += judge.requests(of_requests, told)
    wrong += judge.open_requests(told)
    wrong += _against(of_claims, ids)
    return Run(
        claims=sum(report["claims"] for report in reports),
        unknown=[seconds for report in reports for seconds in report["unknown"]["seconds"]],
        names=_sum(report["unknown"]["names"] for report in reports),
        errors=_sum(report["unknown"]["errors"] for report in reports),
        counts=_sum(report["counts"] for report in reports),
        slowest=_largest(report["slowest"] for report in reports),
        slowest_to_settle=_largest(report["slowest_to_settle"] for report in reports),
        readings=reader.readings,
        conductor=conducted,
        wrong=wrong,
    )


def _finish(stage: Stage, told: dict[UUID, Told]) -> None:
    """Conductors come by until nothing is open any more; by the latest when the last lease is over."""
    until = time.monotonic() + LAST
    while judge.open_requests(told) and time.monotonic() < until:
        try:
            recover_cell(stage.requests.home)
        except StoreUnavailable:
            continue
        time.sleep(1.0)


def _against(trees: Sequence[Tree], ids: dict[UUID, str | None]) -> list[str]:
    """What is there and what the authors were told, in both directions."""
    there = {r.id: r.kind for tree in trees for r in tree.records if r.kind != CLOSED}
    wrong = [
        f"{i}: is {there.get(i)}, its author was told {kind}"
        for i, kind in ids.items()
        if kind not in (there.get(i), MAYBE)
    ]
    return wrong + [f"{i}: a {kind} that nobody asked for" for i, kind in there.items() if i not in ids]


def _sum(counts: Any) -> Counter[str]:
    return sum((Counter(one) for one in counts), Counter())


def _largest(each: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in each:
        found |= {name: max(value, found.get(name, 0.0)) for name, value in one.items()}
    return found
