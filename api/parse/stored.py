"""A request that was made, as if it were made again: to explain it as things are now."""

from api.fields import Fields
from api.parse.schedule import schedule_request
from conductor.types import RequestView, ScheduleRequest


def asked_again(view: RequestView) -> ScheduleRequest:
    """Raises Refused when this release does not take the body (any more)."""
    body = {name: value for name, value in view.body.items() if name != "plan"}  # of one that was looked at first
    wanted, _ = schedule_request(body, Fields(body), None, view.username)
    return wanted
