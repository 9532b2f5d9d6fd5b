"""A provider leaves for good: it drains, and when nothing is on it, it goes with all that is below it.

Each step is one that can be repeated, and finds out by itself what is left to do, so one that was interrupted is asked
for again. Who asks takes the agents' tokens back: they are kept above this room.
"""

from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from providers.drain import Drain, read_drain, start_drain
from providers.refusals import Conflict, NotFound
from providers.register import DRAINING
from providers.remove import remove
from providers.subtree import subtree
from store.session import keyspace, read

BEGINNING = "decommission: "


class NotEmpty(Conflict):
    """It drains; this much is left."""

    def __init__(self, drain: Drain) -> None:
        super().__init__(
            f"{drain.own.row['name']} is draining, claims left: {drain.claims}, instances: {drain.instances}; "
            "it is removed when you repeat this after they are gone (delete their requests, or wait)"
        )
        self.left = {"claims": drain.claims, "instances": drain.instances}


def decommission(provider_id: UUID, reason: str, who: str, revoke: Callable[[UUID], object]) -> None:
    """Done when it answers. `revoke` takes back the token of a provider's agent.

    Raises NotFound (it never was), NotEmpty (it drains now; repeat), Conflict, Undecided.
    """
    try:
        drain = read_drain(provider_id)
    except NotFound:
        if not read(f"SELECT removed FROM {keyspace()}.providers_by_id WHERE provider_id = ?", [provider_id]):
            raise
        revoke(provider_id)  # whoever removed it may have died before this
        _remove(provider_id, who, reason)  # or before all was cleared up
        return
    own = drain.own
    if own.row["state"] != DRAINING or not str(own.row["state_reason"]).startswith(BEGINNING):
        drain = start_drain(provider_id, f"{BEGINNING}{reason}", who)
    if not drain.empty:
        raise NotEmpty(drain)
    for one in subtree(drain.tree, provider_id):
        revoke(one.id)  # before it is gone: a child that was removed is not found here again
        _remove(one.id, who, reason)


def _remove(provider_id: UUID, who: str, reason: str) -> None:
    with suppress(NotFound):  # somebody else was first
        remove(provider_id, who, f"{BEGINNING}{reason}")
