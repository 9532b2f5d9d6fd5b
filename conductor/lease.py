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


def take(home: Home, name: str, seconds: int, owner: UUID = ME) -> bool:
    """Whether it is this owner's now, taken or renewed. Its end is by Cassandra's clock. False also without an answer:
    then nobody has it for sure."""
    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    table = f"{keyspace(home.datacenter)}.leases"
    renew = f"UPDATE {table} USING TTL ? SET owner = ?, until = ? WHERE name = ? IF owner = ?"
    make = f"INSERT INTO {table} (name, owner, until) VALUES (?, ?, ?) IF NOT EXISTS USING TTL ?"
    for statement in (
        Statement(renew, [seconds, owner, until, name, owner]),
        Statement(make, [name, owner, until, seconds]),
    ):
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
