"""How many wrong passwords somebody may try, at either door: /login/ and /admin/login/. django-axes counts, in SQL.

Counted per user name and address together, so that nobody locks an admin out who comes from elsewhere; and per address
alone, with a higher limit, for those who try one password with many names.
"""

import ipaddress
import math
from typing import Any

from axes.backends import AxesStandaloneBackend
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Max, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from dashboard.views import say

IPV6_NETWORK = 64  # bits: what one customer has, and may take any address of


class LoginLimit(AxesStandaloneBackend):
    """Asked before the password is looked at. Where no request is, nobody knocks: a command asks."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:  # type: ignore[override]
        if request is not None:
            super().authenticate(request, **credentials)


class Attempts(AxesDatabaseHandler):
    """Counts the address beside the pair that axes counts. The address's count is no `AXES_LOCKOUT_PARAMETERS`: axes
    has one limit for all of them, and a login with one's own name would forget the tries with other names."""

    def get_failures(self, request: Any, credentials: dict[str, Any] | None = None) -> int:
        pair: int = super().get_failures(request, credentials)
        beyond = _count(_of_address(request)) - settings.LOGIN_FAILURES_ADDRESS
        return max(pair, settings.LOGIN_FAILURES + beyond)


def address_of(request: HttpRequest) -> str | None:
    """The client's address (IPv6: its /64). Behind a proxy that is the last of X-Forwarded-For, which the proxy wrote;
    what stands before it is the client's own word."""
    direct = _network(request.META.get("REMOTE_ADDR", ""))
    if not settings.BEHIND_PROXY:
        return direct
    return _network(request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2]) or direct


def refused(request: Any, response: HttpResponse, credentials: dict[str, Any] | None = None) -> HttpResponse:
    """429, the same for every name, whether there is such a user or not."""
    seconds = _seconds_left(request, credentials or {})
    minutes = math.ceil(seconds / 60)
    when = "in a minute" if minutes == 1 else f"in {minutes} minutes"
    answer = say(request, 429, "Too many tries", f"The password was wrong too often. Try again {when}.")
    answer["Retry-After"] = str(seconds)
    answer["Cache-Control"] = "no-store"
    return answer


def _seconds_left(request: Any, credentials: dict[str, Any]) -> int:
    """Until all that was counted is forgotten; at least 1."""
    counted = _of_address(request)
    pair = counted.filter(username=credentials.get("username"))
    if _count(pair) >= settings.LOGIN_FAILURES:
        counted = pair
    newest = counted.aggregate(at=Max("attempt_time"))["at"] or timezone.now()
    return max(1, math.ceil((newest + settings.AXES_COOLOFF_TIME - timezone.now()).total_seconds()))


def _of_address(request: Any) -> QuerySet[AccessAttempt]:
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    return AccessAttempt.objects.filter(ip_address=request.axes_ip_address, attempt_time__gte=since)


def _count(attempts: QuerySet[AccessAttempt]) -> int:
    return attempts.aggregate(failures=Sum("failures_since_start"))["failures"] or 0


def _network(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:  # a Unix socket has none
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), IPV6_NETWORK), strict=False).network_address)
