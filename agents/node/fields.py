"""Reads typed fields out of a JSON object and names the field in every complaint, unknown fields included."""

from __future__ import annotations

from collections.abc import Mapping

MISSING = object()


class ConfigurationError(Exception):
    """The configuration cannot be used; the message is one line for whoever wrote it."""


class Fields:
    """One JSON object of the file. What was asked for is remembered, so that what nobody asks for is a typing error."""

    def __init__(self, body: object, path: str) -> None:
        if not isinstance(body, dict):
            raise ConfigurationError(f"{path or 'the file'}: an object was expected")
        self._body: dict[str, object] = dict(body)
        self._path = path
        self._sources: dict[str, str] = {}
        self._asked: set[str] = set()

    def where(self, name: str) -> str:
        if name in self._sources:
            return self._sources[name]
        return f"{self._path}.{name}" if self._path else name

    def override(self, name: str, value: str, source: str) -> None:
        self._body[name] = value
        self._sources[name] = source

    def missing(self, name: str) -> bool:
        self._asked.add(name)
        return name not in self._body

    def is_text(self, name: str) -> bool:
        return isinstance(self._take(name, None), str)

    def text(self, name: str, default: object = MISSING) -> str:
        value = self._take(name, default)
        if not isinstance(value, str) or "\0" in value:
            raise ConfigurationError(f"{self.where(name)}: text was expected")
        return value

    def seconds(self, name: str, default: float, least: float = 0.01) -> float:
        value = self._take(name, default)
        try:
            number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else -1.0
        except ValueError:
            number = -1.0
        if not least <= number < 1e9:
            raise ConfigurationError(f"{self.where(name)}: a number of at least {least:g} was expected")
        return number

    def span(self, name: str, default: tuple[float, float]) -> tuple[float, float]:
        """`2.5` or `[1, 5]`: a fixed time or a range of times."""
        value = self._take(name, list(default))
        pair = value if isinstance(value, list) else [value, value]
        numbers = [float(n) for n in pair if isinstance(n, int | float) and not isinstance(n, bool)]
        if len(pair) != 2 or len(numbers) != 2 or not 0 <= numbers[0] <= numbers[1]:
            raise ConfigurationError(f"{self.where(name)}: a number or [shortest, longest] was expected")
        return numbers[0], numbers[1]

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._take(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and "\0" not in item for item in value):
            raise ConfigurationError(f"{self.where(name)}: a list of texts was expected")
        return tuple(value)

    def mapping(self, name: str) -> Mapping[str, object]:
        value = self._take(name, {})
        if not isinstance(value, dict):
            raise ConfigurationError(f"{self.where(name)}: an object was expected")
        return value

    def text_mapping(self, name: str) -> Mapping[str, str]:
        value = self.mapping(name)
        if not all(isinstance(item, str) and "\0" not in item for item in value.values()):
            raise ConfigurationError(f"{self.where(name)}: an object of texts was expected")
        return {key: str(item) for key, item in value.items()}

    def section(self, name: str) -> Fields:
        return Fields(self.mapping(name), self.where(name))

    def table(self, name: str) -> Mapping[str, Fields]:
        return {key: Fields(value, f"{self.where(name)}.{key}") for key, value in self.mapping(name).items()}

    def list_of_sections(self, name: str) -> list[Fields]:
        value = self._take(name, [])
        if not isinstance(value, list):
            raise ConfigurationError(f"{self.where(name)}: a list was expected")
        return [Fields(item, f"{self.where(name)}[{index}]") for index, item in enumerate(value)]

    def nothing_else(self) -> None:
        unknown = sorted(set(self._body) - self._asked)
        if unknown:
            raise ConfigurationError(f"{self.where(unknown[0])}: unknown field")

    def _take(self, name: str, default: object) -> object:
        self._asked.add(name)
        value = self._body.get(name, default)
        if value is MISSING:
            raise ConfigurationError(f"{self.where(name)}: missing")
        return value
