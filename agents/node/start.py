"""From a command line to a running agent, and from a signal to its end; instances outlive it on purpose."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from agents.node.builders.builder import Builder
from agents.node.builders.registry import make_builder
from agents.node.carrier import Carrier, Rest
from agents.node.configuration import Configuration, read_configuration
from agents.node.fields import ConfigurationError
from agents.node.host import Host
from agents.node.inventory import check_measurable
from agents.node.journal import Journal, open_journal
from agents.node.provider_configuration import TOKEN_VARIABLE, Tokenless

EXIT_CONFIGURATION = 2
Carry = Callable[[Configuration, Journal], Carrier]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", default="", metavar="FILE", help="the agent's configuration (docs/agent.md)")
    parser.add_argument("--portal", default="", metavar="URL", help="the portal's base URL")
    parser.add_argument("--token", default="", help="the token of the agent's provider; others on this host can see it")
    parser.add_argument("--token-file", default="", metavar="FILE", help="a file that holds the token")
    parser.add_argument("--builder", default="", help="how instances are built: process, libvirt, noop")
    parser.add_argument("--state-dir", default="", metavar="DIR", help="what must survive a restart of the agent")
    parser.add_argument(
        "--once", action="store_true", help="report, send a heartbeat, do what is ordered now, and exit with 0"
    )
    parser.add_argument("--log-json", action="store_true", help="log JSON objects instead of key=value lines")


def run(options: Mapping[str, Any], carry: Carry = Rest, direct: Tokenless | None = None) -> int:
    """`options` as `add_arguments` names them; `direct`: nobody asks for tokens on this way. Returns the exit
    code: 0 ended as told, 1 stopped before `once` was done, 2 the configuration is of no use."""
    journal = open_journal(options["log_json"])
    try:
        configuration = read_configuration(options["config"], _variables(options), direct)
        return asyncio.run(_drive(carry, configuration, journal, options["once"]))
    except ConfigurationError as error:
        print(f"run_agent: {error}", file=sys.stderr)
        return EXIT_CONFIGURATION


def _variables(options: Mapping[str, Any]) -> dict[str, str]:
    """The environment, and over it what the command line says."""
    given = {
        "SCHED_AGENT_PORTAL": options["portal"],
        "SCHED_AGENT_BUILDER": options["builder"],
        "SCHED_AGENT_STATE_DIR": options["state_dir"],
        TOKEN_VARIABLE: options["token"] or _read_token(options["token_file"]),
    }
    return {**os.environ, **{name: value for name, value in given.items() if value}}


def _read_token(path: str) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"--token-file: {path}: {error}") from error


async def _drive(carry: Carry, configuration: Configuration, journal: Journal, once: bool) -> int:
    builder = make_builder(configuration)
    work = asyncio.create_task(_work(carry(configuration, journal), builder, journal, once))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        journal.info("stopped; instances go on without the agent")
        return 1 if once else 0
    return 0


async def _work(carrier: Carrier, builder: Builder, journal: Journal, once: bool) -> None:
    try:
        known = await carrier.known()
        for provider in known.providers:
            check_measurable(provider)
        with _only_agent(known):
            bound = [(one, journal.bind(provider=one.name)) for one in known.providers]
            hosts = [Host(one, known, carrier.line(one, own), builder, own) for one, own in bound]
            journal.info("started", portal=carrier.name, providers=len(hosts), builder=known.builder)
            await _live(hosts, [] if once else carrier.listening(hosts), once)
    except OSError as error:
        raise ConfigurationError(f"state_dir: {error}") from error
    finally:
        await carrier.close()


async def _live(hosts: Sequence[Host], listening: Iterable[Coroutine[None, None, None]], once: bool) -> None:
    for host in hosts:
        host.resume()
    async with asyncio.TaskGroup() as group:
        for host in hosts:
            group.create_task(host.run_once() if once else host.run())
        for one in listening:
            group.create_task(one)


@contextmanager
def _only_agent(configuration: Configuration) -> Iterator[None]:
    """Two agents on the state of one provider would each build what the other forgot."""
    with ExitStack() as locks:
        for provider in configuration.providers:
            directory = configuration.state_dir / provider.provider_id
            try:
                directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                lock = os.open(directory / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                locks.callback(os.close, lock)
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConfigurationError(f"{directory}: another agent is running for {provider.name}") from error
            except OSError as error:
                raise ConfigurationError(f"state_dir: {directory}: {error.strerror}") from error
        yield
