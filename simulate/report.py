"""What a run came to: a line while it goes on, a page or JSON at its end."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from simulate.ledger import FAILED, Ledger, percentile

LEAKS_SHOWN = 20
SHARES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class Times:
    """Of how many, and what half, 95 and 99 percent of them did not exceed; seconds."""

    count: int
    p50: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True)
class Report:
    """The names are those of `--json`. Seconds, CPU in seconds by process."""

    cell: str
    hosts: int
    agent_processes: int
    heartbeat_interval: float
    seconds: float
    drained_after: float
    interrupted: bool
    requests: int
    requests_per_second: float
    placed: int
    became_active: int
    refused: Mapping[str, int]
    schedule: Times
    claim_to_active: Times
    claim_to_active_undisturbed: Times
    failed_builds: int
    failed_requests: int
    reschedules: int
    agents_killed: int
    agents_died: int
    asked_again: int
    errors: Mapping[str, int]
    cpu: Mapping[str, float]
    agents_memory: int
    load: str
    leaks: Sequence[str]

    def as_json(self) -> dict[str, Any]:
        """Not a number is null: nothing was measured."""
        return {name: _shown(value) for name, value in asdict(self).items()}


def times(values: Sequence[float]) -> Times:
    p50, p95, p99 = (percentile(values, share) for share in SHARES)
    return Times(len(values), p50, p95, p99, max(values, default=math.nan))


def outcome(ledger: Ledger) -> dict[str, Any]:
    """What the ledger has for a report."""
    placed = ledger.placed()
    to_active = [(one, one.claim_to_active) for one in placed if one.claim_to_active is not None]
    answered = [one for one in ledger.asked.values() if one.outcome]
    return {
        "requests": len(answered),
        "placed": len(placed),
        "became_active": sum(one.active_at is not None for one in placed),
        "refused": dict(ledger.refused()),
        "schedule": times([one.answered_after for one in answered]),
        "claim_to_active": times([seconds for _, seconds in to_active if seconds is not None]),
        "claim_to_active_undisturbed": times([s for one, s in to_active if s is not None and not one.rescheduled]),
        "failed_builds": ledger.failed_builds,
        "failed_requests": sum(one.state == FAILED for one in placed),
        "reschedules": sum(one.rescheduled for one in placed),
        "errors": dict(ledger.errors),
    }


def progress(ledger: Ledger, began: float, seconds: float, agents_up: int, hosts: int) -> str:
    """One line; rate and percentiles of everything so far."""
    now = time.monotonic() - began
    said = outcome(ledger)
    refused = ", ".join(f"{why} {count}" for why, count in sorted(said["refused"].items()))
    words = [
        f"{said['requests'] / max(min(now, seconds), 0.1):.1f} requests/s",
        f"placed {said['placed']}",
        f"refused {sum(said['refused'].values())}" + (f" ({refused})" if refused else ""),
        f"active {ledger.active()}, open {len(ledger.open())}",
        f"schedule {_pair(said['schedule'], 1000, 'ms')}",
        f"claim to active {_pair(said['claim_to_active'], 1, 's')}",
        f"failed builds {said['failed_builds']}",
        f"agents {agents_up}/{hosts}",
    ]
    return f"  {_clock(now)} of {_clock(seconds)}: {', '.join(words)}"


def page(report: Report) -> str:
    """For people."""
    refused = ", ".join(f"{why} {count}" for why, count in sorted(report.refused.items())) or "none"
    span = report.seconds + report.drained_after
    cpu = ", ".join(f"{name} {used:.0f} s ({used / max(span, 0.1):.2f} cores)" for name, used in report.cpu.items())
    lines = [
        "",
        f"{report.hosts} agents in {report.agent_processes} processes, {report.seconds:.0f} s, "
        f"then {report.drained_after:.0f} s until all was given back{'; interrupted' if report.interrupted else ''}",
        f"requests         {report.requests}, {report.requests_per_second:.2f}/s; placed {report.placed}, "
        f"refused: {refused}",
        f"schedule         {_row(report.schedule, 1000, 'ms')} (from when it was due until its answer)",
        f"claim to active  {_row(report.claim_to_active, 1, 's')} (the claim's created_at, the event that says active)",
        f"  not moved      {_row(report.claim_to_active_undisturbed, 1, 's')}",
        f"builds           {report.became_active} requests active, {report.failed_builds} builds failed, "
        f"{report.reschedules} rescheduled, {report.failed_requests} requests failed",
        f"agents           {report.agents_killed} killed and started again, {report.agents_died} ended by themselves; "
        f"{report.agents_memory / 2**20:.0f} MiB; a heartbeat every {report.heartbeat_interval:g} s each",
        f"CPU              {cpu}; {os.cpu_count()} cores, load {report.load}",
        f"asked again      {report.asked_again} (no answer, or `later`)",
        *(f"error            {count} x {text}" for text, count in report.errors.items()),
        f"leaks            {len(report.leaks)}",
        *(f"  {line}" for line in report.leaks[:LEAKS_SHOWN]),
    ]
    return "\n".join(lines)


def _row(measured: Times, factor: float, unit: str) -> str:
    if not measured.count:
        return "none measured"
    values = [("p50", measured.p50), ("p95", measured.p95), ("p99", measured.p99), ("longest", measured.longest)]
    return f"{measured.count}: " + ", ".join(f"{name} {_digits(v * factor)}" for name, v in values) + f" {unit}"


def _pair(measured: Times, factor: float, unit: str) -> str:
    return f"p50 {_digits(measured.p50 * factor)} p95 {_digits(measured.p95 * factor)} {unit}"


def _digits(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shown(one) for name, one in value.items()}
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value
