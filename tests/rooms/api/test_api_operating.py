"""What operators do to a provider over the API: with a reason, and seen afterwards."""

import uuid
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from api import tokens
from api.models import Token
from claims import mark
from claims.find import find
from conductor.progress import built
from providers.heartbeat import silence
from providers.maintenance import begin_and_end_windows
from providers.records import locate
from providers.remove import remove
from tests.rooms.api.cast import request_for
from tests.rooms.api.portal import Portal


@pytest.fixture
def v12(callers):
    """Callers that speak 1.2."""
    return {role: Portal(one.token, "1.2") for role, one in callers.items()}


@pytest.fixture
def run(operator, cell_of_api):
    """Schedules so many copies; `state` active: their hosts have built them."""

    def make(state="claimed", count=1, **changes):
        body = request_for(cell_of_api, count=count, **changes)
        placed = operator.post("/api/schedule", body)
        assert placed.status == 201, placed
        for claim in placed.body["claims"] if state == "active" else ():
            mark.building(find(UUID(claim["id"])))
            built(UUID(claim["id"]), UUID(claim["provider"]))
        return placed.body

    return make


def path_of(host, rest=""):
    return f"/api/providers/{host['id']}{rest}"


def instant(seconds):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def change(caller, host, **changes):
    version = caller.get(path_of(host)).body["state_version"]
    return caller.patch(path_of(host), {"state_version": version, **changes})


class TestReasons:
    @pytest.mark.parametrize("state", ["disabled", "draining"])
    @pytest.mark.parametrize("why", [{}, {"state_reason": ""}, {"state_reason": "  "}])
    def test_whoever_takes_a_host_out_of_service_says_why_since_1_2(self, v12, operator, new_host, state, why):
        host = new_host()
        refused = change(v12["operator"], host, state=state, **why)
        assert (refused.status, refused.code, refused.fields) == (400, "invalid", {"state_reason"})
        assert operator.get(path_of(host)).body["state"] == "enabled"
        assert change(operator, host, state=state, **why).status == 200  # 1.0 answers as it did

    def test_the_reason_of_a_host_out_of_service_is_not_taken_away(self, v12, new_host):
        host = new_host()
        assert change(v12["operator"], host, state="disabled", state_reason="a fan").status == 200
        assert change(v12["operator"], host, state_reason="").fields == {"state_reason"}
        assert change(v12["operator"], host, state_reason="two fans").body["state_reason"] == "two fans"

    def test_whoever_takes_it_back_into_service_says_why_too(self, v12, operator, new_host):
        host = new_host()
        change(v12["operator"], host, state="disabled", state_reason="a fan")
        assert change(operator, host, state="enabled").body["state_reason"] == "a fan"  # as 1.0 did
        change(v12["operator"], host, state="disabled", state_reason="a fan")
        assert change(v12["operator"], host, state="enabled").fields == {"state_reason"}
        assert change(v12["operator"], host, state="enabled", state_reason="mended").body["state_reason"] == "mended"
        assert change(v12["operator"], host, state="enabled").status == 200  # it is so already
        assert change(v12["operator"], host, state_reason="").body["state_reason"] == ""

    def test_a_wrong_type_is_one_mistake(self, v12, new_host):
        answer = change(v12["operator"], new_host(), state="disabled", state_reason=7)
        assert [e["field"] for e in answer.body["errors"]] == ["state_reason"]

    def test_a_new_host_that_is_not_enabled_has_a_reason_too(self, v12, cell_of_api):
        body = {"name": "h", "cell": cell_of_api, "resource_class": "compute", "amounts": {"vcpus": 1}}
        refused = v12["admin"].post("/api/providers", {**body, "state": "disabled"})
        assert (refused.status, refused.fields) == (400, {"state_reason"})
        made = v12["admin"].post("/api/providers", {**body, "state": "disabled", "state_reason": "in its box"})
        assert made.status == 201


