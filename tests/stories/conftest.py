"""The cast of the stories is that of the API's tests."""

from tests.rooms.api.cast import admin, agent_of, callers, cell_of_api, new_host, operator, viewer

__all__ = ["admin", "agent_of", "callers", "cell_of_api", "new_host", "operator", "viewer"]
