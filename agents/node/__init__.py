"""The process that runs on a host: it says what the host has, builds what was claimed there and takes it away again.

It imports nothing of the portal but `agents.protocol`, so a host needs Python, httpx and psutil and no database.
"""
