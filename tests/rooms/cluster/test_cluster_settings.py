"""What the environment says about local nodes, and what is refused before anything is started."""

import pytest

from cluster.errors import LaunchError
from cluster.settings import settings_from_environment


def test_defaults_are_what_the_portal_assumes():
    settings = settings_from_environment({})
    assert (settings.address, settings.port, settings.dc, settings.nodes) == ("127.0.1.1", 9042, "dc1", 1)
    assert settings.var.name == "var"


def test_cluster_var_goes_before_sched_var(tmp_path):
    both = {"SCHED_VAR": str(tmp_path / "a"), "CLUSTER_VAR": str(tmp_path / "b")}
    assert settings_from_environment(both).home == tmp_path / "b" / "cassandra"


def test_nodes_get_consecutive_addresses():
    settings = settings_from_environment({"CLUSTER_ADDRESS": "127.0.5.254", "CLUSTER_NODES": "3"})
    assert [settings.address_of(index) for index in range(3)] == ["127.0.5.254", "127.0.5.255", "127.0.6.0"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLUSTER_NODES", "0"),
        ("CLUSTER_NODES", "three"),
        ("CLUSTER_ADDRESS", "10.0.0.1"),
        ("CLUSTER_ADDRESS", "localhost"),
        ("CASSANDRA_PORT", "9042x"),
    ],
)
def test_a_bad_value_names_its_variable(name, value):
    with pytest.raises(LaunchError, match=name):
        settings_from_environment({name: value})
