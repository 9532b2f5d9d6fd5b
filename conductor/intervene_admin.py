"""Pages of what an operator does to one claim in flight: each says what will happen, asks why, does it, and tells what
came of it. Who did it, why, and what was before and after stand in the admin's log and in the request's history."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import widgets
from django.contrib.admin.models import CHANGE
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from claims.find import find_any
from claims.models import ClaimRecord
from claims.types import BUILDING
from conductor import intervene
from conductor.in_flight import InFlight
from conductor.models import RequestRecord
from conductor.rows import get
from conductor.states import FAILED, RELEASING, RESCHEDULING
from conductor.types import OVER
from providers.admin_fields import label_field
from providers.admin_filters import REFUSED
from providers.admin_sections import number, provider_link, request_link, short, time, words
from providers.records import CLAIM, INSTANCE, Record, Tree, read_provider
from store.failures import StoreUnavailable
from store.record_admin import RecordAdmin
from store.record_history import write_entry
from store.record_pages import Section, Shown

LONGEST = 86400  # seconds that may be given at once
Told = tuple[int, str]  # a level of django.contrib.messages, and what is said


class WhyForm(forms.Form):
    reason = label_field("Reason", help_text="Stands in the request's history and in the admin's log.")


class TimeForm(WhyForm):
    seconds = forms.IntegerField(
        label="Seconds more",
        min_value=1,
        max_value=LONGEST,
        initial=600,
        widget=widgets.AdminIntegerFieldWidget,
        help_text="From its deadline, or from now if that is over.",
    )


class SuspectForm(WhyForm):
    move = forms.BooleanField(
        label="Place its open claims anew",
        required=False,
        initial=True,
        help_text="Those that the host has not built yet go elsewhere. What it has built stays where it is.",
    )
    state_version = forms.IntegerField(widget=forms.HiddenInput)


@dataclass(frozen=True, slots=True)
class Action:
    """`label` of the link, `verb` of the page, `yes` of the button. `outlook` says what will happen, `do` does it and
    tells what came of it."""

    label: str
    verb: str
    yes: str
    question: Callable[[Record], str]
    form: type[WhyForm]
    outlook: Callable[[Record], Sequence[Section]]
    do: Callable[[Record, Mapping[str, Any], str], Sequence[Told]]


def intervene_page(admin: RecordAdmin, request: HttpRequest, shown: Shown, action: Action) -> HttpResponse:
    """Asks, or does it. Raises NotFound."""
    one: InFlight = shown.record
    record = one.record
    form = action.form(request.POST if request.method == "POST" else None, initial=_initial(record))
    refusal = "" if record.kind == CLAIM else "It was consumed: there is an instance now. End its request instead."
    if request.method == "POST" and not refusal and form.is_valid():
        try:
            told = action.do(record, form.cleaned_data, request.user.get_username())
        except REFUSED as error:
            refusal = f"Not done: {error}."
        except StoreUnavailable as error:
            refusal = f"{error}. Whether it was done is not known: look at the claim, and repeat."
        else:
            log(request, record, action, form.cleaned_data["reason"])
            for level, text in told:
                admin.message_user(request, text, level)
            return _next_page(record)
    if request.method == "POST" and refusal:
        log(request, record, action, f"{form.data.get('reason', '')[:100]} ({refusal})")
    return admin.confirm(
        request,
        shown,
        action.verb,
        action.question(record),
        "" if record.kind != CLAIM else action.yes,
        form=form,
        refusal=refusal,
        sections=action.outlook(record),
    )


def _initial(record: Record) -> dict[str, Any]:
    tree, _ = read_provider(record.provider_id)
    return {"state_version": tree.providers[tree.root_id].state_version}


def _next_page(record: Record) -> HttpResponse:
    now = find_any(record.id)
    if now is not None and now.kind == CLAIM:
        return redirect("admin:claims_claimrecord_change", record.id)
    return redirect("admin:conductor_requestrecord_change", record.request_id)


def log(request: HttpRequest, record: Record, action: Action, why: str) -> None:
    now = find_any(record.id)
    said = f"{action.verb}: {why}. Before: {_in_words(record)}; after: {_in_words(now)}"
    claim = Shown(record, str(record.id), str(record.id), ClaimRecord._meta)
    write_entry(request.user, ClaimRecord, claim, CHANGE, said)
    of_request = Shown(record, str(record.request_id), str(record.request_id), RequestRecord._meta)
    write_entry(request.user, RequestRecord, of_request, CHANGE, f"Claim {record.id}: {said}")


def _in_words(record: Record | None) -> str:
    if record is None or record.kind not in (CLAIM, INSTANCE):
        return "gone"
    asked_back = ", asked back" if record.release_requested else ""
    return f"{record.kind}, {record.state} on {record.provider_name}, until {time(record.expires_at)}{asked_back}"


# Tell its host again.


def _tell(record: Record, asked: Mapping[str, Any], who: str) -> Sequence[Told]:
    intervene.tell_again(record.id, who, asked["reason"])
    return [(messages.SUCCESS, f"{record.provider_name} is told again. It answers by beginning to build.")]


def _claim_now(record: Record) -> Sequence[Section]:
    facts = [
        ("State", record.state),
        ("Provider", provider_link(record.resource_class, record.provider_id, record.provider_name)),
        ("Takes", words(record.amounts)),
        ("Expires", time(record.expires_at)),
    ]
    return [Section("The claim now", facts=facts)]


# Place it anew.


def _move(record: Record, asked: Mapping[str, Any], who: str) -> Sequence[Told]:
    row = intervene.move_elsewhere(record.id, who, asked["reason"])
    if row.state in (RELEASING, FAILED):
        return [(messages.WARNING, f"There was no other place: request {row.request_id} is {row.state}. {row.reason}")]
    if row.state == RESCHEDULING:
        return [(messages.WARNING, "It is taken from its host; a conductor goes on looking for another place.")]
    places = sorted({part.provider_name for part in row.parts if part.state not in OVER})
    return [(messages.SUCCESS, f"The request is {row.state}, on {', '.join(places)}.")]


def _move_outlook(record: Record) -> Sequence[Section]:
    row = get(record.request_id)
    member = next((part.number for part in row.parts if part.claim_id == record.id), 0)
    used = sum(failure.member == member for failure in row.failures)
    limit = settings.RESCHEDULE_LIMIT
    attempts = f"{used} of {limit} are used" if used < limit else f"all {limit} are used: the request fails"
    stops = "is asked to stop" if record.state == BUILDING else "loses the claim at once"
    facts = [
        ("Its host", f"{record.provider_name} {stops}"),
        ("Its request", f"{row.state}: the plan's alternates come first, then a new decision, without this host"),
        ("Attempts", attempts),
    ]
    return [Section("What will happen", facts=facts), *_claim_now(record)]


# Give it time.


def _give(record: Record, asked: Mapping[str, Any], who: str) -> Sequence[Told]:
    now = intervene.give_time(record.id, asked["seconds"], who, asked["reason"])
    return [(messages.SUCCESS, f"{now.provider_name} has until {time(now.expires_at)}.")]


# Take its host for suspect.


def _suspect(record: Record, asked: Mapping[str, Any], who: str) -> Sequence[Told]:
    why = asked["reason"]
    intervene.suspect(record.provider_id, asked["state_version"], who, why)
    told = [(messages.SUCCESS, "The host gets no new claims until somebody enables it.")]
    if asked["move"]:
        for one in intervene.move_all(intervene.open_claims(record.provider_id), who, f"{intervene.SUSPECT}{why}"):
            if one.refusal:
                told.append((messages.ERROR, f"Claim {one.claim_id} stays: {one.refusal}."))
            else:
                told.append((messages.SUCCESS, f"Claim {one.claim_id}: its request {one.request_id} is {one.state}."))
    return told


def _suspect_outlook(record: Record) -> Sequence[Section]:
    tree, _ = read_provider(record.provider_id)
    root = tree.providers[tree.root_id]
    facts = [
        ("Host", provider_link(root.row["resource_class"], root.id, root.row["name"])),
        ("State", f"{root.row['state']} → disabled"),
        ("Instances on it", number(_instances(tree))),
    ]
    rows = [
        [short(r.id), r.state, request_link(r.request_id, short(r.request_id)), r.consumer, words(r.amounts)]
        for r in intervene.open_claims(record.provider_id)
    ]
    headers = ["Claim", "State", "Request", "Consumer", "Takes"]
    claims = Section("Its open claims", headers=headers, rows=rows, empty="None.")
    return [Section("What will happen", facts=facts, note="Its instances stay, and run on."), claims]


def _instances(tree: Tree) -> int:
    return sum(1 for record in tree.records if record.kind == INSTANCE)


ACTIONS = {
    "tell-again": Action(
        "Tell its host again…",
        "Tell again",
        "Yes, tell it",
        lambda r: f"Tell {r.provider_name} again that there is a claim to build? Nothing changes by that alone.",
        WhyForm,
        _claim_now,
        _tell,
    ),
    "give-time": Action(
        "Give it time…",
        "Give time",
        "Yes, give it time",
        lambda r: f"Give {r.provider_name} more time before the claim is taken from it?",
        TimeForm,
        _claim_now,
        _give,
    ),
    "move": Action(
        "Place it anew…",
        "Place anew",
        "Yes, place it anew",
        lambda r: f"Take the claim of “{r.consumer}” from {r.provider_name}, and look for another place?",
        WhyForm,
        _move_outlook,
        _move,
    ),
    "suspect": Action(
        "Suspect its host…",
        "Suspect",
        "Yes, it is suspect",
        lambda r: f"Disable the host of {r.provider_name}? It gets no new claims until somebody enables it.",
        SuspectForm,
        _suspect_outlook,
        _suspect,
    ),
}
