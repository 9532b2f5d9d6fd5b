"""A provider's whole tree on its page: what is above it, beside it and below it, with what is free on each."""

from typing import Any
from uuid import UUID

from django.utils.html import format_html

from providers.admin_sections import part_of, provider_link
from providers.records import OwnRow, Tree
from store.record_pages import Section

INDENT = "\u2003"


def tree_section(tree: Tree, own: OwnRow) -> Section:
    """Each provider stands under its parent, further in, by name; the root comes first."""
    placed = in_order(tree)
    rows = [_row(one, depth, one.id == own.id) for one, depth in placed] if len(placed) > 1 else []
    headers = ["Name", "Resource class", "State", "Free"]
    return Section("Tree", headers=headers, rows=rows, empty="It stands alone: nothing is above or below it.")


def in_order(tree: Tree) -> list[tuple[OwnRow, int]]:
    """Depth first, with each one's depth, the root's 0. One whose parent was just removed stands beside the root."""
    below: dict[UUID | None, list[OwnRow]] = {}
    for one in sorted(tree.providers.values(), key=lambda one: (one.id != tree.root_id, one.row["name"])):
        parent = one.row["parent_id"]
        below.setdefault(parent if parent in tree.providers else None, []).append(one)
    found: list[tuple[OwnRow, int]] = []
    waiting = [(one, 0) for one in reversed(below.get(None, []))]
    while waiting:
        one, depth = waiting.pop()
        found.append((one, depth))
        waiting += [(child, depth + 1) for child in reversed(below.get(one.id, []))]
    return found


def _row(one: OwnRow, depth: int, is_this: bool) -> list[Any]:
    branch = f"{INDENT * (depth - 1)}└ " if depth else ""
    if is_this:
        name = format_html("{}<strong>{}</strong> (this one)", branch, one.row["name"])
    else:
        name = format_html("{}{}", branch, provider_link(one.row["resource_class"], one.id, one.row["name"]))
    return [name, one.row["resource_class"], one.row["state"], _free(one)]


def _free(one: OwnRow) -> Any:
    amounts, available = one.amounts, one.available
    parts = [format_html("{} {}", name, part_of(available.get(name, 0), amounts[name])) for name in sorted(amounts)]
    return format_html(", ".join(["{}"] * len(parts)), *parts) if parts else None
