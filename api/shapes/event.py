"""Events."""

from api.shapes.build import LABEL, TEXT, TIME, UUID, WHOLE, Shape, either, maybe, ref, some, thing
from events.types import TYPES

SHAPES: dict[str, Shape] = {
    "Event": thing(
        "Of two images of one provider the one with the higher `generation` is the newer.",
        id=UUID,
        type=either(*TYPES),
        at=TIME,
        cell=LABEL,
        provider=maybe(UUID),
        resource_class=maybe(LABEL),
        claim_id=maybe(UUID),
        request_id=maybe(UUID),
        generation=maybe(WHOLE),
        data={"type": "object"},
        image=maybe(ref("EventImage")),
    ),
    "EventImage": {"type": "object", "description": "A Provider as it was after the event, without `alive`."},
    "EventPage": thing("`next` is never null: give it as `after`.", results=some(ref("Event")), next=TEXT),
}
