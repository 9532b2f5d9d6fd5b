"""A cell as it was at an instant: the checkpoint before it, and what the event log has between the two."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cassandra.util import max_uuid_from_time

from dashboard import checkpoints
from dashboard.apply import apply, hear, line_of
from dashboard.types import SILENT, Line, State, Vital
from events.look_back import Wanted, look
from events.tail import OVERLAP, decode_cursor, encode_cursor, time_of
from events.types import PROVIDER_HEARD, PROVIDER_SILENT, Event
from providers.refusals import NotFound
from store.home import Home

A_PAGE = 2000  # events read at once
LINES = 200  # of the feed before the instant


@dataclass(frozen=True, slots=True)
class Past:
    """The cell at `at`, from the checkpoint of `since` on, and what happened last before it (oldest first)."""

    at: dt.datetime
    since: dt.datetime
    state: State
    lines: Sequence[Line]


def cell_at(home: Home, at: dt.datetime) -> Past:
    """Raises NotFound when nothing is kept from before it, StoreUnavailable."""
    checkpoint = checkpoints.before(home, at)
    state = checkpoints.get(home, checkpoint) if checkpoint else None
    if checkpoint is None or state is None:
        first = checkpoints.oldest(home)
        kept = f"the first that is kept is of {first.isoformat(timespec='seconds')}" if first else "none is kept yet"
        raise NotFound(f"no state of cell {home.cell} from before {at.isoformat(timespec='seconds')}: {kept}")
    # What was written late may have missed the checkpoint; what is told twice changes nothing.
    since = time_of(decode_cursor(checkpoint.cursor)) - dt.timedelta(seconds=OVERLAP)
    lines: list[Line] = []
    for event in _events(home, since, at):
        put(state, event)
        lines.append(line_of(event))
        if len(lines) > 2 * LINES:
            del lines[:-LINES]
    return Past(at, checkpoint.at, state, lines[-LINES:])


def put(state: State, event: Event) -> None:
    """As the live state takes it; and who fell silent, which the live state learns from heartbeats. A host that came
    after the checkpoint was heard until it is told otherwise."""
    if event.root_id is not None and str(event.root_id) not in state.vital:
        state.vital = {**state.vital, str(event.root_id): Vital(True)}
    state.put(apply(state, event))
    if event.type in (PROVIDER_SILENT, PROVIDER_HEARD) and event.provider_id is not None:
        root = str(event.provider_id)
        is_heard = event.type == PROVIDER_HEARD
        seen_at = "" if is_heard else str(event.data.get("seen_at") or "")
        before = state.vital.get(root, SILENT)
        state.vital = {**state.vital, root: replace(before, alive=is_heard, heard_at=seen_at)}
        state.put(hear(state, state.vital))


def _events(home: Home, since: dt.datetime, until: dt.datetime) -> Iterator[Event]:
    wanted = Wanted(since=since, until=until, oldest_first=True)
    last = encode_cursor(max_uuid_from_time(since.timestamp()))
    cursor: str | None = last
    while cursor is not None:
        page, cursor = look([home], wanted, A_PAGE, cursor)
        yield from page
