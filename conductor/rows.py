"""The request row: read, made and moved by transactions on its `version`. Two owners at once cannot both move it."""

import datetime as dt
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid1

from cassandra.util import uuid_from_time

from conductor.identify import home_of
from conductor.open_work import Write, take_off
from conductor.states import ALLOWED, ENDED, point
from conductor.texts import failures_of_text, parts_of_text, plan_of_text
from conductor.types import Failure, Part, Plan
from providers.records import aware
from providers.refusals import NotFound, Undecided
from store.failures import StoreUnavailable
from store.home import Home
from store.lwt import Applied, Outcome, Refused, Statement, Unknown, run
from store.session import QUORUM, keyspace, lwt_profile, read, read_many, write

TRIES = 4
PAUSE = 1.0  # seconds before the third try, twice that before the last: a lost connection is made again in two seconds


@dataclass(frozen=True, slots=True)
class RequestRow:
    """`version` counts its transactions, `epoch` its owners and plans (claim ids are derived from it)."""

    request_id: UUID
    home: Home
    version: int
    state: str
    epoch: int
    owner: UUID | None
    lease_until: dt.datetime | None
    cell: str
    project: str
    consumer: str
    username: str
    fingerprint: str
    body: Mapping[str, Any]
    plan: Plan | None
    parts: tuple[Part, ...]
    failures: tuple[Failure, ...]
    committed: bool
    attempts: int
    response: Mapping[str, Any] | None
    ends_as: str
    reason: str
    created_at: dt.datetime | None
    updated_at: dt.datetime | None
    columns: Mapping[str, Any]
    is_retired: bool = False

    @property
    def all_or_nothing(self) -> bool:
        """Whether it ends when one of its claims finds no place."""
        return self.body.get("all_or_nothing") is not False

    @property
    def per_copy(self) -> int:
        """How many claims each of its copies has: member number // this is the copy."""
        return len(self.body.get("resources") or [None])


def find(request_id: UUID, at_home: bool = False) -> RequestRow | None:
    """`at_home` asks the row's own data centre: for decisions that an answer from a copy that lags would make wrong."""
    home = home_of(request_id)
    if home is None:
        return None
    profile = lwt_profile(home.datacenter) if at_home else QUORUM
    rows = read(f"SELECT * FROM {_table(home)} WHERE request_id = ?", [request_id], profile)
    if rows:
        return _row(home, rows[0])
    # After the first read, not beside it: a request that is being retired is copied before it is deleted.
    cql = f"SELECT row FROM {keyspace(home.datacenter)}.ended_requests WHERE request_id = ?"
    retired = read(cql, [request_id], profile)
    return replace(_row(home, _from_json(retired[0]["row"])), is_retired=True) if retired else None


def find_many(request_ids: Sequence[UUID]) -> dict[UUID, RequestRow]:
    """Those of these requests that there are, by id; each is read as `find` reads it."""
    homes = {one: home for one in request_ids if (home := home_of(one)) is not None}
    queries = [(f"SELECT * FROM {_table(home)} WHERE request_id = ?", [one]) for one, home in homes.items()]
    found = {one: rows[0] for one, rows in zip(homes, read_many(queries, QUORUM), strict=True) if rows}
    rows = {one: _row(homes[one], row) for one, row in found.items()}
    for one in homes.keys() - rows.keys():
        row = find(one)
        if row is not None:
            rows[one] = row
    return rows


def get(request_id: UUID) -> RequestRow:
    """Raises NotFound."""
    found = find(request_id)
    if found is None:
        raise NotFound(f"no request {request_id}")
    return found


def insert(home: Home, request_id: UUID, owner: UUID, columns: Mapping[str, Any]) -> RequestRow | None:
    """Makes the row; the row that is there instead when the id is in use; None when no answer came.

    Whether it was made by this call is `row.owner == owner and row.version == 1`.
    """
    now = dt.datetime.now(dt.UTC)
    row = {"request_id": request_id, "version": 1, "owner": owner, "created_at": now, "updated_at": now, **columns}
    cql = f"INSERT INTO {_table(home)} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))}) IF NOT EXISTS"
    for attempt in range(TRIES):
        time.sleep(PAUSE * max(0, attempt - 1))
        try:
            outcome = run([Statement(cql, list(row.values()))], home.datacenter, point("", row["state"]), attempt)
        except StoreUnavailable:
            if not attempt:
                raise
            continue  # a try before this one may have been applied
        match outcome:
            case Applied():
                return _row(home, {**_EMPTY, **row})
            case Refused() as refused:
                return _row(home, refused.row)
            case Unknown():
                continue
    return None


