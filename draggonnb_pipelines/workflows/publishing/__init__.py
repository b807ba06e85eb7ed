"""Workflow 4: what is due goes out to the networks once, on accounts whose tokens are kept good."""
