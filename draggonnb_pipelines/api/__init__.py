"""The HTTP side: webhooks in, the public proposal page, health. Launches no runs, never imports Dagster."""
