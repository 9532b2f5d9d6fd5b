"""A policy, as it is made, brought back or run as a shadow. What it may say is the domain's to know."""

from dataclasses import dataclass
from typing import Any

from api.fields import LABEL, Fields
from conductor.policies import REASON
from conductor.policy_body import mistakes


@dataclass(frozen=True, slots=True)
class NewPolicy:
    policy: dict[str, Any]
    based_on: int
    reason: str


@dataclass(frozen=True, slots=True)
class NewShadow:
    """`version`: that one as it is; None: what `policy` names differs from the policy in force."""

    policy: dict[str, Any]
    version: int | None
    reason: str


def new_policy(body: Fields) -> NewPolicy:
    found = NewPolicy(_policy(body), body.whole("based_on"), why(body))
    body.done()
    return found


def new_shadow(body: Fields) -> NewShadow:
    if ("policy" in body) == ("version" in body):
        body.wrong("policy", "give either `policy` or `version`")
    policy = _policy(body) if "policy" in body else {}
    found = NewShadow(policy, body.whole("version") if "version" in body else None, why(body))
    body.done()
    return found


def why(body: Fields) -> str:
    return body.label("reason", most=REASON)


def _policy(body: Fields) -> dict[str, Any]:
    section = body.section("policy")
    if section is None:
        return {}
    found = {name: section.take(name) for name in section.labelled()}
    for mistake in mistakes(found):
        section.wrong(_shown(mistake.field), mistake.message)
    return found


def _shown(field: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in field[:LABEL])
