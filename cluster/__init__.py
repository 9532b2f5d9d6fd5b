"""Cassandra itself: pinned jars, configuration templates and the launcher of local nodes.

The room exists so that `make run` and the tests work on a real Cassandra with nothing set up by hand.
It knows neither Django nor the portal; a production cluster (CASSANDRA_HOSTS) is never touched by it.
"""
