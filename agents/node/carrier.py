"""What carries the words of this process's hosts: to the portal over REST, or to its functions beside Cassandra."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Protocol

from agents.node.beats import Beats
from agents.node.configuration import Configuration
from agents.node.fields import ConfigurationError
from agents.node.host import Host
from agents.node.identity import with_identities
from agents.node.journal import Journal
from agents.node.line import Line
from agents.node.listen import Listening
from agents.node.portal import Portal
from agents.node.provider_configuration import ProviderConfiguration
from agents.node.provider_line import ProviderLine
from agents.socket_protocol import SOCKET_TOKENS


class Carrier(Protocol):
    name: str
    """For the log: where the words go."""

    async def known(self) -> Configuration:
        """The configuration with every provider's id. Raises ConfigurationError."""

    def line(self, provider: ProviderConfiguration, journal: Journal) -> Line: ...

    def listening(self, hosts: Sequence[Host]) -> Sequence[Coroutine[None, None, None]]:
        """What has to run so that hosts are told of their orders; without it they poll."""

    async def close(self) -> None: ...


class Rest:
    """Over REST and the agents' socket, with the providers' tokens."""

    def __init__(self, configuration: Configuration, journal: Journal) -> None:
        self.name = configuration.portal
        self._configuration = configuration
        self._journal = journal
        self._beats = Beats()
        try:
            self._portal = Portal(configuration.portal, configuration.ca_file, configuration.retry_longest, journal)
        except OSError as error:
            raise ConfigurationError(f"ca_file: {configuration.ca_file}: {error}") from error

    async def known(self) -> Configuration:
        return await with_identities(self._configuration, self._portal, self._journal)

    def line(self, provider: ProviderConfiguration, journal: Journal) -> Line:
        return ProviderLine(self._portal, provider.provider_id, provider.token, journal, self._beats)

    def listening(self, hosts: Sequence[Host]) -> Sequence[Coroutine[None, None, None]]:
        some = (hosts[first : first + SOCKET_TOKENS] for first in range(0, len(hosts), SOCKET_TOKENS))
        return [Listening(few, self._configuration, self._beats, self._journal).run() for few in some]

    async def close(self) -> None:
        await self._portal.close()
