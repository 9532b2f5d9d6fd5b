"""Query parameters, read as strictly as bodies: an unknown, repeated, empty or garbled one is a 400."""

from typing import Any

from django.http import HttpRequest

from api.fields import Fields
from api.problems import FieldError


class Query(Fields):
    """The query string as fields. Everything in it is text."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__({name: values[-1] for name, values in request.GET.lists()})
        for name, values in request.GET.lists():
            if len(values) > 1:
                self.wrong(_shown(name), "is there more than once")

    def count(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number in digits."""
        text = self.take(name, None)
        if text is None:
            return default
        if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 20):
            self.wrong(name, "must be a whole number")
            return default
        found = int(text)
        if not least <= found <= most:
            self.wrong(name, f"must be {least} to {most}")
        return found

    def truth(self, name: str) -> bool:
        return self.choice(name, ("true", "false"), "false") == "true"

    def end(self) -> None:
        for name in self.names():
            if name not in self._asked:
                self.errors.append(FieldError(_shown(name), "is not a parameter of this route"))


def _shown(name: Any) -> str:
    return "".join(c if c.isprintable() else "?" for c in str(name)[:255])
