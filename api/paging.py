"""Lists a page at a time: `limit` (1-1000, 100 unless said), `next` with the cursor of the page before."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from api.query import Query

LIMIT, MOST = 100, 1000
CURSOR = 1024  # characters; longer ones were never ours


@dataclass(frozen=True, slots=True)
class Paging:
    limit: int
    cursor: str | None


def read_paging(query: Query) -> Paging:
    limit = query.count("limit", LIMIT, 1, MOST)
    return Paging(limit, query.label("next", None, most=CURSOR) or None)


def page(results: Iterable[Any], following: str | None, **members: Any) -> dict[str, Any]:
    return {"results": list(results), "next": following, **members}
