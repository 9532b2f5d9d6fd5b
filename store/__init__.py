"""Everything that knows the Cassandra driver: session, prepared statements, lightweight transactions, schema.

The rooms above say what they mean in CQL and domain types; retries, consistency levels and clocks are settled here.
"""
