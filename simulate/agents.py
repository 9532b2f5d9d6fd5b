"""The agents: processes of `agents.node`, each of which drives many hosts by the noop builder. Some are to be killed.

Who is killed is drawn beforehand, and those hosts have processes of their own: killing these kills exactly that share
of the agents, at several moments, and nobody else.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from api.write_secret import write_secret
from bench.cpu import spent
from simulate import SimulationError
from simulate.fleet import Registered, Say
from simulate.options import Options

ROOT = Path(__file__).resolve().parent.parent
KILLS = 5  # processes of hosts to be killed, if there are as many
FIRST_KILL, LAST_KILL = 0.1, 0.8  # of the run
LOOKS_A_SECOND = 10.0  # of the whole fleet, while it is told of orders; ten times as many when it is not
STOP_SECONDS = 20.0
REPORTED = " event=reported "


@dataclass(frozen=True)
class Group:
    """The hosts of one process."""

    name: str
    hosts: Sequence[Registered]
    is_victim: bool


@dataclass(frozen=True)
class Kill:
    """`at` seconds after the workload began its process is killed, and started again `down` seconds later."""

    group: Group
    at: float
    down: float


def grouped(hosts: Sequence[Registered], options: Options) -> list[Group]:
    """Victims first: `--kill` of all hosts, of every class, in up to KILLS processes."""
    rng = random.Random(f"victims-{options.seed}")
    drawn = list(hosts)
    rng.shuffle(drawn)
    number = round(len(hosts) * options.kill)
    victims, others = drawn[:number], drawn[number:]
    size = min(options.process_hosts, math.ceil(number / KILLS)) if number else 1
    return [
        *(Group(f"victims-{n}", some, True) for n, some in enumerate(_chunks(victims, size), 1)),
        *(Group(f"hosts-{n}", some, False) for n, some in enumerate(_even(others, options.process_hosts), 1)),
    ]


def kills(groups: Sequence[Group], options: Options) -> list[Kill]:
    """Spread over the run, the last agents back before its end if it is long enough for that."""
    rng = random.Random(f"kills-{options.seed}")
    victims = [group for group in groups if group.is_victim]
    span = (LAST_KILL - FIRST_KILL) * options.seconds / max(1, len(victims))
    begin = FIRST_KILL * options.seconds
    return [
        Kill(group, begin + span * (n + rng.random()), rng.uniform(*options.down)) for n, group in enumerate(victims)
    ]


def _chunks(hosts: Sequence[Registered], size: int) -> Iterator[Sequence[Registered]]:
    return (hosts[first : first + size] for first in range(0, len(hosts), size))


def _even(hosts: Sequence[Registered], most: int) -> Iterator[Sequence[Registered]]:
    processes = math.ceil(len(hosts) / most)
    return _chunks(hosts, math.ceil(len(hosts) / processes)) if processes else iter(())


class Agents:
    """The processes of all groups. What they leave on disk is theirs: a new one goes on with it."""

    def __init__(self, groups: Sequence[Group], options: Options, say: Say) -> None:
        self._groups = {group.name: group for group in groups}
        self._options = options
        self._say = say
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._is_down: set[str] = set()
        self._spent_before = 0.0
        self.killed = self.died = 0
        self.state = options.var / "state"

    def start(self) -> None:
        """All of them, after those that a killed run left behind are gone."""
        _stop_left_behind(self._pids)
        for name, group in self._groups.items():
            write_secret(self._file(name), json.dumps(_configuration(group, self._options, self.state)))
            self._log(name).unlink(missing_ok=True)
            self._start(name)

    def kill(self, group: Group) -> None:
        """SIGKILL: at whatever line it is."""
        process = self._processes[group.name]
        self._is_down.add(group.name)
        self._count(process)
        process.kill()
        process.wait()
        self.killed += len(group.hosts)

    def start_again(self, group: Group) -> None:
        if group.name in self._is_down:
            self._is_down.discard(group.name)
            self._start(group.name)

    def look(self) -> None:
        """An agent process that ended by itself is started again. Raises SimulationError when it cannot run at all."""
        for name, process in list(self._processes.items()):
            code = process.poll()
            if code is None or name in self._is_down:
                continue
            last = (self._log(name).read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            if code == 2:
                raise SimulationError(f"an agent cannot run: {last}")
            self.died += 1
            self._say(f"  the agents {name} ended by themselves ({code}), starting them again: {last}")
            self._start(name)

    @property
    def up(self) -> int:
        """Agents whose process is there."""
        return sum(len(group.hosts) for name, group in self._groups.items() if name not in self._is_down)

    @property
    def processes(self) -> int:
        return len(self._processes)

    def cpu(self) -> float:
        """CPU-seconds of all of them so far, those that were killed included."""
        total = self._spent_before
        for process in self._processes.values():
            with suppress(OSError):
                total += spent(process.pid)
        return total

    def memory(self) -> int:
        """Resident bytes."""
        total = 0
        for process in self._processes.values():
            with suppress(psutil.Error):
                total += psutil.Process(process.pid).memory_info().rss
        return total

    def reported(self) -> int:
        """Hosts that have said what they have, the first of an agent's words, as the agents' logs tell."""
        return sum(self._log(name).read_text(errors="replace").count(REPORTED) for name in self._groups)

    @property
    def first_looks(self) -> float:
        """Seconds in which every host looks for its orders once, when it begins to be told of them."""
        return _poll_interval(self._options)

    def left_on_disk(self) -> list[Path]:
        """Instances that an agent still thinks it has."""
        return sorted(self.state.glob("*/*.json"))

    def stop(self) -> None:
        """They are asked to end, and killed when they do not."""
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        until = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._pids.unlink(missing_ok=True)

    @property
    def _pids(self) -> Path:
        return self._options.var / "agents.pids"

    def _file(self, name: str) -> Path:
        return self._options.var / "agents" / f"{name}.json"

    def _log(self, name: str) -> Path:
        return self._options.var / "agents" / f"{name}.log"

    def _start(self, name: str) -> None:
        if name in self._processes:
            self._count(self._processes[name])
        with self._log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "agents.node", "--config", str(self._file(name))],
                cwd=ROOT,
                env={name: value for name, value in os.environ.items() if not name.startswith("SCHED_AGENT_")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: what runs on them is taken away before they end
            )
        self._note_pids()

    def _count(self, process: subprocess.Popen[bytes]) -> None:
        with suppress(OSError):
            self._spent_before += spent(process.pid)

    def _note_pids(self) -> None:
        started = {}
        for process in self._processes.values():
            with suppress(psutil.NoSuchProcess):
                started[process.pid] = psutil.Process(process.pid).create_time()
        self._pids.write_text(json.dumps(started))


def _stop_left_behind(pids: Path) -> None:
    """Of a run that was killed itself: two agents of one host would not start."""
    try:
        started = json.loads(pids.read_text())
    except (OSError, ValueError):
        return
    left = []
    for pid, created in started.items():
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(int(pid))
            if process.create_time() == created:
                process.terminate()
                left.append(process)
    for process in psutil.wait_procs(left, STOP_SECONDS)[1]:
        process.kill()


def _poll_interval(options: Options) -> float:
    return max(1.0, options.hosts / (10 * LOOKS_A_SECOND))


def _configuration(group: Group, options: Options, state: Path) -> Mapping[str, Any]:
    """How often it says that it is alive is for the portal to say. It looks for orders by itself so seldom that a large
    fleet costs no more than a small one: the portal tells it of them."""
    return {
        "portal": options.portal,
        "builder": "noop",
        "state_dir": str(state),
        "poll_interval": _poll_interval(options),
        "fallback_poll_interval": max(30.0, options.hosts / LOOKS_A_SECOND),
        "measure_interval": 300,
        "noop": {"build_seconds": list(options.build), "fail_fraction": options.failures},
        "providers": [
            {
                "id": one.id,
                "token": one.token,
                "name": one.host.name,
                "resource_class": one.host.resource_class,
                "inventory": {
                    "totals": one.host.totals,
                    "properties": one.host.properties,
                    "traits": list(one.host.traits),
                },
            }
            for one in group.hosts
        ],
    }
