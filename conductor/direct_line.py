"""An agent's line without a portal in between: the portal's own functions on Cassandra, in threads.

For whoever wants the host's process to write its own records. It is the same agent with the same states; only who
checks that a host speaks for itself alone is gone, since it has the database's password.
"""

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from uuid import UUID

from agents.node.configuration import Configuration
from agents.node.host import Host
from agents.node.journal import Journal
from agents.node.line import CannotSay, Line, Outcome
from agents.node.provider_configuration import ProviderConfiguration
from agents.notify import Listener, homes_of, leave, listen
from agents.protocol import (
    REASON_LIMIT,
    ClaimOrder,
    ClaimPage,
    ClaimState,
    DestroyOrder,
    HeartbeatAnswer,
    KnownInstance,
    Report,
    parse_instance,
)
from claims.types import ACTIVE
from conductor import progress
from conductor.orders import is_to_build, is_to_destroy, should_run, to_do
from conductor.progress import ClaimGone
from conductor.shown import note_shown
from providers.change import report
from providers.heartbeat import Rhythm, beat, rhythm
from providers.parts import Part, report_parts
from providers.records import Record, locate, read_provider
from providers.refusals import Conflict, Invalid, NotFound, Undecided
from store.failures import SchemaMissing, StoreUnavailable

T = TypeVar("T")
THREADS, HEARTBEAT_THREADS = 8, 2
FIRST_PAUSE, REFUSED_PAUSE = 0.5, 15.0
GONE = (progress.RELEASED, progress.CLOSED_STATE, progress.MISSING)


class Direct:
    """Carries the words of all hosts of this process. Heartbeats do not stand in line with the rest."""

    def __init__(self, configuration: Configuration, journal: Journal) -> None:
        self.name = "cassandra"
        self.longest = configuration.retry_longest
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="direct")
        self.heartbeats = ThreadPoolExecutor(HEARTBEAT_THREADS, thread_name_prefix="heartbeat")
        self._configuration = configuration
        self._journal = journal

    async def known(self) -> Configuration:
        return self._configuration

    def line(self, provider: ProviderConfiguration, journal: Journal) -> Line:
        return DirectLine(self, UUID(provider.provider_id), journal)

    def listening(self, hosts: Sequence[Host]) -> Sequence[Coroutine[None, None, None]]:
        return [self._listen(hosts)]

    async def close(self) -> None:
        for pool in (self.threads, self.heartbeats):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _listen(self, hosts: Sequence[Host]) -> None:
        """As the agents' socket does: what is told is a hint, and hosts that are not told poll."""
        by_id = {UUID(host.provider_id): host for host in hosts}
        loop = asyncio.get_running_loop()
        homes = await self.until_done(lambda: homes_of(list(by_id)), self._journal, self.threads)
        listener = Listener(loop)
        listen(listener, homes)
        try:
            for provider_id in homes:
                by_id[provider_id].hear()
            while True:
                await listener.woken.wait()
                listener.woken.clear()
                for provider_id in set().union(*listener.take()):
                    by_id[provider_id].look_now()
        finally:
            leave(listener, homes)

    async def until_done(self, work: Callable[[], T], journal: Journal, pool: ThreadPoolExecutor) -> T:
        """Again and later until it is done: what passes soon, what is refused slowly, each said once."""
        said: set[type[Exception]] = set()
        for tries in itertools.count():
            try:
                return await asyncio.get_running_loop().run_in_executor(pool, work)
            except (StoreUnavailable, SchemaMissing, Undecided) as error:
                problem: Exception = error
                pause = min(FIRST_PAUSE * 2.0 ** min(tries, 10), self.longest)
            except (NotFound, Invalid, Conflict) as error:
                problem, pause = error, REFUSED_PAUSE
            if type(problem) not in said:
                said.add(type(problem))
                journal.warning("not done, trying it again", reason=str(problem))
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        raise AssertionError("counting never ends")


