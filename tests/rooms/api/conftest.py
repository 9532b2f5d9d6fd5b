"""The cast of the API's tests: one caller of each role, and ways to make what they talk about."""

from tests.rooms.api.cast import admin, agent_of, callers, cell_of_api, new_host, operator, viewer

__all__ = ["admin", "agent_of", "callers", "cell_of_api", "new_host", "operator", "viewer"]
