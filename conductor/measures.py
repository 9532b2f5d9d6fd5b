"""What this process's tries to claim came to: for Prometheus, and for the choice itself.

The pick is drawn from the best few so that many schedulers with one view do not all take the same host. How many "few"
are follows what it is for: the more claims were refused lately, the wider.
"""

import threading

from prometheus_client import Counter, Gauge, Histogram

from scheduler.types import Policy

WEIGHT = 0.05  # of the newest try in the moving share of refused ones
WIDEST = 8  # times the policy's subset, when every claim is refused

TRIES = Counter("sched_claim_tries_total", "Transactions that tried to claim, by what they came to", ["outcome"])
REFUSED = Gauge("sched_claims_refused_share", "Moving share of tries that lost to other claims")
ALTERNATE = Histogram("sched_claim_alternate", "Which of its alternates a claim got, 0 the first", buckets=range(10))
SHARDS = Histogram(
    "sched_sampled_shards", "Shards that a sampled decision read", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)

_lock = threading.Lock()
_refused = 0.0


def note_try(outcome: str, refused: bool) -> None:
    """`outcome` is a short word; `refused`: for want of room that the decision had seen."""
    global _refused
    TRIES.labels(outcome).inc()
    with _lock:
        _refused += WEIGHT * (refused - _refused)
        REFUSED.set(_refused)


def subset_of(policy: Policy) -> int:
    """How many of the best the pick is drawn from; one, when the policy says one."""
    if policy.subset <= 1:
        return policy.subset
    return round(policy.subset * (1 + (WIDEST - 1) * _refused))
