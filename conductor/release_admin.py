"""Takes claims and requests back in the admin: pages that say what will happen, ask, and then tell what did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE, DELETION
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from claims.find import find
from claims.models import ClaimRecord
from claims.release import NOT_STARTED
from conductor.find import read_request
from conductor.force import force_end
from conductor.models import RequestRecord
from conductor.release import delete_request, release_claim
from conductor.states import ENDED
from conductor.types import GONE, RequestView
from providers.admin_fields import label_field
from providers.admin_filters import REFUSED, uuid_of
from providers.admin_sections import link, provider_link, request_link, short, words
from providers.records import CLAIM, INSTANCE, Record
from providers.refusals import NotFound
from store.failures import StoreUnavailable
from store.record_admin import RecordAdmin
from store.record_history import write_entry
from store.record_pages import Section, Shown
from store.record_roles import ADMIN, OPERATOR, role_of

MOST = 100  # claims of one page: each is a transaction or two, and somebody waits


class ReleaseForm(forms.Form):
    reason = label_field("Reason", help_text="Stands in the request's history and in the admin's log.")


class EndForm(forms.Form):
    """Ends a request; `force` is for admins alone."""

    reason = label_field("Reason", help_text="Stands in the request's history and in the admin's log.")
    force = forms.BooleanField(
        label="Wait for no host (force)",
        required=False,
        help_text="For a host that is dead and stays dead. What still runs there is not stopped, and its room is sold "
        "again.",
    )
    even_if_alive = forms.BooleanField(
        label="Even if a host is alive",
        required=False,
        help_text="Without this, force is refused while a host that is at work on it is heard from.",
    )

    def __init__(self, data: Any, may_force: bool) -> None:
        super().__init__(data)
        if not may_force:
            del self.fields["force"], self.fields["even_if_alive"]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A claim that was chosen: its record, or why there is nothing to release."""

    key: str
    record: Record | None
    refusal: str = ""


def release_page(admin: RecordAdmin, request: HttpRequest) -> HttpResponse:
    """Asks about the claims that the query names, and releases them."""
    if role_of(request.user) not in (OPERATOR, ADMIN):
        raise PermissionDenied
    keys = list(dict.fromkeys(request.GET.getlist("claim")))
    if not keys or len(keys) > MOST:
        text = f"Choose 1 to {MOST} claims." if keys else "No claim was chosen."
        admin.message_user(request, text, messages.WARNING)
        return redirect("admin:claims_claimrecord_changelist")
    chosen = [_chosen(key) for key in keys]
    records = [one.record for one in chosen if one.record is not None]
    form = ReleaseForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and records and form.is_valid():
        return _release(admin, request, chosen, form.cleaned_data["reason"])
    question = f"Release {len(records)} claim{'s' if len(records) != 1 else ''}?" if records else "Nothing to release."
    return admin.confirm(
        request,
        None,
        "Release",
        f"{question} What was not begun is released at once; a host that is building is asked to stop first.",
        "Yes, release" if records else "",
        title="Release claims",
        back_url=_back(keys),
        form=form,
        sections=[_what_happens(chosen), *_requests_of(records)],
    )


def _back(keys: Sequence[str]) -> str:
    page = "admin:claims_claimrecord_change" if len(keys) == 1 else "admin:claims_claimrecord_changelist"
    return reverse(page, args=keys if len(keys) == 1 else ())


def _chosen(key: str) -> _Chosen:
    try:
        record = find(uuid_of(key))
    except NotFound as error:
        return _Chosen(key, None, f"{error}: it has ended")
    if record.kind == INSTANCE:
        return _Chosen(key, None, "it was consumed: delete its request, which destroys the instance")
    return _Chosen(key, record)


def _what_happens(chosen: Sequence[_Chosen]) -> Section:
    rows: list[list[Any]] = []
    for one in chosen:
        record = one.record
        if record is None:
            rows.append([short(one.key), f"Refused: {one.refusal}", None, None, None])
            continue
        host = provider_link(record.resource_class, record.provider_id, record.provider_name)
        rows.append([_claim(record), _outlook(record), host, words(record.amounts), record.consumer])
    # What a phone shows without scrolling comes first.
    return Section("What will happen", headers=["Claim", "Outcome", "Provider", "Takes", "Consumer"], rows=rows)


def _claim(record: Record) -> Any:
    return link("claims_claimrecord_change", record.id, short(record.id))


def _outlook(record: Record) -> str:
    if record.state in NOT_STARTED:
        return f"{record.state}: released at once"
    return f"{record.state}: {record.provider_name} is asked to stop; released when it says so"


