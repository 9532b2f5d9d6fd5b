"""A process that keeps reading whole partitions at SERIAL while others claim: what it sees must add up every time.

Run as a script: argv[1] is JSON (hosts, datacenter, findings file); it reads until its standard input is closed.
"""

import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sched_portal.settings")

from cassandra import ConsistencyLevel

from providers.records import NIL
from store.session import keyspace, lwt_profile, prepare, session

AMOUNTS = ("vcpus", "memory_mb", "disk_gb")


def read_serially(root_id: UUID, datacenter: str) -> list[dict]:
    """The partition as of one instant of the transactions' own order. LOCAL_SERIAL, as the claims are: never mix them."""
    select = prepare(f"SELECT * FROM {keyspace(datacenter)}.provider_records WHERE root_id = ?").bind([root_id])
    select.consistency_level = ConsistencyLevel.LOCAL_SERIAL
    return session().execute(select, execution_profile=lwt_profile(datacenter)).all()


def wrong_with(rows: Sequence[dict]) -> list[str]:
    """What does not add up on this host: below zero, or `available` is not the sum of the records."""
    own = next(row for row in rows if row["record_id"] == NIL)
    found = []
    for name in AMOUNTS:
        total = sum(row[name] or 0 for row in rows)
        if total < 0:
            found.append(f"oversold: {name} sums to {total}")
        if total != own[f"available_{name}"]:
            found.append(f"{name} sums to {total}, available says {own[f'available_{name}']}")
    return found


def main(hosts: Sequence[str], datacenter: str, report: str) -> None:
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    readings, wrong = 0, []
    while not stop.is_set():
        for host in hosts:
            wrong += [f"{host}: {finding}" for finding in wrong_with(read_serially(UUID(host), datacenter))]
            readings += 1
    Path(report).write_text(json.dumps({"readings": readings, "wrong": wrong[:100]}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
