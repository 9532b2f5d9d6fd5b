"""Reads a tree for the state machine: its rows as of one instant, their sums, its projection, its lookups."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from claims.find import find_any
from providers.records import NIL
from store.home import Home
from store.session import keyspace, read

AMOUNTS = {"compute": ("vcpus", "memory_mb", "disk_gb")}
OWN_CLASS, OWN = "licence_server", ("seats", "slots")  # an operator's own: keeps its amounts in maps


def image_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """The partition in the form of Model.image."""
    image: dict[str, object] = {"generation": rows[0]["generation"]}
    for row in rows:
        if row["record_id"] == NIL:
            image[str(row["provider_id"])] = _own(row)
        else:
            image[str(row["record_id"])] = _record(row)
    return image


def _own(row: Mapping[str, Any]) -> dict[str, object]:
    total, reserved, ratio = (amounts_of(row, prefix) for prefix in ("total_", "reserved_", "ratio_"))
    return {
        "state": row["state"],
        "state_version": row["state_version"],
        "inventory": {name: (total[name], reserved[name], ratio[name]) for name in total},
        "own": amounts_of(row),
        "available": amounts_of(row, "available_"),
    }


def _record(row: Mapping[str, Any]) -> dict[str, object]:
    return {
        "provider": row["provider_id"],
        "request": row["request_id"],
        "kind": row["kind"],
        "state": row["state"],
        "amounts": {name: -amount for name, amount in amounts_of(row).items() if amount},
        "gives_back": dict(row["gives_back"] or {}),
        "asked_back": bool(row["release_requested"]),
    }


def amounts_of(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    names = AMOUNTS.get(row["resource_class"] or "")
    if names is None:
        return dict(row[f"own_{prefix.rstrip('_') or 'amounts'}"] or {})
    return {name: row[f"{prefix}{name}"] for name in names}


def wrong_sums(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where a provider's `available` is not the sum of its records."""
    for own in (row for row in rows if row["record_id"] == NIL):
        records = [amounts_of(row) for row in rows if row["provider_id"] == own["provider_id"]]
        for name, available in amounts_of(own, "available_").items():
            total = sum(record.get(name) or 0 for record in records)
            if total != available:
                yield f"{name} of {own['name']} sums to {total}, available says {available}"


def wrong_in_cql(home: Home, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The same, summed by Cassandra (not for maps, which it can't sum)."""
    for own in (row for row in rows if row["record_id"] == NIL and row["resource_class"] in AMOUNTS):
        names = AMOUNTS[own["resource_class"]]
        cql = (
            f"SELECT {', '.join(f'SUM({n}) AS {n}' for n in names)} FROM {keyspace(home.datacenter)}.provider_records "
            "WHERE root_id = ? AND provider_id = ?"
        )
        sums, available = read(cql, [own["root_id"], own["provider_id"]])[0], amounts_of(own, "available_")
        if sums != available:
            yield f"Cassandra sums {own['name']} to {sums}, available says {available}"


def wrong_projection(home: Home, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where the capacity table, once nothing waits for it, is not what the record says. Closing an id and a mark whose
    answer was lost are not projected: they change nothing there but the generation."""
    owns = {row["provider_id"]: row for row in rows if row["record_id"] == NIL}
    for own in owns.values():
        cql = (
            f"SELECT * FROM {keyspace(home.datacenter)}.capacity "
            "WHERE cell = ? AND resource_class = ? AND shard = ? AND root_id = ? AND provider_id = ?"
        )
        key = [home.cell, own["resource_class"], own["shard"], own["root_id"], own["provider_id"]]
        (row,) = read(cql, key)
        root = owns[own["root_id"]]
        kinds = [record["kind"] for record in rows if record["provider_id"] == own["provider_id"]]
        shown = {**_own(row), **{n: row[n] for n in ("root_state", "root_state_version", "claims", "instances")}}
        expected = {
            **_own(own),
            "root_state": root["state"],
            "root_state_version": root["state_version"],
            "claims": kinds.count("claim"),
            "instances": kinds.count("instance"),
        }
        if shown != expected or row["generation"] > own["generation"]:
            yield f"capacity shows {own['name']} as {shown} of {row['generation']}, it is {expected}"


def wrong_lookups(home: Home, rows: Sequence[Mapping[str, Any]], listed: Sequence[str]) -> Iterator[str]:
    """Lookups may name claims that are gone; a claim that they do not name would never be found again. `listed`: the
    kinds of records that must be on their cell's list, where sweeps find them."""
    for row in rows:
        if row["kind"] in listed and not _is_listed(home, row["record_id"]):
            yield f"{row['kind']} {row['record_id']} is not on its cell's list"
        if row["kind"] in ("claim", "instance"):
            found = find_any(row["record_id"])
            if found is None or found.kind != row["kind"]:
                yield f"{row['kind']} {row['record_id']} is not found by its id: {found}"


def _is_listed(home: Home, claim_id: UUID) -> bool:
    cql = (
        f"SELECT claim_id FROM {keyspace(home.datacenter)}.claims_by_cell WHERE cell = ? AND slot = ? AND claim_id = ?"
    )
    return bool(read(cql, [home.cell, claim_id.int % 16, claim_id]))
