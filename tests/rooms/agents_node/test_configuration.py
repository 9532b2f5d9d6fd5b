"""Mistakes in the file are one line that names the field; the environment wins over the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.node.builders.registry import make_builder
from agents.node.configuration import read_configuration
from agents.node.fields import ConfigurationError
from agents.node.inventory import check_measurable
from agents.node.provider_configuration import Measured
from tests.rooms.agents_node.cast import Agent
from tests.rooms.agents_node.portal_partner import PortalPartner

ID = "6a1f6a52-9d2b-4c8e-8a52-0d6f7f6e6f10"
PROVIDER = {"id": ID, "token": "t"}


def write(tmp_path: Path, **body: Any) -> str:
    path = tmp_path / "agent.json"
    path.write_text(json.dumps({"providers": [PROVIDER], **body}))
    return str(path)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"providers": []}, "providers: name at least one"),
        ({"providers": [{"id": "x", "token": "t"}]}, "providers[0].id: 'x' is not a UUID"),
        ({"providers": [{"id": ID}]}, "providers[0].token: give a token"),
        ({"providers": [{"id": ID, "token": "a\nb"}]}, "providers[0].token: give a token"),
        ({"providers": [PROVIDER, PROVIDER]}, "providers: the same id twice"),
        ({"providers": [{**PROVIDER, "colour": 1}]}, "providers[0].colour: unknown field"),
        ({"providers": [{**PROVIDER, "inventory": "guess"}]}, 'providers[0].inventory: "measured" or an object'),
        ({"providers": [{**PROVIDER, "inventory": {}}]}, "providers[0].inventory.totals: at least one amount"),
        ({"providers": [{**PROVIDER, "inventory": {"totals": {"vcpus": "8"}}}]}, "vcpus: not an integer"),
        ({"providers": [{**PROVIDER, "token": "", "token_file": "/no/such"}]}, "token_file: /no/such: No such file"),
        ({"portal": "127.0.0.1:8000"}, "portal: '127.0.0.1:8000' is not an http:// or https:// URL"),
        ({"poll_interval": 0}, "poll_interval: a number of at least 0.01"),
        ({"poll_intervall": 2}, "poll_intervall: unknown field"),
        ({"images": {"web": {"command": "sleep 1"}}}, "images.web.command: a list of texts was expected"),
        ({"images": {"web": {}}}, "images.web.command: the program and its arguments"),
        ({"default_image": "web"}, "default_image: 'web' is not one of images"),
        ({"noop": {"build_seconds": [3, 1]}}, "noop.build_seconds: a number or [shortest, longest]"),
        ({"noop": {"fail_fraction": 2}}, "noop.fail_fraction: between 0 and 1"),
    ],
)
def test_complaints(tmp_path: Path, body: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_configuration(write(tmp_path, **body), {})
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_environment_wins(tmp_path: Path) -> None:
    environment = {
        "SCHED_AGENT_PORTAL": "https://portal/",
        "SCHED_AGENT_TOKEN": "new",
        "SCHED_AGENT_POLL_INTERVAL": "7",
    }
    configuration = read_configuration(write(tmp_path), environment)
    assert (configuration.portal, configuration.poll_interval) == ("https://portal", 7.0)
    assert configuration.providers[0].token == "new"
    assert configuration.providers[0].inventory == Measured()
    with pytest.raises(ConfigurationError, match="SCHED_AGENT_POLL_INTERVAL: a number"):
        read_configuration(write(tmp_path), {"SCHED_AGENT_POLL_INTERVAL": "often"})
    two = [PROVIDER, {**PROVIDER, "id": ID.replace("6", "7")}]
    with pytest.raises(ConfigurationError, match="a token belongs to one provider"):
        read_configuration(write(tmp_path, providers=two), {"SCHED_AGENT_TOKEN": "new"})


def test_names_that_mean_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'docker' is none of noop, process"):
        make_builder(read_configuration(write(tmp_path, builder="docker"), {}))
    storage = read_configuration(write(tmp_path, providers=[{**PROVIDER, "resource_class": "block_storage"}]), {})
    with pytest.raises(ConfigurationError, match="give a block_storage provider its totals"):
        check_measurable(storage.providers[0])


@pytest.mark.parametrize(("content", "complaint"), [("{", "not JSON"), ("[]", "an object was expected")])
def test_a_bad_file_is_one_line_and_exit_code_2(
    portal: PortalPartner, agent: Agent, content: str, complaint: str
) -> None:
    agent.config.write_text(content)
    assert agent.start().wait(10) == 2
    (line,) = agent.log.read_text().splitlines()
    assert line.startswith(f"run_agent: {agent.config}: ")
    assert complaint in line
