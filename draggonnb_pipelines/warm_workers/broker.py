"""How launcher and worker reach the broker, and how it delivers: in one place, since both must agree.

No result is kept anywhere: what became of a run stands in Dagster's database, and whether it lives in its lock.
"""

from pathlib import Path
from typing import Any

# What a worker took and has not confirmed goes to another one after this time: what was on its way into a worker that
# was killed starts within the two minutes that Dagster gives a run to start. A run that takes longer is delivered once
# more too, and refused because it holds its lock.
REDELIVERY_SECONDS = 60
# Above the longest `dagster/max_runtime` (a backup's four hours), for what Dagster's interrupt does not reach.
TIME_LIMIT_SECONDS = 15_000
# A Redis that is away is tried for so long before the run is told as failed. The daemon stands still meanwhile, and has
# to say every two minutes that it lives: also where each try takes the four seconds of a host that does not answer.
BROKER_AWAY_SECONDS = 60
_TRY_SECONDS = 5
RUNS_PER_PROCESS = 100
MAX_PROCESS_KIB = 600_000


def delivery(broker: str) -> dict[str, Any]:
    """Celery's settings for this broker, for the app of the launcher and of the worker.

    Args:
        broker: `redis://host:6379/0`, `amqp://…`, or `filesystem:///a/folder` for one machine.
    """
    settings: dict[str, Any] = {
        "broker_url": broker,
        "broker_connection_retry_on_startup": True,
        "task_ignore_result": True,
        # Confirmed when it is done: a worker takes no more than it has places, and the rest is left for the others.
        "task_acks_late": True,
        "worker_prefetch_multiplier": 1,
        "task_time_limit": TIME_LIMIT_SECONDS,
        "worker_max_tasks_per_child": RUNS_PER_PROCESS,
        "worker_max_memory_per_child": MAX_PROCESS_KIB,
        "worker_enable_remote_control": False,
        # Dagster catches what a step prints by the file's number, which Celery's stand-in has not.
        "worker_redirect_stdouts": False,
    }
    if broker.startswith("filesystem://"):
        return settings | {"broker_url": "filesystem://", "broker_transport_options": _folders(broker)}
    return settings | (_redis() if broker.startswith("redis") else {})


def _redis() -> dict[str, Any]:
    """What Redis needs besides.

    It delivers a run anew under the same number, and the refusal of that one confirms the first: the number of messages
    in hand would tell a worker of a free place that it has not. So it counts what its processes do.
    """
    return {
        "broker_transport_options": {
            "visibility_timeout": REDELIVERY_SECONDS,
            "connect_retries_timeout": BROKER_AWAY_SECONDS,
        },
        "worker_disable_prefetch": True,
        "task_publish_retry_policy": {
            "max_retries": BROKER_AWAY_SECONDS // _TRY_SECONDS,
            "interval_start": _TRY_SECONDS,
            "interval_step": 0,
            "interval_max": _TRY_SECONDS,
        },
    }


def _folders(broker: str) -> dict[str, Any]:
    """The folder with the messages; it must be there before the first process asks for it."""
    folder = Path(broker.removeprefix("filesystem://"))
    control = folder / "control"
    control.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(control),
        "polling_interval": 0.2,
    }
