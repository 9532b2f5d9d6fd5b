"""How many statements each page of the admin sends to Cassandra: a fixed small number, however full the cell is.

(The audit's page looks at one part of a cell, as large as a shard's hosts or a sixteenth of its claims.)
"""

from collections.abc import Iterator

import pytest

from conductor import drain_admin
from conductor.claim_admin import ClaimAdmin
from providers.cells import Cell
from store.record_admin import RecordAdmin
from store.session import session
from tests.rooms.admin.test_claim_inspection import ask

__all__ = ["ask"]
HOSTS, CLAIMS = "/admin/providers/computerecord/", "/admin/claims/claimrecord/"
REQUESTS = "/admin/conductor/requestrecord/"
SHOWN = 5  # rows a page, fewer than there are from the first look on
STEPS, HOSTS_MORE, REQUESTS_MORE = 3, 25, 8
# Statements. What a page shows needs some each: a request up to eight (its row, and each place that its plan names).
BUDGETS = {
    "start": 0,
    "a cell": 1,
    "its hosts": 5,
    "its draining hosts": 5,
    "a host": 6,
    "a new host": 1,
    "what is on a host": 50,
    "who did what on a host": 8,
    "a cell's claims": 50,
    "a cell's stuck claims": 50,
    "a claim": 10,
    "a claim, to place it anew": 13,
    "a cell's requests": 60,
    "a request": 4,
    "a request, explained": 4,
    "a cell's events": 13,
    "policies": 2,
}


@pytest.fixture
def sent() -> Iterator[list[object]]:
    """What the driver sent since it was cleared."""
    heard: list[object] = []
    session().add_request_init_listener(heard.append)
    yield heard
    session().remove_request_init_listener(heard.append)


def pages(cell: Cell, host: object, request: object, claim: object) -> dict[str, str]:
    return {
        "start": "/admin/",
        "a cell": f"/admin/providers/cellrecord/{cell.name}/change/",
        "its hosts": f"{HOSTS}?cell={cell.name}",
        "its draining hosts": f"{HOSTS}?cell={cell.name}&state=draining",
        "a host": f"{HOSTS}{host}/change/",
        "a new host": f"{HOSTS}add/",
        "what is on a host": f"{HOSTS}{host}/drain/",
        "who did what on a host": f"{HOSTS}{host}/changes/",
        "a cell's claims": f"{CLAIMS}?cell={cell.name}",
        "a cell's stuck claims": f"{CLAIMS}?cell={cell.name}&keeps=stuck",
        "a claim": f"{CLAIMS}{claim}/change/",
        "a claim, to place it anew": f"{CLAIMS}{claim}/move/",
        "a cell's requests": f"{REQUESTS}?cell={cell.name}",
        "a request": f"{REQUESTS}{request}/change/",
        "a request, explained": f"{REQUESTS}{request}/explain/",
        "a cell's events": f"/admin/events/eventrecord/?cell={cell.name}",
        "policies": "/admin/conductor/policyrecord/",
    }


def costs(client: object, sent: list[object], of: dict[str, str]) -> dict[str, int]:
    """The cheapest of three: threads of earlier tests that stop late send statements of their own."""

    def once(url: str) -> int:
        sent.clear()
        assert client.get(url).status_code == 200, url
        return len(sent)

    return {name: min(once(url) for _ in range(3)) for name, url in of.items()}


def test_each_page_has_a_budget_whatever_is_in_its_cell(cell, host, ask, browser, sent, monkeypatch):
    for admin, name in ((RecordAdmin, "page_size"), (ClaimAdmin, "page_size"), (drain_admin, "A_PAGE")):
        monkeypatch.setattr(admin, name, SHOWN)
    own = host("first", heartbeat="none", amounts={"vcpus": 1000, "memory_mb": 10**6, "disk_gb": 10**4})
    request, [claim] = ask()
    counts = []
    for number in range(STEPS):
        for n in range(HOSTS_MORE):
            host(f"host-{number}-{n}", heartbeat="none", amounts={"vcpus": 4, "memory_mb": 4096, "disk_gb": 10})
        for n in range(REQUESTS_MORE):
            ask(consumer=f"c{number}-{n}")
        counts.append(costs(browser, sent, pages(cell, own.id, request, claim)))
    print(*counts, sep="\n")
    over = [{name: cost for name, cost in one.items() if cost > BUDGETS[name]} for one in counts]
    assert over == [{}] * STEPS
