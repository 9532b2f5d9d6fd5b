"""Children: where they may be, what goes first, and what a root says to its whole tree."""

import uuid

import pytest

from providers import own_row
from providers.change import Changes, change
from providers.find import ProviderFilter, list_providers
from providers.heartbeat import silence
from providers.records import locate, read_provider, state_above
from providers.refusals import Conflict, Invalid, NotFound
from providers.remove import remove
from providers.reread import beside
from providers.sweeps import sweep
from scheduler.filters import FILTERS
from scheduler.fits import fits
from scheduler.types import Resource

PORTS = Resource("network", {"ipv4_addresses": 1})


@pytest.fixture
def child(host):
    def make(parent, **changes):
        values = {"resource_class": "network", "amounts": {"ipv4_addresses": 4}, "heartbeat": "none"}
        return host(parent=parent.id, **(values | changes))

    return make


def set_state(own, state: str) -> None:
    change(own.id, read_provider(own.id)[1].state_version, Changes({"state": state}, {}, {}))


def reasons(cell, of_class: str = "network") -> dict[uuid.UUID, str | None]:
    """Provider -> why a request for an address does not get it, in the view that requests have."""
    found = {}
    for one in sweep([cell.home], of_class):
        refusal = fits(one, PORTS, FILTERS)
        found[one.provider_id] = refusal.reason if refusal else None
    return found


def test_children_of_children_are_one_partition(cell, host, child):
    root = host(heartbeat="none")
    cell_of_root = child(root)
    device = child(cell_of_root)
    tree, own = read_provider(device.id)
    assert (tree.root_id, own.row["parent_id"]) == (root.id, cell_of_root.id)
    assert set(tree.providers) == {root.id, cell_of_root.id, device.id}
    (seen,) = sweep([cell.home], "compute")
    assert {one.provider_id for one in beside([seen], {"network"})} == {cell_of_root.id, device.id}


def test_the_lowest_goes_first(host, child):
    root = host(heartbeat="none")
    middle = child(root)
    lowest = child(middle)
    for above in (root, middle):
        with pytest.raises(Conflict, match="1 children"):
            remove(above.id)
    for own in (lowest, middle, root):
        remove(own.id)
        with pytest.raises(NotFound):
            read_provider(own.id)


def test_a_parent_that_is_removed_meanwhile_gets_no_child(host, child, monkeypatch):
    root = host(heartbeat="none")
    middle = child(root)

    def insert(key, columns):
        monkeypatch.undo()
        remove(middle.id)
        return own_row.insert(key, columns)

    monkeypatch.setattr("providers.register.insert", insert)
    with pytest.raises(Conflict, match="removed meanwhile"):
        child(middle)
    assert set(read_provider(root.id)[0].providers) == {root.id}


def test_no_child_of_what_is_not_there_or_is_itself(host, child):
    own = uuid.uuid4()
    with pytest.raises(Invalid, match="no provider"):
        host(parent=own, id=own)
    gone = host(heartbeat="none")
    remove(gone.id)
    with pytest.raises(Invalid, match="no provider"):
        child(gone)


@pytest.mark.parametrize("state", ["disabled", "draining"])
def test_what_is_above_closes_what_is_below(cell, host, child, state):
    root = host(heartbeat="none")
    middle, beside_it = child(root), child(root)
    lowest = child(middle)
    everything = {middle.id, beside_it.id, lowest.id}
    assert reasons(cell) == dict.fromkeys(everything)
    set_state(middle, state)
    assert reasons(cell) == {middle.id: "state", lowest.id: "state", beside_it.id: None}
    tree, own = read_provider(lowest.id)
    assert (state_above(tree, own), own.row["state"]) == (state, "enabled")
    set_state(middle, "enabled")
    set_state(root, state)
    assert reasons(cell) == dict.fromkeys(everything, "state")
    set_state(root, "enabled")
    assert reasons(cell) == dict.fromkeys(everything)


def test_the_root_s_agent_speaks_for_its_tree(cell, host, child):
    root = host()
    external, waiting = child(root), child(root, heartbeat="agent")
    assert reasons(cell) == dict.fromkeys((external.id, waiting.id))
    silence(locate(root.id))
    assert reasons(cell) == dict.fromkeys((external.id, waiting.id), "not_alive")
    listed = list_providers(ProviderFilter(cell=cell.name), 10).results
    assert [one["alive"] for one in listed] == [False] * 3
    change(root.id, read_provider(root.id)[1].state_version, Changes({"heartbeat": "none"}, {}, {}))
    assert reasons(cell) == dict.fromkeys((external.id, waiting.id))
    assert all(one["alive"] for one in list_providers(ProviderFilter(cell=cell.name), 10).results)