class TestHistory:
    def test_who_did_what_when_and_why(self, v12, new_host, callers):
        host = new_host()
        change(v12["operator"], host, state="draining", state_reason="new disks")
        change(v12["admin"], host, state="enabled", state_reason="they are in")
        change(v12["admin"], host, inventory={"vcpus": {"reserved": 2, "allocation_ratio": 1.5}})
        lines = v12["viewer"].all(path_of(host, "/history"))
        told = [(one["what"], one["from"], one["to"], one["why"]) for one in lines]
        assert told == [
            ("inventory", "vcpus 8 x 1 - 0", "vcpus 8 x 1.5 - 2", ""),
            ("state", "draining", "enabled", "they are in"),
            ("state", "enabled", "draining", "new disks"),
        ]
        assert lines[0]["who"].startswith("admin-")
        assert lines[2]["who"].startswith("operator-")
        assert (lines[2]["claims"], lines[2]["instances"]) == (0, 0)
        assert lines[1]["claims"] is None

    def test_page_by_page_and_of_a_host_that_is_gone(self, v12, new_host):
        host = new_host()
        for number in range(5):
            change(v12["operator"], host, state="draining", state_reason=f"reason {number}")
        assert v12["admin"].delete(path_of(host)).status == 204
        lines = v12["viewer"].all(path_of(host, "/history?limit=2"))
        assert [one["why"] for one in lines] == ["", *(f"reason {n}" for n in (4, 3, 2, 1, 0))]
        assert lines[0]["what"] == "removed"

    def test_mistakes(self, v12, viewer, new_host):
        host = new_host()
        assert viewer.get(path_of(host, "/history")).status == 404  # not before 1.2
        assert v12["viewer"].get(f"/api/providers/{uuid.uuid4()}/history").code == "not_found"
        assert v12["viewer"].get(path_of(host, "/history?next=xyz")).fields == {"next"}
        assert v12["viewer"].get(path_of(host, "/history?limit=0")).fields == {"limit"}
        assert v12["nobody"].get(path_of(host, "/history")).status == 401


class TestDrain:
    def test_what_it_touches_before_and_while_it_empties(self, v12, new_host, run):
        host, other = new_host(), new_host(resource_class="block_storage", amounts={"capacity_gb": 100})
        alone = run("active")
        disk = {"resource_class": "block_storage", "amounts": {"capacity_gb": 10}}
        vcpu = {"resource_class": "compute", "amounts": {"vcpus": 1}}
        spread = run(resources=[vcpu, disk], consumer="else", project="b")
        preview = v12["viewer"].get(path_of(host, "/drain")).body
        assert (preview["state"], preview["began"], preview["empty"]) == ("enabled", None, False)
        assert preview["left"] == {"claims": 1, "instances": 1, "requests": 2}
        found = {one["request_id"]: one for one in preview["results"]}
        assert found[alone["request_id"]]["elsewhere"] == 0
        assert found[alone["request_id"]]["state"] == "active"
        assert found[spread["request_id"]]["elsewhere"] == 1
        assert [one["consumer"] for one in preview["holders"]] == ["someone", "else"]

        begun = v12["operator"].post(path_of(host, "/drain"), {"reason": "new disks"})
        assert (begun.status, begun.body["state"], begun.body["state_reason"]) == (200, "draining", "new disks")
        assert (begun.body["began"]["claims"], begun.body["began"]["instances"]) == (1, 1)
        assert begun.body["began"]["by"].startswith("operator-")
        assert v12["operator"].delete(f"/api/requests/{spread['request_id']}").status == 204
        now = v12["viewer"].get(path_of(host, "/drain")).body
        assert now["left"] == {"claims": 0, "instances": 1, "requests": 1}
        assert now["began"] == begun.body["began"]
        force = f"/api/requests/{alone['request_id']}?force=true&reason=x&even_if_alive=true"
        assert v12["admin"].delete(force).status == 204
        assert v12["viewer"].get(path_of(host, "/drain")).body["empty"] is True
        assert v12["viewer"].get(path_of(other, "/drain")).body["empty"] is True

    def test_begun_again_it_changes_nothing_and_a_new_reason_is_not_a_new_drain(self, v12, new_host, run):
        host = new_host()
        run()
        first = v12["operator"].post(path_of(host, "/drain"), {"reason": "one"}).body
        again = v12["operator"].post(path_of(host, "/drain"), {"reason": "one"}).body
        assert again["state_version"] == first["state_version"]
        other = v12["operator"].post(path_of(host, "/drain"), {"reason": "two"}).body
        assert (other["state_reason"], other["began"]) == ("two", first["began"])
        change(v12["operator"], host, state="enabled", state_reason="they are in")
        assert v12["viewer"].get(path_of(host, "/drain")).body["began"] is None

    def test_a_root_is_empty_when_its_children_are(self, v12, new_host, run):
        root = new_host()
        child = new_host(parent=root["id"], amounts={"vcpus": 8, "memory_mb": 8192, "disk_gb": 0})
        run(count=2, resources=[{"resource_class": "compute", "amounts": {"vcpus": 8}}])
        v12["operator"].post(path_of(root, "/drain"), {"reason": "x"})
        assert v12["viewer"].get(path_of(root, "/drain")).body["left"]["claims"] == 2
        assert v12["viewer"].get(path_of(child, "/drain")).body["left"]["claims"] == 1
        assert v12["viewer"].get(path_of(child, "/drain")).body["began"] is None  # it is its root that drains

    def test_page_by_page(self, v12, new_host, run):
        host = new_host()
        made = {run(resources=[{"resource_class": "compute", "amounts": {"vcpus": 1}}])["request_id"] for _ in range(5)}
        found = [one["request_id"] for one in v12["viewer"].all(path_of(host, "/drain?limit=2"))]
        assert len(found) == 5
        assert set(found) == made

    def test_mistakes(self, v12, viewer, new_host):
        host = new_host()
        drain = path_of(host, "/drain")
        assert viewer.get(drain).status == 404
        assert v12["viewer"].post(drain, {"reason": "x"}).code == "forbidden"
        for body in ({}, {"reason": ""}, {"reason": " "}, {"reason": 1}, {"reason": "x" * 256}):
            assert v12["operator"].post(drain, body).fields == {"reason"}
        assert v12["operator"].post(drain, {"reason": "x", "state_version": 9}).code == "conflict"
        assert v12["operator"].post(drain, {"reason": "x", "state_version": 0}).fields == {"state_version"}
        assert v12["viewer"].get(f"{drain}?next=1").fields == {"next"}
        assert v12["viewer"].get("/api/providers/x/drain").code == "not_found"
        assert v12["viewer"].get(drain).body["state"] == "enabled"


