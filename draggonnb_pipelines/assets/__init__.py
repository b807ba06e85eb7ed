"""The assets: what each is, who owns it, which step makes it. No SQL, no HTTP, no decisions: those are `workflows/`."""
