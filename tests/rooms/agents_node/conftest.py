"""One portal partner and one agent for each test; nothing of either is left running after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rooms.agents_node.cast import Agent, processes_in
from tests.rooms.agents_node.portal_partner import PortalPartner


@pytest.fixture
def portal() -> Iterator[PortalPartner]:
    partner = PortalPartner()
    yield partner
    partner.stop()


@pytest.fixture
def agent(tmp_path: Path, portal: PortalPartner) -> Iterator[Agent]:
    one = Agent(tmp_path, portal)
    yield one
    for process in one.processes:
        if process.poll() is None:
            process.kill()
            process.wait()
    for process in processes_in(one.state_dir):
        process.kill()
