"""Ends a request without waiting for its hosts: for those that are dead. One that is alive is asked instead."""

from collections.abc import Sequence
from uuid import UUID

from claims.release import NOT_STARTED
from conductor.outcome import parts_of, records_of
from conductor.release import delete_request
from conductor.rows import get
from conductor.states import ENDED
from providers.heartbeat import ALWAYS, is_alive
from providers.records import CLAIM, INSTANCE, Record, locate, read_provider
from providers.refusals import Conflict, NotFound


class HostAlive(Conflict):
    """A host would stop and say so if it were asked; `alive` are those hosts."""

    def __init__(self, hosts: Sequence[tuple[UUID, str]]) -> None:
        names = ", ".join(name for _, name in hosts[:5]) + (" and others" if len(hosts) > 5 else "")
        super().__init__(
            f"alive: {names}. Without force each of them is asked to destroy what it runs, and its amounts come back "
            "when it says so; to give up what runs there all the same, say even_if_alive"
        )
        self.alive = [{"provider": str(one), "name": name} for one, name in hosts]


def force_end(request_id: UUID, who: str, why: str, even_if_alive: bool = False) -> bool:
    """Ends a request without any host's word; what still runs is destroyed by a host that comes back.

    `why` stands in its history. Raises NotFound, HostAlive (unless that is wanted), Undecided.
    """
    if not even_if_alive:
        hosts = alive_hosts(request_id)
        if hosts:
            raise HostAlive(hosts)
    how = ", even if they are alive" if even_if_alive else ""
    return delete_request(request_id, who, f"by force, no host was waited for{how}: {why}", force=True)


def alive_hosts(request_id: UUID) -> list[tuple[UUID, str]]:
    """Root id and name of the hosts with an agent that are at work on it, or run it, and are heard from."""
    row = get(request_id)
    if row.state in ENDED:
        return []
    roots = dict.fromkeys(r.root_id for r in records_of(parts_of(row)) if r is not None and _is_waited_for(r))
    return [host for host in map(_alive, roots) if host is not None]


def _is_waited_for(record: Record) -> bool:
    return record.kind == INSTANCE or (record.kind == CLAIM and record.state not in NOT_STARTED)


def _alive(root_id: UUID) -> tuple[UUID, str] | None:
    try:
        _, own = read_provider(root_id)
        mode = own.row["heartbeat"]
        return (root_id, own.row["name"]) if mode != ALWAYS and is_alive(locate(root_id), mode) else None
    except NotFound:
        return None
