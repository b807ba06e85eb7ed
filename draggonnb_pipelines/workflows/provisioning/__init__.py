"""Workflow 2: a client's stack, step by step: set up, cared for, and taken down again."""
