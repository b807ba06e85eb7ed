"""What warm workers are configured by: one file beside the root's, one setting, one verb."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dagster_celery.launcher import CeleryRunLauncher

from draggonnb_pipelines.cli import command_lines
from draggonnb_pipelines.cli.serve_verbs import Part
from draggonnb_pipelines.domain.ticks import STALE_HEARTBEAT
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.warm_workers.broker import (
    BROKER_AWAY_SECONDS,
    REDELIVERY_SECONDS,
    TIME_LIMIT_SECONDS,
    delivery,
)
from draggonnb_pipelines.warm_workers.launcher import MISSED_SECONDS, WarmRunLauncher
from draggonnb_pipelines.warm_workers.life import CONNECT_SECONDS, LOOK_SECONDS
from tests.dagster_storage import ROOT

WARM = yaml.safe_load(command_lines.WARM_DAGSTER_YAML.read_text())
PLAIN = yaml.safe_load((ROOT / "dagster.yaml").read_text())


def test_warm_workers_change_nothing_of_dagster_but_the_launcher():
    assert {**WARM, "run_launcher": None} == {**PLAIN, "run_launcher": None}
    assert WARM["run_launcher"] == {
        "module": WarmRunLauncher.__module__,
        "class": WarmRunLauncher.__name__,
        "config": {"broker": {"env": "DRAGGONNB_CELERY_BROKER"}},
    }


def test_times_fit_each_other():
    monitoring = WARM["run_monitoring"]

    assert LOOK_SECONDS + CONNECT_SECONDS < MISSED_SECONDS < monitoring["poll_interval_seconds"]
    # What was lost on its way into a killed worker starts elsewhere before its time to start is over.
    assert monitoring["start_timeout_seconds"] > REDELIVERY_SECONDS + 15
    jobs = (ROOT / "draggonnb_pipelines" / "jobs.py").read_text()
    # A launch that waits for the broker leaves the daemon time to say that it lives.
    policy = delivery("redis://127.0.0.1:6379/0")["task_publish_retry_policy"]
    assert policy["max_retries"] * policy["interval_max"] == BROKER_AWAY_SECONDS
    assert policy["max_retries"] * (policy["interval_max"] + 4) < STALE_HEARTBEAT.total_seconds()
    longest = max(int(seconds) for seconds in re.findall(r'"dagster/max_runtime": "(\d+)"', jobs))
    assert longest < TIME_LIMIT_SECONDS


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:6379/0", "amqp://me:pw@queue//"])
def test_a_broker_on_a_server_is_taken_as_it_is(broker: str):
    assert delivery(broker)["broker_url"] == broker


@pytest.mark.parametrize(("broker", "counts"), [("rediss://queue:6379/0", True), ("amqp://queue//", None)])
def test_on_redis_a_worker_takes_no_more_than_it_has_processes_for(broker: str, counts: bool | None):
    assert delivery(broker).get("worker_disable_prefetch") is counts


def test_a_broker_of_files_has_its_folder_made_for_nobody_else(tmp_path: Path):
    settings = delivery(f"filesystem://{tmp_path / 'broker'}")

    assert settings["broker_url"] == "filesystem://"
    assert settings["broker_transport_options"]["data_folder_in"] == str(tmp_path / "broker")
    assert (tmp_path / "broker" / "control").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("broker", ["redis://", "filesystem://relative", "sqs://queue", "6379"])
def test_another_broker_is_refused(broker: str):
    with pytest.raises(OperatorError, match="DRAGGONNB_CELERY_BROKER"):
        load_settings(_env_file=None, celery_broker=broker)


def test_the_launcher_is_the_one_that_the_file_names_and_keeps_no_results(tmp_path: Path):
    launcher = WarmRunLauncher.from_config_value(None, {"broker": f"filesystem://{tmp_path}"})

    assert isinstance(launcher, CeleryRunLauncher)
    assert launcher.celery.conf.result_backend == "disabled://"
    assert launcher.celery.conf.task_acks_late is True
    assert (launcher.supports_check_run_worker_health, launcher.supports_resume_run) == (True, False)


def test_without_a_broker_nothing_of_celery_is_imported():
    code = "import sys, draggonnb_pipelines.definitions; print(sorted({'celery', 'kombu'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_the_worker_of_another_machine_is_the_same_image_and_is_given_time_for_its_runs():
    [worker] = yaml.safe_load((ROOT / "deploy" / "celery" / "compose.yaml").read_text())["services"].values()
    here = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]["worker"]

    same = ("image", "command", "restart", "read_only", "cap_drop", "security_opt", "mem_limit", "stop_grace_period")
    assert {name: worker[name] for name in same} == {name: here[name] for name in same}
    assert worker["command"] == ["serve", str(Part.WORKER)]
