"""The operator's live view: a cell's hosts and claims in flight, in a page that changes while one looks at it.

Nothing below this room knows it: it reads the cell once, follows the durable event log, and passes on what changed.
"""
