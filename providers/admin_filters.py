"""What the admin's pages of supply, claims and requests are asked with: ids and cells, and what may be refused."""

from uuid import UUID

from providers import cells
from providers.refusals import Conflict, Invalid, NotFound, Undecided
from store.record_pages import ListFilter

REFUSED = (Conflict, Invalid, Undecided)


def uuid_of(key: str) -> UUID:
    """Raises NotFound: what is no UUID names nothing."""
    try:
        return UUID(key)
    except ValueError as error:
        raise NotFound(f"nothing has the id {key}") from error


def uuid_filter(name: str, text: str) -> UUID | None:
    """What was typed into a filter for an id; None when it is empty. Raises Invalid."""
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise Invalid(name, f"“{text}” is not an id") from error


def cell_filter() -> ListFilter:
    return ListFilter("cell", "cell", tuple((cell.name, cell.name) for cell in cells.all_cells()))
