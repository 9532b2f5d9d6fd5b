"""Applies the versioned schema in store/schema/: `global_NNNN.cql` once, `datacenter_NNNN.cql` to each data centre.

Every statement can be repeated (IF NOT EXISTS), and a version is recorded only after all of its statements ran, so two
processes may apply at once and one that was killed half way is finished by the next.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cassandra import AlreadyExists, OperationTimedOut
from cassandra.cluster import NoHostAvailable, Session
from django.conf import settings

from store.failures import StoreUnavailable
from store.session import datacenters, keyspace, replication, session

SCHEMA = Path(__file__).parent / "schema"


class SchemaChanged(Exception):
    """A .cql file that was already applied reads differently now: make a new version instead."""


@dataclass(frozen=True, slots=True)
class Version:
    target: str  # "global" or a data centre's name
    number: int
    path: Path

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]

    def statements(self) -> Iterator[str]:
        space = keyspace(None if self.target == "global" else self.target)
        text = "\n".join(line for line in self.path.read_text().splitlines() if not line.strip().startswith("--"))
        filled = text.format(keyspace=space, events_ttl=settings.EVENTS_TTL, requests_ttl=settings.REQUESTS_TTL)
        yield from (statement.strip() for statement in filled.split(";") if statement.strip())


def versions() -> list[Version]:
    """All versions there are, in the order they are applied: the global keyspace first."""
    found = [Version("global", _number(path), path) for path in sorted(SCHEMA.glob("global_*.cql"))]
    for name in datacenters():
        found += [Version(name, _number(path), path) for path in sorted(SCHEMA.glob("datacenter_*.cql"))]
    return found


def apply_schema(say: Callable[[str], None]) -> int:
    """Brings every keyspace to the newest version; returns how many versions were applied. Raises StoreUnavailable."""
    connection = session()
    for name in (None, *datacenters()):
        _create_keyspace(connection, name)
    applied = 0
    known = _applied(connection)
    for version in versions():
        checksum = known.get((version.target, version.number))
        if checksum is None:
            _apply(connection, version)
            applied += 1
            say(f"{keyspace(None if version.target == 'global' else version.target)}: version {version.number} applied")
        elif checksum != version.checksum:
            raise SchemaChanged(
                f"{version.path.name} was applied to {version.target} with other content (checksum {checksum}): "
                "put the change into a new version"
            )
    if not applied:
        say(f"schema is up to date ({', '.join(sorted({keyspace(), *map(keyspace, datacenters())}))})")
    return applied


def _number(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


def _create_keyspace(connection: Session, datacenter: str | None) -> None:
    copies = replication()
    # By default a data centre's rows are replicated to all data centres: any portal can read any cell while few.
    options = ", ".join(f"'{name}': {count}" for name, count in sorted(copies.items()))
    _repeat(
        connection,
        f"CREATE KEYSPACE IF NOT EXISTS {keyspace(datacenter)} "
        f"WITH replication = {{'class': 'NetworkTopologyStrategy', {options}}}",
    )


def _applied(connection: Session) -> dict[tuple[str, int], str]:
    space = keyspace()
    if "schema_versions" not in _tables(connection, space):
        return {}
    rows = connection.execute(f"SELECT target, version, checksum FROM {space}.schema_versions")
    return {(row["target"], row["version"]): row["checksum"] for row in rows}


def _tables(connection: Session, space: str) -> set[str]:
    rows = connection.execute("SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", (space,))
    return {row["table_name"] for row in rows}


def _apply(connection: Session, version: Version) -> None:
    for statement in version.statements():
        _repeat(connection, statement)
    connection.execute(
        f"INSERT INTO {keyspace()}.schema_versions (target, version, applied_at, checksum) "
        "VALUES (%s, %s, toTimestamp(now()), %s)",
        (version.target, version.number, version.checksum),
    )


def _repeat(connection: Session, statement: str, tries: int = 5) -> None:
    """Runs one schema change; two processes changing the schema at once may time out or collide, so it is repeated."""
    for attempt in range(tries):
        try:
            connection.execute(statement, timeout=60)
            return
        except AlreadyExists:
            return  # the other process won the race that IF NOT EXISTS leaves open
        except (OperationTimedOut, NoHostAvailable) as error:
            if attempt == tries - 1:
                raise StoreUnavailable(f"schema change not answered: {error}") from error
            time.sleep(1 + attempt)
