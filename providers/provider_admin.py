"""Providers in the admin: an entry for each built-in class, and one for those of an operator's own classes."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.http import HttpRequest

from providers.admin_filters import REFUSED, cell_filter, uuid_of
from providers.admin_forms import changes_of, field_of_domain, new_provider, provider_form
from providers.admin_sections import (
    arithmetic,
    capacity,
    events_url,
    heartbeat,
    number,
    on_it,
    on_site,
    part_of,
    provider_link,
)
from providers.change import change
from providers.find import ProviderFilter, image_with_alive, list_providers
from providers.heartbeat import AGENT, last_heard
from providers.image import Image
from providers.models import RECORDS
from providers.operate_sections import history, operating
from providers.records import locate, read_provider
from providers.refusals import Invalid, NotFound
from providers.register import STATES, register
from providers.remove import remove
from providers.resource_classes import custom
from providers.resource_classes.kind import AMOUNT, ResourceClass
from providers.resource_classes.registry import BUILT_IN, known_class, resource_class
from providers.tree_section import tree_section
from store.record_admin import KEY, RecordAdmin
from store.record_forms import VERSION, WHO
from store.record_pages import ListFilter, ListPage, Section

AVAILABLE = "available_"


class ProviderAdmin(RecordAdmin):
    """Providers of one built-in class, one entry each. Its records are providers in API form. Registered in
    api/provider_admin.py, which adds what this room does not know of."""

    not_found = (NotFound,)
    refused = REFUSED
    columns: ClassVar[tuple[str, ...]] = ("name", "cell", "state", "alive", "claims", "instances", "rack", "zone")
    numbers = frozenset({"claims", "instances"})
    search_help = "Exact name"
    operator_fields = frozenset({"state", "state_reason"})
    # These templates show the agents' tokens too, which are kept above this room.
    list_template = "admin/records/provider_list.html"
    change_form_template = add_form_template = "admin/records/provider_form.html"

    @property
    def class_name(self) -> str:
        return next((name for name, model in RECORDS.items() if model is self.model), "")

    def list_columns(self) -> tuple[str, ...]:
        """The class's amounts stand between what a provider is and what is on it."""
        of_class = BUILT_IN.get(self.class_name)
        amounts = of_class.amounts if of_class else ("available",)
        return (*self.columns[:-4], *amounts, *self.columns[-4:])

    def value(self, record: Image, column: str) -> Any:
        if column in record["amounts"] and column in self.list_columns():
            return part_of(record["available"].get(column, 0), record["amounts"][column])
        return super().value(record, column)

    def export_columns(self) -> tuple[str, ...]:
        """Of each amount there is what is available and what of, as numbers; of an own class, all in one column."""
        of_class = BUILT_IN.get(self.class_name)
        if of_class is None:
            return super().export_columns()
        amounts = (f"{prefix}{name}" for name in of_class.amounts for prefix in (AVAILABLE, ""))
        return (KEY, *self.columns[:-4], *amounts, *self.columns[-4:])

    def exported(self, record: Image, column: str) -> Any:
        of_class, name = BUILT_IN.get(self.class_name), column.removeprefix(AVAILABLE)
        if of_class is not None and name in of_class.amounts:
            return record["amounts" if name == column else "available"].get(name, 0)
        return super().exported(record, column)

    def list_filters(self) -> Sequence[ListFilter]:
        states = tuple((state, state) for state in STATES)
        texts = (ListFilter("trait", "trait"), ListFilter("aggregate", "aggregate"))
        return [cell_filter(), ListFilter("state", "state", states), *texts]

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        wanted = ProviderFilter(
            cell=filters["cell"],
            state=filters["state"],
            trait=filters["trait"],
            aggregate=filters["aggregate"],
            name=search,
            resource_class=self.class_name,
        )
        page = list_providers(wanted, limit, cursor)
        return ListPage(page.results, page.next)

    def read(self, key: str) -> Image:
        tree, own = read_provider(uuid_of(key))
        if own.resource_class.name != self.class_name:
            raise NotFound(f"{key} is no {self.opts.verbose_name}")
        return image_with_alive(tree, own)

    def key_of(self, record: Image) -> str:
        return str(record["id"])

    def name_of(self, record: Image) -> str:
        return str(record["name"])

    def version_of(self, record: Image) -> str:
        return str(record["state_version"])

    def class_of(self, cleaned: Mapping[str, Any]) -> ResourceClass:
        return BUILT_IN[self.class_name]

    def make_form(self, record: Image | None, data: Mapping[str, Any] | None) -> forms.Form:
        return provider_form(BUILT_IN[self.class_name], record, data)

    def form_sections(self, form: forms.Form) -> Sequence[tuple[str | None, dict[str, Any]]]:
        amounts = [c.name for c in BUILT_IN[self.class_name].columns if c.kind == AMOUNT]
        return [
            *_common_sections(),
            ("Amounts", {"fields": [(f"total_{n}", f"reserved_{n}", f"ratio_{n}") for n in amounts]}),
            ("Properties", {"fields": [n for n in form.fields if n.startswith("prop_")]}),
        ]

    def sections(self, record: Image) -> Sequence[Section]:
        tree, own = read_provider(UUID(record["id"]))
        parent = tree.providers.get(own.row["parent_id"])
        root = tree.providers.get(tree.root_id, own)
        mode = root.row["heartbeat"]
        heard = last_heard(locate(root.id)) if mode == AGENT else None
        facts = [
            ("Id", record["id"]),
            ("Generation", number(tree.generation)),
            ("State version", own.state_version),
        ]
        if parent is not None:
            name = provider_link(parent.row["resource_class"], parent.id, parent.row["name"])
            facts.append(("Part of", name))
        return [
            arithmetic(tree, own),
            heartbeat(mode, heard),
            *operating(tree, own),
            capacity(own),
            on_it(tree, own),
            tree_section(tree, own),
            history(tree, own, self.url_of(record).replace("/change/", "/changes/")),
            Section("Facts", facts=facts),
        ]

    def tools(self, request: HttpRequest, record: Image) -> Sequence[tuple[str, str]]:
        events = events_url(provider=record["id"], cell=record["cell"])
        return [("Events", events), *on_site(record["cell"])]

    def create(self, cleaned: Mapping[str, Any]) -> Image:
        return image_with_alive(*register(new_provider(self.class_of(cleaned), cleaned)))

    def change(self, record: Image, cleaned: Mapping[str, Any]) -> Image:
        version = int(cleaned[VERSION])
        return image_with_alive(*change(UUID(record["id"]), version, changes_of(record, cleaned), cleaned[WHO]))

    def remove(self, record: Image, who: str) -> None:
        remove(UUID(record["id"]), who)

    def field_of(self, error: Exception) -> str | None:
        return field_of_domain(error.field) if isinstance(error, Invalid) else None

    def alive(self, record: Image) -> str:
        if record["heartbeat"] == "none":
            return "always"
        return "yes" if record["alive"] else "no"

    def available(self, record: Image) -> str:
        amounts, has = record["amounts"], record["available"]
        return ", ".join(f"{name} {part_of(has.get(name, 0), value)}" for name, value in amounts.items())

    def claims(self, record: Image) -> int:
        claims = record["claims"]
        return claims if isinstance(claims, int) else len(claims)

    def rack(self, record: Image) -> str:
        return str(record["failure_domain"]["rack"])

    def zone(self, record: Image) -> str:
        return str(record["failure_domain"]["zone"])


