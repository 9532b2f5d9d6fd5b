"""An operator's own resource class."""

from api.fields import Fields
from providers.resource_classes.custom import MAX_COLUMNS
from providers.resource_classes.kind import AMOUNT, INTEGER, PROPERTY, STRING, Column


def new_resource_class(body: Fields) -> tuple[str, list[Column]]:
    """Its name and columns; what the names may be is the domain's to say."""
    name = body.label("name", most=63)
    columns = [_column(one) for one in body.sections("columns", MAX_COLUMNS)]
    body.done()
    return name, columns


def _column(one: Fields) -> Column:
    kind = one.choice("kind", (AMOUNT, PROPERTY))
    found = Column(
        one.label("name", most=63),
        one.label("unit", "", least=0, most=63),
        kind,
        one.choice("type", (INTEGER, STRING), INTEGER if kind == AMOUNT else STRING),
    )
    one.end()
    return found
