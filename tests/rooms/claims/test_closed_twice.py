"""An id that is closed without an answer, removed by another, and closed once more by whoever got no answer."""

import time

from test_together import left, order

from claims import closed, settle
from claims.take import take
from claims.types import Closed, Lost
from providers.records import CLOSED, read_provider
from store.lwt import Unknown


def closed_on(own):
    return [r for r in read_provider(own.id)[0].records if r.kind == CLOSED]


def test_it_is_closed_and_can_be_removed_again(host, monkeypatch):
    own = host(heartbeat="none")
    tree, own = read_provider(own.id)
    never = order(tree, own, 1)
    claim, real, answers = never.members[0].claim_id, settle.run, []

    def lost_then_removed(*arguments):
        answers.append(real(*arguments))
        if len(answers) > 1:
            return answers[-1]
        assert closed.remove(closed_on(own)) == 1
        return Unknown("lost")

    monkeypatch.setattr(settle, "run", lost_then_removed)
    assert settle.close(tree.home, tree.root_id, own.id, claim, never.request_id, time.monotonic() + 20) is None
    assert len(answers) == 2
    assert [record.id for record in closed_on(own)] == [claim]
    assert take(never) == Closed()
    assert closed.remove(closed_on(own)) == 1
    assert isinstance(take(never), Lost)  # decided on a state that is over
    assert left(own) == 8
