"""Cells and resource classes."""

from api.shapes.build import FLAG, LABEL, TEXT, TIME, Shape, either, maybe, optional, page, ref, some, thing

STATE = either("enabled", "disabled")
DESCRIPTION: Shape = {"type": "string", "maxLength": 2000}
COLUMN = thing(name=TEXT, unit=TEXT, kind=either("amount", "property"), type=either("integer", "string"))

SHAPES: dict[str, Shape] = {
    "Cell": thing(name=LABEL, datacenter=LABEL, state=STATE, description=TEXT, created_at=maybe(TIME)),
    "NewCell": thing(
        optional="datacenter state description",
        name=LABEL,
        datacenter=maybe(LABEL),
        state=STATE,
        description=DESCRIPTION,
    ),
    "CellChange": optional(state=STATE, description=DESCRIPTION),
    "CellPage": page("Cell"),
    "ResourceClass": thing(name=TEXT, custom=FLAG, columns=some(ref("Column"))),
    "Column": COLUMN,
    "NewResourceClass": thing(
        name={"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$"},
        columns={**some(ref("NewColumn")), "minItems": 1, "maxItems": 50},
    ),
    "NewColumn": {**COLUMN, "required": ["name", "kind"]},
    "ResourceClassPage": page("ResourceClass"),
}
