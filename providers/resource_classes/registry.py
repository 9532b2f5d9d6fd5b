"""All resource classes by name: the four built-in ones, listed by hand, and the operator's own."""

from providers.refusals import NotFound
from providers.resource_classes import custom
from providers.resource_classes.baremetal import BAREMETAL
from providers.resource_classes.block_storage import BLOCK_STORAGE
from providers.resource_classes.compute import COMPUTE
from providers.resource_classes.kind import ResourceClass
from providers.resource_classes.network import NETWORK

BUILT_IN: dict[str, ResourceClass] = {c.name: c for c in (COMPUTE, BAREMETAL, BLOCK_STORAGE, NETWORK)}


def resource_class(name: str) -> ResourceClass:
    """The class of that name, to register or schedule by. Raises NotFound, also when it was deleted."""
    found = known_class(name)
    if found.closed:
        raise NotFound(f"no resource class {name}")
    return found


def known_class(name: str) -> ResourceClass:
    """The class of that name, deleted ones too, to read what is on record. Raises NotFound."""
    found = BUILT_IN.get(name) or custom.load(name)
    if found is None:
        raise NotFound(f"no resource class {name}")
    return found


def all_classes() -> list[ResourceClass]:
    return [*BUILT_IN.values(), *custom.load_all()]
