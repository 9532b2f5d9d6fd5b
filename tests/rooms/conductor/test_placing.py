"""A request finds its place: on one host, on several at once, down its alternates, or not; nothing else is left."""

import uuid
from typing import Any
from uuid import UUID

import pytest

from claims.find import find as find_claim
from claims.find import on_provider
from claims.release import release
from claims.take import take
from claims.types import Closed, Done, Lost, Member, Order, Taken, Unsettled, claim_id
from conductor.find import read_request
from conductor.place import schedule
from conductor.progress import building, built
from conductor.release import delete_request, release_claim
from conductor.types import Contended, Mismatch, NoValidHost, Placed, ScheduleRequest
from providers.change import Changes, change
from providers.records import read_provider
from providers.resource_classes import custom
from providers.resource_classes.kind import amount, text_property
from scheduler.types import Resource
from store import failpoints

VCPUS = Resource("compute", {"vcpus": 4})
DISK = Resource("block_storage", {"capacity_gb": 10})
NO_EXPLANATION = {"considered", "funnel", "nearest"}


def request(cell, *resources: Resource, **changes: Any) -> ScheduleRequest:
    values: dict[str, Any] = {"body": {"vcpus": 4}, "username": "somebody", "cell": cell.name}
    return ScheduleRequest("me", "project", resources or (VCPUS,), **(values | changes))


def storage(host, **changes: Any):
    return host(resource_class="block_storage", amounts={"capacity_gb": 100, "iops": 1}, heartbeat="none", **changes)


def kinds(*owns) -> list[str]:
    return sorted(r.kind for own in owns for r in on_provider(own.id))


def available(own) -> dict[str, int]:
    return read_provider(own.id)[1].available


def untouched(*owns) -> bool:
    return all(kinds(own) == [] and available(own) == own.available for own in owns)


def take_behind(own, home, **amounts: int) -> Order:
    """Takes room and tells nobody: the projection goes on showing it."""
    own = read_provider(own.id)[1]
    name, made = own.row["resource_class"], uuid.uuid4()
    member = Member(claim_id(made, 0, 0, 0), 0, own.id, "host", name, amounts, own.state_version)
    order = Order(home, own.row["root_id"], own.state_version, made, 0, "other", "other", (member,))
    assert take(order, tell=False) == Taken()
    return order


class TestTheSameAgain:
    def test_what_was_claimed_is_answered_again(self, cell, host):
        own = host(heartbeat="none")
        wanted = request(cell, request_id=uuid.uuid4())
        first, again = schedule(wanted), schedule(wanted)
        assert isinstance(first, Placed)
        assert isinstance(again, Placed)
        assert (first.replayed, again.replayed) == (False, True)
        assert [c["id"] for c in first.claims] == [c["id"] for c in again.claims]
        assert kinds(own) == ["claim"]

    def test_a_refusal_is_answered_again_although_there_is_room_now(self, cell, host):
        wanted = request(cell, request_id=uuid.uuid4())
        first = schedule(wanted)
        own = host(heartbeat="none")
        again = schedule(wanted)
        assert isinstance(first, NoValidHost)
        assert again == first
        assert untouched(own)

    def test_another_body_is_a_mismatch(self, cell, host):
        host(heartbeat="none")
        used = uuid.uuid4()
        assert isinstance(schedule(request(cell, request_id=used)), Placed)
        assert schedule(request(cell, request_id=used, body={"vcpus": 5})) == Mismatch(used)

    def test_the_answer_after_its_end_is_the_first_one(self, cell, host):
        host(heartbeat="none")
        wanted = request(cell, request_id=uuid.uuid4())
        first = schedule(wanted)
        assert delete_request(first.request_id, "somebody")
        again = schedule(wanted)
        assert isinstance(again, Placed)
        assert [c["id"] for c in first.claims] == [c["id"] for c in again.claims]


