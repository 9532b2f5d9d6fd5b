"""Claims per second when 1 to 32 schedulers want the same few hosts or many, and how many tries are refused.

Three ways, by turns: `together`, schedulers that are threads of one process, whose claims on one host share a
transaction; `apart`, the same without that, as if each were a process of its own; `generation`, what is done
elsewhere: read the host's record, compare, and write if its generation is what was read, else begin again.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from bench.callers import Measured, run
from bench.claim_rate import order
from bench.give_back import give_back
from bench.surroundings import Surroundings, make_hosts
from claims.lookups import write_before
from claims.take import statements, take
from claims.types import Taken
from events.types import CLAIM_TAKEN, News
from providers.projection import project_soon
from providers.records import tree_of
from providers.resource_classes.kind import NIL
from store.home import Home
from store.lwt import Applied, Refused
from store.lwt import run as run_transaction
from store.session import keyspace, read

HOSTS = (1, 50, 5000)
SCHEDULERS = (1, 2, 8, 32)
WARM, SECONDS, TURNS = 15.0, 2.0, 3
AT_ONCE = settings.CLAIMS_TOGETHER
TRIES = 100  # of the way that begins again
TITLE = "Claims by 1 to 32 schedulers on 1, 50 and 5,000 hosts; refused: tries that lost to another claim, of all tries"
COLUMNS = (
    *(" hosts", "schedulers", "way".rjust(10), "claims/s", "p50 ms", "p95 ms", "refused", "client CPU-ms"),
    *("Cassandra CPU-ms", "failed"),
)


@dataclass
class Tries:
    made: int = 0
    refused: int = 0


def measure(around: Surroundings) -> Iterator[tuple[str, ...]]:
    for hosts in (size for size in HOSTS if size <= around.most_hosts):
        cell, own_rows = make_hosts(f"contention{hosts}", hosts)
        ids = [own.id for own in own_rows]
        for way in WAYS.values():
            run(way(cell.home, ids, Tries()), 8, WARM / len(WAYS) if hosts == HOSTS[0] else 2.0, {})
        for schedulers in SCHEDULERS:
            rates = {name: Measured(schedulers) for name in WAYS}
            tries = {name: Tries() for name in WAYS}
            for _ in range(TURNS):
                for name, way in WAYS.items():
                    rates[name].add(run(way(cell.home, ids, tries[name]), schedulers, SECONDS, around.processes))
                    give_back(cell.home, ids)
            for name, rate in rates.items():
                yield _row(hosts, name, rate, tries[name])


def _together(home: Home, hosts: Sequence[UUID], tries: Tries) -> Callable[[], bool]:
    return _taking(home, hosts, tries, AT_ONCE)


def _apart(home: Home, hosts: Sequence[UUID], tries: Tries) -> Callable[[], bool]:
    return _taking(home, hosts, tries, 1)


def _taking(home: Home, hosts: Sequence[UUID], tries: Tries, most: int) -> Callable[[], bool]:
    settings.CLAIMS_TOGETHER = most

    def claim() -> bool:
        taken = isinstance(take(order(home, random.choice(hosts))), Taken)
        tries.made += 1
        tries.refused += not taken
        return taken

    return claim


def _by_generation(home: Home, hosts: Sequence[UUID], tries: Tries) -> Callable[[], bool]:
    cql = (
        f"SELECT * FROM {keyspace(home.datacenter)}.provider_records "
        "WHERE root_id = ? AND provider_id = ? AND record_id = ?"
    )

    def claim() -> bool:
        one = order(home, random.choice(hosts))
        write_before([one])
        (member,) = one.members
        for _ in range(TRIES):
            tree = tree_of(home, one.root_id, read(cql, [one.root_id, one.root_id, NIL]))
            has = tree.providers[member.provider_id].available
            if any(has[name] < amount for name, amount in member.amounts.items()):
                return False
            outcome = run_transaction(statements([one], tree), home.datacenter)
            tries.made += 1
            if isinstance(outcome, Applied):
                project_soon(home, one.root_id, News(CLAIM_TAKEN, member.provider_id, member.claim_id))
                return True
            tries.refused += isinstance(outcome, Refused)
        return False

    return claim


WAYS = {"together": _together, "apart": _apart, "generation": _by_generation}


def _row(hosts: int, way: str, rate: Measured, tries: Tries) -> tuple[str, ...]:
    return (
        *(str(hosts), str(rate.callers), way, f"{rate.per_second:.1f}"),
        *(f"{rate.milliseconds(share):.0f}" for share in (0.5, 0.95)),
        f"{tries.refused / max(1, tries.made):.2f}",
        *(f"{rate.cpu_ms(name):.1f}" for name in ("client", "cassandra")),
        str(rate.failed),
    )
