"""Passes providers of the cells that may be asked: not a disabled one, and the one that the request names."""

from scheduler import reasons
from scheduler.filters.kind import Filter
from scheduler.types import Candidate, Refusal, Resource


def check(candidate: Candidate, resource: Resource) -> Refusal | None:
    if resource.cells is None or candidate.cell in resource.cells:
        return None
    return Refusal(reasons.CELL, f"cell {candidate.cell} is not asked")


# Pushed down: the query is one cell's shards.
FILTER = Filter("cell", reasons.CELL, pushed_down=True, check=check)
