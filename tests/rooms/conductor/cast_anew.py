"""Requests that are placed anew, as tests look at them."""

from conductor.outcome import parts_of
from providers.records import CLAIM, locate, read_tree
from store.home import Home

VCPUS = {"resource_class": "compute", "amounts": {"vcpus": 2}}
DISK = {"resource_class": "block_storage", "amounts": {"capacity_gb": 10}}


def there(row):
    """Names of the hosts where the request has a claim that is not given up."""
    return sorted(p.provider_name for p in parts_of(row) if p.state in ("made", "built"))


def claim_of(row, name=None):
    (part,) = [p for p in parts_of(row) if p.state == "made" and name in (None, p.provider_name)]
    return part


def free(own):
    return read_tree(own_home(own), own.id).providers[own.id].available["vcpus"]


def own_home(own):
    return locate(own.id).home


def live_claims(row):
    parts = list(row.parts or parts_of(row))
    trees = {p.root_id: read_tree(own_home_of(p), p.root_id) for p in parts}
    return [r for tree in trees.values() for r in tree.records if r.kind == CLAIM and r.request_id == row.request_id]


def own_home_of(part):
    return Home(part.cell, part.datacenter)


def live_claims_everywhere(hosts, row):
    trees = [read_tree(own_home(own), own.id) for own in hosts]
    return [r for tree in trees for r in tree.records if r.kind == CLAIM and r.request_id == row.request_id]
