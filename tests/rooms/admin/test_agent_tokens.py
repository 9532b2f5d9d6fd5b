"""An agent's token on its provider's pages: issued and shown once, replaced, revoked; who did it; who may."""

import re
import uuid

import pytest
from django.contrib.admin.models import LogEntry

from api import tokens
from api.models import Token
from api.tokens import find, issue_for_providers, note_use, valid_of
from providers.refusals import Conflict
from store.failures import StoreUnavailable

HOSTS = "/admin/providers/computerecord/"


def page(own):
    return f"/admin/api/token/provider/{own.id}/"


def press(client, own, action, **changes):
    """Opens the page and presses one of its buttons."""
    sent = re.search(r'name="seen" value="(\d*)"', client.get(page(own)).content.decode()).group(1)
    return client.post(page(own), {"seen": sent, action: "the button"} | changes)


def shown(answer):
    return answer.context["issued"]


def of(own):
    return valid_of([own.id]).get(own.id)


def test_it_is_issued_and_shown_once(host, browser):
    own = host()
    assert "Issue one" in browser.get(f"{HOSTS}{own.id}/change/").content.decode()
    answer = press(browser, own, "issue")
    token = shown(answer)
    assert find(token).provider_id == own.id
    assert token in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert token not in browser.get(page(own)).content.decode()
    entry = LogEntry.objects.get(object_id=str(own.id))
    assert (entry.user.username, entry.change_message) == ("admin-0", "Agent's token: issued")
    assert "Agent&#x27;s token: issued" in browser.get(f"{HOSTS}{own.id}/history/").content.decode()


def test_a_new_one_stops_the_old_one(host, browser):
    own = host()
    old = shown(press(browser, own, "issue"))
    answer = press(browser, own, "issue")
    assert find(old) is None
    assert find(shown(answer)).provider_id == own.id
    text = answer.content.decode()
    assert "the old one stopped working" in text
    assert Token.objects.filter(provider_id=own.id, revoked_at=None).count() == 1


def test_loading_the_page_again_issues_nothing(host, browser):
    """What was shown stays good: the form names the token that it was opened with."""
    own = host()
    first = browser.post(page(own), {"seen": "", "issue": "x"})
    again = browser.post(page(own), {"seen": "", "issue": "x"})
    assert "Nothing was issued" in again.content.decode()
    assert "issued" not in again.context
    assert find(shown(first)).provider_id == own.id


def test_it_is_revoked(host, browser):
    own = host()
    token = shown(press(browser, own, "issue"))
    answer = press(browser, own, "revoke")
    assert answer.headers["Location"] == f"{HOSTS}{own.id}/change/"
    assert find(token) is None
    assert of(own) is None
    messages = list(LogEntry.objects.filter(object_id=str(own.id)).values_list("change_message", flat=True))
    assert messages == ["Agent's token: revoked", "Agent's token: issued"]
    assert "Nothing was revoked" in press(browser, own, "revoke").content.decode()


@pytest.mark.parametrize("seen", ["0", "x", "-1", "9" * 30, "²"])
def test_another_token_than_the_one_that_was_seen_stays(host, browser, seen):
    own, other = host(), host()
    mine, theirs = (shown(press(browser, one, "issue")) for one in (own, other))
    for action in ("issue", "revoke"):
        for value in (seen, str(of(other).pk)):
            answer = browser.post(page(own), {"seen": value, action: "x"})
            assert "Nothing was" in answer.content.decode()
    assert find(mine).provider_id == own.id
    assert find(theirs).provider_id == other.id


def test_two_who_replace_it_at_once_leave_one(host, browser):
    own = host()
    issue_for_providers([(own.id, "x")])
    seen = of(own).pk
    kept = tokens.replace(own.id, "x", seen)
    for late in (seen, None):
        with pytest.raises(Conflict):
            tokens.replace(own.id, "x", late)
    assert find(kept).provider_id == own.id


def test_the_list_says_who_has_one_and_when_it_was_used(host, cell, browser):
    without, unused, used = (host(name) for name in ("without", "unused", "used"))
    issue_for_providers([(unused.id, "unused"), (used.id, "used")])
    note_use(of(used).pk, None)
    text = browser.get(HOSTS, {"cell": cell.name}).content.decode()
    for own, said in ((without, "none"), (unused, "not used yet"), (used, "used 20")):
        assert re.search(rf'href="{page(own)}">{said}', text), said
    its_page = browser.get(f"{HOSTS}{used.id}/change/").content.decode()
    assert "to a few minutes" in its_page
    assert f'href="{page(used)}">Replace or revoke it' in its_page


@pytest.mark.parametrize("role", ["viewer", "operator", "nobody"])
def test_only_admins_change_it(host, sign_in, role):
    own, client = host(), sign_in(role)
    issued = issue_for_providers([(own.id, "x")])[own.id]
    read = client.get(page(own))
    assert read.status_code == (403 if role == "nobody" else 200)
    assert 'name="issue"' not in read.content.decode()
    for action in ("issue", "revoke"):
        assert client.post(page(own), {"seen": of(own).pk, action: "x"}).status_code == 403
    assert find(issued).provider_id == own.id


def test_no_provider_and_no_cassandra(cassandra, browser, monkeypatch):
    url = f"/admin/api/token/provider/{uuid.uuid4()}/"
    assert "There is no provider" in browser.get(url, follow=True).content.decode()

    def away(*args):
        raise StoreUnavailable("Cassandra cannot be reached")

    monkeypatch.setattr("api.agent_token_admin.read_provider", away)
    answer = browser.get(url)
    assert (answer.status_code, "cannot be reached" in answer.content.decode()) == (503, True)
