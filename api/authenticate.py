"""Who calls: a token (one SQL query), or the browser's session with CSRF. And what each role may do."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from api import tokens
from store.record_roles import ADMIN, ROLES, role_of

AGENT = "agent"
LONGEST = 512  # characters of an Authorization header's token
NO_ROLE = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent the request. `provider_id` is set for an agent only: all it may touch is this provider's."""

    username: str
    role: str
    provider_id: UUID | None = None
    is_authenticated: bool = True
    is_active: bool = True

    @property
    def pk(self) -> str:
        return self.username

    def at_least(self, role: str) -> bool:
        return self.role in ROLES and ROLES.index(self.role) >= ROLES.index(role)


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Token <token>`."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        token = token.strip()
        if scheme.lower() != "token" or not token or len(token) > LONGEST or not token.isascii():
            raise exceptions.AuthenticationFailed("Authorization must be `Token <token>`")
        caller = _caller(token)
        if caller is None:
            raise exceptions.AuthenticationFailed("This token is not valid: it is unknown, replaced or revoked")
        return caller, None

    def authenticate_header(self, request: Request) -> str:
        return 'Token realm="Sched Portal"'


def _caller(token: str) -> Caller | None:
    found = tokens.find(token)
    if found is None or (found.provider_id is None and not found.is_active):
        return None
    tokens.note_use(found.id, found.last_used_at)
    if found.provider_id is not None:
        return Caller(f"agent:{found.provider_id}", AGENT, found.provider_id)
    role = ADMIN if found.is_superuser else next((r for r in reversed(ROLES) if r in found.groups), NO_ROLE)
    return Caller(found.username, role)


class BrowserAuthentication(SessionAuthentication):
    """The session that the admin and the dashboard use; what changes something needs the CSRF token."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        underlying: HttpRequest = request._request
        user = getattr(underlying, "user", None)
        if user is None or not user.is_authenticated or not user.is_active:
            return None
        self.enforce_csrf(request)
        return Caller(user.get_username(), role_of(user) or NO_ROLE), None
