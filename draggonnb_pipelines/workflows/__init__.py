"""What happens, step by step, as plain async Python. No Dagster here: `assets/` calls these functions."""
