"""The worker's Celery app: `celery --app draggonnb_pipelines.warm_workers.worker worker`, see `draggonnb serve worker`.

Its main process imports all definitions once; the processes that it forks execute one run after another, and are
replaced after a hundred. Not here: what makes two deliveries one execution (`life.py`).
"""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery.signals import setup_logging
from dagster import DagsterInstance, DagsterRunStatus
from dagster._cli.api import _execute_run_command_body
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import unpack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.make_app import make_app

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.logs import handler
from draggonnb_pipelines.resources.redaction import RedactingFilter
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.warm_workers.broker import delivery
from draggonnb_pipelines.warm_workers.life import sole_execution

SETTINGS = load_settings()
if SETTINGS.celery_broker is None:
    raise OperatorError("DRAGGONNB_CELERY_BROKER is not set: there is nothing to work for", remedy="set it")
app = make_app(
    {
        "config_source": {
            **delivery(SETTINGS.celery_broker),
            "worker_concurrency": SETTINGS.celery_slots,
            "imports": ("draggonnb_pipelines.definitions",),
        }
    }
)
log = logging.getLogger(__name__)


@app.task(name=TASK_EXECUTE_JOB_NAME)
def execute_run(execute_job_args_packed: Any) -> None:
    """Execute the run, unless it is executed elsewhere or has ended; what becomes of it stands in its row."""
    run_id = unpack_value(execute_job_args_packed, as_type=ExecuteRunArgs).run_id
    with DagsterInstance.get() as instance:
        url = instance.run_storage.postgres_url  # pyright: ignore[reportAttributeAccessIssue]
        with sole_execution(url, run_id) as is_ours, _own_signals():
            if not is_ours:
                log.info("run %s was delivered once more; it goes on where it is", run_id)
                return
            run = instance.get_run_by_id(run_id)
            if run is None:
                log.info("run %s was deleted before it began", run_id)
            elif run.status is DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, "Canceled before a worker took it.")
            else:  # one that began already, or has ended, Dagster leaves alone
                _execute_run_command_body(run_id, instance, lambda _event: None, set_exit_code_on_failure=False)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Dagster leaves SIGTERM deaf behind it, and the process has other runs to come."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


@setup_logging.connect
def _log_as_everybody(**_: Any) -> None:
    """Our form of lines, redacted; Celery would write its own and repeat those of runs."""
    celery = logging.getLogger("celery")
    for logger in (celery, log):
        logger.addHandler(handler(SETTINGS.log_format, RedactingFilter()))
        logger.setLevel(logging.INFO)
        logger.propagate = False