class TestSeveralTrees:
    def test_all_of_them_are_claimed(self, cell, host):
        own, disk = host(heartbeat="none"), storage(host)
        placed = schedule(request(cell, VCPUS, DISK))
        assert isinstance(placed, Placed)
        assert {c["state"] for c in placed.claims} == {"claimed"}
        assert [r.state for o in (own, disk) for r in on_provider(o.id)] == ["claimed", "claimed"]
        assert read_request(placed.request_id).state == "claimed"

    def test_when_one_tree_refuses_nothing_is_left_on_the_others(self, cell, host):
        own, disk = host(heartbeat="none"), storage(host)
        take_behind(disk, cell.home, capacity_gb=95)
        answer = schedule(request(cell, VCPUS, DISK))
        assert isinstance(answer, NoValidHost)
        assert answer.explanation["nearest"][0]["short_by"] == {"capacity_gb": 5}
        assert untouched(own)
        assert available(disk)["capacity_gb"] == 5
        assert read_request(answer.request_id).state == "failed"

    def test_a_hold_that_loses_goes_to_its_alternate(self, cell, host, settings):
        settings.SCHEDULE_SUBSET = 1
        own, full, other = host(heartbeat="none"), storage(host), storage(host)
        take_behind(other, cell.home, capacity_gb=20)
        _show_again(other)
        take_behind(full, cell.home, capacity_gb=95)
        placed = schedule(request(cell, VCPUS, DISK))
        assert isinstance(placed, Placed)
        assert {c["provider"] for c in placed.claims} == {str(own.id), str(other.id)}
        assert (available(full)["capacity_gb"], available(other)["capacity_gb"]) == (5, 70)
        assert {r.state for r in on_provider(other.id)} == {"claimed"}


def _show_again(own):
    """Projects the provider as it is."""
    change(own.id, read_provider(own.id)[1].state_version, Changes({"rack": "r"}, {}, {}))


class TestAStaleView:
    def test_the_next_host_is_taken_when_the_first_is_full(self, cell, host, settings):
        settings.SCHEDULE_SUBSET = 1
        best = host(heartbeat="none", amounts={"vcpus": 64})
        other = host(heartbeat="none", amounts={"vcpus": 64})
        take_behind(other, cell.home, vcpus=8)
        _show_again(other)
        take_behind(best, cell.home, vcpus=62)
        placed = schedule(request(cell))
        assert isinstance(placed, Placed)
        assert [c["provider"] for c in placed.claims] == [str(other.id)]
        assert placed.attempts == 2
        assert available(best)["vcpus"] == 2

    def test_a_host_that_changed_but_still_fits_is_claimed_at_once(self, cell, host, monkeypatch):
        own = host(heartbeat="none")
        monkeypatch.setattr("providers.change.project_now", lambda home, root, *news: read_provider(root)[0])
        change(own.id, own.state_version, Changes({"rack": "r9"}, {}, {}))
        placed = schedule(request(cell))
        assert isinstance(placed, Placed)
        assert placed.attempts == 2
        assert kinds(own) == ["claim"]

    def test_room_that_came_back_unseen_is_found_before_anyone_hears_no(self, cell, host, monkeypatch):
        own = host(heartbeat="none")
        full = schedule(request(cell, Resource("compute", {"vcpus": 8})))
        assert isinstance(full, Placed)
        monkeypatch.setattr("claims.release.project_now", lambda home, root, *news: read_provider(root)[0])
        assert release(find_claim(UUID(full.claims[0]["id"]))) == Done()
        assert isinstance(schedule(request(cell)), Placed)
        assert kinds(own) == ["claim"]


