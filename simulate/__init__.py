"""A simulated cloud: hosts that are registered, agents that are real processes, and a workload that comes over REST.

It drives a portal from outside, like any client, and at the end looks whether everything that was taken came back.
"""


class SimulationError(Exception):
    """Why nothing can be simulated, in one line for whoever started it."""
