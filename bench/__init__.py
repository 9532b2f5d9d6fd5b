"""Measures what a claim and a whole schedule request cost here, in one run, beside what Cassandra itself can do.

Rates depend on what else the machine is doing; CPU-seconds per operation, by process, hardly do: compare those.
"""
