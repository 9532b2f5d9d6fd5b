"""A provider in the form that the API, the events and the dashboard share (see the API's `Provider`)."""

from collections.abc import Mapping
from typing import Any

from providers.heartbeat import mode_of
from providers.records import OwnRow, Record, Tree, state_above
from providers.resource_classes.registry import known_class

Image = dict[str, Any]


def image_of(tree: Tree, own: OwnRow) -> Image:
    """From the record itself: with its claims in flight, each with id, state and amounts."""
    image = image_of_row(own.row, tree.generation)
    image["root_state"] = state_above(tree, own) if tree.root_id in tree.providers else "missing"
    image["root_heartbeat"] = tree.providers.get(tree.root_id, own).row["heartbeat"]
    image["claims"] = [claim_image(record) for record in tree.claims_on(own.id)]
    image["instances"] = len(tree.instances_on(own.id))
    return image


def image_of_row(row: Mapping[str, Any], generation: int) -> Image:
    """From an own row or a row of the capacity table; the latter knows only how many claims and instances there are."""
    of_class = known_class(row["resource_class"])
    totals = of_class.amounts_of(row, "total_")
    reserved = of_class.amounts_of(row, "reserved_")
    ratios = of_class.ratios_of(row)
    return {
        "id": str(row["provider_id"]),
        "root": str(row["root_id"]),
        "name": row["name"],
        "cell": row["cell"],
        "resource_class": row["resource_class"],
        "parent": str(row["parent_id"]) if row["parent_id"] else None,
        "state": row["state"],
        "root_state": row.get("root_state") or row["state"],
        "state_reason": row["state_reason"] or "",
        "generation": generation,
        "state_version": row["state_version"],
        "inventory": {
            name: {"total": total, "reserved": reserved.get(name, 0), "allocation_ratio": ratios.get(name, 1.0)}
            for name, total in totals.items()
        },
        "amounts": of_class.amounts_of(row),
        "available": of_class.amounts_of(row, "available_"),
        "properties": of_class.properties_of(row),
        "traits": sorted(row["traits"] or ()),
        "aggregates": sorted(row["aggregates"] or ()),
        "failure_domain": {"rack": row["rack"] or "", "zone": row["zone"] or ""},
        "heartbeat": row["heartbeat"],
        "root_heartbeat": mode_of(row),
        "claims": row.get("claims") or 0,
        "instances": row.get("instances") or 0,
    }


def claim_image(record: Record) -> Image:
    return {
        "id": str(record.id),
        "state": record.state,
        "amounts": dict(record.amounts),
        "consumer": record.consumer,
        "request_id": str(record.request_id),
        "created_at": record.created_at.isoformat() if record.created_at else None,
    }
