"""The three roles, as Django groups: `viewer` reads, `operator` also schedules and drains, `admin` everything."""

from typing import Any

VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"
ROLES = (VIEWER, OPERATOR, ADMIN)


def role_of(user: Any) -> str | None:
    """The highest role that a user has; a superuser is an admin. None: no role, or not active."""
    if not user.is_active:
        return None
    if user.is_superuser:
        return ADMIN
    names = _group_names(user)
    return next((role for role in reversed(ROLES) if role in names), None)


def _group_names(user: Any) -> frozenset[str]:
    # Kept on the user, as Django keeps its permissions: the admin's index asks once per entry.
    found: frozenset[str] | None = getattr(user, "_role_names", None)
    if found is None:
        found = user._role_names = frozenset(user.groups.filter(name__in=ROLES).values_list("name", flat=True))
    return found