def _requests_of(records: Sequence[Record]) -> list[Section]:
    going = {record.id for record in records}
    rows = []
    for request_id in dict.fromkeys(record.request_id for record in records):
        try:
            view = read_request(request_id)
        except NotFound:
            rows.append([request_link(request_id), "It is not known any more.", None])
            continue
        left = [part for part in view.parts if part.state != GONE and part.claim_id not in going]
        outcome = f"Stays: {len(left)} of its parts are left." if left else "Ends: nothing of it is left."
        rows.append([request_link(request_id), outcome, view.state])
    return [Section("Their requests", headers=["Request", "Afterwards", "State now"], rows=rows)] if rows else []


def _release(admin: RecordAdmin, request: HttpRequest, chosen: Sequence[_Chosen], why: str) -> HttpResponse:
    released: list[Record] = []
    for one in chosen:
        record = one.record
        if record is None:
            admin.message_user(request, f"Claim {one.key} is refused: {one.refusal}.", messages.ERROR)
            continue
        try:
            done = release_claim(record.id, request.user.get_username(), why)
        except (NotFound, *REFUSED) as error:
            admin.message_user(request, f"Claim {record.id} is refused: {error}.", messages.ERROR)
            continue
        except StoreUnavailable as error:
            text = f"Claim {record.id}: {error}. Whether it was released is not known: look, and repeat."
            admin.message_user(request, text, messages.ERROR)
            break  # the others would wait as long, and fail the same
        _log(request, record, done, why)
        if done:
            released.append(record)
        else:
            text = f"{record.provider_name} was asked to stop: claim {record.id} is released when it says so."
            admin.message_user(request, text, messages.WARNING)
    if released:
        text = f"Released {len(released)}: " + ", ".join(f"{r.consumer} on {r.provider_name}" for r in released)
        admin.message_user(request, text, messages.SUCCESS)
    records = [one.record for one in chosen if one.record is not None]
    if len(chosen) == 1 and records:
        return redirect("admin:conductor_requestrecord_change", records[0].request_id)
    return redirect("admin:claims_claimrecord_changelist")


def _log(request: HttpRequest, record: Record, done: bool, why: str) -> None:
    said = f"Released: {why}" if done else f"{record.provider_name} was asked to stop: {why}"
    claim = Shown(record, str(record.id), str(record.id), ClaimRecord._meta)
    write_entry(request.user, ClaimRecord, claim, DELETION if done else CHANGE, said)
    of_request = Shown(record, str(record.request_id), str(record.request_id), RequestRecord._meta)
    write_entry(request.user, RequestRecord, of_request, CHANGE, f"Claim {record.id}: {said}")


def end_page(admin: RecordAdmin, request: HttpRequest, shown: Shown) -> HttpResponse:
    """Asks about one request, and ends it. Raises NotFound."""
    view: RequestView = shown.record
    may_force = role_of(request.user) == ADMIN
    form = EndForm(request.POST if request.method == "POST" else None, may_force)
    refusal = "It has ended already." if view.state in ENDED else ""
    if request.method == "POST" and form.is_valid() and not refusal:
        force = bool(form.cleaned_data.get("force"))
        why = form.cleaned_data["reason"]
        try:
            done = _end(view.request_id, request.user.get_username(), why, form.cleaned_data)
        except REFUSED as error:
            refusal = f"Not done: {error}"
        except StoreUnavailable as error:
            refusal = f"{error}. Whether it was done is not known: look at the request, and repeat."
        else:
            said = f"{'Forced to end' if force else 'Deleted'}: {why}"
            write_entry(request.user, RequestRecord, shown, CHANGE, said)
            _tell_end(admin, request, done)
            return redirect("admin:conductor_requestrecord_change", view.request_id)
    question = f"End the request of “{view.consumer}”? Its claims are released, its instances destroyed by their hosts."
    yes = "" if view.state in ENDED else "Yes, end it"
    sections = [_what_ends(view)]
    return admin.confirm(request, shown, "Delete", question, yes, form=form, refusal=refusal, sections=sections)


def _end(request_id: UUID, who: str, why: str, asked: Mapping[str, Any]) -> bool:
    if asked.get("force"):
        return force_end(request_id, who, why, bool(asked.get("even_if_alive")))
    return delete_request(request_id, who, why)


def _tell_end(admin: RecordAdmin, request: HttpRequest, done: bool) -> None:
    if done:
        admin.message_user(request, "It has ended: nothing of it is left.", messages.SUCCESS)
    else:
        text = "Its hosts were asked; it ends when each of them says that nothing is left."
        admin.message_user(request, text, messages.WARNING)


def _what_ends(view: RequestView) -> Section:
    rows = [
        [_claim(r), _end_of(r), r.kind, provider_link(r.resource_class, r.provider_id, r.provider_name)]
        for r in view.records
        if r.kind in (CLAIM, INSTANCE)
    ]
    headers = ["Claim", "Outcome", "Is a", "Provider"]
    return Section("What will happen", headers=headers, rows=rows, empty="Nothing is claimed.")


def _end_of(record: Record) -> str:
    if record.kind == INSTANCE:
        return f"{record.provider_name} is asked to destroy it; its amounts come back when it says so"
    return _outlook(record)
