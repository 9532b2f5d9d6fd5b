"""What a provider's aggregates say about it: whom and what they keep it for, and how it is weighed."""

from collections.abc import Collection, Iterable, Mapping

from providers.aggregates import Aggregate
from scheduler.types import EVERYBODY, Admission


def admission(labels: Collection[str], known: Mapping[str, Aggregate]) -> Admission:
    """In several aggregates that name tenants a provider is for all of theirs; so with images."""
    if not labels or not known:
        return EVERYBODY
    ours = [known[label] for label in labels if label in known]
    tenants = frozenset().union(*(one.tenants for one in ours))
    images = frozenset().union(*(one.images for one in ours))
    return Admission(tenants or None, images or None) if tenants or images else EVERYBODY


def multipliers(labels: Iterable[str], known: Mapping[str, Aggregate]) -> dict[str, float]:
    """The smallest where several aggregates name the same weigher: the most careful one counts."""
    found: dict[str, float] = {}
    for label in labels:
        for name, value in known[label].weighers.items() if label in known else ():
            found[name] = min(value, found.get(name, value))
    return found


def kept_for(image: str, known: Mapping[str, Aggregate]) -> frozenset[str]:
    """The aggregates that are for this image: it goes nowhere else. Empty: any host will do."""
    return frozenset(one.name for one in known.values() if image and image in one.images)
