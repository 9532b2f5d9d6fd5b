"""Whose a token is, since 1.2."""

from dataclasses import replace

from api.authenticate import AGENT


def whoami(caller):
    return replace(caller, version="1.2").get("/api/whoami")


def test_an_agent_finds_its_provider(new_host, agent_of):
    host = new_host()
    said = whoami(agent_of(host)).body
    provider = {name: host[name] for name in ("id", "name", "cell", "resource_class")}
    assert said == {"username": f"agent:{host['id']}", "role": AGENT, "provider": provider}


def test_a_user_finds_a_role_and_no_provider(callers):
    for role in ("viewer", "operator", "admin"):
        said = whoami(callers[role]).body
        assert (said["role"], said["provider"]) == (role, None)
    assert whoami(callers["stranger"]).body["role"] == ""
    assert whoami(callers["nobody"]).code == "unauthenticated"


def test_it_takes_no_parameters_and_came_with_1_2(callers):
    assert replace(callers["viewer"], version="1.2").get("/api/whoami?x=1").fields == {"x"}
    assert callers["viewer"].get("/api/whoami").code == "not_found"
