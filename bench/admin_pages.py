"""The admin's pages over a full cell: what each takes, and how many statements it sends to Cassandra and to SQL.

One cell with all the hosts there are, and claims on the first of them; each page is opened by an admin through Django's
own test client, so what is measured is the portal's share, without a server or a browser.
"""

import os
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Lock

import django
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench.surroundings import Surroundings, register_all
from conductor.place import schedule
from conductor.types import Placed, ScheduleRequest
from providers import cells
from providers.heartbeat import beat
from providers.inventory import Inventory
from providers.records import Location, OwnRow
from providers.register import NewProvider
from scheduler.types import Resource
from store.session import session

SIZES = (1000, 10_000, 100_000)
CLAIMS_PER_HOST = 10  # of a hundred; 10,000 at 100,000 hosts
TIMES = 5
CELL = "pages"
TITLE = "Admin pages: one admin, one process, warm"
COLUMNS = ("hosts", "claims", "page".ljust(34), "median ms", "longest ms", "CQL", "SQL", "KiB")


def measure(around: Surroundings) -> Iterator[tuple[str, ...]]:
    settings.HEARTBEAT_TTL = 86_400  # heard from once, alive for the whole run
    settings.ALLOWED_HOSTS = ["testserver"]  # as the client of tests calls it
    settings.STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    django.setup()
    connection.settings_dict["NAME"] = str(around.var / "pages.sqlite3")
    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("pages"))
    sent = _Sent()
    home = cells.create(CELL).home
    hosts = claims = 0
    for size in (size for size in SIZES if size <= around.most_hosts):
        rows = register_all([_host(number) for number in range(hosts, size)])
        for own in rows:
            beat(Location(own.id, own.id, home, "compute", own.row["shard"]))
        hosts = size
        claim, request = _claims(size * CLAIMS_PER_HOST // 100 - claims)
        claims = size * CLAIMS_PER_HOST // 100
        for name, url in _pages(rows[0], claim, request):
            yield (str(hosts), str(claims), name.ljust(34), *_open(client, url, sent))


class _Sent:
    """Counts what the driver sends."""

    def __init__(self) -> None:
        self._lock, self.statements = Lock(), 0
        session().add_request_init_listener(self._hear)

    def _hear(self, future: object) -> None:
        with self._lock:
            self.statements += 1


def _open(client: Client, url: str, sent: _Sent) -> tuple[str, ...]:
    client.get(url)  # so that templates and statements are prepared
    times, statements, queries, length = [], 0, 0, 0
    for _ in range(TIMES):
        before, began = sent.statements, time.monotonic()
        with CaptureQueriesContext(connection) as sql:
            answer = client.get(url)
            length = len(answer.content)
        times.append((time.monotonic() - began) * 1000)
        assert answer.status_code in (200, 503), (url, answer.status_code)  # 503: it says that it took too long
        statements, queries = max(statements, sent.statements - before), max(queries, len(sql))
    return (
        f"{statistics.median(times):.0f}",
        f"{max(times):.0f}" + (f" ({answer.status_code})" if answer.status_code != 200 else ""),
        str(statements),
        str(queries),
        str(length // 1024),
    )


def _pages(own: OwnRow, claim: str, request: str) -> Iterator[tuple[str, str]]:
    hosts, claims = "/admin/providers/computerecord/", "/admin/claims/claimrecord/"
    requests = "/admin/conductor/requestrecord/"
    yield "start", "/admin/"
    yield "cells", "/admin/providers/cellrecord/"
    yield "cell", f"/admin/providers/cellrecord/{CELL}/change/"
    yield "hosts", hosts
    yield "hosts of a cell", f"{hosts}?cell={CELL}"
    yield "hosts, draining ones", f"{hosts}?cell={CELL}&state=draining"
    yield "hosts, by name", f"{hosts}?q={own.row['name']}"
    yield "host", f"{hosts}{own.id}/change/"
    yield "host, add", f"{hosts}add/"
    yield "host, what is on it", f"{hosts}{own.id}/drain/"
    yield "host, who did what", f"{hosts}{own.id}/changes/"
    yield "claims", claims
    yield "claims, stuck ones", f"{claims}?cell={CELL}&keeps=stuck"
    yield "claims, of one consumer", f"{claims}?cell={CELL}&consumer=nobody"
    yield "claim", f"{claims}{claim}/change/"
    yield "claim, place anew", f"{claims}{claim}/move/"
    yield "requests", requests
    yield "requests, failed ones", f"{requests}?cell={CELL}&state=failed"
    yield "request", f"{requests}{request}/change/"
    yield "request, explained", f"{requests}{request}/explain/"
    yield "heartbeats", "/admin/providers/heartbeatrecord/"
    yield "events", f"/admin/events/eventrecord/?cell={CELL}"
    yield "audit, a stretch", f"{requests}audit/?cell={CELL}"
    yield "policies", "/admin/conductor/policyrecord/"


def _host(number: int) -> NewProvider:
    inventory = {"vcpus": Inventory(64), "memory_mb": Inventory(262_144), "disk_gb": Inventory(2000)}
    return NewProvider(f"host-{number}", CELL, "compute", inventory, properties={"cpu_arch": "x86_64"})


_numbers = count()


def _claims(wanted: int) -> tuple[str, str]:
    """Makes so many claims in flight; one of them and its request."""
    amounts = {"vcpus": 1, "memory_mb": 1024, "disk_gb": 1}

    def one(_: int) -> Placed:
        number = next(_numbers)
        body = {"consumer": f"c{number}", "resources": [{"resource_class": "compute", "amounts": amounts}]}
        asked = ScheduleRequest(
            f"c{number}", "p", (Resource("compute", amounts),), {**body, "cell": CELL}, "bench", cell=CELL
        )
        placed = schedule(asked)
        assert isinstance(placed, Placed), placed
        return placed

    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(one, range(wanted)))
    took = time.monotonic() - began
    print(f"  made {wanted} claims in {took:.0f} s (process {os.getpid()})", file=sys.stderr, flush=True)
    return str(made[-1].claims[0]["id"]), str(made[-1].request_id)
