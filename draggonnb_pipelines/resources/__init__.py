"""All I/O: one plain client per vendor, the HTTP door, the databases. Dagster appears in `bindings.py` alone."""
