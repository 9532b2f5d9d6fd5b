"""A request's trees are claimed side by side; nothing is lost when one of them fails."""

import threading

import pytest

from conductor.side_by_side import AT_ONCE, in_chunks, side_by_side


def test_they_are_done_at_once_and_answered_in_order():
    all_there = threading.Barrier(AT_ONCE, timeout=20)

    def do(item):
        all_there.wait()
        return -item

    assert side_by_side(do, range(AT_ONCE)) == [-item for item in range(AT_ONCE)]
    assert side_by_side(lambda item: item, [7]) == [7]
    assert side_by_side(lambda item: item, []) == []


def test_an_error_is_raised_when_all_are_done():
    done = []

    def do(item):
        if item == 0:
            raise ValueError("the first")
        threading.Event().wait(0.05)
        done.append(item)

    with pytest.raises(ValueError, match="the first"):
        side_by_side(do, range(4))
    assert sorted(done) == [1, 2, 3]


def test_chunks():
    assert [list(some) for some in in_chunks(range(AT_ONCE + 1))] == [list(range(AT_ONCE)), [AT_ONCE]]
