"""How much of a provider is kept back, and how far it is overcommitted: what that would come to, and setting it.

For one provider, or many at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from providers.change import Changes, change, inventory_of
from providers.inventory import Inventory, check_inventory
from providers.records import OwnRow, read_provider
from providers.refusals import Conflict, Invalid, NotFound, Undecided
from store.failures import StoreUnavailable

AT_ONCE = 100  # providers of one call: each is a transaction, and somebody waits
TRIES = 4
CHANGED, WOULD_CHANGE, UNCHANGED, INVALID = "changed", "would_change", "unchanged", "invalid"
NOT_FOUND, CONTENDED, UNKNOWN = "not_found", "contended", "unknown"
OUTCOMES = (CHANGED, WOULD_CHANGE, UNCHANGED, INVALID, NOT_FOUND, CONTENDED, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is to be of one amount: kept back of it, and its ratio; None: as it is."""

    reserved: int | None = None
    allocation_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One amount before and after: `for_sale` is total x ratio - reserved, `available` that without what is used."""

    before: Inventory
    after: Inventory
    available_before: int

    @property
    def available_after(self) -> int:
        return self.available_before + self.after.effective - self.before.effective


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of one provider: one of OUTCOMES, and a sentence where there is something to say."""

    provider_id: UUID
    name: str
    outcome: str
    columns: Mapping[str, Column]
    detail: str = ""

    @property
    def negative(self) -> list[str]:
        """`vcpus: available becomes -12`, for each amount of which more is taken than there would be."""
        verb = "becomes" if self.outcome == WOULD_CHANGE else "is"
        some = {name: one.available_after for name, one in self.columns.items() if one.available_after < 0}
        return [f"{name}: available {verb} {value}" for name, value in some.items()]


def keep(provider_ids: Collection[UUID], kept: Mapping[str, Kept], who: str, preview: bool) -> list[Outlook]:
    """One after the other, each for itself; with `preview` nothing is written. Raises Invalid: none, or too many."""
    ids = list(dict.fromkeys(provider_ids))
    if not 1 <= len(ids) <= AT_ONCE:
        raise Invalid("providers", f"must be 1 to {AT_ONCE} providers")
    return [_keep(one, kept, who, preview) for one in ids]


def _keep(provider_id: UUID, kept: Mapping[str, Kept], who: str, preview: bool) -> Outlook:
    name = ""
    try:
        for _ in range(TRIES):
            _, own = read_provider(provider_id)
            name = own.row["name"]
            columns = _columns(own, kept)
            changed = {column: one.after for column, one in columns.items() if one.after != one.before}
            if not changed or preview:
                return Outlook(provider_id, name, WOULD_CHANGE if changed else UNCHANGED, columns)
            try:
                change(provider_id, own.state_version, Changes({}, changed, {}), who)
            except Conflict:
                continue  # it was changed by others meanwhile: again, on what they made of it
            return Outlook(provider_id, name, CHANGED, columns)
    except NotFound as error:
        return Outlook(provider_id, name, NOT_FOUND, {}, str(error))
    except Invalid as error:
        return Outlook(provider_id, name, INVALID, {}, str(error))
    except (Undecided, StoreUnavailable) as error:
        return Outlook(provider_id, name, UNKNOWN, {}, str(error))
    return Outlook(provider_id, name, CONTENDED, {}, "it is being changed by others all the time; repeat")


def _columns(own: OwnRow, kept: Mapping[str, Kept]) -> dict[str, Column]:
    current, available = inventory_of(own), own.available
    after = {
        name: Inventory(
            now.total,
            now.reserved if one.reserved is None else one.reserved,
            now.allocation_ratio if one.allocation_ratio is None else one.allocation_ratio,
        )
        for name, one in kept.items()
        for now in [current.get(name, Inventory(0))]
    }
    check_inventory(own.resource_class, after)
    return {name: Column(current.get(name, Inventory(0)), one, available.get(name, 0)) for name, one in after.items()}
