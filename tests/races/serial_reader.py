"""A process that keeps reading whole partitions at SERIAL while others claim: what it sees must add up every time.

Run as a script (see processes.py); it reads until its standard input is closed, then reports to a file.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

from cassandra import ConsistencyLevel

from providers.records import NIL
from store.session import keyspace, lwt_profile, prepare, session

AMOUNTS = ("vcpus", "memory_mb", "disk_gb")
PAUSE = 0.02  # seconds: a serial read is a transaction too, and one after another would be most of the contention


def read_serially(root_id: UUID, datacenter: str) -> list[dict]:
    """The partition as of one instant of the transactions' order. LOCAL_SERIAL, as the claims are: never mix them."""
    select = prepare(f"SELECT * FROM {keyspace(datacenter)}.provider_records WHERE root_id = ?").bind([root_id])
    select.consistency_level = ConsistencyLevel.LOCAL_SERIAL
    return session().execute(select, execution_profile=lwt_profile(datacenter)).all()


def wrong_with(rows: Sequence[dict]) -> list[str]:
    """What does not add up on each provider: below zero, or `available` is not the sum of its records."""
    return [wrong for own in rows if own["record_id"] == NIL for wrong in _wrong(own, rows)]


def _wrong(own: dict, rows: Sequence[dict]) -> Iterator[str]:
    for name in AMOUNTS:
        total = sum(row[name] or 0 for row in rows if row["provider_id"] == own["provider_id"])
        if total < 0:
            yield f"oversold: {name} sums to {total}"
        if total != own[f"available_{name}"]:
            yield f"{name} sums to {total}, available says {own[f'available_{name}']}"


def main(hosts: Sequence[str], datacenter: str, report: str) -> None:
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    readings, wrong = 0, []
    while not stop.is_set():
        for host in hosts:
            wrong += [f"{host}: {finding}" for finding in wrong_with(read_serially(UUID(host), datacenter))]
            readings += 1
            time.sleep(PAUSE)
    Path(report).write_text(json.dumps({"readings": readings, "wrong": wrong[:100]}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
