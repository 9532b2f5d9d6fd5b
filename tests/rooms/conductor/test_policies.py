"""Policies as data: versions, what is in force here and elsewhere, two writers at once, the shadow and its notes."""

import os
import re
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from conductor import policies
from conductor.policies import bring_back, current, end_shadow, find, history, in_force, put, run_shadow, shadow
from conductor.policy_body import FIELDS, mistakes, policy_of, settings_body
from conductor.policy_differences import A_SECOND, NAMED, differences, find_difference, note_difference
from providers.refusals import Conflict, Invalid, NotFound
from store import failpoints

ELSEWHERE = """
import sys, django
django.setup()
from conductor import policies
policies.NAME = sys.argv[1]
for _ in sys.stdin:
    print(policies.in_force().version, policies.in_force().policy.subset, flush=True)
"""


def test_without_any_the_settings_hold(own_policy, settings):
    settings.SCHEDULE_SUBSET, settings.SCHEDULE_WEIGHERS = 7, ["free_amount=-2"]
    now = in_force()
    assert (now.version, now.policy.version, now.policy.subset, now.policy.weighers) == (0, 0, 7, {"free_amount": -2})
    assert shadow() is None
    assert [one.version for one in history(10)] == [0]
    assert set(now.body) == set(FIELDS)


def test_a_new_version_is_in_force_at_once_here(own_policy):
    made = put({"weighers": {"free_amount": -1}, "max_builds": 4}, 0, "ann", "pack")
    assert (made.version, made.based_on, made.created_by, made.reason) == (1, 0, "ann", "pack")
    assert in_force() == made == find(1) == current().in_force
    assert in_force().policy == policy_of(made.body, 1)
    assert made.policy.weighers == {"free_amount": -1.0}
    # What was not named stays.
    assert {n: v for n, v in made.body.items() if n not in ("weighers", "max_builds")} == {
        n: v for n, v in settings_body().items() if n not in ("weighers", "max_builds")
    }
    second = put({"subset": 2}, 1, "bob", "narrow")
    assert (second.policy.max_builds, second.policy.subset, second.version) == (4, 2, 2)
    assert [one.version for one in history(2)] == [2, 1]
    assert [one.version for one in history(2, before=2)] == [1, 0]
    assert [one.version for one in history(2, before=1)] == [0]
    assert history(2, before=0) == []


def test_of_two_writers_at_once_one_wins_and_the_other_hears_what_is(own_policy):
    put({}, 0, "ann", "first")

    def write(subset):
        try:
            return put({"subset": subset}, 1, f"writer-{subset}", "race")
        except Conflict as conflict:
            return conflict

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(write, range(1, 9)))
    won = [one for one in outcomes if not isinstance(one, Conflict)]
    assert len(won) == 1
    assert current().in_force == won[0]
    assert all(one.current["version"] == 2 for one in outcomes if isinstance(one, Conflict))
    assert [one.version for one in history(10)] == [2, 1, 0]


def test_a_shadow_made_meanwhile_stops_no_writer(own_policy):
    with ThreadPoolExecutor(4) as pool:
        shadows = [pool.submit(run_shadow, {"subset": n}, "ann", "try") for n in (1, 2, 3)]
        made = pool.submit(put, {"subset": 9}, 0, "bob", "real").result()
        versions = {one.result().version for one in shadows} | {made.version}
    assert versions == {1, 2, 3, 4}
    assert current().in_force.version == made.version
    assert current().shadow.version == max(versions - {made.version})


@pytest.mark.parametrize("phase", ["before", "after"])
def test_no_answer_makes_it_once(own_policy, phase):
    failpoints.arm(f"policies.add:{phase}=lost")
    made = put({"subset": 3}, 0, "ann", "lost")
    assert failpoints._armed.left <= 0
    failpoints.arm(f"policies.end_shadow:{phase}=lost")
    run_shadow({"subset": 4}, "ann", "lost")
    end_shadow()
    assert failpoints._armed.left <= 0
    failpoints.arm("")
    assert (made.version, current().shadow) == (1, None)
    assert [one.version for one in history(10)] == [2, 1, 0]


def test_another_process_goes_by_it_within_seconds(own_policy, settings):
    environment = os.environ | {"POLICY_REFRESH": "0.5", "CASSANDRA_KEYSPACE": settings.CASSANDRA["keyspace"]}
    other = subprocess.Popen(
        [sys.executable, "-c", ELSEWHERE, own_policy],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment | {"DJANGO_SETTINGS_MODULE": "sched_portal.settings"},
        text=True,
        bufsize=1,
    )

    def asked():
        other.stdin.write("\n")
        return other.stdout.readline().split()

    try:
        assert asked()[0] == "0"
        put({"subset": 11}, 0, "ann", "for all")
        until = time.monotonic() + 60
        while asked() != ["1", "11"]:
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        other.stdin.close()
        other.wait(60)


