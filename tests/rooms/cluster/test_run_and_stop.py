"""`make run`'s order and its end, with stand-ins for the portal and for what prepares the databases."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cluster.launch import free_port

ROOT = Path(__file__).resolve().parents[3]
PORTAL = """
import http.server, os
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORTAL_PORT"])), Ready).serve_forever()
"""


class Run:
    """One `python -m setup.run` on a var directory and a port of its own; Cassandra counts as being elsewhere."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.environment = {
            **os.environ,
            "SCHED_VAR": str(directory / "var"),
            "PORTAL_HOST": "127.0.0.1",
            "PORTAL_PORT": str(self.port),
            "CASSANDRA_HOSTS": "127.0.0.1",
        }
        (directory / "portal.py").write_text(PORTAL)
        (directory / "Procfile").write_text(
            f"portal: exec {sys.executable} {directory}/portal.py\n"
            f"worker: exec {sys.executable} -m setup.wait_and_exec --portal sleep 600\n"
        )
        self.output = directory / "output"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, prepare: str = "true") -> "Run":
        command = ["-m", "setup.run", "--procfile", str(self.directory / "Procfile"), "--prepare", prepare]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=self.environment, stdout=output, stderr=subprocess.STDOUT
            )
        return self

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 30
        while text not in self.printed():
            assert time.monotonic() < deadline, self.printed()
            time.sleep(0.05)

    def printed(self) -> str:
        return self.output.read_text()

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path)
    yield run
    if run.process is not None and run.process.poll() is None:
        run.end(signal.SIGTERM)


def still_alive(processes):
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_with_exit_code_0(run, number):
    run.start().wait_for("Ready after")
    descendants = run.descendants()
    assert len(descendants) >= 2
    assert run.end(number) == 0
    assert still_alive(descendants) == []
    assert not (run.directory / "var" / "run.pid").exists()


def test_it_says_where_to_look(run):
    run.start().wait_for("Ready after")
    line = next(line for line in run.printed().splitlines() if line.startswith("Ready after"))
    for word in (f"http://127.0.0.1:{run.port}/", "user admin", "var/admin-password", "var/admin-token"):
        assert word in line


def test_a_process_that_ends_by_itself_brings_the_rest_down(run):
    run.start().wait_for("Ready after")
    descendants = run.descendants()
    portal = next(process for process in descendants if f"{run.directory}/portal.py" in process.cmdline())
    portal.send_signal(signal.SIGTERM)  # which honcho would report as having been asked to stop
    assert run.process.wait(30) == 1
    assert "error: portal ended by itself: all is stopped" in run.printed()
    assert still_alive(descendants) == []


def test_the_portals_port_in_use_is_said_before_anything_is_done(run):
    with socket.create_server(("127.0.0.1", run.port)):
        assert run.start(prepare=f"touch {run.directory}/prepared").process.wait(30) == 1
    assert f"error: the portal's port 127.0.0.1:{run.port} is in use" in run.printed()
    assert run.printed().count("\n") == 1
    assert not (run.directory / "prepared").exists()


def test_nothing_is_started_when_the_databases_are_not_ready(run):
    assert run.start(prepare="false").process.wait(30) == 1
    assert "error: the databases could not be made ready" in run.printed()
    assert "started (pid" not in run.printed()


def test_a_second_run_on_the_same_data_is_refused(run):
    run.start().wait_for("Ready after")
    second = subprocess.run(
        [sys.executable, "-m", "setup.run"],
        cwd=ROOT,
        env={**run.environment, "PORTAL_PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert f"it runs already (pid {run.process.pid})" in second.stderr


def test_stop_ends_what_a_killed_run_left_behind(run):
    run.start().wait_for("Ready after")
    descendants = run.descendants()
    run.process.kill()
    run.process.wait()
    assert still_alive(descendants) != []
    command = [sys.executable, "-m", "setup.stop"]
    answer = subprocess.run(command, cwd=ROOT, env=run.environment, capture_output=True, text=True, check=True)
    assert answer.stdout == "stopped portal, worker\n"
    psutil.wait_procs(descendants, timeout=5)
    assert still_alive(descendants) == []
