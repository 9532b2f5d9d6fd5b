"""Tokens: issued (shown once), looked up by their hash, replaced and revoked."""

import datetime as dt
import hashlib
import secrets
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import OperationalError, transaction
from django.utils import timezone

from api.models import Token

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
    """New tokens for agents (provider id and name of each), each replacing the ones its provider had."""
    made = {provider_id: (_make(), name) for provider_id, name in providers}
    with transaction.atomic():
        revoke(provider_id__in=list(made))
        Token.objects.bulk_create(
            Token(digest=digest(token), provider_id=provider_id, name=f"agent of {name}"[:255])
            for provider_id, (token, name) in made.items()
        )
    return {provider_id: token for provider_id, (token, _) in made.items()}


def revoke(**which: Any) -> int:
    """Revokes the tokens that match, from the next request on; how many there were."""
    return Token.objects.filter(revoked_at__isnull=True, **which).update(revoked_at=timezone.now())


def are_valid(tokens: Iterable[str]) -> bool:
    """Whether every one of them is known and not revoked."""
    wanted = {digest(token) for token in tokens}
    known = Token.objects.filter(digest__in=wanted, revoked_at__isnull=True).values_list("digest", flat=True)
    return wanted == set(known)


def find(token: str) -> list[dict[str, Any]]:
    """The valid token's row, once per group of its user (one query); empty when there is none."""
    return list(
        Token.objects.filter(digest=digest(token), revoked_at__isnull=True)
        .order_by()
        .values(
            "id",
            "provider_id",
            "last_used_at",
            "user__username",
            "user__is_active",
            "user__is_superuser",
            "user__groups__name",
        )
    )


def note_use(token_id: int, last_used_at: dt.datetime | None) -> None:
    now = timezone.now()
    if last_used_at is not None and now - last_used_at < USED_EVERY:
        return
    try:
        Token.objects.filter(id=token_id).update(last_used_at=now)
    except OperationalError:
        return  # a busy SQLite: the next request notes it


def _make() -> str:
    return PREFIX + secrets.token_urlsafe(32)
