"""What only one conductor should do at a time: taken by a transaction, for some seconds, and renewed while it lives.

A lease spares work; it guards nothing. Whoever was paused and thinks that it still has one does no harm: what is done
under it is decided by transactions of its own.
"""

import datetime as dt
from uuid import UUID, uuid4

from store.home import Home
from store.lwt import Applied, Refused, Statement, run
from store.session import keyspace

ME = uuid4()  # this process; a fork that works under leases makes its own


def take(home: Home, name: str, seconds: float, owner: UUID = ME) -> bool:
    """Whether it is this owner's now, taken or renewed. False also without an answer: then nobody has it for sure."""
    now = dt.datetime.now(dt.UTC)
    until = now + dt.timedelta(seconds=seconds)
    table = f"{keyspace(home.datacenter)}.leases"
    take_over = Statement(
        f"UPDATE {table} SET owner = ?, until = ? WHERE name = ? IF until < ?", [owner, until, name, now]
    )
    renew = Statement(f"UPDATE {table} SET until = ? WHERE name = ? IF owner = ?", [until, name, owner])
    make = Statement(f"INSERT INTO {table} (name, owner, until) VALUES (?, ?, ?) IF NOT EXISTS", [name, owner, until])
    for statement in (renew, take_over, make):
        outcome = run([statement], home.datacenter, "leases.take")
        if isinstance(outcome, Applied):
            return True
        if not isinstance(outcome, Refused):
            return False
    return False


def drop(home: Home, name: str) -> None:
    """Whoever has it."""
    cql = f"DELETE FROM {keyspace(home.datacenter)}.leases WHERE name = ? IF EXISTS"
    run([Statement(cql, [name])], home.datacenter, "leases.drop")


def give_back(home: Home, name: str, owner: UUID = ME) -> bool:
    """Whether it was this owner's."""
    cql = f"DELETE FROM {keyspace(home.datacenter)}.leases WHERE name = ? IF owner = ?"
    return isinstance(run([Statement(cql, [name, owner])], home.datacenter, "leases.give_back"), Applied)
