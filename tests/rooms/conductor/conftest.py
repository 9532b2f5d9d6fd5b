"""What several tests of the conductor share."""

import pytest

from api.fields import Fields
from api.parse.schedule import schedule_request
from conductor.place import schedule
from conductor.rows import get
from conductor.types import Placed
from tests.rooms.conductor.cast_anew import VCPUS


@pytest.fixture
def ask(cell):
    """Schedules a body as a program sends it, and gives the row."""

    def make(*resources, **more):
        body = {"consumer": "me", "project": "p", "cell": cell.name, "resources": list(resources or [VCPUS]), **more}
        wanted, _ = schedule_request(body, Fields(body), None, "me")
        placed = schedule(wanted)
        assert isinstance(placed, Placed), placed
        return get(placed.request_id)

    return make