def move(row: RequestRow, state: str, **columns: Any) -> RequestRow | None:
    """Moves the row to `state` and sets columns, if nobody moved it since it was read; None when somebody did.

    Raises Undecided. Illegal transitions cannot be written (conductor/states.py).
    """
    if (row.state, state) not in ALLOWED:
        raise ValueError(f"a request cannot go from {row.state} to {state}")
    now = dt.datetime.now(dt.UTC)
    nonce = columns.pop("owner", None) or uuid1()
    sets = {"state": state, "version": row.version + 1, "owner": nonce, "updated_at": now, **columns}
    cql = f"UPDATE {_table(row.home)} SET {', '.join(f'{n} = ?' for n in sets)} WHERE request_id = ? IF version = ?"
    statement = Statement(cql, [*sets.values(), row.request_id, row.version])
    outcome: Outcome = Unknown("not run yet")
    for attempt in range(TRIES):
        time.sleep(PAUSE * max(0, attempt - 1))
        try:
            outcome = run([statement], row.home.datacenter, point(row.state, state), attempt)
        except StoreUnavailable as error:
            if not attempt:
                raise
            outcome = Unknown(str(error))  # a try before this one may have been applied
        if isinstance(outcome, Applied):
            return _row(row.home, {**row.columns, **sets})
        if isinstance(outcome, Refused):
            # An earlier try whose answer was lost may have been ours: the nonce tells.
            now_there = find(row.request_id)
            return now_there if now_there and now_there.owner == nonce else None
    raise Undecided(f"request {row.request_id}: no answer from its cell ({outcome}); read it, then repeat")


def remember(row: RequestRow, state: str, who: str, why: str) -> None:
    """A line of the request's history: plain, after the fact."""
    write(*line_of_history(row.home, row.request_id, state, who, why))


def line_of_history(home: Home, request_id: UUID, state: str, who: str, why: str) -> Write:
    """The write, for callers that send several."""
    cql = (
        f"INSERT INTO {keyspace(home.datacenter)}.request_history (request_id, id, state, who, why) "
        "VALUES (?, ?, ?, ?, ?)"
    )
    return cql, [request_id, uuid_from_time(dt.datetime.now(dt.UTC).timestamp()), state, who, why]


def history(row: RequestRow) -> list[dict[str, Any]]:
    return read(
        f"SELECT id, state, who, why FROM {keyspace(row.home.datacenter)}.request_history "
        "WHERE request_id = ? LIMIT 1000",
        [row.request_id],
    )


def close_write(row: RequestRow) -> Write:
    """Takes a request off the list of open work, where accepting it had put it."""
    return take_off(row.home, row.request_id, row.lease_until or row.created_at or dt.datetime.now(dt.UTC))


def retire(row: RequestRow) -> None:
    """Moves an ended request out of the table of transactions, into the one whose rows fade out by themselves.

    Copied first, so that at every moment it can be found; deleted only as it was copied.
    """
    if row.state not in ENDED:
        raise ValueError(f"request {row.request_id} is {row.state}")
    space = keyspace(row.home.datacenter)
    write(f"INSERT INTO {space}.ended_requests (request_id, row) VALUES (?, ?)", [row.request_id, _to_json(row)])
    cql = f"DELETE FROM {_table(row.home)} WHERE request_id = ? IF version = ?"
    run([Statement(cql, [row.request_id, row.version])], row.home.datacenter, "requests.retire")


def _to_json(row: RequestRow) -> str:
    return json.dumps(dict(row.columns), default=str, separators=(",", ":"))


def _from_json(text: str) -> dict[str, Any]:
    columns: dict[str, Any] = json.loads(text)
    for name in ("request_id", "owner"):
        columns[name] = UUID(columns[name]) if columns[name] else None
    for name in ("lease_until", "created_at", "updated_at"):
        columns[name] = dt.datetime.fromisoformat(columns[name]) if columns[name] else None
    return columns


def _table(home: Home) -> str:
    return f"{keyspace(home.datacenter)}.requests"


_EMPTY = dict.fromkeys(
    "state epoch owner lease_until cell project consumer username fingerprint body plan members failures "
    "committed attempts response ends_as reason created_at updated_at".split()
)


def _row(home: Home, row: Mapping[str, Any]) -> RequestRow:
    return RequestRow(
        request_id=row["request_id"],
        home=home,
        version=row["version"],
        state=row["state"],
        epoch=row["epoch"] or 0,
        owner=row["owner"],
        lease_until=_utc(row["lease_until"]),
        cell=row["cell"] or "",
        project=row["project"] or "",
        consumer=row["consumer"] or "",
        username=row["username"] or "",
        fingerprint=row["fingerprint"] or "",
        body=json.loads(row["body"] or "{}"),
        plan=plan_of_text(row["plan"]),
        parts=parts_of_text(row["members"]),
        failures=failures_of_text(row.get("failures")),
        committed=bool(row["committed"]),
        attempts=row["attempts"] or 0,
        response=json.loads(row["response"]) if row["response"] else None,
        ends_as=row["ends_as"] or "",
        reason=row["reason"] or "",
        created_at=_utc(row["created_at"]),
        updated_at=_utc(row["updated_at"]),
        columns=row,
    )


def _utc(at: dt.datetime | None) -> dt.datetime | None:
    return at if at is None or at.tzinfo else aware(at)
