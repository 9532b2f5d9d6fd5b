"""Fault tests reach Cassandra through a proxy of their own (proxy.py), and share the races' readers."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "races"))

from proxy import Proxy, go_through

from cluster.launch import free_addresses
from providers.projection import projector
from store.session import disconnect


def _reconnect(hosts: list[str]) -> None:
    projector().drain()
    disconnect()
    settings.CASSANDRA["hosts"] = hosts
    os.environ["CASSANDRA_HOSTS"] = ",".join(hosts)  # for the processes that tests start


@pytest.fixture(scope="module")
def through_proxy(cassandra: SimpleNamespace) -> Iterator[Proxy]:
    """This process speaks with Cassandra through the proxy, and those that it starts and that call `go_through`."""
    hosts, named = settings.CASSANDRA["hosts"], os.environ.get("CASSANDRA_HOSTS")
    port = settings.CASSANDRA["port"]
    own = free_addresses(1, (port,))
    with Proxy({hosts[0]: own}, port) as proxy, pytest.MonkeyPatch.context() as patch:
        go_through(proxy.addresses, patch.setattr)
        _reconnect([own])
        yield proxy
        patch.undo()
        _reconnect(hosts)
    if named is None:
        os.environ.pop("CASSANDRA_HOSTS")
    else:
        os.environ["CASSANDRA_HOSTS"] = named


@pytest.fixture
def proxy(through_proxy: Proxy) -> Iterator[Proxy]:
    yield through_proxy
    assert through_proxy.errors == []
    through_proxy.rules.clear()
    through_proxy.passed.clear()
    through_proxy.remembers = False
