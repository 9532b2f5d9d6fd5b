"""Request ids and their homes: an id made here carries the number of its cell, a client's hashes to a fixed table."""

import secrets
import zlib
from uuid import UUID, uuid5

from providers.cells import home_of_number, slot_of
from store.home import Home

IDEMPOTENCY = UUID("6c3e0a52-9a55-4c1e-8f4e-0d7d51d0f3b1")  # names the ids that are derived from Idempotency-Key


def make_request_id(cell_number: int) -> UUID:
    """A random UUID (version 8) with the cell's number in its first two bytes and a check in its last two."""
    raw = bytearray(cell_number.to_bytes(2) + secrets.token_bytes(12))
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    return UUID(bytes=bytes(raw) + _check(bytes(raw)))


def home_of(request_id: UUID) -> Home | None:
    """Where the request's row lives; the same answer for ever. None while there is no cell at all."""
    raw = request_id.bytes
    if request_id.version == 8 and _check(raw[:14]) == raw[14:]:
        found = home_of_number(int.from_bytes(raw[:2]))
        if found is not None:
            return found
    return home_of_number(slot_of(request_id))


def derive_request_id(username: str, idempotency_key: str) -> UUID:
    """The id that a user's Idempotency-Key stands for."""
    return uuid5(IDEMPOTENCY, f"{username}\x00{idempotency_key}")


def _check(raw: bytes) -> bytes:
    return (zlib.crc32(raw) & 0xFFFF).to_bytes(2)
