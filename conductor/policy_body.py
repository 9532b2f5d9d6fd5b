"""What a policy says, as JSON: checked when it is written, and turned into the form that the scheduler takes."""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings

from providers.aggregates import check_weighers
from providers.refusals import Invalid
from scheduler import filters as filter_list
from scheduler import weighers as weigher_list
from scheduler.types import Policy

log = logging.getLogger("sched_portal.conductor")
Body = Mapping[str, Any]
MOST_WEIGHERS = 100
_told: set[tuple[int, frozenset[str]]] = set()


class Limits(NamedTuple):
    """Of a number: from and to, and what it says."""

    least: float
    most: float
    says: str


class SettingsValues(NamedTuple):
    """Of a policy; the weighers as words, `free_amount=1.0`."""

    filters: tuple[str, ...]
    weighers: tuple[str, ...]
    subset: int
    alternates: int
    sample_hosts: int


NUMBERS = {
    "subset": Limits(1, 1000, "The choice is made at random among so many of the best"),
    "alternates": Limits(0, 100, "Further hosts in a plan, for when the first is lost"),
    "sample_hosts": Limits(1, 10_000, "How many fitting hosts are enough for a sampled search"),
    "sweep_seconds": Limits(0.1, 600, "How long a search over every host may take"),
    "pack_limit": Limits(0, 1_000_000, "Up to how many providers of a class a policy that packs reads all"),
    "max_instances": Limits(0, 1_000_000, "Claims and instances that one host may have; 0: no limit"),
    "max_builds": Limits(0, 1_000_000, "Claims that one host may be building at once; 0: no limit"),
}
FRACTIONS = ("sweep_seconds",)  # the others are whole numbers
FIELDS = ("filters", "weighers", *NUMBERS)


def settings_values() -> SettingsValues:
    """What the settings say of a policy."""
    return SettingsValues(
        tuple(settings.SCHEDULE_FILTERS),
        tuple(settings.SCHEDULE_WEIGHERS),
        settings.SCHEDULE_SUBSET,
        settings.SCHEDULE_ALTERNATES,
        settings.SCHEDULE_SAMPLE_HOSTS,
    )


def settings_body() -> dict[str, Any]:
    """What holds as long as no policy was ever made: the settings, and what the scheduler does without any."""
    return body_of(settings_values())


def body_of(values: SettingsValues) -> dict[str, Any]:
    words = (word.partition("=") for word in values.weighers)
    weighers = {name.strip(): float(value or 1) for name, _, value in words}
    policy = Policy(values.filters, weighers, values.subset, values.alternates, values.sample_hosts)
    said = {name: getattr(policy, name) for name in FIELDS}
    return {**said, "filters": list(policy.filters), "weighers": dict(policy.weighers)}


def policy_of(body: Body, version: int) -> Policy:
    """As the scheduler takes it. What another release knows and this one does not is left out, and logged."""
    known = {field.name for field in dataclasses.fields(Policy)} & set(FIELDS)
    values = {name: value for name, value in body.items() if name in known}
    filters = tuple(name for name in body["filters"] if name in filter_list.BY_NAME)
    weighers = {name: float(v) for name, v in body["weighers"].items() if weigher_list.find(name) is not None}
    unknown = frozenset({*body, *body["filters"], *body["weighers"]} - known - {*filters, *weighers})
    if unknown and (version, unknown) not in _told:  # it is read anew all the time
        _told.add((version, unknown))
        log.warning("policy version %s names what is not known here: %s", version, ", ".join(sorted(unknown)))
    return Policy(**{**values, "filters": filters, "weighers": weighers, "version": version})


def mistakes(body: Body) -> list[Invalid]:
    """All that is wrong with a policy, or with the part of one that is to change."""
    found = [
        Invalid(name, f"is no field of a policy; there are {', '.join(FIELDS)}") for name in body if name not in FIELDS
    ]
    if "filters" in body:
        found += _wrong_filters(body["filters"])
    if "weighers" in body:
        found += _wrong_weighers(body["weighers"])
    return found + [one for name in NUMBERS if name in body for one in _wrong_number(name, body[name])]


def merged(body: Body, onto: Body) -> dict[str, Any]:
    """A whole policy: what `body` does not name is as in `onto`. Raises Invalid."""
    wrong = mistakes(body)
    if wrong:
        raise wrong[0]
    whole = {name: body.get(name, onto[name]) for name in FIELDS}
    whole["weighers"] = {name: float(value) for name, value in whole["weighers"].items()}
    return {**whole, **{name: float(whole[name]) for name in FRACTIONS}}


def _wrong_filters(value: Any) -> list[Invalid]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return [Invalid("filters", "must be a list of names")]
    there_are = f"there are {', '.join(filter_list.BY_NAME)}"
    unknown = [i for i, name in enumerate(value) if name not in filter_list.BY_NAME]
    if unknown:
        return [Invalid(f"filters.{i}", f"is no filter; {there_are}") for i in unknown[:10]]
    return [Invalid("filters", "names one twice")] if len(set(value)) < len(value) else []


def _wrong_weighers(value: Any) -> list[Invalid]:
    if not isinstance(value, dict) or len(value) > MOST_WEIGHERS:
        return [Invalid("weighers", f"must be an object of up to {MOST_WEIGHERS} multipliers by name")]
    found = []
    for name, multiplier in value.items():
        if isinstance(multiplier, bool) or not isinstance(multiplier, int | float):
            found.append(Invalid(f"weighers.{name}", "must be a number"))
            continue
        try:
            check_weighers({name: multiplier})
        except Invalid as error:
            found.append(error)
    return found


def _wrong_number(name: str, value: Any) -> list[Invalid]:
    least, most, _ = NUMBERS[name]
    takes_fractions = name in FRACTIONS
    if isinstance(value, bool) or not isinstance(value, (int, float) if takes_fractions else int):
        return [Invalid(name, f"must be a {'' if takes_fractions else 'whole '}number")]
    return [] if least <= value <= most else [Invalid(name, f"must be {least} to {most}")]
