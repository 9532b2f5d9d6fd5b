"""A claim in the form that the API, the admin and the dashboard share (see the API's `Claim`)."""

from typing import Any

from providers.records import Record


def image_of_claim(record: Record) -> dict[str, Any]:
    return {
        "id": str(record.id),
        "request_id": str(record.request_id),
        "provider": str(record.provider_id),
        "provider_name": record.provider_name,
        "cell": record.home.cell,
        "resource_class": record.resource_class,
        "consumer": record.consumer,
        "project": record.project,
        "amounts": dict(record.amounts),
        "state": record.state,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "generation": record.generation,
    }
