"""A cell's page in a real Chromium while the cell changes: how smooth, how soon, how much on the wire, and what 200
readers with a slow one among them cost.

Every change is a transaction in Cassandra, told by the event log to the portal and by the portal to the page; nothing
is put into the page. What the page does is read from Chromium's own counters.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from bench.cpu import Meter, spent
from bench.surroundings import Portal, Surroundings, portal, register_all
from providers import cells
from providers.inventory import Inventory
from providers.register import NewProvider

SIZES = (1000, 10_000)
TOGETHER = 8  # providers of a tree: a host and seven children
RATE = 200  # providers changed a second
SECONDS = int(os.environ.get("BENCH_DASHBOARD_SECONDS", "60"))
READERS = 200
CELL = "live"
TITLE = "The dashboard: one page in Chromium; then 200 readers, one of them slow"
COLUMNS = ("hosts", "readers", "changes/s", "p50 s", "p95 s", "frame p95 ms", "main %", "KiB/s", "heap MiB", "portal %")


def measure(around: Surroundings) -> Iterator[tuple[str, ...]]:
    cells.create(CELL)
    roots: list[str] = []
    with portal(around.var) as served:
        for size in (size for size in SIZES if size <= around.most_hosts):
            roots += _trees(len(roots), size // TOGETHER)
            for readers in (0, READERS) if size == SIZES[-1] else (0,):
                yield (str(size), str(readers), *_watched(served, roots, readers))


def _trees(first: int, until: int) -> list[str]:
    inventory = {"vcpus": Inventory(64), "memory_mb": Inventory(262_144), "disk_gb": Inventory(2000)}

    def new(number: int, name: str, **more: Any) -> NewProvider:
        return NewProvider(
            name,
            CELL,
            "compute",
            inventory,
            properties={"cpu_arch": "x86_64"},
            traits=frozenset({"SSD"} if number % 4 else {"HDD"}),
            rack=f"r{number // 5:03}",
            zone=f"z{number % 3}",
            heartbeat="none",
            **more,
        )

    hosts = register_all([new(number, f"host-{number:05}") for number in range(first, until)])
    register_all(
        [
            new(first + number, f"host-{first + number:05}-{child}", parent=own.id)
            for number, own in enumerate(hosts)
            for child in range(1, TOGETHER)
        ]
    )
    return [str(own.id) for own in hosts]


def _watched(served: Portal, roots: Sequence[str], readers: int) -> tuple[str, ...]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        counters = page.context.new_cdp_session(page)
        bytes_read = _Bytes(counters)
        _open(page, served)
        others = _begin_readers(served, readers)
        writer = _begin_changes(roots)
        page.wait_for_timeout(5000)  # until it runs steadily
        meter, before, began = Meter({"portal": served.pid}), _counters(counters), time.monotonic()
        bytes_read.count = 0
        lags, frames = _look(page)
        seconds = time.monotonic() - began
        used, after = meter.read(), _counters(counters)
        changed = json.loads(writer.communicate(timeout=120)[0])
        row = (
            f"{changed['changed'] / changed['seconds']:.0f}",
            f"{statistics.median(lags):.2f}",
            f"{_share(lags, 0.95):.2f}",
            f"{_share(frames, 0.95):.0f}",
            f"{100 * (after['TaskDuration'] - before['TaskDuration']) / seconds:.0f}",
            f"{bytes_read.count / seconds / 1024:.0f}",
            f"{before['JSHeapUsedSize'] / 2**20:.0f}>{after['JSHeapUsedSize'] / 2**20:.0f}",
            f"{100 * used['portal'] / seconds:.0f}",
        )
        browser.close()
        if others is not None:
            _say_readers(json.loads(others.communicate(timeout=180)[0]), served)
        return row


class _Bytes:
    """What comes over the page's WebSocket."""

    def __init__(self, counters: CDPSession) -> None:
        self.count = 0
        counters.send("Network.enable")
        counters.send("Performance.enable")
        counters.on("Network.webSocketFrameReceived", self._hear)

    def _hear(self, told: dict[str, Any]) -> None:
        self.count += len(told["response"]["payloadData"])


def _open(page: Page, served: Portal) -> None:
    url = f"http://{served.address}:{served.port}"
    password = os.path.join(os.environ["SCHED_VAR"], "admin-password")
    page.goto(f"{url}/cells/{CELL}/")
    page.fill("#id_username", "admin")
    with open(password) as file:
        page.fill("#id_password", file.read().strip())
    page.click("form.login button")
    page.wait_for_selector('#badge[data-status="live"]', timeout=60_000)
    page.wait_for_selector("#tiles[data-tiles]")


def _look(page: Page) -> tuple[list[float], list[float]]:
    """Seconds from each frame's oldest transaction to its pixels, and milliseconds between animation frames."""
    page.evaluate(
        """() => {
          window.frames_seen = []; window.lags_seen = [];
          const step = (at) => { window.frames_seen.push(at); requestAnimationFrame(step); };
          requestAnimationFrame(step);
          new MutationObserver(() => window.lags_seen.push(Number(document.getElementById('badge').dataset.lag)))
            .observe(document.getElementById('badge'), { attributeFilter: ['data-lag'] });
        }"""
    )
    page.wait_for_timeout(SECONDS * 1000)
    times, lags = page.evaluate("[window.frames_seen, window.lags_seen]")
    return [lag / 1000 for lag in lags] or [float("nan")], [after - before for before, after in pairwise(times)]


def _counters(counters: CDPSession) -> dict[str, float]:
    counters.send("HeapProfiler.collectGarbage")
    return {one["name"]: one["value"] for one in counters.send("Performance.getMetrics")["metrics"]}


def _share(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _begin_changes(roots: Sequence[str]) -> subprocess.Popen[str]:
    config = {"cell": CELL, "roots": list(roots), "rate": RATE, "together": TOGETHER, "seconds": SECONDS + 8}
    command = [sys.executable, "-m", "bench.dashboard_changes", json.dumps(config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _begin_readers(served: Portal, readers: int) -> subprocess.Popen[str] | None:
    if not readers:
        return None
    config = {"address": served.address, "port": served.port, "token": served.token, "cell": CELL}
    config |= {"readers": readers, "seconds": SECONDS + 20}
    command = [sys.executable, "-m", "bench.dashboard_readers", json.dumps(config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _say_readers(seen: dict[str, Any], served: Portal) -> None:
    delays = seen["delays"] or [float("nan")]
    heard = f"said to heard p50 {statistics.median(delays):.2f}, p95 {_share(delays, 0.95):.2f} s"
    print(
        f"  readers: {seen['kinds']}, {seen['bytes'] / 2**20:.0f} MiB; {heard}; the slow one: {seen['slow']}; "
        f"{seen['problems'] or 'no problem'}; portal CPU so far {spent(served.pid):.0f} s",
        file=sys.stderr,
        flush=True,
    )
