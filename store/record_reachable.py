"""Pages that say so when Cassandra is not there, instead of failing."""

import functools
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from store.failures import SchemaMissing, StoreUnavailable


def reachable(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """For a view that is a method of a RecordAdmin."""

    @functools.wraps(view)
    def guarded(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(self, request, *args, **kwargs)
        except (StoreUnavailable, SchemaMissing) as error:
            answer: HttpResponse = self.unavailable(request, error)
            return answer

    return guarded
