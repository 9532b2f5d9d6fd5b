"""The store's own errors. Losing a race is not among them: that is `Refused`, a return value of `store.lwt`."""


class StoreUnavailable(Exception):
    """Cassandra, or the data centre a row is at home in, cannot be reached; nothing was written. Try again later."""


class SchemaMissing(Exception):
    """The keyspace or a table is not there: `manage.py apply_schema` makes it."""
