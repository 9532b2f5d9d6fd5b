"""One thing done to several chosen records: a page that says for each what will happen, asks why, does it, and then
says for each what came of it. A row that changed since the page was opened is refused: what was said of it is not so
any more."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from store.failures import StoreUnavailable
from store.record_pages import AT_ONCE, Section
from store.record_roles import ADMIN, OPERATOR, role_of


class SeenForm(forms.Form):
    """`seen`: a JSON object, from each row's key to what it was when the page was opened."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)


@dataclass(frozen=True, slots=True)
class Outlook:
    """A chosen record: its link, what will happen to it, more cells; `seen` is what that was said of (a version, a
    state), `refusal` why nothing will happen."""

    key: str
    name: Any
    outcome: str = ""
    cells: Sequence[Any] = ()
    seen: str = ""
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Bulk:
    """`outlook` reads one; `do` does it to one, as it was `seen`, and says what came of it. Both raise the admin's
    `not_found` and `refused`. `field` has the keys in the query, `headers` are of the outlook's cells."""

    title: str
    question: Callable[[int], str]
    yes: str
    field: str
    form: type[SeenForm]
    headers: Sequence[str]
    outlook: Callable[[str], Outlook]
    do: Callable[[HttpRequest, Outlook, str, Mapping[str, Any]], str]


def bulk_page(admin: Any, request: HttpRequest, bulk: Bulk) -> HttpResponse:
    """Asks, or does it to one after the other. Raises StoreUnavailable while nothing is done."""
    if role_of(request.user) not in (OPERATOR, ADMIN):
        raise PermissionDenied
    back = reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist")
    keys = list(dict.fromkeys(request.GET.getlist(bulk.field)))
    if not 1 <= len(keys) <= AT_ONCE:
        plural = admin.opts.verbose_name_plural
        text = f"Choose 1 to {AT_ONCE} {plural}." if keys else f"Nothing was chosen: tick {plural} first."
        admin.message_user(request, text, messages.WARNING)
        return redirect(back)
    found = [_outlook(admin, bulk, key) for key in keys]
    going = [one for one in found if not one.refusal]
    seen = json.dumps({one.key: one.seen for one in going})
    form = bulk.form(request.POST if request.method == "POST" else None, initial={"seen": seen})
    if request.method == "POST" and form.is_valid():
        return _done(admin, request, bulk, found, form, back)
    question = bulk.question(len(going)) if going else "There is nothing to do."
    rows = [[one.name, _will(one), *_padded(one.cells, bulk)] for one in found]
    section = Section("What will happen", headers=["Which", "Outcome", *bulk.headers], rows=rows)
    yes = bulk.yes if going else ""
    return _page(admin, request, bulk, question, yes, section, form=form, back_url=back)


def _done(
    admin: Any, request: HttpRequest, bulk: Bulk, found: Sequence[Outlook], form: SeenForm, back: str
) -> HttpResponse:
    rows, done, away = [], 0, ""
    seen = _seen(form.cleaned_data["seen"])
    for one in found:
        if away:
            rows.append([one.name, f"Not tried: {away}"])
            continue
        refusal = _refused(one, seen.get(one.key))
        if not refusal:
            try:
                rows.append([one.name, bulk.do(request, one, seen[one.key], form.cleaned_data)])
                done += 1
                continue
            except (*admin.not_found, *admin.refused) as error:
                refusal = str(error)
            except StoreUnavailable as error:  # the others would wait as long, and fail the same
                away = str(error)
                rows.append([one.name, f"{error}. Whether it was done is not known: look, and repeat."])
                continue
        rows.append([one.name, f"Refused: {refusal}"])
    section = Section("What came of it", headers=["Which", "Outcome"], rows=rows)
    return _page(
        admin, request, bulk, f"Done: {done} of {len(found)}.", "", section, tools=[("Back to the list", back)]
    )


def _outlook(admin: Any, bulk: Bulk, key: str) -> Outlook:
    try:
        return bulk.outlook(key)
    except (*admin.not_found, *admin.refused) as error:
        return Outlook(key, key, refusal=str(error))


def _will(one: Outlook) -> str:
    return f"Refused: {one.refusal}" if one.refusal else one.outcome


def _padded(cells: Sequence[Any], bulk: Bulk) -> list[Any]:
    return [*cells, *[None] * (len(bulk.headers) - len(cells))]


def _refused(one: Outlook, seen: str | None) -> str:
    if one.refusal:
        return one.refusal
    if seen is None:
        return "nothing was said of it on the page that was opened"
    return "" if seen == one.seen else f"changed meanwhile: it was {seen} when the page was opened, and is {one.seen}"


def _seen(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def _page(
    admin: Any, request: HttpRequest, bulk: Bulk, question: str, yes: str, section: Section, **more: Any
) -> HttpResponse:
    answer: HttpResponse = admin.confirm(
        request, None, bulk.title, question, yes, title=bulk.title, sections=[section], **more
    )
    return answer
