"""The choice of a host, as pure functions: no Django, no Cassandra, no I/O and no clock.

Everything is given (candidates, request, policy, random source) and everything is returned, so that a decision can be
tested, explained and repeated without a cloud.
"""
