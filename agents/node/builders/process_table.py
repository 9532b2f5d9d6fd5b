"""Which processes there are, which belong together, and how to signal one without hitting its successor.

Read from /proc in one pass: the supervisor looks several times a second, and session, parent, start and resident
memory all stand in one `stat` line (35 us a process; psutil needs four files, 240 us, and has no session).
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agents.node.instances import Handle

PROC = Path("/proc")
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Row:
    """One process. `started` is in clock ticks since boot; `resident` in bytes."""

    pid: int
    parent: int
    session: int
    started: int
    resident: int
    is_dead: bool


ProcessTable = Mapping[int, Row]


@cache
def boot_id() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def read_table() -> ProcessTable:
    table: dict[int, Row] = {}
    for name in os.listdir(PROC):
        if name.isdigit():
            with contextlib.suppress(OSError):
                table[int(name)] = read_row(int(name))
    return table


def read_row(pid: int) -> Row:
    """Raises OSError when there is no such process."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        # The name, in parentheses, may hold anything, blanks and parentheses too: everything counts from its end.
        fields = file.read().rpartition(b")")[2].split()
    return Row(
        pid=pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        started=int(fields[19]),
        resident=int(fields[21]) * PAGE,
        is_dead=fields[0] in (b"Z", b"X", b"x"),
    )


def handle_of(row: Row) -> Handle:
    return Handle(row.pid, row.started, boot_id())


def is_running(handle: Handle, table: ProcessTable) -> bool:
    """False for a stranger that was given the same pid later, and for everything from before a reboot."""
    row = table.get(handle.pid)
    return row is not None and not row.is_dead and row.started == handle.started and handle.boot == boot_id()


def age(handle: Handle) -> float:
    """Seconds since the process was started."""
    uptime = float((PROC / "uptime").read_text(encoding="ascii").split()[0])
    return max(0.0, uptime - handle.started / TICKS)


def family(handle: Handle, known: Iterable[Row], table: ProcessTable) -> list[Row]:
    """The living processes of an instance: its session, everybody seen before, and all of their descendants.

    The session counts only while its first process exists, because later its number may be another's.
    """
    leader = table.get(handle.pid)
    has_session = leader is not None and leader.started == handle.started
    members = {row.pid for row in known if row.pid in table and table[row.pid].started == row.started}
    if has_session:
        members |= {row.pid for row in table.values() if row.session == handle.pid}
    children: dict[int, list[int]] = {}
    for row in table.values():
        children.setdefault(row.parent, []).append(row.pid)
    unvisited = list(members)
    while unvisited:
        born = [pid for pid in children.get(unvisited.pop(), []) if pid not in members]
        members.update(born)
        unvisited.extend(born)
    return [table[pid] for pid in members if not table[pid].is_dead]


def marked(marker: str, table: ProcessTable) -> list[Row]:
    """Living processes, but this one, that were started with this `NAME=value` in their environment."""
    wanted = marker.encode()
    found: list[Row] = []
    for row in table.values():
        with contextlib.suppress(OSError):
            if not row.is_dead and row.pid != os.getpid():
                environment = (PROC / str(row.pid) / "environ").read_bytes()
                if wanted in environment.split(b"\0"):
                    found.append(row)
    return found


def values_of(variable: str, rows: Iterable[Row]) -> set[str]:
    """Of this variable in the environments that these processes were started with."""
    name = f"{variable}=".encode()
    found: set[str] = set()
    for row in rows:
        with contextlib.suppress(OSError):
            environment = (PROC / str(row.pid) / "environ").read_bytes()
            found |= {
                one[len(name) :].decode(errors="replace") for one in environment.split(b"\0") if one.startswith(name)
            }
    return found


def holders(path: Path, table: ProcessTable) -> list[Row]:
    """Living processes, but this one, that have this file open."""
    wanted = path.stat()
    return [row for row in table.values() if row.pid != os.getpid() and not row.is_dead and _has_open(row, wanted)]


def _has_open(row: Row, wanted: os.stat_result) -> bool:
    try:
        for descriptor in (PROC / str(row.pid) / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(descriptor.stat(), wanted):
                    return True
    except OSError:
        return False
    return False


def own_memory(rows: Iterable[Row]) -> int:
    """Bytes resident, pages that several of them share counted once; slower to ask for than the sum of `resident`."""
    return sum(_proportional(row) for row in rows)


def _proportional(row: Row) -> int:
    try:
        lines = (PROC / str(row.pid) / "smaps_rollup").read_bytes().splitlines()
    except OSError:
        return row.resident
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:")), row.resident)


def send(rows: Iterable[Row], number: signal.Signals) -> None:
    for row in rows:
        with contextlib.suppress(OSError):
            _send_one(row, number)


def _send_one(row: Row, number: signal.Signals) -> None:
    """The descriptor pins the process before its start is compared: a recycled pid is never hit."""
    descriptor = os.pidfd_open(row.pid)
    try:
        if read_row(row.pid).started == row.started:
            signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)
