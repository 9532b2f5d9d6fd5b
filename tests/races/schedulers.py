"""One process of schedulers: threads that send the same request at once. Run as a script (see processes.py).

It starts when its standard input is closed, so that several such processes begin together.
"""

import json
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import UUID

from conductor.place import schedule
from conductor.types import Outcome, Placed, ScheduleRequest
from providers.cells import all_cells
from providers.projection import projector
from scheduler.types import Resource


def request_of(request_id: str, cell: str, vcpus: int, count: int = 1) -> ScheduleRequest:
    body = {"vcpus": vcpus, "count": count}
    resource = Resource("compute", {"vcpus": vcpus})
    return ScheduleRequest("twin", "races", (resource,), body, "somebody", UUID(request_id), cell, count)


def told(outcome: Outcome) -> dict[str, object]:
    claims = sorted(claim["id"] for claim in outcome.claims) if isinstance(outcome, Placed) else []
    return {"kind": type(outcome).__name__, "claims": claims, "replayed": getattr(outcome, "replayed", False)}


def main(requests: Sequence[Mapping[str, object]], answers: str) -> None:
    """Sends each of `requests` (see `request_of`) in a thread of its own; what each was told goes to a file."""
    all_cells()  # connected before the start, so that the requests meet
    sys.stdin.read()
    heard: list[dict[str, object]] = []
    threads = [
        threading.Thread(target=lambda r=request: heard.append(told(schedule(request_of(**r))))) for request in requests
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    projector().drain()
    Path(answers).write_text(json.dumps(heard))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
