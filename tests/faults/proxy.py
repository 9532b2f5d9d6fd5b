"""A TCP proxy between the driver and Cassandra's nodes that understands the frames, so that a fault can be aimed.

It knows the text of every prepared statement that passed, so a rule can name one message: this claim's transaction. It
can lose the answer after the message went through, keep the message back and let it go much later (what a paused
coordinator does), or break the connection before or after. Protocol version 4, without compression.
"""

import asyncio
import contextlib
import itertools
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cassandra.policies import AddressTranslator

from store import session

HEADER = struct.Struct(">BBhBi")  # version, flags, stream, opcode, length
ERROR, RESULT, PREPARE, EXECUTE, BATCH = 0x00, 0x08, 0x09, 0x0A, 0x0D
RESULT_PREPARED, LOGGED, BY_ID = 4, 0, 1
WARNING, TRACING = 0x08, 0x02
COMPRESSED = 0x01

LOST = "lost"  # goes through; the answer is replaced by "timed out"
SILENT = "silent"  # goes through; there is no answer at all
CUT = "cut"  # goes through; the connection breaks when the answer comes
CUT_BEFORE = "cut before"  # the connection breaks, nothing goes through
HELD = "held"  # answered "timed out" at once; goes through when it is let go
LATE = "late"  # goes through when it is let go, and so does its answer

LAST_STREAM = 32767  # the driver begins at 0
ANSWER = 2.0  # seconds for the answer to a message that was let go after its connection had ended


@dataclass(frozen=True, slots=True)
class Message:
    """A prepared statement, or a batch of them, on its way to a node; `cql` is the text of all of them."""

    node: str
    cql: str
    body: bytes
    logged_batch: bool

    @property
    def is_transaction(self) -> bool:
        return " IF " in self.cql


@dataclass(eq=False)
class Rule:
    """What happens to the next `left` messages that are `wanted`; `after`: seconds until a held one goes by itself."""

    wanted: Callable[[Message], bool]
    action: str
    left: int = 1
    after: float | None = None
    struck: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)
    _gates: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=list)

    def let_go(self, seconds: float = 10.0) -> None:
        """Lets what was held back go on, and waits until the node has answered it."""
        assert self.struck.wait(seconds), "nothing was held back"
        for loop, gate in self._gates:
            loop.call_soon_threadsafe(gate.set)
        assert self.answered.wait(seconds), "what was let go was not answered"


