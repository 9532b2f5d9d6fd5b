"""Measures what a claim, a decision and a whole schedule request cost here, in one run, beside what Cassandra itself
can do; and two checkouts side by side.

Rates depend on what else the machine is doing; CPU-seconds per operation, by process, hardly do: compare those.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sched_portal.settings")
