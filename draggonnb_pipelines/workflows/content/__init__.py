"""Workflow 3: what was asked for becomes posts, approved by people and put on the queue."""
