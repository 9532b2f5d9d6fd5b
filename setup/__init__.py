"""The two commands behind make: bring what is missing, then run everything on this machine."""
