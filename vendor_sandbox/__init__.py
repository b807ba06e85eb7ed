"""What each vendor answers on the wire, on loopback: for the demo, for tests, and for work without credentials.

Lives here: the vendors' rules, a fault script per route, a journal of what was asked and a view of what became
public. Does not live here: anything of draggonnb_pipelines, which this package never imports.
"""
