"""Reads a body as JSON and takes nothing on trust: every surprise is a 400 with a reason, never a 500 further down."""

import json
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest

from api.problems import TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, FieldError, Problem, Refused, invalid

DEPTH = 16  # nesting of objects and lists; the deepest thing the API itself knows has five
DIGITS = 400  # of a number as written


def read_object(request: HttpRequest) -> dict[str, Any]:
    """The body as an object; {} when there is none. Raises Refused."""
    raw = _raw(request)
    if not raw:
        return {}
    _check_type(request)
    data = _parse(raw)
    if not isinstance(data, dict):
        raise _wrong("must be a JSON object")
    return data


def _raw(request: HttpRequest) -> bytes:
    try:
        return request.body
    except RequestDataTooBig as error:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raise Refused(Problem(TOO_LARGE, f"A body may have {most} bytes (setting MAX_BODY_BYTES)")) from error


def _check_type(request: HttpRequest) -> None:
    if request.content_type != "application/json":
        said = f"Content-Type is {request.content_type!r}" if request.content_type else "there is no Content-Type"
        raise Refused(Problem(UNSUPPORTED_MEDIA_TYPE, f"Send JSON with Content-Type: application/json ({said})"))
    charset = request.content_params.get("charset", "utf-8") if request.content_params else "utf-8"
    if charset.lower() not in ("utf-8", "utf8"):
        raise Refused(Problem(UNSUPPORTED_MEDIA_TYPE, "JSON is always UTF-8"))


def _parse(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _wrong(f"is not UTF-8: byte {error.start}") from error
    if _depth(text) > DEPTH:
        raise _wrong(f"is nested more than {DEPTH} deep")
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_number
        )
    except json.JSONDecodeError as error:
        raise _wrong(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:  # unreachable while DEPTH is checked first; kept because the parser is not ours
        raise _wrong(f"is nested more than {DEPTH} deep") from error


def _depth(text: str) -> int:
    """How deep brackets nest, those inside strings left out. Cheap for bodies without many brackets."""
    if text.count("{") + text.count("[") <= DEPTH:
        return 0
    deepest = depth = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise invalid((FieldError(_printable(twice), "is there twice"),))
    return found


def _constant(name: str) -> Any:
    raise _wrong(f"is not JSON: {name} is not a number")


def _integer(digits: str) -> int:
    if len(digits) > DIGITS:
        raise _wrong(f"has a number of {len(digits)} digits")
    return int(digits)


def _number(digits: str) -> float:
    found = float(digits)
    if found in (float("inf"), float("-inf")):
        raise _wrong(f"has a number that is too large: {digits[:40]}")
    return found


def _wrong(message: str) -> Refused:
    return invalid((FieldError("", f"the body {message}"),))


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name[:100])
