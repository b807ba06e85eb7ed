"""What the operator and the clock do to the whole installation: backups, keys, retention, watching."""
