"""What is done to several chosen records: told before, done to each as it was seen, told after; and who may."""

import uuid

import pytest
from django.contrib.admin.models import LogEntry

from claims import mark
from claims.find import find
from conductor.find import read_request
from conductor.place import schedule
from conductor.types import ScheduleRequest
from providers.change import Changes, change
from providers.records import read_provider
from scheduler.types import Resource
from store.failures import StoreUnavailable

HOSTS, CLAIMS = "/admin/providers/computerecord/", "/admin/claims/claimrecord/"
REQUESTS = "/admin/conductor/requestrecord/"
DISABLE, ENABLE, DRAIN = (f"{HOSTS}state/{verb}/" for verb in ("disable", "enable", "drain"))
END, MOVE, TELL = f"{REQUESTS}end-requests/", f"{CLAIMS}move-claims/", f"{CLAIMS}tell-claims/"
ROUND = ((DISABLE, "enabled", "disabled"), (DRAIN, "disabled", "draining"), (ENABLE, "draining", "enabled"))


@pytest.fixture
def ask(cell):
    """Schedules a request of compute in the test's cell; its id and the id of its claim."""

    def make():
        outcome = schedule(
            ScheduleRequest(
                consumer="alice",
                project="p1",
                resources=(Resource("compute", {"vcpus": 2, "memory_mb": 512}),),
                body={
                    "consumer": "alice",
                    "project": "p1",
                    "cell": cell.name,
                    "resources": [{"resource_class": "compute", "amounts": {"vcpus": 2, "memory_mb": 512}}],
                },
                username="tester",
                cell=cell.name,
            )
        )
        return outcome.request_id, uuid.UUID(outcome.claims[0]["id"])

    return make


def query(field, keys):
    return "?" + "&".join(f"{field}={key}" for key in keys)


def outcomes(answer):
    assert answer.status_code == 200, answer
    [section] = answer.context["sections"]
    return [row[1] for row in section.rows]


def send(client, url, asked, why="why"):
    """Sends the page that was opened."""
    return client.post(url, {"seen": asked.context["form"].initial["seen"], "reason": why})


def state(own):
    row = read_provider(own.id)[1].row
    return row["state"], row["state_reason"]


def test_hosts_are_taken_out_and_brought_back(host, sign_in):
    hosts = [host(heartbeat="none") for _ in range(2)]
    operator = sign_in("operator")
    listed = operator.get(HOSTS).content.decode()
    assert all(f'formaction="{url}"' in listed for url in (DISABLE, ENABLE, DRAIN))
    assert "amounts/" not in listed  # of admins alone
    chosen = query("provider", [own.id for own in hosts])
    for url, before, after in ROUND:
        asked = operator.get(url + chosen)
        assert outcomes(asked) == [f"{before} → {after}"] * 2
        assert [state(own)[0] for own in hosts] == [before] * 2  # asking does nothing
        assert send(operator, url + chosen, asked, "").context["form"].errors["reason"]
        done = send(operator, url + chosen, asked, f"to {after}")
        assert all(told.startswith(f"It is {after}") for told in outcomes(done))
        assert [state(own) for own in hosts] == [(after, f"to {after}")] * 2
    entries = LogEntry.objects.filter(object_id=str(hosts[0].id)).values_list("change_message", flat=True)
    assert set(entries) == {"Set disabled: to disabled", "Set draining: to draining", "Set enabled: to enabled"}