class TestMaintenance:
    def test_it_is_planned_takes_force_and_ends(self, v12, new_host, operator, cell_of_api):
        host = new_host()
        home = locate(UUID(host["id"])).home
        planned = v12["operator"].post(path_of(host, "/maintenance"), {"until": instant(3), "reason": "new rails"})
        assert planned.status == 201
        assert planned.body["in_force"] is True
        begin_and_end_windows(home)
        now = v12["viewer"].get(path_of(host)).body
        assert now["state"] == "draining"
        assert now["state_reason"].startswith("maintenance until 2")
        assert now["state_reason"].endswith(": new rails")
        assert operator.post("/api/schedule", request_for(cell_of_api)).code == "no_valid_host"
        [listed] = v12["viewer"].get(path_of(host, "/maintenance")).body["results"]
        assert listed["begun_at"] is not None

        assert v12["operator"].delete(f"{path_of(host, '/maintenance')}/{listed['id']}").status == 204
        assert v12["viewer"].get(path_of(host)).body["state"] == "enabled"
        assert v12["viewer"].get(path_of(host, "/maintenance")).body["results"] == []
        assert v12["operator"].delete(f"{path_of(host, '/maintenance')}/{listed['id']}").code == "not_found"
        told = [(one["what"], one["to"]) for one in v12["viewer"].all(path_of(host, "/history"))]
        assert told[:3] == [("maintenance", "cancelled"), ("state", "enabled"), ("state", "draining")]

    def test_sent_again_with_an_id_of_its_own_it_is_planned_once(self, v12, new_host):
        host = new_host()
        body = {"id": str(uuid.uuid4()), "from": instant(60), "until": instant(90), "reason": "x"}
        one = v12["operator"].post(path_of(host, "/maintenance"), body)
        two = v12["operator"].post(path_of(host, "/maintenance"), body)
        assert (one.status, two.status, one.body["id"]) == (201, 201, body["id"])
        assert len(v12["viewer"].get(path_of(host, "/maintenance")).body["results"]) == 1
        other = v12["operator"].post(path_of(host, "/maintenance"), {**body, "reason": "y"})
        assert other.code == "conflict"

    def test_mistakes(self, v12, new_host):
        host = new_host()
        child = new_host(parent=host["id"])
        path, good = path_of(host, "/maintenance"), {"until": instant(60), "reason": "x"}
        post = v12["operator"].post
        assert v12["viewer"].post(path, good).code == "forbidden"
        assert post(path, {"until": instant(60)}).fields == {"reason"}
        assert post(path, {"reason": "x"}).fields == {"until"}
        for until in (7, "", "soon", "2026-01-01", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", None, []):
            assert post(path, {**good, "until": until}).fields == {"until"}, until
        assert post(path, {**good, "until": instant(-5)}).fields == {"until"}
        assert post(path, {**good, "from": instant(70)}).fields == {"until"}
        assert post(path, {**good, "until": "9999-12-31T23:59:59Z"}).fields == {"until"}
        assert post(path, {**good, "until": "0001-01-01T00:00:00+14:00"}).fields == {"until"}
        assert post(path, {**good, "from": "x"}).fields == {"from"}
        assert post(path, {**good, "id": "x"}).fields == {"id"}
        assert post(path, {**good, "reason": "x" * 181}).fields == {"reason"}
        assert post(path_of(child, "/maintenance"), good).code == "conflict"
        assert post(f"/api/providers/{uuid.uuid4()}/maintenance", good).code == "not_found"
        assert post(path, good).status == 201
        assert post(path, good).code == "conflict"  # it overlaps
        assert v12["operator"].delete(f"{path}/x").code == "not_found"
        assert v12["viewer"].delete(f"{path}/{uuid.uuid4()}").code == "forbidden"


class TestDecommission:
    def test_it_drains_then_refuses_until_it_is_empty_and_then_goes(self, v12, new_host, run, agent_of):
        host = new_host()
        agent_of(host)
        made = run()
        path = path_of(host, "/decommission")
        refused = v12["admin"].post(path, {"reason": "sold"})
        assert (refused.status, refused.code, refused.body["left"]) == (409, "conflict", {"claims": 1, "instances": 0})
        now = v12["viewer"].get(path_of(host)).body
        assert (now["state"], now["state_reason"]) == ("draining", "decommission: sold")
        assert Token.objects.filter(provider_id=host["id"], revoked_at__isnull=True).exists()
        v12["operator"].delete(f"/api/requests/{made['request_id']}")
        assert v12["admin"].post(path, {"reason": "sold"}).status == 204
        assert v12["viewer"].get(path_of(host)).status == 404
        assert not Token.objects.filter(provider_id=host["id"], revoked_at__isnull=True).exists()
        assert v12["admin"].post(path, {"reason": "sold"}).status == 204  # repeated, it is done
        assert v12["viewer"].all(path_of(host, "/history"))[0]["why"] == "decommission: sold"

    def test_with_all_that_is_below_it(self, v12, new_host, agent_of):
        root = new_host()
        child = new_host(parent=root["id"])
        grandchild = new_host(parent=child["id"])
        for one in (root, child, grandchild):
            agent_of(one)
        assert v12["admin"].post(path_of(root, "/decommission"), {"reason": "x"}).status == 204
        for one in (root, child, grandchild):
            assert v12["viewer"].get(path_of(one)).status == 404
            assert not Token.objects.filter(provider_id=one["id"], revoked_at__isnull=True).exists()

    @pytest.mark.parametrize("at", ["tokens.revoke", "remove", "silence"])
    def test_interrupted_anywhere_it_is_finished_by_the_next(self, v12, new_host, agent_of, monkeypatch, at):
        class Killed(BaseException):
            pass

        def killed(*args, **kwargs):
            raise Killed

        host = new_host()
        child = new_host(parent=host["id"])
        agent_of(host), agent_of(child)
        where = {"tokens.revoke": "api.tokens.revoke", "remove": "providers.decommission.remove"}
        with monkeypatch.context() as patch:
            patch.setattr(where.get(at, "providers.remove.silence"), killed)
            with pytest.raises(Killed):
                v12["admin"].post(path_of(host, "/decommission"), {"reason": "x"})
        assert v12["admin"].post(path_of(host, "/decommission"), {"reason": "x"}).status == 204
        for one in (host, child):
            assert v12["viewer"].get(path_of(one)).status == 404
            assert not Token.objects.filter(provider_id=one["id"], revoked_at__isnull=True).exists()

    def test_mistakes(self, v12, admin, new_host):
        host = new_host()
        path = path_of(host, "/decommission")
        assert admin.post(path, {"reason": "x"}).status == 404
        assert v12["operator"].post(path, {"reason": "x"}).code == "forbidden"
        assert v12["admin"].post(path, {}).fields == {"reason"}
        assert v12["admin"].post(path, {"reason": "x" * 201}).fields == {"reason"}
        assert v12["admin"].post(f"/api/providers/{uuid.uuid4()}/decommission", {"reason": "x"}).code == "not_found"
        assert v12["viewer"].get(path_of(host)).body["state"] == "enabled"


def test_a_provider_that_was_removed_by_somebody_who_died_loses_its_token_with_the_next_delete(v12, new_host, agent_of):
    host = new_host()
    agent_of(host)
    remove(UUID(host["id"]))
    assert v12["admin"].delete(path_of(host)).status == 404
    assert tokens.valid_of([UUID(host["id"])]) == {}


class TestForce:
    def test_a_live_host_is_asked_instead_unless_that_is_wanted(self, v12, new_host, run):
        host = new_host()
        made = run("active")
        path = f"/api/requests/{made['request_id']}?force=true"
        assert v12["admin"].delete(path).fields == {"reason"}
        assert v12["admin"].delete(f"{path}&reason=%20").fields == {"reason"}
        refused = v12["admin"].delete(f"{path}&reason=gone")
        assert (refused.status, refused.code) == (409, "conflict")
        assert refused.body["alive"] == [{"provider": host["id"], "name": host["name"]}]
        assert "even_if_alive" in refused.body["detail"]
        assert v12["viewer"].get(f"/api/requests/{made['request_id']}").body["state"] == "active"
        assert v12["operator"].delete(f"{path}&reason=x&even_if_alive=true").code == "forbidden"
        assert v12["admin"].delete(f"{path}&reason=x&even_if_alive=perhaps").fields == {"even_if_alive"}
        assert v12["admin"].delete(f"{path}&reason=its%20disk%20is%20gone&even_if_alive=true").status == 204
        life = v12["viewer"].get(f"/api/requests/{made['request_id']}").body
        assert life["state"] == "released"
        assert any("its disk is gone" in one["why"] and one["who"].startswith("admin-") for one in life["history"])

    def test_a_dead_host_is_not_waited_for(self, v12, new_host, run):
        host = new_host()
        made = run("active")
        silence(locate(UUID(host["id"])))
        path = f"/api/requests/{made['request_id']}?force=true&reason=burned"
        assert v12["admin"].delete(path).status == 204
        assert v12["viewer"].get(path_of(host)).body["available"]["vcpus"] == 8
        assert v12["admin"].delete(path).status == 204

    def test_older_versions_answer_as_they_did(self, admin, v12, new_host, run):
        new_host()
        made = run("active")
        path = f"/api/requests/{made['request_id']}"
        assert admin.delete(f"{path}?force=true&even_if_alive=true").fields == {"even_if_alive"}
        assert v12["admin"].delete(f"{path}?even_if_alive=true").fields == {"even_if_alive"}  # without force
        assert admin.delete(f"{path}?force=true").status == 204


class TestKeptAmounts:
    def test_what_it_would_come_to_is_shown_and_then_set(self, v12, new_host, run):
        host, other = new_host(), new_host(amounts={"vcpus": 4, "memory_mb": 4096, "disk_gb": 10})
        run(count=3)
        ids = [host["id"], other["id"]]
        body = {"providers": ids, "inventory": {"vcpus": {"reserved": 3}, "memory_mb": {"allocation_ratio": 1.5}}}
        shown = v12["admin"].post("/api/inventory", {**body, "preview": True})
        assert shown.status == 200
        assert {one["outcome"] for one in shown.body["results"]} == {"would_change"}
        vcpus = shown.body["results"][0]["columns"]["vcpus"]
        before = v12["viewer"].get(path_of(host)).body["available"]["vcpus"]
        assert (vcpus["from"]["reserved"], vcpus["from"]["for_sale"], vcpus["from"]["available"]) == (0, 8, before)
        assert (vcpus["to"]["reserved"], vcpus["to"]["for_sale"], vcpus["to"]["available"]) == (3, 5, before - 3)
        assert v12["viewer"].get(path_of(host)).body["state_version"] == 1  # nothing was written

        done = v12["admin"].post("/api/inventory", body).body["results"]
        assert [one["outcome"] for one in done] == ["changed", "changed"]
        for one, told in zip((host, other), done, strict=True):
            now = v12["viewer"].get(path_of(one)).body
            assert now["inventory"]["vcpus"]["reserved"] == 3
            assert now["inventory"]["memory_mb"]["allocation_ratio"] == 1.5
            assert now["available"]["vcpus"] == told["columns"]["vcpus"]["to"]["available"]
        again = v12["admin"].post("/api/inventory", body).body["results"]
        assert [one["outcome"] for one in again] == ["unchanged", "unchanged"]
        assert {one["what"] for one in v12["viewer"].all(path_of(host, "/history"))} == {"inventory"}

    def test_what_becomes_negative_is_said(self, v12, new_host, run):
        host = new_host()
        run(count=3)
        body = {"providers": [host["id"]], "inventory": {"vcpus": {"reserved": 7}}}
        [shown] = v12["admin"].post("/api/inventory", {**body, "preview": True}).body["results"]
        assert shown["negative"] == ["vcpus: available becomes -5"]
        [done] = v12["admin"].post("/api/inventory", body).body["results"]
        assert done["negative"] == ["vcpus: available is -5"]
        assert v12["viewer"].get(path_of(host)).body["available"]["vcpus"] == -5

    def test_of_an_aggregate_page_by_page_and_each_for_itself(self, v12, new_host, cell_of_api):
        name = f"row-{uuid.uuid4().hex[:6]}"
        inside = {new_host(aggregates=[name])["id"] for _ in range(3)}
        small = new_host(aggregates=[name], amounts={"vcpus": 1})["id"]
        new_host()
        new_host(resource_class="block_storage", amounts={"capacity_gb": 9}, aggregates=[name])
        body = {
            "aggregate": name,
            "resource_class": "compute",
            "cell": cell_of_api,
            "inventory": {"vcpus": {"reserved": 2}},
        }
        found, cursor = [], ""
        while cursor is not None:
            answer = v12["admin"].post(f"/api/inventory?limit=3{'&next=' + cursor if cursor else ''}", body)
            found += answer.body["results"]
            cursor = answer.body["next"]
        outcomes = {one["provider"]: one["outcome"] for one in found}
        assert outcomes == {**dict.fromkeys(inside, "changed"), small: "invalid"}
        assert "must be 0 to" in next(one["detail"] for one in found if one["provider"] == small)

    def test_mistakes(self, v12, admin, new_host):
        host = new_host()
        good = {"providers": [host["id"]], "inventory": {"vcpus": {"reserved": 1}}}
        post = v12["admin"].post
        assert admin.post("/api/inventory", good).status == 404
        assert v12["operator"].post("/api/inventory", good).code == "forbidden"
        for changes, field in (
            ({"providers": []}, "providers"),
            ({"providers": ["x"]}, "providers.0"),
            ({"providers": [host["id"]] * 101}, "providers"),
            ({"aggregate": "a"}, "providers"),
            ({"cell": "a"}, "cell"),
            ({"inventory": {}}, "inventory"),
            ({"inventory": {"vcpus": {}}}, "inventory.vcpus"),
            ({"inventory": {"vcpus": {"total": 3}}}, "inventory.vcpus.total"),
            ({"inventory": {"vcpus": {"reserved": -1}}}, "inventory.vcpus.reserved"),
            ({"inventory": {"vcpus": {"allocation_ratio": 0}}}, "inventory.vcpus.allocation_ratio"),
            ({"preview": "yes"}, "preview"),
        ):
            answer = post("/api/inventory", {**good, **changes})
            assert (answer.status, field in answer.fields) == (400, True), (changes, answer)
        assert post("/api/inventory", {"aggregate": "a", "inventory": good["inventory"]}).fields == {"resource_class"}
        strange = {"providers": [str(uuid.uuid4()), host["id"]], "inventory": {"capacity_gb": {"reserved": 1}}}
        assert [one["outcome"] for one in post("/api/inventory", strange).body["results"]] == ["not_found", "invalid"]
        nobody = {"aggregate": "nothing", "resource_class": "compute", "inventory": good["inventory"]}
        said = post("/api/inventory", nobody).body
        while said["next"] is not None:  # a page looks at some shards; other tests' cells have many
            assert said["results"] == []
            said = post(f"/api/inventory?next={said['next']}", nobody).body
        assert said["results"] == []