def _common_sections() -> list[tuple[str | None, dict[str, Any]]]:
    return [
        (None, {"fields": ["name", "cell", "parent"]}),
        ("State", {"fields": ["state", "state_reason", "heartbeat"]}),
        ("Place", {"fields": ["rack", "zone"]}),
        ("Labels", {"fields": ["traits", "aggregates"]}),
    ]


class OwnClassProviderAdmin(ProviderAdmin):
    """Providers of an operator's own classes: their amounts and properties are lines of text."""

    columns = ("name", "resource_class", "cell", "state", "alive", "claims", "instances", "rack", "zone")

    def list_filters(self) -> Sequence[ListFilter]:
        own = tuple((c.name, c.name) for c in custom.load_all())
        return [ListFilter("resource_class", "class", own), *super().list_filters()]

    def list_page(self, filters: Mapping[str, str], search: str, limit: int, cursor: str | None) -> ListPage:
        known = [c.name for c in custom.load_all()]
        if not known:
            return ListPage(())
        names = [filters["resource_class"]] if filters["resource_class"] in known else known
        return _one_class_after_another(names, filters, search, limit, cursor)

    def read(self, key: str) -> Image:
        tree, own = read_provider(uuid_of(key))
        if not own.resource_class.custom:
            raise NotFound(f"{key} is no {self.opts.verbose_name}")
        return image_with_alive(tree, own)

    def class_of(self, cleaned: Mapping[str, Any]) -> ResourceClass:
        return resource_class(cleaned["resource_class"])

    def make_form(self, record: Image | None, data: Mapping[str, Any] | None) -> forms.Form:
        return provider_form(known_class(record["resource_class"]) if record else None, record, data)

    def form_sections(self, form: forms.Form) -> Sequence[tuple[str | None, dict[str, Any]]]:
        return [*_common_sections(), ("Class", {"fields": ["resource_class", "inventory", "properties"]})]

    def field_of(self, error: Exception) -> str | None:
        return error.field.split(".")[0] if isinstance(error, Invalid) else None


def _one_class_after_another(
    names: Sequence[str], filters: Mapping[str, str], search: str, limit: int, cursor: str | None
) -> ListPage:
    """The cursor carries the class it is in: `name~cursor`."""
    at, _, inner = (cursor or "").partition("~")
    start = names.index(at) if at in names else 0
    asked = {name: filters[name] for name in ("cell", "state", "trait", "aggregate")}
    wanted = ProviderFilter(**asked, name=search, resource_class=names[start])
    page = list_providers(wanted, limit, inner or None)
    if page.next:
        return ListPage(page.results, f"{names[start]}~{page.next}")
    return ListPage(page.results, f"{names[start + 1]}~" if start + 1 < len(names) else None)
