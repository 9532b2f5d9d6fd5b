"""The admin's pages that enable, disable or drain the chosen providers, each as it was when the page was opened."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.admin.models import CHANGE
from django.http import HttpRequest

from providers.admin_fields import label_field
from providers.admin_filters import uuid_of
from providers.admin_sections import number, provider_link
from providers.change import Changes, change
from providers.models import RECORDS, OwnClassRecord
from providers.records import read_provider
from providers.register import DISABLED, DRAINING, ENABLED
from providers.subtree import count, on_subtree
from store.record_bulk import Bulk, Outlook, SeenForm
from store.record_history import write_entry
from store.record_pages import Selection, Shown

FIELD = "provider"
VERBS = {ENABLED: "Enable", DISABLED: "Disable", DRAINING: "Drain"}
EFFECTS = {
    ENABLED: "They get new claims again.",
    DISABLED: "They get no new claims. What is on them stays and runs on.",
    DRAINING: "They get no new claims until they are enabled; nothing is moved or destroyed.",
}


class StateForm(SeenForm):
    reason = label_field("Reason", help_text="Stands in the state of each, and in its history, which stays.")


def name_of(state: str) -> str:
    """Of the page's url."""
    return VERBS[state].lower()


def selections(view: str) -> tuple[Selection, ...]:
    """The buttons of a list. `view`: what the names of its urls begin with."""
    return tuple(Selection(f"{verb} the chosen…", f"{view}_{name_of(state)}", FIELD) for state, verb in VERBS.items())


def _outlook(state: str, key: str) -> Outlook:
    tree, own = read_provider(uuid_of(key))
    now = own.row["state"]
    claims, instances = count(on_subtree(tree, own.id))
    cells = (own.row["state_reason"] or None, number(claims), number(instances))
    name = provider_link(own.row["resource_class"], own.id, own.row["name"])
    refusal = f"it is {state} already" if now == state else ""
    return Outlook(key, name, f"{now} → {state}", cells, f"version {own.state_version}", refusal)


def _set(state: str, request: HttpRequest, one: Outlook, seen: str, asked: Mapping[str, Any]) -> str:
    """The check of the page is a courtesy; the transaction is against the same version, and decides."""
    changes = Changes({"state": state, "state_reason": asked["reason"]}, {}, {})
    version = int(seen.removeprefix("version "))
    tree, own = change(UUID(one.key), version, changes, request.user.get_username())
    model = RECORDS.get(own.row["resource_class"], OwnClassRecord)
    shown = Shown(own, str(own.id), own.row["name"], model._meta)
    write_entry(request.user, model, shown, CHANGE, f"Set {state}: {asked['reason']}")
    claims, instances = count(on_subtree(tree, own.id))
    left = f", with {claims} claims and {instances} instances on it" if state != ENABLED else ""
    return f"It is {state}{left}."


def _question(state: str, many: int) -> str:
    return f"{VERBS[state]} {many} provider{'s' if many != 1 else ''}? {EFFECTS[state]}"


PAGES = {
    state: Bulk(
        f"{verb} providers",
        partial(_question, state),
        f"Yes, {verb.lower()} them",
        FIELD,
        StateForm,
        ("Reason now", "Claims", "Instances"),
        partial(_outlook, state),
        partial(_set, state),
    )
    for state, verb in VERBS.items()
}
