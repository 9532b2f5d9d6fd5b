"""A request becomes active: what follows once all that agents build is built. The conductor repeats it."""

from claims import mark
from claims.consume import consume
from claims.types import ACTIVE as CLAIM_ACTIVE
from conductor.commit import confirm, tell
from conductor.outcome import parts_of, records_of
from conductor.rows import RequestRow
from conductor.states import ACTIVE
from conductor.types import BUILT
from providers.records import CLAIM


def finish_active(row: RequestRow) -> None:
    """Consumes what was built, marks claims without an agent active."""
    parts = parts_of(row)
    confirm([p for p in parts if p.agentless])
    for part, record in zip(parts, records_of(parts), strict=True):
        if record is None or record.kind != CLAIM:
            continue
        if part.agentless and record.state != CLAIM_ACTIVE:
            mark.active(record)
        elif not part.agentless and part.state == BUILT:
            consume(record)
    tell(row, ACTIVE)