class TestNo:
    def test_no_valid_host_says_why_and_who_came_nearest(self, cell, host):
        small, busy = host(heartbeat="none", amounts={"vcpus": 2}), host(heartbeat="none")
        host(heartbeat="none", state="disabled")
        schedule(request(cell, Resource("compute", {"vcpus": 7})))
        answer = schedule(request(cell))
        assert isinstance(answer, NoValidHost)
        explanation = answer.explanation
        assert explanation.keys() >= NO_EXPLANATION
        assert explanation["considered"] == 3
        assert [s["removed"] for s in explanation["funnel"] if s["stage"] in ("state", "capacity")] == [1, 2]
        nearest = {n["provider"]: n["short_by"] for n in explanation["nearest"]}
        assert nearest == {str(small.id): {"vcpus": 2}, str(busy.id): {"vcpus": 3}}

    def test_room_that_is_always_lost_to_others_is_contended(self, cell, host, monkeypatch):
        own = host(heartbeat="none")

        def lose(order: Order, **_: Any) -> Lost:
            tree, now = read_provider(own.id)
            now.row["available_vcpus"] = 0  # what the refusal showed; a moment later the room is back
            return Lost(tree)

        monkeypatch.setattr("conductor.attempt.take", lose)
        wanted = request(cell, request_id=uuid.uuid4())
        answer = schedule(wanted)
        assert isinstance(answer, Contended)
        assert answer.attempts >= 2
        assert untouched(own)
        monkeypatch.undo()
        again = schedule(wanted)  # "try again" is what it was told
        assert isinstance(again, Placed)
        assert (again.request_id, kinds(own)) == (wanted.request_id, ["claim"])

    def test_no_cell_no_host(self, cassandra):
        other = ScheduleRequest("me", "project", (Resource("baremetal", {"nodes": 1}),), {}, "somebody")
        assert isinstance(schedule(other), NoValidHost)


class TestCount:
    def test_all_or_nothing(self, cell, host):
        one, two = host(heartbeat="none"), host(heartbeat="none")
        refused = schedule(request(cell, count=5))
        assert isinstance(refused, NoValidHost)
        assert refused.explanation["changes"][0]["text"] == "count 4 instead of 5: 2 providers"
        assert untouched(one, two)
        placed = schedule(request(cell, count=4))
        assert isinstance(placed, Placed)
        assert len(placed.claims) == 4
        assert available(one)["vcpus"] == available(two)["vcpus"] == 0

    def test_as_many_as_there_is_room_for(self, cell, host):
        one, two = host(heartbeat="none"), host(heartbeat="none")
        placed = schedule(request(cell, count=5, all_or_nothing=False, body={"all_or_nothing": False}))
        assert isinstance(placed, Placed)
        assert len({c["id"] for c in placed.claims}) == 4
        assert kinds(one, two) == ["claim"] * 4

    def test_several_on_one_host_are_one_transaction(self, cell, host):
        own = host(heartbeat="none")
        placed = schedule(request(cell, Resource("compute", {"vcpus": 2}), count=4))
        assert isinstance(placed, Placed)
        assert placed.attempts == 1
        assert (kinds(own), available(own)["vcpus"]) == (["claim"] * 4, 0)


class TestAnOperatorsOwnClass:
    @pytest.fixture
    def licences(self, cassandra):
        return custom.create(f"licences_{uuid.uuid4().hex[:8]}", [amount("seats", "seat"), text_property("vendor")])

    def pool(self, host, licences, **changes):
        values = {"heartbeat": "none", "properties": {"vendor": "acme"}, **changes}
        return host(resource_class=licences.name, amounts={"seats": 5}, **values)

    def test_is_scheduled_and_released(self, cell, host, licences):
        own = self.pool(host, licences)
        seats = Resource(licences.name, {"seats": 3}, {"vendor": "acme"})
        placed = schedule(request(cell, seats))
        assert isinstance(placed, Placed)
        assert available(own) == {"seats": 2}
        assert isinstance(schedule(request(cell, seats)), NoValidHost)
        assert isinstance(schedule(request(cell, Resource(licences.name, {"seats": 1}, {"vendor": "x"}))), NoValidHost)
        assert release_claim(UUID(placed.claims[0]["id"]), "somebody")
        assert untouched(own)

    def test_is_built_and_destroyed(self, cell, host, licences):
        own = self.pool(host, licences, heartbeat="agent")
        placed = schedule(request(cell, Resource(licences.name, {"seats": 3})))
        claim = UUID(placed.claims[0]["id"])
        building(claim, own.id)
        built(claim, own.id)
        now = read_provider(own.id)[1]
        assert (now.amounts, now.available, kinds(own)) == ({"seats": 2}, {"seats": 2}, ["instance"])
        assert delete_request(placed.request_id, "somebody", force=True)
        now = read_provider(own.id)[1]
        assert (now.amounts, now.available, kinds(own)) == ({"seats": 5}, {"seats": 5}, [])


