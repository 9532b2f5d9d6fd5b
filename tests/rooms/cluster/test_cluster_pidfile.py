"""A recycled pid is never taken for the node."""

import os
import subprocess
import sys

import psutil

from cluster.pidfile import RunningNode, read_pidfile, write_pidfile


def test_a_process_is_known_by_pid_and_start_time(tmp_path):
    path = tmp_path / "node.pid"
    mine = psutil.Process().create_time()
    write_pidfile(path, RunningNode(os.getpid(), mine, "127.0.0.1", 9042))
    assert read_pidfile(path).process().pid == os.getpid()

    write_pidfile(path, RunningNode(os.getpid(), mine - 60, "127.0.0.1", 9042))
    assert read_pidfile(path).process() is None


def test_a_zombie_is_dead():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    node = RunningNode(child.pid, psutil.Process(child.pid).create_time(), "127.0.0.1", 9042)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert node.process() is None
    child.wait()


def test_a_missing_or_torn_file_is_no_node(tmp_path):
    assert read_pidfile(tmp_path / "none") is None
    (tmp_path / "torn").write_text('{"pid": 1')
    assert read_pidfile(tmp_path / "torn") is None
