"""`make faults`: faults injected for real into the running stack, and what the system said of each.

Lives here: the faults by what they happen to (`catalogue.py` names the files), the scene, whom we listen to, and the
table of docs/operations.md. Not here: proofs by the hundred kills (`make test-kill`, `make chaos`), what a function
answers to a bad input (`tests/`).
"""
