"""What Prometheus scrapes: requests by route template, their time, and what scheduling came to. Per process."""

from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)

REQUESTS = Counter("sched_http_requests_total", "HTTP requests answered", ["route", "method", "status"])
SECONDS = Histogram("sched_http_request_seconds", "Time until the answer", ["route", "method"], buckets=BUCKETS)
SCHEDULED = Counter("sched_schedule_outcomes_total", "What schedule requests came to", ["outcome"])
ATTEMPTS = Counter("sched_claim_attempts_total", "Claim transactions that schedule requests took")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def observe(request: HttpRequest, status: int, seconds: float) -> None:
    match = request.resolver_match
    # The template, never the path itself: ids in labels would make a time series each.
    route = "/" + match.route if match is not None and match.url_name != "unknown" else "unknown"
    method = request.method if request.method in METHODS else "other"
    REQUESTS.labels(route, method, str(status)).inc()
    SECONDS.labels(route, method).observe(seconds)


def page(request: HttpRequest) -> HttpResponse:
    """`/metrics`."""
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)
