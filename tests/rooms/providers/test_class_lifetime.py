"""An operator's own class is made, and goes only when nobody has it or is about to."""

import uuid

import pytest

from providers import own_class, register
from providers.change import Changes, change
from providers.inventory import Inventory
from providers.records import read_provider
from providers.refusals import Conflict, Invalid, NotFound
from providers.remove import remove
from providers.resource_classes import custom
from providers.resource_classes.kind import Column, amount, integer_property, text_property
from providers.resource_classes.registry import BUILT_IN, all_classes, known_class, resource_class


@pytest.fixture
def name(cassandra) -> str:
    return f"seats_{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize("built_in", sorted(BUILT_IN))
def test_a_built_in_name_is_taken(cassandra, built_in):
    with pytest.raises(Conflict):
        own_class.create(built_in, [amount("seats", "seat")])
    with pytest.raises(Conflict):
        own_class.delete(built_in)


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ([amount("seats", ""), text_property("seats")], "columns"),
        ([amount(f"n{n}", "") for n in range(custom.MAX_COLUMNS + 1)], "columns"),
        ([amount("Seats", "")], "columns.0.name"),
        ([amount("seats", ""), amount("1st", "")], "columns.1.name"),
        ([amount("s" * 64, "")], "columns.0.name"),
        ([Column("seats", "", "amount", "string")], "columns.0.type"),
        ([text_property("vendor")], "columns"),
    ],
)
def test_what_columns_may_be(name, columns, field):
    with pytest.raises(Invalid) as refused:
        own_class.create(name, columns)
    assert refused.value.field == field
    with pytest.raises(NotFound):
        resource_class(name)


def test_as_many_columns_as_there_may_be_each_with_its_amount(cell, host, name):
    columns = [amount(f"n{n}", "piece") for n in range(custom.MAX_COLUMNS)]
    own_class.create(name, columns)
    wanted = {f"n{n}": n for n in range(custom.MAX_COLUMNS)}
    own = host(resource_class=name, amounts=wanted, heartbeat="none")
    assert read_provider(own.id)[1].available == wanted


def test_it_goes_when_no_provider_has_it_and_its_name_is_free_again(cell, host, name):
    own_class.create(name, [amount("seats", "seat"), text_property("vendor")])
    own = host(resource_class=name, amounts={"seats": 1}, heartbeat="none")
    with pytest.raises(Conflict, match="has providers"):
        own_class.delete(name)
    assert resource_class(name) in all_classes()  # it is as before
    remove(own.id)
    own_class.delete(name)
    with pytest.raises(NotFound):
        resource_class(name)
    with pytest.raises(NotFound):
        own_class.delete(name)
    assert name not in {one.name for one in all_classes()}
    with pytest.raises(Invalid, match="no resource class"):
        host(resource_class=name, amounts={"seats": 1})
    assert own_class.create(name, [amount("desks", "desk")]) == resource_class(name)
    assert host(resource_class=name, amounts={"desks": 2}, heartbeat="none").available == {"desks": 2}


def test_it_stays_while_a_provider_of_it_is_coming(cell, host, name, monkeypatch):
    """The registration has put itself on the list, its row is not there yet."""
    own_class.create(name, [amount("seats", "seat")])
    insert, tried = register.insert, []

    def late(key, columns):
        with pytest.raises(Conflict, match="has providers"):
            own_class.delete(name)
        tried.append(name)
        return insert(key, columns)

    monkeypatch.setattr("providers.register.insert", late)
    host(resource_class=name, amounts={"seats": 1}, heartbeat="none")
    assert tried
    assert resource_class(name).name == name


def test_no_provider_comes_of_a_class_that_goes_meanwhile(cell, host, name, monkeypatch):
    """The registration has read the class, and is not on the list yet."""
    own_class.create(name, [amount("seats", "seat")])
    root = host(heartbeat="none")
    write_lookups = register._write_lookups

    def late(*args):
        own_class.delete(name)
        write_lookups(*args)

    monkeypatch.setattr("providers.register._write_lookups", late)
    with pytest.raises(Invalid, match="any more"):
        host(resource_class=name, amounts={"seats": 1}, heartbeat="none", parent=root.id)
    assert set(read_provider(root.id)[0].providers) == {root.id}
    assert known_class(name).closed


def test_inventory_and_properties_are_changed_from_what_was_seen(cell, host, name):
    own_class.create(name, [amount("seats", "seat"), amount("desks", "desk"), integer_property("floor", "")])
    own = host(resource_class=name, amounts={"seats": 5}, heartbeat="none", properties={"floor": 3})
    _, now = change(own.id, own.state_version, Changes({}, {"seats": Inventory(10, 2, 1.5)}, {"floor": 4}))
    assert (now.amounts, now.available) == ({"seats": 13, "desks": 0}, {"seats": 13, "desks": 0})
    assert now.totals == {"seats": 10, "desks": 0}
    assert now.resource_class.properties_of(now.row) == {"floor": 4}
    with pytest.raises(Conflict):
        change(own.id, own.state_version, Changes({}, {"seats": Inventory(1)}, {}))
    with pytest.raises(Invalid):
        change(own.id, now.state_version, Changes({}, {"chairs": Inventory(1)}, {}))
