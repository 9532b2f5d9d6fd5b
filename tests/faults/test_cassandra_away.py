"""Cassandra hangs for ten seconds, or dies and is started again, while a process stands at each of its transactions.

Every scene stops at its point; then the node goes away, all of them go on into that, a conductor beside them, and the
node comes back. (`make faults`: a node of its own, two minutes each.)
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from django.conf import settings

from cluster.launch import Node, private_ring
from providers import cells
from store.apply_schema import apply_schema
from store.failpoints import STOP
from store.failures import StoreUnavailable
from store.session import disconnect, read
from tests.faults.scenes_play import Cue, Played, cues, playing
from tests.faults.scenes_table import SCENES

pytestmark = pytest.mark.faults
AWAY = 10.0  # seconds
AT_ONCE = 30  # processes that stand at their points at the same time
OPEN = 60.0  # seconds until a request has come to its end, those included in which the driver connects again
first = {scene.point: scene.title for scene in reversed(SCENES)}
CUES = [cue for cue in cues(SCENES) if first[cue[0].point] == cue[0].title]
PARTS = [CUES[begin : begin + AT_ONCE] for begin in range(0, len(CUES), AT_ONCE)]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    kept = dict(settings.CASSANDRA)
    disconnect()
    with private_ring(tmp_path_factory.mktemp("away"), heap="768M") as ring, pytest.MonkeyPatch.context() as patch:
        ring.start()
        one = ring.nodes[0]
        settings.CASSANDRA.update(hosts=[one.address], port=one.port, keyspace="away")
        for name, value in (("HOSTS", one.address), ("PORT", str(one.port)), ("KEYSPACE", "away")):
            patch.setitem(os.environ, f"CASSANDRA_{name}", value)
        cells._homes.clear()
        apply_schema(lambda line: None)
        yield one
        disconnect()
    settings.CASSANDRA.update(kept)
    cells._homes.clear()


def hangs(node: Node, go_on: Callable[[], None]) -> None:
    node.pause()
    go_on()
    time.sleep(AWAY)
    node.resume()


def dies(node: Node, go_on: Callable[[], None]) -> None:
    node.kill9()
    go_on()
    node.start()


def connected() -> None:
    """This process, which looks at the books, is no more than anybody else's: its driver connects again first."""
    until = time.monotonic() + OPEN
    while True:
        try:
            read("SELECT release_version FROM system.local", [])
            return
        except StoreUnavailable:
            assert time.monotonic() < until, "the driver does not connect again"
            time.sleep(0.2)


@pytest.mark.parametrize("part", range(len(PARTS)))
@pytest.mark.parametrize("how", [hangs, dies], ids=lambda how: how.__name__)
def test_whatever_was_under_way_comes_to_its_end(
    node: Node, how: Callable[[Node, Callable[[], None]], None], part: int
) -> None:
    some: list[Cue] = PARTS[part]

    def breaks(results: Sequence[Played]) -> None:
        sleepers = [one for one in results if one.sleeper]

        def go_on() -> None:
            for one in sleepers:
                assert one.sleeper
                one.sleeper.signal(signal.SIGCONT)

        how(node, go_on)
        connected()
        for one in sleepers:
            assert one.sleeper
            one.sleeper.end()  # with an error, or with its answer
            one.sleeper, one.unsure = None, True

    began = time.monotonic()
    with playing(some, STOP, breaks) as played:
        wrong = {title: one.wrong for title, one in played.items() if one.wrong}
        slow = {title: one.seconds for title, one in played.items() if one.seconds > OPEN}
        seconds = sorted(one.seconds for one in played.values())
    told = {"cells": len(seconds), "median_s": seconds[len(seconds) // 2], "longest_s": seconds[-1]}
    print("\n" + json.dumps({f"Cassandra {how.__name__}": told, "took_s": round(time.monotonic() - began)}))
    assert wrong == {}
    assert slow == {}