class DirectLine:
    """Of one provider."""

    def __init__(self, carrier: Direct, provider_id: UUID, journal: Journal) -> None:
        self._carrier = carrier
        self._provider_id = provider_id
        self._journal = journal

    async def report(self, said: Report) -> None:
        await self._do(lambda: self._report(said))

    async def heartbeat(self) -> HeartbeatAnswer:
        pool = self._carrier.heartbeats
        heard = await self._carrier.until_done(self._beat, self._journal, pool)
        return HeartbeatAnswer(float(heard.ttl), float(heard.interval))

    async def orders(self) -> ClaimPage:
        """An agent of a child is taken for the only one of its tree: nobody here knows of another's token."""
        records = await self._do(self._to_do)
        claims = tuple(_claim_order(r) for r in records if is_to_build(r))
        return ClaimPage(claims, tuple(_destroy_order(r) for r in records if is_to_destroy(r)), "", ())

    async def instances(self) -> tuple[KnownInstance, ...] | CannotSay:
        tree, own = await self._do(lambda: read_provider(self._provider_id))
        return tuple(KnownInstance(_destroy_order(r), r.state == ACTIVE) for r in should_run(tree, own, ()))

    async def building(self, claim_id: str) -> Outcome:
        return await self._do(lambda: _settled(lambda: progress.building(UUID(claim_id), self._provider_id)))

    async def consume(self, claim_id: str) -> Outcome:
        return await self._do(lambda: _built(UUID(claim_id), self._provider_id))

    async def failed(self, claim_id: str, reason: str) -> None:
        why = reason[:REASON_LIMIT]
        await self._do(lambda: _settled(lambda: progress.not_built(UUID(claim_id), self._provider_id, why)))

    async def destroyed(self, request_id: str, reason: str) -> None:
        why = reason[:REASON_LIMIT]
        await self._do(lambda: _settled(lambda: progress.destroyed(UUID(request_id), self._provider_id, why)))

    def _beat(self) -> Rhythm:
        location = locate(self._provider_id)
        beat(location)
        return rhythm(location.home)

    def _to_do(self) -> list[Record]:
        records = to_do(*read_provider(self._provider_id), root_has_agent=False)
        note_shown([one for one in records if is_to_build(one)])
        return records

    def _report(self, said: Report) -> None:
        traits = frozenset(said.traits) or None
        report(self._provider_id, said.totals, _values(said.properties), traits)
        if said.has_parts:
            parts = [Part(one.slot, one.resource_class, one.totals, _values(one.properties)) for one in said.parts]
            for one in report_parts(self._provider_id, parts):
                if one.refused:
                    self._journal.warning("a part of this host is not kept", slot=one.slot, refused=one.refused)

    async def _do(self, work: Callable[[], T]) -> T:
        return await self._carrier.until_done(work, self._journal, self._carrier.threads)


def _settled(work: Callable[[], object]) -> Outcome:
    """Nothing would change by saying it again: done, or there is no such claim or request any more."""
    try:
        work()
    except Undecided:
        raise
    except (NotFound, Conflict):
        return Outcome.GONE
    return Outcome.DONE


def _built(claim_id: UUID, provider_id: UUID) -> Outcome:
    """A conflict that says nothing of the claim is asked again: a built instance is at stake."""
    try:
        progress.built(claim_id, provider_id)
    except ClaimGone as gone:
        if gone.claim_state not in (progress.CONSUMED, *GONE):
            raise
        return Outcome.DONE if gone.claim_state == progress.CONSUMED else Outcome.GONE
    except NotFound:
        return Outcome.GONE
    return Outcome.DONE


def _claim_order(record: Record) -> ClaimOrder:
    return ClaimOrder(
        claim_id=str(record.id),
        request_id=str(record.request_id),
        provider=str(record.provider_id),
        consumer=record.consumer,
        project=record.project,
        resource_class=record.resource_class,
        amounts=record.amounts,
        state=ClaimState(record.state),
        expires_at=record.expires_at.isoformat() if record.expires_at else "",
        instance=parse_instance(record.instance),
        release_requested=record.release_requested,
    )


def _destroy_order(record: Record) -> DestroyOrder:
    return DestroyOrder(
        claim_id=str(record.id),
        request_id=str(record.request_id),
        provider=str(record.provider_id),
        consumer=record.consumer,
        amounts=record.gives_back,
        instance=parse_instance(record.instance),
    )


def _values(properties: object) -> dict[str, str | int]:
    assert isinstance(properties, dict)
    return {name: value for name, value in properties.items() if isinstance(value, str | int)}
