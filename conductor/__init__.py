"""One request's life, from the API through scheduler and claim to the host and back.

The request row decides, the claim rows follow: whatever dies in between, another process reads the row and finishes.
"""
