"""What an HTTP response means to an agent: done, a problem with a code, something that passes, or not the portal."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from agents.protocol import GONE, ClaimState

LONGEST_RETRY_AFTER = 300.0


@dataclass(frozen=True)
class Answer:
    """`code` and `claim_state` are empty unless the body is a problem document: a bare 404 from a proxy in between
    must never make an agent tear an instance down."""

    status: int
    body: Mapping[str, object]
    code: str
    claim_state: str
    text: str
    retry_after: float

    @property
    def is_success(self) -> bool:
        """202 is none: it says that the outcome is not known, so the same is asked again."""
        return self.status in (200, 201, 204)

    @property
    def is_passing(self) -> bool:
        return self.status >= 500 or self.status in (202, 408, 409, 429)


def is_success(answer: Answer) -> bool:
    return answer.is_success


def is_settled(answer: Answer) -> bool:
    """Nothing would change by saying it again."""
    return answer.is_success or (answer.status in (404, 409) and answer.code != "")


def says_what_became_of_it(answer: Answer) -> bool:
    """A conflict alone, such as many changes at once, says nothing about the claim."""
    is_conflict = answer.status == 409 and answer.claim_state in (ClaimState.CONSUMED, *GONE)
    return answer.is_success or is_conflict or (answer.status == 404 and answer.code != "")


def read_answer(response: httpx.Response) -> Answer:
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    is_problem = response.status_code >= 400
    return Answer(
        status=response.status_code,
        body=body,
        code=_text(body, "code") if is_problem else "",
        claim_state=_text(body, "claim_state") if is_problem else "",
        text=_text(body, "detail") or _text(body, "title") or response.text[:200],
        retry_after=_retry_after(response),
    )


def _retry_after(response: httpx.Response) -> float:
    """Seconds the portal asks to be left alone; 0 when it does not say. A number or an HTTP date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    if not value:
        return 0.0
    try:
        seconds = (
            float(value) if value.isdecimal() else email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        )
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""
