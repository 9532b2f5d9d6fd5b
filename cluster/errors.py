"""The one error of this room, so that every way a node can fail to come up ends as one line on the terminal."""


class LaunchError(Exception):
    """A node could not be started or stopped. The message is one line that an operator can act on."""
