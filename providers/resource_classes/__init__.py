"""The resource classes: each knows its columns, its query, and how to compare a provider with a request."""
