"""Tokens: issued (shown once), looked up by their hash, replaced and revoked."""

import datetime as dt
import functools
import hashlib
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from api.models import Token
from providers.refusals import Conflict

TRIES = 4
PREFIX = "sched_"  # so that secret scanners and people know what leaked
USED_EVERY = dt.timedelta(minutes=5)  # how coarse `last_used_at` is: a write per request would cost more than it tells


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def issue(user: AbstractBaseUser, name: str) -> str:
    """A new token of a user. The answer is the only time it is seen."""
    token = _make()
    Token.objects.create(digest=digest(token), user=user, name=name)
    return token


def issue_for_providers(providers: Iterable[tuple[UUID, str]]) -> dict[UUID, str]:
    """New tokens for agents (provider id and name of each), each replacing the one its provider had."""
    made = {provider_id: (_make(), name) for provider_id, name in providers}
    for attempt in range(TRIES):
        try:
            with transaction.atomic():
                revoke(provider_id__in=list(made))
                Token.objects.bulk_create(_of_agent(id_, name, token) for id_, (token, name) in made.items())
            break
        except IntegrityError:  # somebody else issued one for the same provider at the same moment: replace that one
            if attempt == TRIES - 1:
                raise
    return {provider_id: token for provider_id, (token, _) in made.items()}


def replace(provider_id: UUID, name: str, seen: int | None) -> str:
    """A new token for an agent, in place of the one with the id that was seen (None: it has none).

    Raises Conflict when that is not so any more; then nothing changed.
    """
    token = _make()
    try:
        with transaction.atomic():
            if seen is not None and not revoke(pk=seen, provider_id=provider_id):
                raise Conflict("the agent's token was replaced or revoked meanwhile")
            _of_agent(provider_id, name, token).save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("the agent got a token meanwhile") from error
    return token


def valid_of(providers: Collection[UUID]) -> dict[UUID, Token]:
    """The valid tokens of these providers' agents; one each at the most."""
    found = Token.objects.filter(provider_id__in=providers, revoked_at__isnull=True)
    return {token.provider_id: token for token in found if token.provider_id is not None}


def revoke(**which: Any) -> int:
    """Revokes the tokens that match, from the next request on; how many there were."""
    return Token.objects.filter(revoked_at__isnull=True, **which).update(revoked_at=timezone.now())


def are_valid(tokens: Iterable[str]) -> bool:
    """Whether every one of them is known and not revoked."""
    wanted = {digest(token) for token in tokens}
    known = Token.objects.filter(digest__in=wanted, revoked_at__isnull=True).values_list("digest", flat=True)
    return wanted == set(known)


def bound(digests: Collection[str]) -> dict[str, UUID]:
    """Those of these tokens, by their digests, that are valid and an agent's, and the provider each is bound to."""
    found = Token.objects.filter(digest__in=digests, revoked_at__isnull=True, provider_id__isnull=False)
    return dict(found.values_list("digest", "provider_id"))


@dataclass(frozen=True, slots=True)
class Found:
    """A valid token and whose it is: a user's (with the names of its groups) or a provider's agent's."""

    id: int
    provider_id: UUID | None
    last_used_at: dt.datetime | None
    username: str
    is_active: bool
    is_superuser: bool
    groups: frozenset[str]


def find(token: str) -> Found | None:
    """In one query."""
    with connection.cursor() as cursor:
        cursor.execute(_query(connection.vendor), [digest(token)])
        rows = cursor.fetchall()
    if not rows:
        return None
    token_id, provider_id, last_used_at, username, is_active, is_superuser, _ = rows[0]
    return Found(
        token_id,
        provider_id if provider_id is None or isinstance(provider_id, UUID) else UUID(provider_id),
        _moment(last_used_at),
        username or "",
        bool(is_active),
        bool(is_superuser),
        frozenset(row[6] for row in rows if row[6]),
    )


@functools.lru_cache(maxsize=4)
def _query(vendor: str) -> str:
    """The ORM's own SQL, compiled once: compiling it costs four times what running it does, on every request."""
    rows = (
        Token.objects.filter(digest="", revoked_at__isnull=True)
        .order_by()
        .values_list(
            "id",
            "provider_id",
            "last_used_at",
            "user__username",
            "user__is_active",
            "user__is_superuser",
            "user__groups__name",
        )
    )
    sql, values = rows.query.sql_with_params()
    if values != ("",):
        raise ValueError(f"the query takes {values}, not the digest alone")
    return str(sql)


def _moment(at: Any) -> dt.datetime | None:
    """SQLite has no type for times: they come as text, in UTC."""
    if isinstance(at, str):
        at = dt.datetime.fromisoformat(at)
    return at if at is None or at.tzinfo else at.replace(tzinfo=dt.UTC)


def note_use(token_id: int, last_used_at: dt.datetime | None) -> None:
    now = timezone.now()
    if last_used_at is not None and now - last_used_at < USED_EVERY:
        return
    try:
        Token.objects.filter(id=token_id).update(last_used_at=now)
    except OperationalError:
        return  # a busy SQLite: the next request notes it


def _of_agent(provider_id: UUID, name: str, token: str) -> Token:
    return Token(digest=digest(token), provider_id=provider_id, name=f"agent of {name}"[:255])


def _make() -> str:
    return PREFIX + secrets.token_urlsafe(32)
