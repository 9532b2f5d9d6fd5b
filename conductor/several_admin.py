"""The admin's pages of what is done to several requests or claims at once: requests end, claims are placed anew, their
hosts are told again. Each is done as on its own page; one that is refused keeps none of the others back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.contrib.admin.models import CHANGE
from django.http import HttpRequest

from claims.find import find
from conductor.find import read_request
from conductor.intervene_admin import ACTIONS, WhyForm, log
from conductor.models import RequestRecord
from conductor.release import delete_request
from conductor.states import ENDED
from providers.admin_filters import uuid_of
from providers.admin_sections import link, number, provider_link, request_link, short, words
from providers.records import CLAIM, INSTANCE
from store.record_bulk import Bulk, Outlook, SeenForm
from store.record_history import write_entry
from store.record_pages import Shown


class ReasonForm(SeenForm, WhyForm):
    pass


def _request(key: str) -> Outlook:
    view = read_request(uuid_of(key))
    kinds = [record.kind for record in view.records]
    claims, instances = kinds.count(CLAIM), kinds.count(INSTANCE)
    cells = (view.state, number(claims), number(instances), view.project, view.consumer)
    refusal = "it has ended already" if view.state in ENDED else ""
    outcome = "its hosts destroy its instances, then it ends" if instances else "its claims are released, it ends"
    return Outlook(key, request_link(view.request_id, short(view.request_id)), outcome, cells, view.state, refusal)


def _end(request: HttpRequest, one: Outlook, seen: str, asked: Mapping[str, Any]) -> str:
    why = asked["reason"]
    done = delete_request(UUID(one.key), request.user.get_username(), why)
    shown = Shown(one, one.key, one.key, RequestRecord._meta)
    write_entry(request.user, RequestRecord, shown, CHANGE, f"Deleted: {why}")
    return "It has ended." if done else "Its hosts were asked; it ends when each of them says that nothing is left."


def _claim(key: str) -> Outlook:
    record = find(uuid_of(key))
    name = link("claims_claimrecord_change", record.id, short(record.id))
    host = provider_link(record.resource_class, record.provider_id, record.provider_name)
    cells = (host, record.state, words(record.amounts), record.consumer)
    refusal = "" if record.kind == CLAIM else "it was consumed: there is an instance now"
    if record.release_requested:
        refusal = "it is asked back already"
    return Outlook(key, name, "", cells, record.state, refusal)


def _move(key: str) -> Outlook:
    told = "taken from its host; the plan's alternates come first, then a new decision without this host"
    return replace(_claim(key), outcome=told)


def _tell(key: str) -> Outlook:
    one = _claim(key)
    return Outlook(one.key, one.name, "its host hears once more that it has orders", one.cells, one.seen, one.refusal)


def _do(action: str, request: HttpRequest, one: Outlook, seen: str, asked: Mapping[str, Any]) -> str:
    record = find(UUID(one.key))
    told = ACTIONS[action].do(record, asked, request.user.get_username())
    log(request, record, ACTIONS[action], asked["reason"])
    return " ".join(text for _, text in told)


def _moved(request: HttpRequest, one: Outlook, seen: str, asked: Mapping[str, Any]) -> str:
    return _do("move", request, one, seen, asked)


def _told(request: HttpRequest, one: Outlook, seen: str, asked: Mapping[str, Any]) -> str:
    return _do("tell-again", request, one, seen, asked)


def _many(many: int, what: str) -> str:
    return f"{many} {what}{'s' if many != 1 else ''}"


OF_CLAIM = ("Provider", "State", "Takes", "Consumer")
END = Bulk(
    "End requests",
    lambda many: f"End {_many(many, 'request')}? Claims are released, instances destroyed by their hosts.",
    "Yes, end them",
    "request",
    ReasonForm,
    ("State", "Claims", "Instances", "Project", "Consumer"),
    _request,
    _end,
)
MOVE = Bulk(
    "Place claims anew",
    lambda many: f"Take {_many(many, 'claim')} away and look for other places?",
    "Yes, place them anew",
    "claim",
    ReasonForm,
    OF_CLAIM,
    _move,
    _moved,
)
TELL = Bulk(
    "Tell hosts again",
    lambda many: f"Tell the hosts of {_many(many, 'claim')} again? Nothing changes by that alone.",
    "Yes, tell them",
    "claim",
    ReasonForm,
    OF_CLAIM,
    _tell,
    _told,
)
