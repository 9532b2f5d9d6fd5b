"""Starts one program so that it can always be found again and never be started twice.

Two signs tell a later agent that a program of a claim runs: an exclusive lock on a file, inherited through fork and
exec, which leaves no gap, and a variable in its environment, which says who it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import resource
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from agents.node.builders.builder import BuildFailed
from agents.node.configuration import Image
from agents.node.instances import Instance

LOG_FILE = "output.log"
LOCK_FILE = "lock"
CLAIM_VARIABLE = "SCHED_INSTANCE_ID"
LAST_LINE_LIMIT = 300
NICENESS = 5
"""Instances give way to the host's own services, this agent among them, when all want the CPU."""

OOM_SCORE = 500
"""When the whole host runs out of memory the kernel should take an instance, not the agent or a database."""


class StillRunning(Exception):
    """Something that was started for this claim before holds its lock."""


def marker(claim_id: str) -> str:
    return f"{CLAIM_VARIABLE}={claim_id}"


def host_marker(host: str) -> str:
    return f"SCHED_HOST_ID={host}"


def environment_of(instance: Instance, image: Image, room: Path) -> dict[str, str]:
    """Nothing of the agent's own environment passes but PATH: its token may be in there."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(room), "LANG": "C.UTF-8"}
    environment.update(image.environment)
    for key, value in instance.metadata.items():
        text = value if isinstance(value, str) else json.dumps(value)
        environment[f"SCHED_META_{_variable(key)}"] = text
    for column, amount in instance.amounts.items():
        environment[f"SCHED_AMOUNT_{_variable(column)}"] = str(amount)
    environment.update(
        SCHED_INSTANCE_ID=instance.claim_id,
        SCHED_REQUEST_ID=instance.request_id,
        SCHED_PROVIDER_ID=instance.provider,
        SCHED_HOST_ID=instance.host,
        SCHED_CONSUMER=instance.consumer,
        SCHED_PROJECT=instance.project,
        SCHED_INSTANCE_NAME=instance.name,
        SCHED_IMAGE=instance.image,
    )
    return environment


def spawn(instance: Instance, image: Image, room: Path, cores: frozenset[int]) -> subprocess.Popen[bytes]:
    """Raises StillRunning, or BuildFailed when the program cannot be started."""
    room.mkdir(parents=True, exist_ok=True)
    lock = os.open(room / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        child = _spawn_in_thread(image, environment_of(instance, image, room), room, lock, cores)
    except BlockingIOError as error:
        raise StillRunning from error
    except (OSError, ValueError) as error:
        raise BuildFailed(f"cannot start {image.command[0]}: {error}") from error
    finally:
        os.close(lock)
    _restrain(child.pid)
    return child


def is_locked(room: Path) -> bool:
    """Whether anything that was started for this claim, however long ago, still has its lock."""
    try:
        lock = os.open(room / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def last_line(room: Path) -> str:
    """The last thing the program wrote, for the reason of a failure; empty when it wrote nothing."""
    try:
        with (room / LOG_FILE).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
            lines = log.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:LAST_LINE_LIMIT] for line in reversed(lines) if line.strip()), "")


def _spawn_in_thread(
    image: Image, environment: Mapping[str, str], room: Path, lock: int, cores: frozenset[int]
) -> subprocess.Popen[bytes]:
    """Affinity and niceness belong to a thread in Linux and are inherited by what it starts, so a thread of one use
    takes them on: the program has them from its first instruction and the agent never does."""
    outcome: list[subprocess.Popen[bytes] | Exception] = []

    def start() -> None:
        try:
            os.sched_setaffinity(0, cores)
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
            outcome.append(_start(image, environment, room, lock))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=start, name="spawn")
    thread.start()
    thread.join()
    result = outcome[0]
    if isinstance(result, Exception):
        raise result
    return result


def _start(image: Image, environment: Mapping[str, str], room: Path, lock: int) -> subprocess.Popen[bytes]:
    with (room / LOG_FILE).open("ab") as log:
        return subprocess.Popen(
            image.command,
            cwd=room,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
        )


def _restrain(pid: int) -> None:
    """No address space limit: ordinary programs (Java, Go, Node) reserve far more than they use and would not start."""
    with contextlib.suppress(OSError):
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(OOM_SCORE), encoding="ascii")


def _variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())
