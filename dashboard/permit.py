"""Who may watch: every role. A WebSocket says no by a close code, which a browser can read, unlike a status."""

from typing import Any

from store.record_roles import ROLES

UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, TRY_AGAIN = 4401, 4403, 4404, 1013


def refusal(role: Any) -> int | None:
    """The close code for a role (None: nobody known) that may not watch; None: welcome."""
    if role is None:
        return UNAUTHENTICATED
    return None if role in ROLES else FORBIDDEN
