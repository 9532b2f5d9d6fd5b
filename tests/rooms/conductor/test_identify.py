"""An id says where its request lives: the same answer for ever, for ids made here and for anybody's."""

import uuid
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from conductor import identify
from conductor.identify import derive_request_id, home_of, make_request_id
from providers.cells import SLOTS
from store.home import Home

numbers = st.integers(1, 0xFFFF)


def homes(number: int) -> Home:
    return Home(f"number {number}", "dc1")


@given(numbers)
def test_an_id_made_here_carries_its_cell(number):
    with patch.object(identify, "home_of_number", homes):
        made = make_request_id(number)
        assert made.version == 8
        assert home_of(made) == homes(number)
        assert home_of(uuid.UUID(str(made))) == homes(number)


@given(numbers)
def test_ids_made_here_differ(number):
    assert make_request_id(number) != make_request_id(number)


@given(st.uuids())
def test_any_id_has_one_home_among_the_slots(identifier):
    with patch.object(identify, "home_of_number", homes):
        found = home_of(identifier)
        assert found == home_of(identifier)
        assert found in {homes(-1 - slot) for slot in range(SLOTS)}


@given(numbers, st.integers(16, 127))
def test_an_id_with_one_bit_changed_is_not_taken_for_one_made_here(number, bit):
    """Bits of the number itself (the first 16) name another cell; the check covers them, so they are caught too."""
    made = make_request_id(number)
    changed = uuid.UUID(int=made.int ^ 1 << (127 - bit))
    with patch.object(identify, "home_of_number", homes):
        assert home_of(changed) != homes(number)


def test_a_number_that_never_was_falls_back_to_the_slots():
    with patch.object(identify, "home_of_number", lambda number: None if number > 0 else homes(number)):
        assert home_of(make_request_id(9)) in {homes(-1 - slot) for slot in range(SLOTS)}


@given(st.text(min_size=1), st.text(), st.text())
def test_an_idempotency_key_stands_for_one_id_of_one_user(user, key, other):
    assert derive_request_id(user, key) == derive_request_id(user, key)
    if other != key:
        assert derive_request_id(user, key) != derive_request_id(user, other)
        assert derive_request_id(user, key) != derive_request_id(user + "x", key)
