"""Workflow 5: what the networks counted, the figures made of it, and the reports that show them."""
