"""A tree is read with the columns of the classes on it: also when a class joins that was not there before."""

from providers.projection import project_now
from providers.records import read_tree

NETWORK = {"ipv4_addresses": 4, "bandwidth_mbps": 9}


def test_what_is_projected_is_the_whole_tree(cell, host):
    root = host(heartbeat="none")
    project_now(cell.home, root.id)  # from here on the tree is known as one of compute only
    child = host(resource_class="network", amounts=NETWORK, heartbeat="none", parent=root.id)
    for _ in range(2):
        projected, whole = project_now(cell.home, root.id), read_tree(cell.home, root.id)
        assert projected.generation == whole.generation
        assert projected.providers[child.id].available == whole.providers[child.id].available == NETWORK
        for provider_id, own in projected.providers.items():
            assert own.row.items() <= whole.providers[provider_id].row.items()
            assert {n for n, v in whole.providers[provider_id].row.items() if v is not None} <= set(own.row)
