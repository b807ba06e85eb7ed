"""The launcher that `deploy/celery/dagster.yaml` names: Dagster's own for Celery, with another sign that a run lives.

Dagster's asks Celery's results, which say "started" for ever of a run whose worker was killed as a whole. This one asks
Postgres for the run's lock (`life.py`). Not here: the worker (`worker.py`).
"""

import time
from collections.abc import Mapping
from typing import Any, Self

from dagster import DagsterRun, DagsterRunStatus, Field, StringSource
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._serdes import ConfigurableClassData
from dagster_celery.defaults import task_default_queue
from dagster_celery.launcher import CeleryRunLauncher

from draggonnb_pipelines.warm_workers.broker import delivery
from draggonnb_pipelines.warm_workers.life import is_alive

# Longer than a worker needs to take its lock again after a restart of the database, shorter than two looks.
MISSED_SECONDS = 8.0
_FORGOTTEN_SECONDS = 600.0


class WarmRunLauncher(CeleryRunLauncher):
    """Hands runs to warm workers; a run whose process is gone has failed within two looks of Dagster's run monitoring
    (`run_monitoring.poll_interval_seconds`)."""

    def __init__(self, broker: str, inst_data: ConfigurableClassData | None = None) -> None:
        settings = delivery(broker)
        super().__init__(
            default_queue=task_default_queue,
            broker=settings["broker_url"],
            backend="disabled://",
            config_source=settings,
            inst_data=inst_data,
        )
        self._missed_since: dict[str, float] = {}

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        return {"broker": Field(StringSource)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(config_value["broker"], inst_data=inst_data)

    @property
    def supports_resume_run(self) -> bool:
        """A new run takes over what a dead one left; a step is never entered twice by the same run."""
        return False

    def terminate(self, run_id: str) -> bool:
        """Say so in the run's row, where its process looks every other second; whether the run exists and goes on."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        if run.status is not DagsterRunStatus.CANCELING:
            self._instance.report_run_canceling(run)
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        now = time.monotonic()
        if is_alive(self._instance, run.run_id):
            self._missed_since.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        self._missed_since = {
            run_id: since for run_id, since in self._missed_since.items() if now - since < _FORGOTTEN_SECONDS
        }
        if now - self._missed_since.setdefault(run.run_id, now) < MISSED_SECONDS:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "no process holds this run's lock: its worker is gone")

    def get_run_worker_debug_info(self, run: DagsterRun, include_container_logs: bool | None = True) -> str | None:
        """For a run that waits for a worker: no results can be asked, so it says where to look."""
        if run.status is not DagsterRunStatus.STARTING:
            return None
        return (
            "No worker took it. Does one run (systemctl status draggonnb-worker), and its broker"
            " (DRAGGONNB_CELERY_BROKER)?"
        )
