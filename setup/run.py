"""`make run`: everything on this machine, in order, a line a step; Ctrl-C stops it all again.

Cassandra first, then what is in the databases, then the processes of the Procfile. Nothing is left running when it
ends, but for a Cassandra that ran before.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from cluster.launch import LaunchError, Node, ring_from_settings, settings_from_environment
from cluster.pidfile import RunningNode, read_pidfile, write_pidfile
from setup import portal_address
from setup.processes import Processes, Terminal, silence_output

ROOT = Path(__file__).resolve().parent.parent
HOSTS_SECONDS = 20.0
VAR = Path(os.environ.get("SCHED_VAR") or ROOT / "var").absolute()
PIDFILE = VAR / "run.pid"
STARTED = VAR / "run-processes.json"
TERMINAL = Terminal(sys.stdout)


class RunFailed(Exception):
    """One line that says why nothing runs."""


def say(line: str) -> None:
    print(line, file=TERMINAL, flush=True)


def run(procfile: Path, prepare: list[str]) -> int:
    """Start all, wait, stop all. 0 when asked to stop, 1 when something failed."""
    began = time.monotonic()
    portal_address.check_free()
    started: list[Node] = []
    try:
        claim_var_directory()
        started = start_cassandra()
        prepare_databases(prepare)
        return run_processes(procfile, began)
    except KeyboardInterrupt:
        say("stopping ...")
        return 0
    finally:
        ignore_further_signals()
        stop_cassandra(started)
        forget_var_directory()


def start_cassandra() -> list[Node]:
    """The nodes that were started by this; none when they ran before or are elsewhere."""
    settings = settings_from_environment(os.environ)
    if settings.elsewhere:
        say(f"Cassandra: using {settings.elsewhere} (CASSANDRA_HOSTS), none is started")
        return []
    started = ring_from_settings(settings, lambda line: say(f"Cassandra: {line}")).start()
    if not started:
        say(f"Cassandra: already up at {settings.address}:{settings.port}")
    return started


def stop_cassandra(started: list[Node]) -> None:
    for node in reversed(started):
        began = time.monotonic()
        node.stop()
        say(f"Cassandra: {node.name} stopped ({time.monotonic() - began:.1f} s)")


def prepare_databases(command: list[str]) -> None:
    """In a process of its own, out of Ctrl-C's reach: it is stopped here, once, when we are."""
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        code = child.wait()
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise
    if code:
        raise RunFailed("the databases could not be made ready; the line above says why")


def run_processes(procfile: Path, began: float) -> int:
    """Everything in the Procfile; its Cassandra only watches the node that is up, and ends when that dies."""
    processes = Processes(record_processes, portal_address.is_ready, lambda: say_where_to_look(began))
    environment = dict(os.environ, SCHED_PREPARED="1", PYTHONUNBUFFERED="1")
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    processes.add_procfile(procfile.read_text(), environment)
    processes.loop()
    if processes.was_asked_to_stop:
        return 0
    ended = processes.ended_first
    raise RunFailed(f"{ended} ended by itself: all is stopped" if ended else "the portal did not become ready")


def wait_for_hosts() -> None:
    """Until the hosts are heard from: a request right after "Ready" should find them. Not for ever: one may fail."""
    if not (VAR / "admin-token").exists():  # the databases were made ready by something else: nothing to ask with
        return
    token = (VAR / "admin-token").read_text().strip()
    until = time.monotonic() + HOSTS_SECONDS
    while time.monotonic() < until and not portal_address.all_hosts_alive(token):
        time.sleep(0.5)


def say_where_to_look(began: float) -> None:
    wait_for_hosts()
    say(
        f"\nReady after {time.monotonic() - began:.0f} s: {portal_address.url()} user admin,"
        f" password in {_short(VAR / 'admin-password')}, API token in {_short(VAR / 'admin-token')}. Ctrl-C stops it.\n"
    )


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def claim_var_directory() -> None:
    """One `make run` a var directory: two agents for one host would build everything twice."""
    running = read_pidfile(PIDFILE)
    if running and running.process():
        raise RunFailed(f"it runs already (pid {running.pid}): `make stop` stops it")
    VAR.mkdir(parents=True, exist_ok=True)
    host, port = portal_address.host_and_port()
    write_pidfile(PIDFILE, RunningNode(os.getpid(), psutil.Process().create_time(), host, port))


def record_processes(pids: dict[str, int]) -> None:
    """For `make stop` after this process was killed: which process groups are ours, recycled pids told apart."""
    with contextlib.suppress(psutil.NoSuchProcess):
        started = {name: (pid, psutil.Process(pid).create_time()) for name, pid in pids.items()}
        STARTED.write_text(json.dumps(started))


def forget_var_directory() -> None:
    running = read_pidfile(PIDFILE)
    if running and running.pid == os.getpid():
        STARTED.unlink(missing_ok=True)
        PIDFILE.unlink(missing_ok=True)


def interrupt(number: int, _: object) -> None:
    raise KeyboardInterrupt


def hang_up(number: int, _: object) -> None:
    """The terminal is gone: nobody reads, and it is time to stop."""
    silence_output()
    os.kill(os.getpid(), signal.SIGTERM)


def ignore_further_signals() -> None:
    """A second Ctrl-C must not leave half of it running."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--procfile", type=Path, default=ROOT / "Procfile")
    parser.add_argument("--prepare", default=f"{sys.executable} -m setup.prepare")
    options = parser.parse_args()
    os.chdir(ROOT)
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, hang_up)
    try:
        return run(options.procfile, options.prepare.split())
    except (LaunchError, RunFailed, portal_address.PortalAddressError) as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
