"""Workflow 1: what was sent becomes a lead, its company an analysis with three quick wins, and that a proposal."""
