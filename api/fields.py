"""Reads typed fields out of a JSON object. Mistakes are collected, so that one answer names all of them.

`Fields` is one object of the body; what nobody asked for is an unknown field.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar
from uuid import UUID

from api.problems import FieldError, invalid

LARGEST = 2**53 - 1  # what JSON numbers carry exactly
LABEL = 255  # characters
LISTED = 500  # entries of a list of labels
REQUIRED = object()
UUID_FORM = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, halves of a pair, line separators
T = TypeVar("T")


def wrong_with_label(value: Any, least: int = 1, most: int = LABEL) -> str:
    """What is wrong with a name or label; empty when nothing is."""
    if not isinstance(value, str):
        return "must be a string"
    if not least <= len(value) <= most:
        return f"must have {least} to {most} characters"
    if not value.isascii() or not value.isprintable():
        bad = next((c for c in value if unicodedata.category(c) in _UNPRINTABLE), None)
        if bad is not None:
            return f"must not have control characters (here U+{ord(bad):04X})"
    return ""


def wrong_with_whole(value: Any, least: int = 0, most: int = LARGEST) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        return "must be a whole number"
    return "" if least <= value <= most else f"must be {least} to {most}"


def parse_uuid(value: Any) -> UUID | None:
    """Only the usual form: Python's UUID() also takes braces, `urn:` and no hyphens."""
    return UUID(value) if isinstance(value, str) and UUID_FORM.fullmatch(value) else None


class Fields:
    """One object of the body. Each reader gives the value, or the default when it is missing or wrong (the mistake is
    noted); `done()` raises what was noted."""

    def __init__(self, data: Any, path: str = "", errors: list[FieldError] | None = None) -> None:
        self.errors: list[FieldError] = [] if errors is None else errors
        self._path = path
        self._asked: set[str] = set()
        self._data: Mapping[str, Any] = data if isinstance(data, dict) else {}
        if not isinstance(data, dict):
            self.errors.append(FieldError(path, "must be an object"))

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def where(self, name: str | int) -> str:
        return f"{self._path}.{name}" if self._path else str(name)

    def wrong(self, name: str | int, message: str) -> None:
        self.errors.append(FieldError(self.where(name), message))

    def names(self) -> list[str]:
        return list(self._data)

    def take(self, name: str, default: Any = REQUIRED) -> Any:
        """The value as it is. A missing one without a default is a mistake and reads as None."""
        self._asked.add(name)
        if name in self._data:
            return self._data[name]
        if default is REQUIRED:
            self.wrong(name, "is required")
            return None
        return default

    def label(self, name: str, default: Any = REQUIRED, least: int = 1, most: int = LABEL) -> str:
        return self._checked(name, default, lambda value: wrong_with_label(value, least, most), "")

    def whole(self, name: str, default: Any = REQUIRED, least: int = 0, most: int = LARGEST) -> int:
        return self._checked(name, default, lambda value: wrong_with_whole(value, least, most), 0)

    def number(self, name: str, default: Any, above: float, most: float) -> float:
        def check(value: Any) -> str:
            if isinstance(value, bool) or not isinstance(value, int | float):
                return "must be a number"
            return "" if above < value <= most else f"must be above {above:g} and {most:g} at the most"

        return float(self._checked(name, default, check, 1.0))

    def flag(self, name: str, default: Any = REQUIRED) -> bool:
        return self._checked(name, default, lambda v: "" if isinstance(v, bool) else "must be true or false", False)

    def choice(self, name: str, options: Collection[str], default: Any = REQUIRED) -> str:
        def check(value: Any) -> str:
            return "" if isinstance(value, str) and value in options else f"must be one of {', '.join(options)}"

        return self._checked(name, default, check, "")

    def uuid(self, name: str, default: Any = REQUIRED) -> UUID | None:
        value = self.take(name, default)
        if value is None and (default is None or name not in self._data):
            return None
        found = parse_uuid(value)
        if found is None:
            self.wrong(name, "must be a UUID")
        return found

    def labels(self, name: str) -> frozenset[str]:
        """A list of labels, each once; missing is empty."""
        value = self.take(name, [])
        if not isinstance(value, list) or len(value) > LISTED:
            self.wrong(name, f"must be a list of up to {LISTED} strings")
            return frozenset()
        wrong = [(i, w) for i, item in enumerate(value) if (w := wrong_with_label(item))]
        for index, message in wrong:
            self.wrong(f"{name}.{index}", message)
        return frozenset() if wrong else frozenset(value)

    def section(self, name: str, default: Any = REQUIRED) -> "Fields | None":
        """An object inside this one; None when it is missing."""
        value = self.take(name, default)
        if name not in self._data or (value is None and default is None):
            return None
        return Fields(value, self.where(name), self.errors)

    def sections(self, name: str, most: int, least: int = 1) -> list["Fields"]:
        """A list of objects."""
        value = self.take(name)
        if name not in self._data:
            return []
        if not isinstance(value, list) or not least <= len(value) <= most:
            self.wrong(name, f"must be a list of {least} to {most} objects")
            return []
        return [Fields(item, f"{self.where(name)}.{index}", self.errors) for index, item in enumerate(value)]

    def wholes(self, name: str, default: Any = REQUIRED) -> dict[str, int]:
        """An object of whole numbers, 0 and up: amounts by column."""
        section = self.section(name, default)
        return {} if section is None else {key: section.whole(key) for key in section.labelled()}

    def labelled(self) -> list[str]:
        """All names of this object, each a label."""
        if len(self._data) > LISTED:
            self.wrong("", f"has more than {LISTED} entries")
            self._asked.update(self._data)
            return []
        good = []
        for name in self._data:
            self._asked.add(name)
            message = wrong_with_label(name)
            if message:
                self.errors.append(FieldError(self._path, f"has a name that {message}"))
            else:
                good.append(name)
        return good

    def end(self) -> None:
        """Notes every field that nobody asked for."""
        for name in self._data:
            if name not in self._asked:
                shown = "".join(c if c.isprintable() else "?" for c in name[:LABEL])
                self.wrong(shown, "is not a field of this request")

    def done(self) -> None:
        """Raises Refused (400) with everything that was noted."""
        self.end()
        if self.errors:
            raise invalid(self.errors[:100])

    def _checked(self, name: str, default: Any, check: Callable[[Any], str], instead: T) -> T:
        value = self.take(name, default)
        if name not in self._data:
            return instead if default is REQUIRED else default
        message = check(value)
        if message:
            self.wrong(name, message)
            return instead
        found: T = value
        return found
