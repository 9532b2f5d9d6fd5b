"""Headroom as tables, for the admin's page and the command."""

from collections.abc import Iterator

from conductor.headroom import CellRoom, Headroom, ShapeRoom
from providers.admin_sections import words

HEADERS = ("cell", "fit", "hosts", "of", "runs out first", "stranded", "passed over")


def title_of(shape: ShapeRoom) -> str:
    """`compute: memory_mb 4096, vcpus 2 (asked for 12 times)`."""
    resource = shape.asked.resource
    times = f" (asked for {shape.asked.times} times)" if shape.asked.times else ""
    return f"{resource.resource_class}: {words(resource.amounts)}{times}"


def rows_of(shape: ShapeRoom) -> Iterator[list[str]]:
    """One line a cell, each cell of it as text, under HEADERS; the sum of them last when there are several."""
    for one in shape.cells:
        yield _row(one, shape)
    if len(shape.cells) > 1:
        summed = [sum(one.shards_read for one in shape.cells), sum(one.shards for one in shape.cells)]
        yield _row(CellRoom("all", shape.whole, *summed), shape)


def how_far(found: Headroom) -> str:
    """What the answer rests on."""
    text = f"From {found.shards_read} of {found.shards} shards"
    text += "." if found.complete else ": the time was up, and there is room for more than this."
    return text if found.requests is None else f"Shapes of the newest {found.requests} requests. {text}"


def _row(one: CellRoom, shape: ShapeRoom) -> list[str]:
    room, usable = one.room, one.room.usable(shape.asked.resource.amounts)
    stranded = {
        name: f"{room.stranded_share(name, used):.0%} of {room.free.get(name, 0):,}" for name, used in usable.items()
    }
    return [
        one.cell,
        f"{room.fits:,}",
        f"{room.hosts:,}",
        f"{room.seen:,}",
        ", ".join(f"{name} on {hosts:,}" for name, hosts in sorted(room.binds.items())) or "-",
        ", ".join(f"{name} {share}" for name, share in stranded.items()) or "-",
        ", ".join(f"{reason} {hosts:,}" for reason, hosts in sorted(room.refused.items())) or "-",
    ]