class Proxy:
    """Listens at an address of its own for each node; `addresses` says which: node -> proxy, all on one port."""

    def __init__(self, addresses: Mapping[str, str], port: int) -> None:
        self.addresses, self.port = dict(addresses), port
        self.rules: list[Rule] = []
        self.statements: dict[bytes, str] = {}
        self.done: Counter[str] = Counter()
        self.passed: list[Message] = []  # transactions that reached a node, if `remembers`
        self.remembers = False
        self.errors: list[str] = []  # its own mistakes: a test that sees one is worth nothing
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        for node, own in self.addresses.items():
            serve = asyncio.start_server(lambda r, w, n=node: _Link(self, n, r, w).run(), own, self.port)
            asyncio.run_coroutine_threadsafe(serve, self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _end(self) -> None:
        links = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    def add(self, action: str, wanted: Callable[[Message], bool], left: int = 1, after: float | None = None) -> Rule:
        rule = Rule(wanted, action, left, after)
        self.rules.append(rule)
        return rule

    def rule_for(self, message: Message) -> Rule | None:
        for rule in self.rules:
            if rule.left > 0 and rule.wanted(message):
                rule.left -= 1
                self.done[rule.action] += 1
                return rule
        return None


class Translator(AddressTranslator):
    """The driver learns its peers' addresses from the nodes: it is given the proxy's instead."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self.addresses = addresses

    def translate(self, addr: str) -> str:
        return self.addresses.get(addr, addr)


def go_through(addresses: Mapping[str, str], replace: Callable[[Any, str, Any], None] = setattr) -> None:
    """Sends this process's next session through the proxy: production code has no switch for it."""
    original = session.cluster

    def cluster() -> Any:
        made = original()
        made.address_translator = Translator(addresses)
        made.compression = False
        return made

    replace(session, "cluster", cluster)


class _Link:
    """One connection of the driver, and the one to the node that belongs to it."""

    def __init__(self, proxy: Proxy, node: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.proxy, self.node = proxy, node
        self.from_driver, self.to_driver = reader, writer
        self.preparing: dict[int, str] = {}  # stream -> text
        self.aimed: dict[int, Rule] = {}  # stream -> what happens to its answer
        self.held: set[asyncio.Task[None]] = set()
        self.own_streams = itertools.count(LAST_STREAM, -1)

    async def run(self) -> None:
        try:
            self.from_node, self.to_node = await asyncio.open_connection(self.node, self.proxy.port)
        except OSError:
            self.to_driver.close()
            return
        both = [asyncio.ensure_future(self._up()), asyncio.ensure_future(self._down())]
        try:
            ended, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            self.proxy.errors += [repr(error) for task in ended if (error := task.exception())]
            self.to_driver.close()
            if self.held:  # the driver is gone, what it sent is still on its way
                await asyncio.wait(self.held)
                await asyncio.wait(both, timeout=ANSWER)
        except asyncio.CancelledError:
            pass  # the proxy ends
        finally:
            for task in both:
                task.cancel()
            self.to_driver.close()
            self.to_node.close()

    async def _up(self) -> None:
        async for head, body in _frames(self.from_driver):
            _, flags, stream, opcode, _ = HEADER.unpack(head)
            assert not flags & COMPRESSED, "the proxy cannot read compressed frames"
            if opcode == PREPARE:
                self.preparing[stream] = body[4 : 4 + int.from_bytes(body[:4])].decode()
            message = self._message(opcode, body)
            rule = self.proxy.rule_for(message) if message else None
            if rule is None:
                self._send(head + body, message)
                continue
            if rule.action == CUT_BEFORE:
                rule.struck.set()
                return
            if rule.action == HELD:
                self.to_driver.write(_timed_out(stream))
                stream = next(self.own_streams)  # the driver may use its own for something else now
                head = HEADER.pack(head[0], flags, stream, opcode, len(body))
            if rule.action in (HELD, LATE):
                self._hold(rule, head + body, message)
            else:
                self._send(head + body, message)
            self.aimed[stream] = rule
            rule.struck.set()

    def _send(self, frame: bytes, message: Message | None) -> None:
        if message is not None and message.is_transaction and self.proxy.remembers:
            self.proxy.passed.append(message)
        self.to_node.write(frame)

    def _hold(self, rule: Rule, frame: bytes, message: Message | None) -> None:
        gate = asyncio.Event()
        rule._gates.append((asyncio.get_running_loop(), gate))

        async def wait() -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(gate.wait(), rule.after)
            self._send(frame, message)

        task = asyncio.ensure_future(wait())
        self.held.add(task)
        task.add_done_callback(self.held.discard)

    async def _down(self) -> None:
        async for head, body in _frames(self.from_node):
            _, flags, stream, opcode, _ = HEADER.unpack(head)
            text = self.preparing.pop(stream, None)
            if text is not None and opcode == RESULT:
                self._learn(text, flags, body)
            rule = self.aimed.pop(stream, None)
            if rule is not None:
                rule.answered.set()
            if self.to_driver.is_closing():
                continue
            if rule is None or rule.action == LATE:
                self.to_driver.write(head + body)
            elif rule.action == LOST:
                self.to_driver.write(_timed_out(stream))
            elif rule.action == CUT:
                self.to_driver.close()  # which ends _up

    def _learn(self, text: str, flags: int, body: bytes) -> None:
        assert not flags & (WARNING | TRACING), "an answer to PREPARE with a warning or a trace"
        kind, length = struct.unpack_from(">iH", body)
        assert kind == RESULT_PREPARED
        self.proxy.statements[body[6 : 6 + length]] = text

    def _message(self, opcode: int, body: bytes) -> Message | None:
        if opcode == EXECUTE:
            length = int.from_bytes(body[:2])
            return Message(self.node, self.proxy.statements.get(body[2 : 2 + length], ""), body, False)
        if opcode == BATCH:
            texts = [self.proxy.statements.get(name, "") for name in _ids(body)]
            return Message(self.node, "; ".join(texts), body, body[0] == LOGGED)
        return None


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bytes]]:
    try:
        while True:
            head = await reader.readexactly(HEADER.size)
            yield head, await reader.readexactly(HEADER.unpack(head)[4])
    except (asyncio.IncompleteReadError, ConnectionError):
        return


def _ids(batch: bytes) -> Iterator[bytes]:
    count, at = int.from_bytes(batch[1:3]), 3
    for _ in range(count):
        assert batch[at] == BY_ID, "a batch of statements that are not prepared"
        length = int.from_bytes(batch[at + 1 : at + 3])
        yield batch[at + 3 : at + 3 + length]
        at += 3 + length
        values, at = int.from_bytes(batch[at : at + 2]), at + 2
        for _ in range(values):
            size = int.from_bytes(batch[at : at + 4], signed=True)
            at += 4 + max(0, size)


def _timed_out(stream: int) -> bytes:
    """What a coordinator answers that has not heard from enough replicas in time: nobody knows what became of it."""
    text, kind = b"said by the test's proxy", b"CAS"
    body = struct.pack(">iH", 0x1100, len(text)) + text
    body += struct.pack(">HiiH", 0x0009, 0, 1, len(kind)) + kind  # SERIAL family, received, needed
    return HEADER.pack(0x84, 0, stream, ERROR, len(body)) + body
