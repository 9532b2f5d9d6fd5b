"""What goes over the wire, as JSON Schema: the components of the OpenAPI document, one module per noun.

The tests hold every answer against these, so that the document cannot rot.
"""

from typing import Any

from api.shapes import cell, claim, event, headroom, operate, policy, problem, promote, provider, request, schedule
from api.shapes.build import ref

SHAPES: dict[str, dict[str, Any]] = {
    **problem.SHAPES,
    **cell.SHAPES,
    **provider.SHAPES,
    **operate.SHAPES,
    **policy.SHAPES,
    **claim.SHAPES,
    **schedule.SHAPES,
    **headroom.SHAPES,
    **promote.SHAPES,
    **request.SHAPES,
    **event.SHAPES,
}

__all__ = ["SHAPES", "ref"]
