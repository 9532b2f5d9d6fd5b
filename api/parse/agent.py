"""What an agent says about one claim or request."""

from agents.protocol import REASON_LIMIT
from api.fields import Fields


def nothing_more(body: Fields) -> None:
    """`{}`: the route says it all."""
    body.done()


def reason(body: Fields, required: bool) -> str:
    """Why; program output often, so control characters become spaces instead of a refusal that would be repeated."""
    given = body.take("reason") if required else body.take("reason", "")
    if not isinstance(given, str) or len(given) > REASON_LIMIT or (required and not given):
        if not any(e.field == body.where("reason") for e in body.errors):
            body.wrong("reason", f"must be a string of {int(required)} to {REASON_LIMIT} characters")
        given = ""
    body.done()
    clean = "".join(c if c.isprintable() else " " for c in given)
    return clean.encode("utf-8", "replace").decode()
