"""Answers get lost, late and cut all the time, on one node. (On a ring whose nodes die as well: `make faults`.)"""

import json
import os
import uuid
from pathlib import Path
from typing import Any

import harness
import pytest
from proxy import Proxy

CLAIMS, UNKNOWN, SETTLED = 300, 20, 10.0


@pytest.mark.slow
def test_every_unknown_outcome_is_settled(
    proxy: Proxy, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "CLOSED_KEPT", "3")
    stage = harness.build(f"cut-{uuid.uuid4().hex[:6]}", hosts=8)
    harness.break_at_random(proxy, 0.06, cuts=1, seed=1)
    run = harness.run(stage, proxy, tmp_path, 1, CLAIMS, 240.0, claim_authors=4, request_authors=2)
    print(json.dumps(run.figures()))
    assert run.wrong == []
    assert run.claims >= CLAIMS
    assert len(run.unknown) >= UNKNOWN
    assert max(run.unknown) < SETTLED
    assert run.readings >= len(stage.hosts)
