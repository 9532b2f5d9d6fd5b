"""The base of every route: who calls and what they may, before a method runs; every error in one form after it."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.views import APIView

from api.authenticate import AGENT, Caller
from api.fields import Fields, parse_uuid
from api.microversions import HEADER, SERVICE, at_least
from api.query import Query
from api.strict_json import read_object
from providers.refusals import NotFound

ANYONE = "anyone"  # no token needed


class View(APIView):
    """`roles` says for each method who may call it: a role (and those above it), AGENT (an agent, or an admin in its
    place) or ANYONE."""

    roles: ClassVar[dict[str, str]] = {}
    since: ClassVar[str] = ""  # the version that brought this route; older ones do not have it
    http_method_names = ["get", "post", "patch", "delete", "head"]
    metadata_class = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if self.since and not at_least(request._request, self.since):
            raise NotFound(f"no such route before version {self.since}: send `{HEADER}: {SERVICE} {self.since}`")
        method = "GET" if request.method == "HEAD" else str(request.method)
        needed = self.roles.get(method)
        if needed is None:
            raise exceptions.MethodNotAllowed(str(request.method))
        if needed == ANYONE:
            return
        try:
            caller = request.user
        except exceptions.AuthenticationFailed:
            self._count_stranger(request)
            raise
        if not isinstance(caller, Caller):
            self._count_stranger(request)
            raise exceptions.NotAuthenticated("Send `Authorization: Token <token>`, or log in")
        self.check_throttles(request)
        if not self._may(caller, needed):
            raise exceptions.PermissionDenied(_refusal(caller, needed))

    def _may(self, caller: Caller, needed: str) -> bool:
        if needed == AGENT:
            return caller.role == AGENT or caller.at_least("admin")
        return caller.at_least(needed)

    def _count_stranger(self, request: Request) -> None:
        request._user = None  # or asking for it would authenticate, and fail, again
        self.check_throttles(request)

    def handle_exception(self, exc: Exception) -> HttpResponse:
        if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
            exc.auth_header = self.get_authenticate_header(self.request)  # type: ignore[attr-defined]
        # DRF turns a 401 without a scheme into a 403 here; ours always has one.
        response: HttpResponse = self.get_exception_handler()(exc, self.get_exception_handler_context())
        return response

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {}

    def caller(self) -> Caller:
        found: Caller = self.request.user
        return found

    def body(self) -> Fields:
        return Fields(read_object(self.request._request))

    def query(self) -> Query:
        return Query(self.request._request)

    def no_query(self) -> None:
        self.query().done()

    def acting_provider(self) -> UUID | None:
        """The provider that an agent speaks for, from its token; None when an admin acts in its place."""
        return self.caller().provider_id

    def own_provider(self, provider_id: str) -> UUID:
        """The provider of the path, which must be the agent's own."""
        found = identifier(provider_id, "provider")
        bound = self.acting_provider()
        if bound is not None and bound != found:
            raise exceptions.PermissionDenied("This token is bound to another provider")
        return found


def identifier(text: str, what: str) -> UUID:
    """An id in a path; what is no UUID names nothing."""
    found = parse_uuid(text)
    if found is None:
        raise NotFound(f"no {what} {text[:100]}")
    return found


def _refusal(caller: Caller, needed: str) -> str:
    if caller.role == AGENT:
        return "An agent's token is for its own provider's routes only"
    if needed == AGENT:
        return "Only the provider's agent, or an admin, may do this"
    return f"This needs the role {needed}; {caller.username} has {caller.role or 'none'}"
