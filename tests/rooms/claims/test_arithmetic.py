"""The claim's arithmetic on real Cassandra: what is available is the sum of the records, at every step."""

import uuid

from claims import mark
from claims.consume import consume
from claims.find import find
from claims.release import destroy, release
from claims.take import take
from claims.types import Already, Closed, Done, Lost, Member, Not, Order, Taken, claim_id
from providers.change import Changes, change, report
from providers.inventory import Inventory
from providers.records import read_provider
from store.session import keyspace, read


def order(tree, own, vcpus, *, state_version=None, request_id=None):
    request_id = request_id or uuid.uuid4()
    member = Member(
        claim_id(request_id, 0, 0, 0),
        0,
        own.id,
        own.row["name"],
        "compute",
        {"vcpus": vcpus, "memory_mb": vcpus * 1024},
        state_version or own.state_version,
    )
    return Order(tree.home, tree.root_id, own.state_version, request_id, 0, "someone", "project", (member,))


def cql_sum(home, provider_id):
    """The sum over all of a provider's records, computed by Cassandra."""
    rows = read(
        f"SELECT SUM(vcpus) AS vcpus, SUM(memory_mb) AS memory_mb FROM {keyspace(home.datacenter)}.provider_records "
        "WHERE root_id = ? AND provider_id = ?",
        [provider_id, provider_id],
    )
    return rows[0]


def test_available_is_the_sum_at_every_step(host):
    own = host(heartbeat="none")
    tree, own = read_provider(own.id)

    def check(available, amounts):
        _, now = read_provider(own.id)
        assert now.available["vcpus"] == available
        assert now.amounts["vcpus"] == amounts
        total = cql_sum(tree.home, own.id)
        assert total == {"vcpus": now.available["vcpus"], "memory_mb": now.available["memory_mb"]}

    one, two = order(tree, own, 2), order(tree, own, 3)
    assert take(one) == Taken()
    check(6, 8)
    assert take(one) == Taken()  # the same id again: claimed exactly once
    check(6, 8)
    assert take(two) == Taken()
    check(3, 8)
    assert isinstance(take(order(tree, own, 4)), Lost)
    check(3, 8)
    first, second = find(one.members[0].claim_id), find(two.members[0].claim_id)
    assert mark.building(first) == Done()
    assert isinstance(release(first), Not)  # a host is at work on it
    assert consume(first) == Done()
    check(3, 6)
    assert consume(first) == Already()
    check(3, 6)
    assert release(second) == Done()
    check(6, 6)
    assert release(second) == Already()
    check(6, 6)
    assert destroy(find(first.id)) == Done()
    check(8, 8)
    assert destroy(first) == Already()
    check(8, 8)


def test_a_claim_on_an_older_state_is_refused(host):
    own = host(heartbeat="none")
    tree, own = read_provider(own.id)
    change(own.id, own.state_version, Changes({"state": "disabled"}, {}, {}))
    lost = take(order(tree, own, 1))
    assert isinstance(lost, Lost)
    assert lost.tree.providers[own.id].row["state"] == "disabled"


def test_a_host_that_shrinks_under_its_claims_goes_negative_and_takes_back(host):
    own = host(heartbeat="none")
    tree, own = read_provider(own.id)
    taken = order(tree, own, 6)
    assert take(taken) == Taken()
    _, now = report(own.id, {"vcpus": 4}, {}, None)
    assert now.available["vcpus"] == -2
    assert isinstance(take(order(tree, now, 1)), Lost)
    assert release(find(taken.members[0].claim_id)) == Done()
    _, now = read_provider(own.id)
    assert now.available["vcpus"] == 4 == cql_sum(tree.home, own.id)["vcpus"]


def test_a_closed_id_can_not_be_claimed(host):
    from time import monotonic

    from claims.settle import close

    own = host(heartbeat="none")
    tree, own = read_provider(own.id)
    one = order(tree, own, 2)
    member = one.members[0]
    assert close(tree.home, tree.root_id, own.id, member.claim_id, one.request_id, monotonic() + 5) is None
    assert take(one) == Closed()
    two = order(tree, own, 2)
    take(two)
    found = close(tree.home, tree.root_id, own.id, two.members[0].claim_id, two.request_id, monotonic() + 5)
    assert found is not None
    assert found.kind == "claim"
    assert found.amounts == {"vcpus": -2, "memory_mb": -2048}


def test_ratio_and_reserved_make_the_effective_capacity(host):
    own = host(heartbeat="none")
    _, now = change(own.id, own.state_version, Changes({}, {"vcpus": Inventory(8, 1, 2.0)}, {}))
    assert now.available["vcpus"] == now.amounts["vcpus"] == 15


def test_a_record_that_is_no_claim_any_more_is_neither_consumed_nor_released(host):
    own = host(heartbeat="none")
    tree, own = read_provider(own.id)
    one = order(tree, own, 2)
    assert take(one) == Taken()
    assert consume(find(one.members[0].claim_id)) == Done()
    instance = find(one.members[0].claim_id)
    assert consume(instance) == Already()
    assert release(instance) == Not(instance)
