"""Policies in the admin: every version there was, a form for the next, an older one brought back, and the shadow."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from conductor import policies
from conductor.models import PolicyDifferenceRecord, PolicyRecord
from conductor.policies import SETTINGS, Current, StoredPolicy
from conductor.policy_body import FIELDS
from conductor.policy_differences import Difference, differences, find_difference
from conductor.policy_form import BASED_ON, PolicyForm, ReasonForm
from providers.admin_filters import REFUSED, uuid_of
from providers.admin_sections import link, request_link, short, time
from providers.refusals import Invalid, NotFound
from store.failures import StoreUnavailable
from store.record_admin import RecordAdmin
from store.record_history import write_entry
from store.record_pages import ListPage, Section, Shown
from store.record_reachable import reachable
from store.record_roles import ADMIN, role_of

PAGE = "conductor_policyrecord"
IN_FORCE, SHADOW = "in force", "shadow"


@dataclass(frozen=True, slots=True)
class Version:
    """A version, and whether it is in force or the shadow (else empty)."""

    stored: StoredPolicy
    state: str

    @property
    def version(self) -> int:
        return self.stored.version


@admin.register(PolicyRecord)
class PolicyAdmin(RecordAdmin):
    not_found = (NotFound,)
    refused = REFUSED
    columns = ("policy", "state", "made", "made_by", "reason", "based_on")
    changeable = False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        try:
            before = _number(cursor) if cursor else policies.AFTER_ALL
        except NotFound as error:
            raise Invalid("next", "is not a cursor of this list") from error
        now, found = policies.current(), policies.history(limit, before)
        more = len(found) == limit and found[-1].version > SETTINGS
        return ListPage([_version(one, now) for one in found], str(found[-1].version) if more else None)

    def read(self, key: str) -> Version:
        return _version(policies.find(_number(key)), policies.current())

    def key_of(self, record: Version) -> str:
        return str(record.version)

    def name_of(self, record: Version) -> str:
        return f"version {record.version}"

    def make_form(self, record: Version | None, data: Mapping[str, Any] | None) -> forms.Form:
        form = PolicyForm(data, record.stored if record else policies.current().in_force)
        if record:
            for name in (BASED_ON, "as_shadow", "reason"):
                del form.fields[name]
        return form

    def _form(self, request: HttpRequest, shown: Shown | None, may_write: bool) -> forms.Form:
        form = super()._form(request, shown, may_write)
        form.user = request.user.get_username()  # type: ignore[attr-defined]  # a version says who made it
        return form

    def sections(self, record: Version) -> Sequence[Section]:
        stored = record.stored
        facts = [
            ("State", record.state or "not in force"),
            ("Made", time(stored.created_at)),
            ("Made by", stored.created_by or None),
            ("Reason", stored.reason or None),
            ("Made as", "the shadow" if stored.as_shadow else "the policy in force"),
        ]
        sections = [Section("Version", facts=facts)]
        if stored.version:
            sections.append(_what_changed(stored))
        return [*sections, _other_choices()] if record.state == SHADOW else sections

    def tools(self, request: HttpRequest, record: Version) -> Sequence[tuple[str, str]]:
        if role_of(request.user) != ADMIN:
            return ()
        back = ("Bring it back", reverse("admin:conductor_policy_back", args=[record.version]))
        run = ("Run it as the shadow", reverse("admin:conductor_policy_shadow", args=[record.version]))
        end = ("End the shadow", reverse("admin:conductor_policy_end_shadow"))
        return {IN_FORCE: (run,), SHADOW: (("Put it in force", back[1]), end)}.get(record.state, (back, run))

    def create(self, cleaned: Mapping[str, Any]) -> Version:
        body, user, reason = cleaned["body"], cleaned["user"], cleaned["reason"]
        if cleaned["as_shadow"]:
            return Version(policies.run_shadow(body, user, reason), SHADOW)
        return Version(policies.put(body, cleaned[BASED_ON] or SETTINGS, user, reason), IN_FORCE)

    def field_of(self, error: Exception) -> str | None:
        return str(getattr(error, "field", "")).split(".")[0]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("end-shadow/", wrap(self.end_shadow_view), name="conductor_policy_end_shadow"),
            path("<str:key>/bring-back/", wrap(self.back_view), name="conductor_policy_back"),
            path("<str:key>/shadow/", wrap(self.shadow_view), name="conductor_policy_shadow"),
            *super().get_urls(),
        ]

    @reachable
    def back_view(self, request: HttpRequest, key: str) -> HttpResponse:
        question = f"Put what version {key} says in force, as a new version?"
        return self._ask(request, key, "Bring back", question, lambda v, user, why: policies.bring_back(v, user, why))

    @reachable
    def shadow_view(self, request: HttpRequest, key: str) -> HttpResponse:
        question = f"Run what version {key} says beside the policy in force, in place of the shadow there is?"

        def run(version: int, user: str, why: str) -> StoredPolicy:
            return policies.run_shadow(policies.find(version).body, user, why)

        return self._ask(request, key, "Run as shadow", question, run)

    @reachable
    def end_shadow_view(self, request: HttpRequest) -> HttpResponse:
        if role_of(request.user) != ADMIN:
            raise PermissionDenied
        running = policies.current().shadow
        if running is None:
            self.message_user(request, "No shadow policy runs.", messages.WARNING)
            return redirect(f"admin:{PAGE}_changelist")
        shown, refusal = self.shown(Version(running, SHADOW)), ""
        if request.method == "POST":
            try:
                policies.end_shadow()
            except (*REFUSED, NotFound, StoreUnavailable) as error:
                refusal = f"Not done: {error}"
            else:
                write_entry(request.user, self.model, shown, CHANGE, "Ended as the shadow")
                self.message_user(request, "The shadow has ended.", messages.SUCCESS)
                return redirect(f"admin:{PAGE}_change", running.version)
        return self.confirm(request, shown, "End", "End the shadow policy?", "Yes, end it", refusal=refusal)

    def _ask(
        self, request: HttpRequest, key: str, verb: str, question: str, act: Callable[[int, str, str], StoredPolicy]
    ) -> HttpResponse:
        """Asks why, and makes the next version of what an older one says."""
        if role_of(request.user) != ADMIN:
            raise PermissionDenied
        shown = self.get_object(request, key)
        if shown is None:
            return self.gone(request, key)
        form, refusal = ReasonForm(request.POST if request.method == "POST" else None), ""
        if request.method == "POST" and form.is_valid():
            why = form.cleaned_data["reason"]
            try:
                made = act(shown.record.version, request.user.get_username(), why)
            except (*REFUSED, StoreUnavailable) as error:
                refusal = f"Not done: {error}"
            else:
                new = self.shown(_version(made, policies.current()))
                write_entry(request.user, self.model, new, CHANGE, f"{verb}: version {key}. {why}")
                self.message_user(request, f"Version {made.version} says what {key} does.", messages.SUCCESS)
                return redirect(f"admin:{PAGE}_change", made.version)
        sections = [_what_changed(shown.record.stored, policies.current().in_force)]
        return self.confirm(request, shown, verb, question, "Yes", form=form, refusal=refusal, sections=sections)

    def policy(self, record: Version) -> str:
        return f"version {record.version}"

    def made(self, record: Version) -> str | None:
        return time(record.stored.created_at)

    def made_by(self, record: Version) -> str | None:
        return record.stored.created_by or None

    def reason(self, record: Version) -> str:
        return record.stored.reason

    def based_on(self, record: Version) -> int | None:
        return record.stored.based_on if record.version else None


@admin.register(PolicyDifferenceRecord)
class PolicyDifferenceAdmin(RecordAdmin):
    """Where the shadow would have chosen otherwise, newest first."""

    not_found = (NotFound,)
    refused = REFUSED
    writable = False
    columns = ("when", "request", "resource_class", "chosen", "shadow_chose", "versions")

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        page = differences(limit, cursor)
        return ListPage(page.results, page.next)

    def read(self, key: str) -> Difference:
        return find_difference(uuid_of(key))

    def key_of(self, record: Difference) -> str:
        return str(record.id)

    def name_of(self, record: Difference) -> str:
        return f"other choice at {time(record.at)}"

    def sections(self, record: Difference) -> Sequence[Section]:
        facts = [
            ("At", time(record.at)),
            ("Request", request_link(record.request_id)),
            ("Resource class", record.resource_class),
            ("Policy", _link(record.real_version)),
            ("It chose", ", ".join(record.real) or "no host"),
            ("Shadow", _link(record.shadow_version)),
            ("It would have chosen", ", ".join(record.shadow) or "no host"),
        ]
        return [Section("Other choice", facts=facts)]

    def when(self, record: Difference) -> str | None:
        return time(record.at)

    def request(self, record: Difference) -> Any:
        return link("conductor_requestrecord_change", record.request_id, short(record.request_id))

    def chosen(self, record: Difference) -> str:
        return ", ".join(record.real) or "no host"

    def shadow_chose(self, record: Difference) -> str:
        return ", ".join(record.shadow) or "no host"

    def versions(self, record: Difference) -> str:
        return f"{record.real_version}, shadow {record.shadow_version}"


def _version(stored: StoredPolicy, now: Current) -> Version:
    if stored.version == now.in_force.version:
        return Version(stored, IN_FORCE)
    return Version(stored, SHADOW if now.shadow and stored.version == now.shadow.version else "")


def _number(key: str) -> int:
    """Raises NotFound."""
    if not (key.isascii() and key.isdigit() and len(key) <= 10):
        raise NotFound(f"no policy version {key}")
    return int(key)


def _what_changed(stored: StoredPolicy, before: StoredPolicy | None = None) -> Section:
    """Beside the policy that it was based on, or another."""
    other = before or policies.find(stored.based_on)
    rows = [
        [name.replace("_", " "), _words(other.body[name]), _words(stored.body[name])]
        for name in FIELDS
        if stored.body[name] != other.body[name]
    ]
    headers = ["", f"Version {other.version}", f"Version {stored.version}"]
    return Section(f"Beside version {other.version}", headers=headers, rows=rows, empty="They say the same.")


def _other_choices() -> Section:
    rows = [
        [time(one.at), request_link(one.request_id), ", ".join(one.real), ", ".join(one.shadow)]
        for one in differences(20).results
    ]
    url = reverse("admin:conductor_policydifferencerecord_changelist")
    facts = [("All of them", format_html('<a href="{}">other choices of the shadow</a>', url))]
    headers = ["At", "Request", "Chosen", "It would have chosen"]
    return Section("Its other choices", facts=facts, headers=headers, rows=rows, empty="None were noted yet.")


def _link(version: int) -> Any:
    return link(f"{PAGE}_change", version, f"version {version}")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number:g}" for name, number in value.items()) or "none"
    return ", ".join(value) if isinstance(value, list) else f"{value:g}"
