"""Words to write shapes with."""

from typing import Any

Shape = dict[str, Any]

LARGEST = 2**53 - 1
LABEL: Shape = {"type": "string", "minLength": 1, "maxLength": 255}
TEXT: Shape = {"type": "string"}
UUID: Shape = {"type": "string", "format": "uuid"}
TIME: Shape = {"type": "string", "format": "date-time"}
FLAG: Shape = {"type": "boolean"}
NUMBER: Shape = {"type": "number"}
WHOLE: Shape = {"type": "integer"}
AMOUNT: Shape = {"type": "integer", "minimum": 0, "maximum": LARGEST}
ANYTHING: Shape = {}


def ref(name: str) -> Shape:
    return {"$ref": f"#/components/schemas/{name}"}


def either(*values: str) -> Shape:
    return {"type": "string", "enum": list(values)}


def some(shape: Shape) -> Shape:
    return {"type": "array", "items": shape}


def maybe(shape: Shape) -> Shape:
    """It, or null."""
    return {"oneOf": [shape, {"type": "null"}]}


def table(shape: Shape) -> Shape:
    """An object with names of its own: amounts by column, for example."""
    return {"type": "object", "additionalProperties": shape}


def thing(text: str = "", /, optional: str = "", **members: Shape) -> Shape:
    """An object with these members and no others; those named in `optional` may be missing."""
    left_out = optional.split()
    found: Shape = {"type": "object", "properties": members, "additionalProperties": False}
    if text:
        found["description"] = text
    required = [name for name in members if name not in left_out]
    if required:
        found["required"] = required
    return found


def optional(text: str = "", /, **members: Shape) -> Shape:
    """An object all of whose members may be missing."""
    return thing(text, " ".join(members), **members)


def page(name: str, **more: Shape) -> Shape:
    return thing(results=some(ref(name)), next=maybe(TEXT), **more)
