"""Several resources belong together: all of them in one cell."""

import random
from collections.abc import Sequence

from scheduler.apart import assign_in_group
from scheduler.assign import Assignment
from scheduler.trees import Trees
from scheduler.types import Candidate, Policy, Resource


def assign_in_one_cell(
    resources: Sequence[Resource],
    fitting: Sequence[Sequence[Candidate]],
    count: int,
    trees: Trees,
    policy: Policy,
    rng: random.Random,
    partly: bool = False,
) -> Assignment | None:
    """An assignment with every resource in one cell, or None; `partly`: else the one that places most. A single
    resource's copies may go to several cells."""
    if len(resources) == 1:
        in_cells = [fitting]
    else:
        in_all = set.intersection(*({c.cell for c in one} for one in fitting))
        cells_of_all = rng.sample(sorted(in_all), len(in_all))
        in_cells = [[[c for c in one if c.cell == cell] for one in fitting] for cell in cells_of_all]
    most: Assignment | None = None
    for here in in_cells:
        found = assign_in_group(resources, here, count, policy, rng, trees)
        if not found.missing:
            return found
        if partly and found.units and (most is None or len(found.units) > len(most.units)):
            most = found
    return most
