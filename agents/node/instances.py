"""What this host has promised to build, on disk, so that a kill at any line loses and doubles nothing.

One JSON file per instance, replaced atomically before each step that others can see; next to it a directory of the
same name with what the instance itself writes.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from agents.protocol import ClaimOrder, DestroyOrder, parse_amounts
from agents.read_fields import ProtocolError

KEPT_ENDED = 50
"""How many directories of ended instances stay for whoever asks why; the oldest go first."""


class State(StrEnum):
    """Where an instance is in its life. Every state says what is done next, so a restart simply goes on."""

    INTENT = "intent"  # next: tell the portal that it is being built
    BUILDING = "building"  # next: build it, or take up a build that was interrupted
    BUILT = "built"  # next: consume the claim
    ACTIVE = "active"  # next: watch it until it ends or is to be destroyed
    FAILING = "failing"  # next: take away what there is of it and say that it failed
    ENDING = "ending"  # next: take it away and say that it is gone
    DISCARDING = "discarding"  # next: take it away; its claim is gone, so there is nobody to tell


@dataclass(frozen=True)
class Handle:
    """A process that can't be mistaken for another: pid, start in clock ticks since boot, and which boot that was.

    Ticks and boot id instead of a wall-clock create time: stepping the clock moves the latter and a living instance
    would be taken for a stranger.
    """

    pid: int = 0
    started: int = 0
    boot: str = ""


NOTHING = Handle()


@dataclass(frozen=True)
class Instance:
    """Amounts are what the instance may use, positive, in the columns' units. `host` is the provider that this agent
    speaks for, `provider` the one that was claimed: the same, or a child of it."""

    claim_id: str
    request_id: str
    host: str
    provider: str
    consumer: str
    project: str
    amounts: Mapping[str, int]
    name: str
    image: str
    metadata: Mapping[str, object]
    state: State
    reason: str = ""
    handle: Handle = field(default=NOTHING)


def intend(order: ClaimOrder, host: str) -> Instance:
    return Instance(
        claim_id=order.claim_id,
        request_id=order.request_id,
        host=host,
        provider=order.provider,
        consumer=order.consumer,
        project=order.project,
        amounts={column: abs(amount) for column, amount in order.amounts.items()},
        name=order.instance.name,
        image=order.instance.image,
        metadata=order.instance.metadata,
        state=State.INTENT,
    )


def intend_end(order: DestroyOrder, host: str) -> Instance:
    """For an instance that the portal knows and this host's records do not: look for it, take it away, say so."""
    return _known_there(order, host, State.ENDING)


def shown_active(order: DestroyOrder, host: str) -> Instance:
    """The same, where it is to go on: look for it, and watch it if it runs."""
    return _known_there(order, host, State.ACTIVE)


def stray(claim_id: str, host: str) -> Instance:
    """Something runs of it here, and nobody knows more than that."""
    return Instance(claim_id, "", host, host, "", "", {}, "", "", {}, State.DISCARDING)


def _known_there(order: DestroyOrder, host: str, state: State) -> Instance:
    return Instance(
        claim_id=order.claim_id,
        request_id=order.request_id,
        host=host,
        provider=order.provider,
        consumer=order.consumer,
        project="",
        amounts={column: abs(amount) for column, amount in order.amounts.items()},
        name=order.instance.name,
        image=order.instance.image,
        metadata=order.instance.metadata,
        state=state,
    )


def instance_directory(state_dir: Path, instance: Instance) -> Path:
    return state_dir / instance.host / instance.claim_id


class InstanceStore:
    """The instances of one host on disk."""

    def __init__(self, state_dir: Path, host: str) -> None:
        self._directory = state_dir / host
        self._host = host

    def load(self, set_aside: Callable[[Path, str], None]) -> list[Instance]:
        """Everything readable. A file that is not is renamed and told to `set_aside`: one bad block on a disk must not
        stop the other instances; the portal's next answer says what to do about this one."""
        self._directory.mkdir(parents=True, exist_ok=True)
        for unfinished in self._directory.glob("*.json.tmp"):
            unfinished.unlink()
        instances: list[Instance] = []
        for path in sorted(self._directory.glob("*.json")):
            try:
                instances.append(_read(path, self._host))
            except (OSError, ValueError, TypeError, KeyError) as error:
                aside = path.with_name(f"{path.name}.corrupt-{time.time_ns()}")
                path.rename(aside)
                set_aside(aside, str(error))
        return instances

    def write(self, instance: Instance) -> Instance:
        """Done means on the disk: file and directory are synced before this returns."""
        path = self._directory / f"{instance.claim_id}.json"
        unfinished = path.with_name(f"{path.name}.tmp")
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump({"format": 1, **asdict(instance)}, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        self._sync_directory()
        return instance

    def forget(self, instance: Instance) -> None:
        (self._directory / f"{instance.claim_id}.json").unlink(missing_ok=True)
        self._sync_directory()
        room = self._directory / instance.claim_id
        if room.is_dir():
            self._keep_for_questions(room)

    def _keep_for_questions(self, room: Path) -> None:
        ended = self._directory / "ended"
        ended.mkdir(exist_ok=True)
        shutil.rmtree(ended / room.name, ignore_errors=True)
        room.rename(ended / room.name)
        oldest_first = sorted(ended.iterdir(), key=lambda path: path.stat().st_ctime)
        for old in oldest_first[:-KEPT_ENDED]:
            shutil.rmtree(old, ignore_errors=True)

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(path: Path, host: str) -> Instance:
    body = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(body, dict) or body.pop("format", 0) != 1:
        raise ProtocolError("not an instance record of format 1")
    body["state"] = State(body["state"])
    body["amounts"] = parse_amounts(body["amounts"])
    body["handle"] = Handle(**body["handle"])
    body.setdefault("host", body["provider"])  # written before an agent answered for the children of its provider
    instance = Instance(**body)
    if instance.claim_id != path.stem or instance.host != host:
        raise ProtocolError("it belongs to another instance or host")
    return instance


def moved(instance: Instance, state: State, reason: str = "") -> Instance:
    return replace(instance, state=state, reason=reason)
