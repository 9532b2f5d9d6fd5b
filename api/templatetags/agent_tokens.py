"""Agents' tokens on the pages of providers, which are below this room and know nothing of tokens."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django import template

from api.models import Token
from api.tokens import valid_of

register = template.Library()


@register.simple_tag
def tokens_of(rows: Iterable[Any]) -> dict[str, Token]:
    """Provider -> its agent's valid token, for the rows of a list (in one query)."""
    return token_by_provider([row.key for row in rows])


@register.simple_tag
def token_of(provider: str) -> Token | None:
    return token_by_provider([provider]).get(provider)


@register.filter
def of(found: Mapping[str, Token], provider: str) -> Token | None:
    return found.get(provider)


def token_by_provider(providers: list[str]) -> dict[str, Token]:
    return {str(provider): token for provider, token in valid_of([UUID(one) for one in providers]).items()}
