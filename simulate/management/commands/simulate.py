"""`manage.py simulate`: a simulated cloud against a portal that runs (docs/simulate.md)."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser

from simulate import SimulationError
from simulate.costs import cassandra_pids, portal_pids
from simulate.options import Options, add_arguments, read_options
from simulate.play import Simulation, remove
from simulate.portal import started
from simulate.report import Report, page

INTERRUPTED = 130
AUDIT_LINES = 20  # of its findings, the summary last


class Command(BaseCommand):
    help = "Runs simulated hosts with real agents under a workload, and says how it went and what leaked."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)
        parser.add_argument("--start", action="store_true", help="start a portal when none answers")
        parser.add_argument("--cleanup", action="store_true", help="remove the simulated hosts and what is on them")
        parser.add_argument("--json", action="store_true", help="the report as JSON on standard output")

    def handle(self, *args: Any, **given: Any) -> None:
        """Exit codes: 0, 1 for leaks or what made it impossible, 130 when it was interrupted before it began."""
        var = Path(settings.VAR_DIR)
        options = read_options(given, _portal(), var)
        is_ours = not given["portal"]
        try:
            with started(options.portal, var / "simulate", self._say) if given["start"] else contextlib.nullcontext():
                if given["cleanup"]:
                    asyncio.run(remove(options, self._say))
                    return
                report = asyncio.run(_played(Simulation(options, self._say, lambda: _pids(options, is_ours))))
                self.stdout.write(json.dumps(report.as_json(), indent=1) if given["json"] else page(report))
                self._judge(report, is_ours)
        except SimulationError as error:
            raise CommandError(str(error)) from error
        except (asyncio.CancelledError, KeyboardInterrupt):
            raise CommandError("interrupted", returncode=INTERRUPTED) from None

    def _judge(self, report: Report, is_ours: bool) -> None:
        """Raises CommandError for leaks, as seen over REST or by `manage.py audit` where there is one."""
        problems = [f"{len(report.leaks)} leaks"] if report.leaks else []
        if report.errors:
            problems.append(f"{sum(report.errors.values())} requests could not be followed to their end")
        if is_ours and "audit" in get_commands():
            command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "audit", "--cell", report.cell]
            audit = subprocess.run(command, cwd=settings.BASE_DIR, text=True, capture_output=True)
            said = (audit.stdout.strip() or audit.stderr.strip()).splitlines()[-AUDIT_LINES:]
            self._say(f"  manage.py audit --cell {report.cell}: " + "\n    ".join(said))
            problems += ["audit found something"] if audit.returncode else []
        if problems:
            raise CommandError("; ".join(problems))

    def _say(self, line: str) -> None:
        self.stderr.write(line)
        self.stderr.flush()


async def _played(simulation: Simulation) -> Report:
    """The first Ctrl-C gives everything back and reports; the second one ends at once, the agents too."""
    playing = asyncio.ensure_future(simulation.play())

    def interrupt() -> None:
        if not simulation.interrupt():
            playing.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(RuntimeError, ValueError):  # not the main thread: whoever called us has them
            asyncio.get_running_loop().add_signal_handler(number, interrupt)
    return await playing


def _portal() -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.PORTAL_HOST, settings.PORTAL_HOST)
    return f"http://{host}:{settings.PORTAL_PORT}"


def _pids(options: Options, is_ours: bool) -> dict[str, list[int]]:
    cassandra = settings.CASSANDRA
    of_cassandra = cassandra_pids(cassandra["hosts"][0], cassandra["port"]) if is_ours else {}
    return {**portal_pids(options.portal), **of_cassandra}
