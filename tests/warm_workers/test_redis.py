"""What the launcher and the doctor do while a real Redis is away; `make test-celery`."""

import threading
import time
from contextlib import ExitStack

import pytest
from dagster_celery.tasks import create_execute_job_task

from draggonnb_pipelines.cli import service_probes
from draggonnb_pipelines.cli.findings import Verdict
from draggonnb_pipelines.cli.processes import free_port
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.warm_workers.launcher import WarmRunLauncher
from tests.stories.warm_workers import redis_broker

pytestmark = pytest.mark.celery
AWAY_SECONDS = 8.0  # Celery by itself gives up after four


def test_a_launch_waits_for_a_redis_that_is_away_for_moments():
    port = free_port()
    launcher = WarmRunLauncher.from_config_value(None, {"broker": f"redis://127.0.0.1:{port}/0"})
    launch = create_execute_job_task(launcher.celery).si(execute_job_args_packed={})
    assert launch is not None

    with ExitStack() as server:
        timer = threading.Timer(AWAY_SECONDS, lambda: server.enter_context(redis_broker(port)))
        timer.start()
        began = time.monotonic()
        launch.apply_async(queue="dagster")
        waited = time.monotonic() - began
        timer.join()

    assert AWAY_SECONDS <= waited < 30


async def test_the_doctor_says_where_the_broker_answers():
    with redis_broker() as broker:
        found = await service_probes.broker(Settings(_env_file=None, celery_broker=broker))  # pyright: ignore[reportCallIssue]

    assert (found.verdict, found.what) == (Verdict.OK, f"answers at {broker.replace('://', '://:**@')}")
