"""Everything that can be known to be wrong ends as one clear line, an exit code that is not 0, and no process."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.launch import LaunchError, free_addresses, private_ring

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def node(tmp_path):
    return private_ring(tmp_path, start_timeout=30).nodes[0]


def fake_java(directory, version, then="exit 1"):
    """A JAVA_HOME whose java says it is `version`, and otherwise does `then`."""
    java = directory / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(
        f'#!/bin/sh\nif [ "$1" = -version ]; then echo \'openjdk version "{version}"\' >&2; exit; fi\n{then}\n'
    )
    java.chmod(java.stat().st_mode | stat.S_IXUSR)
    return str(directory)


def test_missing_jars(node, tmp_path):
    node.lib = tmp_path
    with pytest.raises(LaunchError, match=r"cassandra-all.*make setup"):
        node.start()


def test_no_room_on_the_disk(node):
    node.free_bytes = 2**60
    with pytest.raises(LaunchError, match="not enough disk space"):
        node.start()


def test_a_directory_that_cannot_be_made(node, tmp_path):
    (tmp_path / "file").write_text("")
    node.home = tmp_path / "file" / "node1"
    with pytest.raises(LaunchError, match="cannot write to"):
        node.start()


def test_port_in_use_says_who_has_it(node):
    refusal = rf"{node.address}:{node.port} is in use \(pid {os.getpid()}"
    with socket.create_server((node.address, node.port)), pytest.raises(LaunchError, match=refusal):
        node.start()
    assert node.process() is None


def test_no_java(node, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(LaunchError, match="no Java found"):
        node.start()


def test_wrong_java(node, monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", fake_java(tmp_path / "jdk", "11.0.2"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LaunchError, match=r"needs Java 17, but .* is version 11"):
        node.start()


def test_a_node_that_dies_says_what_it_said_last(node, monkeypatch, tmp_path):
    monkeypatch.setenv(
        "JAVA_HOME", fake_java(tmp_path / "jdk", "17.0.1", "echo Could not reserve enough space; exit 1")
    )
    with pytest.raises(LaunchError, match=r"died while starting: Could not reserve enough space \(log: "):
        node.start()
    assert not node.pidfile.exists()


def test_a_node_that_never_answers_is_stopped_and_its_last_error_shown(node, monkeypatch, tmp_path):
    log = 'echo "ERROR [main] 2026-01-01 Daemon.java:1 - No space left" > log/system.log; exec sleep 60'
    monkeypatch.setenv("JAVA_HOME", fake_java(tmp_path / "jdk", "17.0.1", log))
    node.start_timeout = 1.0
    with pytest.raises(LaunchError, match=r"did not answer within 1 s: No space left \(log: .*system.log\)"):
        node.start()
    assert node.process() is None


def run_command(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "cluster", *arguments],
        cwd=ROOT,
        env={**os.environ, "CASSANDRA_HOSTS": "", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_says_it_in_one_line(tmp_path):
    address = free_addresses(1, (9042, 7000))
    with socket.create_server((address, 9042)):
        answer = run_command("start", "--var", str(tmp_path), "--address", address, "--jmx-port", "0")
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"error: port {address}:9042 is in use")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["start", "stop", "status"])
def test_nothing_is_started_when_cassandra_is_elsewhere(command, tmp_path):
    answer = run_command(command, "--var", str(tmp_path), CASSANDRA_HOSTS="10.1.2.3")
    assert answer.returncode == 0
    assert "CASSANDRA_HOSTS is set (10.1.2.3): no local node" in answer.stdout
    assert list(tmp_path.iterdir()) == []


def test_status_of_nothing_is_not_success(tmp_path):
    answer = run_command("status", "--var", str(tmp_path))
    assert answer.returncode == 3
    assert "node1 is down" in answer.stdout
