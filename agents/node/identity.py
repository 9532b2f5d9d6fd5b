"""Which provider an agent speaks for, where its configuration names none: the portal knows it from the token."""

from __future__ import annotations

from dataclasses import replace

from agents.node.answers import Answer
from agents.node.configuration import Configuration
from agents.node.fields import ConfigurationError
from agents.node.journal import Journal
from agents.node.portal import Portal, Question
from agents.node.provider_configuration import ProviderConfiguration
from agents.protocol import ROUTE_WHOAMI, VERSION_1_2, parse_identity
from agents.read_fields import ProtocolError

NOT_AN_AGENTS = "this token is a user's: an agent needs one of its provider's, from POST /api/providers/{id}/token"


async def with_identities(configuration: Configuration, portal: Portal, journal: Journal) -> Configuration:
    """The same with the id of every provider. Waits for a portal that is away. Raises ConfigurationError when the
    portal cannot say."""
    providers = [one if one.provider_id else await _identified(one, portal, journal) for one in configuration.providers]
    return replace(configuration, providers=tuple(providers))


async def _identified(provider: ProviderConfiguration, portal: Portal, journal: Journal) -> ProviderConfiguration:
    question = Question("GET", ROUTE_WHOAMI, provider.token, version=VERSION_1_2)
    answer = await portal.ask(question, journal, _says_who)
    if not answer.is_success:
        raise ConfigurationError(f"providers: the portal cannot say whose token this is, name the id: {answer.text}")
    try:
        found = parse_identity(answer.body)
    except ProtocolError as error:
        raise ConfigurationError(f"portal: what answers there is no portal: {error}") from error
    if not found.provider_id:
        raise ConfigurationError(f"token: {NOT_AN_AGENTS}")
    journal.info("the token says which provider this is", provider=found.name, id=found.provider_id)
    return replace(
        provider,
        provider_id=found.provider_id,
        name=provider.name or found.name,
        resource_class=provider.resource_class or found.resource_class,
    )


def _says_who(answer: Answer) -> bool:
    return answer.is_success or (answer.status in (404, 406) and answer.code != "")
