"""A host's line over REST, with the token that is bound to its provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agents.node.answers import Answer, is_settled, is_success, says_what_became_of_it
from agents.node.beats import Beats
from agents.node.journal import Journal
from agents.node.line import CannotSay, Outcome
from agents.node.portal import IsFinal, Portal, Question
from agents.protocol import (
    REASON_LIMIT,
    ROUTE_BUILDING,
    ROUTE_CLAIMS,
    ROUTE_CONSUME,
    ROUTE_DESTROYED,
    ROUTE_FAILED,
    ROUTE_HEARTBEAT,
    ROUTE_INSTANCES,
    ROUTE_REPORT,
    VERSION_1_2,
    ClaimOrder,
    ClaimPage,
    ClaimState,
    DestroyOrder,
    HeartbeatAnswer,
    KnownInstance,
    Report,
    parse_heartbeat,
    parse_instance_page,
    parse_page,
)
from agents.read_fields import ProtocolError


class ProviderLine:
    """What one provider says and asks, with the token that is bound to it."""

    def __init__(self, portal: Portal, provider_id: str, token: str, journal: Journal, beats: Beats) -> None:
        self._portal = portal
        self._beats = beats
        self._provider_id = provider_id
        self._token = token
        self._journal = journal

    async def report(self, report: Report) -> None:
        """A portal of before 1.2 is told of the host without its parts."""
        path = ROUTE_REPORT.format(provider_id=self._provider_id)
        if report.has_parts:
            question = Question("POST", path, self._token, report.with_parts_as_json(), version=VERSION_1_2)
            answer = await self._portal.ask(question, self._journal, _is_done_or_too_new)
            if answer.is_success:
                self._complain_of_parts(answer)
                return
        await self._post(path, report.as_json())

    async def heartbeat(self) -> HeartbeatAnswer:
        """Raises ProtocolError when the answer names no usable interval."""
        heard = await self._beats.say(self._provider_id)
        if heard is not None:
            return heard
        path = ROUTE_HEARTBEAT.format(provider_id=self._provider_id)
        question = Question("POST", path, self._token, {}, is_heartbeat=True)
        return parse_heartbeat((await self._portal.ask(question, self._journal)).body)

    async def orders(self) -> ClaimPage:
        """All pages as one. Raises ProtocolError when a page is no page."""
        claims: list[ClaimOrder] = []
        destroy: list[DestroyOrder] = []
        unreadable: list[str] = []
        path = ROUTE_CLAIMS.format(provider_id=self._provider_id)
        cursors = [""]
        while True:
            answer = await self._portal.ask(self._page_of(path, cursors), self._journal)
            page = parse_page(answer.body)
            claims.extend(page.claims)
            destroy.extend(page.destroy)
            unreadable.extend(page.unreadable)
            if not _is_more(page.next_cursor, cursors):
                return ClaimPage(tuple(claims), tuple(destroy), "", tuple(unreadable))

    async def instances(self) -> tuple[KnownInstance, ...] | CannotSay:
        """All pages as one. Raises ProtocolError when a page is no page."""
        found: list[KnownInstance] = []
        path = ROUTE_INSTANCES.format(provider_id=self._provider_id)
        cursors = [""]
        while True:
            answer = await self._portal.ask(self._page_of(path, cursors, VERSION_1_2), self._journal, _says_what_runs)
            if not answer.is_success:
                return CannotSay(answer.text)
            page = parse_instance_page(answer.body)
            found.extend(page.instances)
            if not _is_more(page.next_cursor, cursors):
                return tuple(found)

    async def building(self, claim_id: str) -> Outcome:
        answer = await self._tell(ROUTE_BUILDING.format(claim_id=claim_id), {})
        return Outcome.DONE if answer.is_success else Outcome.GONE

    async def consume(self, claim_id: str) -> Outcome:
        """Only an answer that says what became of the claim ends this: a built instance is at stake."""
        answer = await self._tell(ROUTE_CONSUME.format(claim_id=claim_id), {}, says_what_became_of_it)
        return Outcome.DONE if answer.is_success or answer.claim_state == ClaimState.CONSUMED else Outcome.GONE

    async def failed(self, claim_id: str, reason: str) -> None:
        await self._tell(ROUTE_FAILED.format(claim_id=claim_id), {"reason": reason[:REASON_LIMIT]})

    async def destroyed(self, request_id: str, reason: str) -> None:
        body = {"reason": reason[:REASON_LIMIT]} if reason else {}
        await self._tell(ROUTE_DESTROYED.format(request_id=request_id), body)

    async def _post(self, path: str, body: Mapping[str, object]) -> Answer:
        return await self._portal.ask(Question("POST", path, self._token, body), self._journal)

    async def _tell(self, path: str, body: Mapping[str, object], is_final: IsFinal = is_settled) -> Answer:
        return await self._portal.ask(Question("POST", path, self._token, body), self._journal, is_final)

    def _complain_of_parts(self, answer: Answer) -> None:
        """Of those that the portal does not keep; it is said again with the next report."""
        said = answer.body.get("children")
        for one in said if isinstance(said, list) else []:
            if isinstance(one, dict) and one.get("refused"):
                self._journal.warning("the portal does not keep a part of this host", **_texts(one))

    def _page_of(self, path: str, cursors: Sequence[str], version: str = "") -> Question:
        params = {"next": cursors[-1]} if cursors[-1] else {}
        return Question("GET", path, self._token, params=params, version=version)


def _is_more(cursor: str, cursors: list[str]) -> bool:
    """Whether a page was not the last; its cursor is kept then. Raises ProtocolError for one that was there before."""
    if cursor in cursors[1:]:
        raise ProtocolError("next: the same cursor twice")
    if cursor:
        cursors.append(cursor)
    return bool(cursor)


def _is_done_or_too_new(answer: Answer) -> bool:
    return is_success(answer) or (answer.status == 406 and answer.code != "")


def _texts(body: Mapping[str, object]) -> dict[str, str]:
    return {name: str(body.get(name, "")) for name in ("slot", "refused")}


def _says_what_runs(answer: Answer) -> bool:
    """Or that nobody there can: the provider is unknown, or the route is."""
    return is_success(answer) or (answer.status in (404, 406) and answer.code != "")
