"""Supply: what can be scheduled, where it is kept, and the query that finds it.

A provider's state is its own row in `provider_records`; the `capacity` table is a projection of it that may lag.
"""