class TestAChild:
    def test_is_sold_while_its_root_is_enabled(self, cell, host):
        root = host(heartbeat="none")
        child = host(
            resource_class="network",
            amounts={"ipv4_addresses": 4, "bandwidth_mbps": 9},
            heartbeat="none",
            parent=root.id,
        )
        addresses = request(cell, Resource("network", {"ipv4_addresses": 1}))
        placed = schedule(addresses)
        assert isinstance(placed, Placed)
        assert placed.claims[0]["provider"] == str(child.id)
        change(root.id, read_provider(root.id)[1].state_version, Changes({"state": "disabled"}, {}, {}))
        answer = schedule(addresses)
        assert isinstance(answer, NoValidHost)
        assert [s["removed"] for s in answer.explanation["funnel"] if s["stage"] == "state"] == [1]
        assert (kinds(root), kinds(child)) == ([], ["claim"])


class TestNoAnswer:
    """The transaction's answer is lost, once with the transaction applied and once without."""

    @pytest.fixture(params=["after", "before"], ids=["applied", "not applied"])
    def once(self, request):
        yield lambda name: failpoints.arm(f"{name}:{request.param}=lost")
        assert failpoints._armed.left <= 0  # it struck
        failpoints.arm("")

    @pytest.mark.parametrize("hosts", [1, 3])
    def test_of_the_claim(self, cell, host, once, hosts):
        owns = [host(heartbeat="none") for _ in range(hosts)]
        once("claims.take")
        placed = schedule(request(cell))
        assert isinstance(placed, Placed)
        assert kinds(*owns).count("claim") == 1
        assert sum(available(own)["vcpus"] for own in owns) == 8 * hosts - 4
        assert read_request(placed.request_id).state == "claimed"

    def test_of_one_of_several_trees(self, cell, host, once):
        owns = [host(heartbeat="none"), storage(host)]
        once("claims.take")
        placed = schedule(request(cell, VCPUS, DISK))
        assert isinstance(placed, Placed)
        assert kinds(*owns).count("claim") == 2
        assert (available(owns[0])["vcpus"], available(owns[1])["capacity_gb"]) == (4, 90)

    def test_of_the_requests_row(self, cell, host, once):
        own = host(heartbeat="none")
        once("requests.new-scheduling")
        placed = schedule(request(cell))
        assert isinstance(placed, Placed)
        assert not placed.replayed
        assert kinds(own) == ["claim"]

    def test_of_a_release(self, cell, host, once):
        own = host(heartbeat="none")
        placed = schedule(request(cell))
        once("claims.release")
        assert release_claim(UUID(placed.claims[0]["id"]), "somebody")
        assert untouched(own)
        assert read_request(placed.request_id).state == "released"

    def test_of_a_consume(self, cell, host, once):
        own = host()
        placed = schedule(request(cell))
        claim = UUID(placed.claims[0]["id"])
        building(claim, own.id)
        once("claims.consume")
        built(claim, own.id)
        now = read_provider(own.id)[1]
        assert (now.amounts["vcpus"], now.available["vcpus"], kinds(own)) == (4, 4, ["instance"])

    def test_a_try_that_was_given_up_can_not_come_true_later(self, cell, host, monkeypatch):
        own = host(heartbeat="none")
        late: list[Order] = []

        def unanswered(order: Order, **_: Any):
            monkeypatch.undo()
            late.append(order)
            return Unsettled("its coordinator sleeps")

        monkeypatch.setattr("conductor.attempt.take", unanswered)
        assert isinstance(schedule(request(cell)), Placed)
        assert take(late[0]) == Closed()
        assert available(own)["vcpus"] == 4
