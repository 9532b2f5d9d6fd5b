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


def messages_of_ten(request, monkeypatch) -> Counter[str]:
    sent: Counter[str] = Counter()
    real = session().execute_async

    def counted(query, *args, **more):
        sent[kind(query)] += 1
        return real(query, *args, **more)

    with monkeypatch.context() as counting:
        counting.setattr(session(), "execute_async", counted)
        for _ in range(10):
            assert isinstance(schedule(request), Placed)
        projector().drain()
    return sent


@pytest.mark.parametrize("heartbeat", ["none", "agent"])
def test_a_request_on_one_host(cell, host, heartbeat, monkeypatch, caplog):
    for _ in range(12):  # 96 vCPUs: more than all rounds take
        host(heartbeat=heartbeat)
    request = ScheduleRequest("me", "project", (Resource("compute", {"vcpus": 1}),), {}, "somebody", cell=cell.name)
    for _ in range(6):
        assert isinstance(schedule(request), Placed)  # everything is prepared, the hour is listed
    caplog.clear()
    # Of three rounds the cheapest: threads of earlier tests that stop late send messages of their own.
    sent = min((messages_of_ten(request, monkeypatch) for _ in range(3)), key=Counter.total)
    alive = 10 if heartbeat == "agent" else 0  # and who of them is heard from
    assert sent.total() <= 10 * BUDGET + 2 * alive, sent
    assert not [r for r in caplog.records if "exceeding specified threshold" in r.getMessage()]
