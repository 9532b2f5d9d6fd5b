"""Reads typed fields out of what the other side sent, and names the field in every complaint. Standard library only."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping


class ProtocolError(ValueError):
    """What the other side sent is not what the protocol says; the message names the field."""


def read_json(text: str | bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("not JSON") from error


def mapping_of(data: object, name: str) -> Mapping[str, object]:
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        raise ProtocolError(f"{name}: not an object")
    return data


def list_in(body: Mapping[str, object], name: str) -> list[object]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ProtocolError(f"{name}: not a list")
    return value


def text_in(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ProtocolError(f"{name}: not a string")
    return value


def id_in(body: Mapping[str, object], name: str) -> str:
    """Ids become parts of file names and URLs on the agent's side, so nothing but a UUID passes."""
    try:
        return str(uuid.UUID(text_in(body, name)))
    except ValueError as error:
        raise ProtocolError(f"{name}: not a UUID") from error


def seconds_in(body: Mapping[str, object], name: str, default: float) -> float:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ProtocolError(f"{name}: not a number of seconds above 0")
    return float(value)
