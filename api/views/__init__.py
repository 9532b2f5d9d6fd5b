"""The routes' views, one module per noun. Each is thin: parse, one call of the domain, show."""
