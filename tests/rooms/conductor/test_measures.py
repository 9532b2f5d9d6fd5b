"""The more claims are refused, the wider the pick."""

import pytest

from conductor import measures
from scheduler.types import Policy


@pytest.fixture(autouse=True)
def nothing_refused(monkeypatch):
    monkeypatch.setattr(measures, "_refused", 0.0)


def policy(subset):
    return Policy((), {}, subset=subset)


def test_the_pick_follows_what_is_refused():
    assert measures.subset_of(policy(5)) == 5
    for _ in range(200):
        measures.note_try("lost_room", refused=True)
    assert measures.subset_of(policy(5)) == 5 * measures.WIDEST
    for _ in range(200):
        measures.note_try("taken", refused=False)
    assert measures.subset_of(policy(5)) == 5


def test_a_choice_of_the_best_alone_stays_one():
    for _ in range(200):
        measures.note_try("lost_room", refused=True)
    assert measures.subset_of(policy(1)) == 1
