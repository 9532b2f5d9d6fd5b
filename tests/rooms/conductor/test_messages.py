"""What a schedule request costs in messages to Cassandra: a budget, so that nothing is added without being seen."""

from collections import Counter

import pytest
from cassandra.query import BatchStatement

from conductor.place import schedule
from conductor.types import Placed, ScheduleRequest
from providers.projection import projector
from scheduler.types import Resource
from store.session import session

BUDGET = 9  # cells, hosts (now and then two stretches), lists, row, lookups, claim, tree, news (two when there is much)


def kind(query) -> str:
    return "batch" if isinstance(query, BatchStatement) else query.prepared_statement.query_string.split()[0]


@pytest.mark.parametrize("heartbeat", ["none", "agent"])
def test_a_request_on_one_host(cell, host, heartbeat, monkeypatch, caplog):
    for _ in range(12):
        host(heartbeat=heartbeat)
    request = ScheduleRequest("me", "project", (Resource("compute", {"vcpus": 1}),), {}, "somebody", cell=cell.name)
    for _ in range(6):
        assert isinstance(schedule(request), Placed)  # everything is prepared, the hour is listed
    sent: Counter[str] = Counter()
    real = session().execute_async

    def counted(query, *args, **more):
        sent[kind(query)] += 1
        return real(query, *args, **more)

    monkeypatch.setattr(session(), "execute_async", counted)
    caplog.clear()
    for _ in range(10):
        assert isinstance(schedule(request), Placed)
    projector().drain()
    alive = 10 if heartbeat == "agent" else 0  # and who of them is heard from
    assert sent.total() <= 10 * BUDGET + 2 * alive, sent
    assert not [r for r in caplog.records if "exceeding specified threshold" in r.getMessage()]
