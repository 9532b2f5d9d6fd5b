"""Headroom: how many more of a shape fit, and what is left over."""

from api.shapes.build import FLAG, LABEL, TEXT, WHOLE, Shape, ref, some, table, thing
from api.shapes.schedule import RESOURCE

LEFT = table(
    thing(
        "Of the hosts that do: what is free, what so many more would take of it, and what nobody of them can use.",
        free=WHOLE,
        usable=WHOLE,
        stranded=WHOLE,
        stranded_share={"type": "number", "minimum": 0, "maximum": 1},
    )
)

SHAPES: dict[str, Shape] = {
    "Shape": {**RESOURCE, "properties": {**RESOURCE["properties"], "cell": LABEL, "project": LABEL}},
    "Headroom": thing(
        "`complete` false: the time was up before every shard was read, and there is room for more than this.",
        "requests",
        shapes=some(ref("ShapeRoom")),
        complete=FLAG,
        shards_read=WHOLE,
        shards=WHOLE,
        requests={**WHOLE, "description": "Of so many requests are the shapes that were asked for lately."},
    ),
    "ShapeRoom": thing(
        "`asked`: how many of it were asked for lately.",
        "asked",
        resource_class=TEXT,
        amounts=table(WHOLE),
        fits=WHOLE,
        asked=WHOLE,
        columns=LEFT,
        cells=some(ref("CellRoom")),
    ),
    "CellRoom": thing(
        "`fits` more, on `hosts` of the `seen`. `refused`: why others were passed over before amounts were looked "
        "at. `binds`: on how many hosts each column runs out first.",
        cell=TEXT,
        fits=WHOLE,
        hosts=WHOLE,
        seen=WHOLE,
        refused=table(WHOLE),
        binds=table(WHOLE),
        columns=LEFT,
        shards_read=WHOLE,
        shards=WHOLE,
    ),
}
