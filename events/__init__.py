"""The durable event log of each cell: what the dashboard, the agents and programs follow, and resume from.

Cassandra is the bus: whoever changes something appends here, and every process that has readers tails it.
"""
