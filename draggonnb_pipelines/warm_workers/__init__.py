"""Runs in warm workers: processes that have imported everything already, on this machine or on others, by Celery.

Lives here: the launcher that hands runs to them (`launcher.py`), the worker that executes them (`worker.py`), how both
reach the broker (`broker.py`), and how a run shows that it lives (`life.py`). All of it is used only where
`DRAGGONNB_CELERY_BROKER` is set; without it runs are children of the code server. Not here: what runs do, and how many
there may be at once (`dagster.yaml`).
"""