def test_an_older_one_is_brought_back_as_a_new_one(own_policy):
    first = put({"subset": 3}, 0, "ann", "first")
    put({"subset": 4, "filters": ["alive"]}, 1, "ann", "second")
    third = bring_back(1, "bob", "the second was wrong")
    assert (third.version, third.body, third.based_on) == (3, first.body, 2)
    assert current().in_force == third
    assert bring_back(0, "bob", "as installed").body == settings_body()
    with pytest.raises(NotFound):
        bring_back(77, "bob", "no such")


def test_a_shadow_runs_beside_until_it_is_ended(own_policy):
    real = put({"subset": 3}, 0, "ann", "real")
    one = run_shadow({"weighers": {"balance": 2}}, "bob", "what if")
    assert (one.as_shadow, one.policy.subset, shadow(), in_force()) == (True, 3, one, real)
    two = run_shadow(one.body, "bob", "again")
    assert (shadow(), two.version) == (two, 3)
    assert put({"subset": 5}, 1, "ann", "a shadow changes nothing about what is in force").version == 4
    end_shadow()
    assert shadow() is None
    with pytest.raises(NotFound):
        end_shadow()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"filters": ["alive", "magic", 5]}, ["filters"]),
        ({"filters": ["magic", "alive"]}, ["filters.0"]),
        ({"filters": ["alive", "alive"]}, ["filters"]),
        ({"weighers": {"magic": 1, "free_amount": "1"}}, ["weighers.magic", "weighers.free_amount"]),
        ({"weighers": {"free_amount": 10**400}}, ["weighers.free_amount"]),
        ({"weighers": {"free_amount": float("nan"), "balance": True}}, ["weighers.free_amount", "weighers.balance"]),
        ({"weighers": [1]}, ["weighers"]),
        ({"subset": 0, "alternates": 1.0, "max_builds": -1}, ["subset", "alternates", "max_builds"]),
        ({"sweep_seconds": 10**400, "pack_limit": True}, ["sweep_seconds", "pack_limit"]),
        ({"sweep_seconds": float("nan")}, ["sweep_seconds"]),
        ({"colour": "blue"}, ["colour"]),
        ({"sweep_seconds": 3, "weighers": {"free_amount.vcpus": -2.5}, "filters": []}, []),
    ],
)
def test_what_a_policy_may_say(body, fields):
    assert [mistake.field for mistake in mistakes(body)] == fields


def test_every_field_has_its_line_in_the_documents(repository):
    page = (repository / "docs/policies.md").read_text()
    described = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", page.split("## Another one")[0], re.MULTILINE)
    assert [name for cell in described for name in re.findall(r"\w+", cell)] == list(FIELDS)


def test_a_mistake_names_what_there_is():
    (mistake,) = mistakes({"filters": ["magic"]})
    assert "alive" in mistake.message
    (mistake,) = mistakes({"weighers": {"magic": 1}})
    assert "free_amount" in mistake.message


def test_nothing_is_made_of_a_mistake(own_policy):
    for write in (lambda: put({"subset": 0}, 0, "ann", "x"), lambda: run_shadow({"a": 1}, "ann", "x")):
        with pytest.raises(Invalid):
            write()
    with pytest.raises(Invalid):
        put({"subset": 1}, 0, "ann", "  ")
    assert current().latest == 0


def test_what_another_release_wrote_is_left_out_here():
    body = {**settings_body(), "filters": ["alive", "of_tomorrow"], "weighers": {"of_tomorrow": 1.0}, "depth": 3}
    policy = policy_of(body, 9)
    assert (policy.filters, policy.weighers, policy.version) == (("alive",), {}, 9)


def test_differences_are_listed_newest_first(own_policy, cassandra):
    time.sleep(1)  # a second of its own
    requests = [uuid.uuid4() for _ in range(5)]
    for request_id in requests:
        note_difference(request_id, 3, 4, "compute", ["host-1"], [f"host-{n}" for n in range(50)])
    found, cursor = [], None
    while True:
        page = differences(2, cursor)
        found += [one for one in page.results if one.request_id in requests]
        cursor = page.next
        if cursor is None:
            break
    assert [one.request_id for one in found] == requests[::-1]
    one = found[0]
    assert (one.real_version, one.shadow_version, one.resource_class, one.real) == (3, 4, "compute", ("host-1",))
    assert len(one.shadow) == NAMED
    assert find_difference(one.id) == one
    for missing in (uuid.uuid1(), uuid.uuid4()):
        with pytest.raises(NotFound):
            find_difference(missing)
    for garbled in ("x", str(uuid.uuid4())):
        with pytest.raises(Invalid):
            differences(2, garbled)


def test_a_process_notes_a_few_a_second(own_policy):
    request_id = uuid.uuid4()
    time.sleep(1)
    begun = time.monotonic()
    for _ in range(3 * A_SECOND):
        note_difference(request_id, 1, 2, "compute", ["a"], [])
    seconds = int(time.monotonic()) - int(begun) + 1
    noted = [one for one in differences(1000).results if one.request_id == request_id]
    assert len(noted) <= A_SECOND * seconds
    assert noted[0].shadow == ()


def test_the_name_keeps_tests_apart(own_policy):
    put({"subset": 3}, 0, "ann", "here")
    assert policies.NAME == own_policy != "default"