def test_a_race_is_told_and_the_others_go_on(host, browser, monkeypatch):
    mine, theirs, off, gone = host(heartbeat="none"), host(heartbeat="none"), host(state="disabled"), uuid.uuid4()
    url = DISABLE + query("provider", [theirs.id, off.id, gone, "nonsense", mine.id])
    asked = browser.get(url)
    change(theirs.id, 1, Changes({"zone": "z9"}, {}, {}))
    told = outcomes(send(browser, url, asked))
    assert "changed meanwhile: it was version 1 when the page was opened, and is version 2" in told[0]
    assert told[1] == "Refused: it is disabled already"
    assert all(one.startswith("Refused: ") for one in told[2:4])
    assert told[4] == "It is disabled, with 0 claims and 0 instances on it."
    assert state(theirs)[0] == "enabled"
    for nonsense in ("", "nonsense", "[1]", '{"x": 1}'):
        [refused, *_] = outcomes(browser.post(url, {"seen": nonsense, "reason": "why"}))
        assert "nothing was said of it" in refused

    # It may change after the page looked: the transaction decides.
    asked, real = browser.get(url), change

    def later(provider_id, *args):
        real(provider_id, 2, Changes({"zone": "z8"}, {}, {}))
        return real(provider_id, *args)

    monkeypatch.setattr("providers.states_admin.change", later)
    assert "state_version 2 is stale" in outcomes(send(browser, url, asked))[0]
    assert state(theirs)[0] == "enabled"


def test_a_store_that_goes_away_stops_it(host, browser, monkeypatch):
    hosts = [host(heartbeat="none") for _ in range(2)]
    url = DISABLE + query("provider", [own.id for own in hosts])
    asked = browser.get(url)

    def fails(*args):
        raise StoreUnavailable("too few replicas")

    monkeypatch.setattr("providers.states_admin.change", fails)
    told = outcomes(send(browser, url, asked))
    assert "is not known" in told[0]
    assert told[1] == "Not tried: too few replicas"


def test_requests_end_together(ask, host, sign_in):
    own = host(heartbeat="none")
    made = [ask()[0] for _ in range(2)]
    operator = sign_in("operator")
    assert f'formaction="{END}"' in operator.get(REQUESTS).content.decode()
    url = END + query("request", made)
    asked = operator.get(url)
    assert outcomes(asked) == ["its claims are released, it ends"] * 2
    assert outcomes(send(operator, url, asked, "not needed")) == ["It has ended."] * 2
    assert [read_request(one).state for one in made] == ["released"] * 2
    assert read_provider(own.id)[1].available["vcpus"] == 8
    assert outcomes(operator.get(url)) == ["Refused: it has ended already"] * 2
    assert LogEntry.objects.get(object_id=str(made[0])).change_message == "Deleted: not needed"


def test_claims_are_placed_anew_and_hosts_told_again(ask, host, sign_in):
    first = host()
    claims = [ask()[1] for _ in range(2)]
    other, operator = host(), sign_in("operator")
    url = TELL + query("claim", claims)
    told = outcomes(send(operator, url, operator.get(url), "it sleeps"))
    assert told == [f"{first.row['name']} is told again. It answers by beginning to build."] * 2
    url = MOVE + query("claim", claims)
    told = outcomes(send(operator, url, operator.get(url), "its fan is loud"))
    assert all(other.row["name"] in one for one in told), told
    assert read_provider(first.id)[1].available["vcpus"] == 8
    assert all(one.startswith("Refused: ") for one in outcomes(operator.get(url)))
    assert LogEntry.objects.filter(object_id=str(claims[0])).count() == 2


def test_a_claim_that_moved_on_is_not_placed_anew(ask, host, browser):
    host()
    _, claim = ask()
    url = MOVE + query("claim", [claim])
    asked = browser.get(url)
    mark.building(find(claim))
    [told] = outcomes(send(browser, url, asked))
    assert told.endswith("it was claimed when the page was opened, and is building")
    assert find(claim).state == "building"


@pytest.mark.parametrize(
    ("url", "field", "listing"),
    [(DISABLE, "provider", HOSTS), (END, "request", REQUESTS), (MOVE, "claim", CLAIMS), (TELL, "claim", CLAIMS)],
)
def test_who_may_and_how_many(cassandra, sign_in, url, field, listing):
    viewer, operator = sign_in("viewer"), sign_in("operator")
    one = query(field, [uuid.uuid4()])
    assert viewer.get(url + one).status_code == 403
    assert viewer.post(url + one, {"reason": "x"}).status_code == 403
    assert url not in viewer.get(listing).content.decode()
    for keys, text in (([], "Nothing was chosen"), (range(101), "Choose 1 to 100")):
        assert text in operator.get(url + query(field, keys), follow=True).content.decode()
    assert "There is nothing to do." in operator.get(url + one).content.decode()
