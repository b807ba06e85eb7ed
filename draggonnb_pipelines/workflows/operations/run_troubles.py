"""Runs and checks that fail, as matters for the operators.

Lives here: what makes two failures the same, the words, when they are over. Not here: reading them from Dagster
(`operations_checks.py`, `sensors/failures.py`), how alerts repeat (`operator_alerts.py`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.operator_alerts import (
    CHECK_FAILED,
    RUN_FAILED,
    Matter,
    raise_matter,
    settle_matters,
    standing_keys,
)


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that failed.

    Args:
        cause: what makes two failures of a job the same, such as `work_through_leads/OperationalError`.
        reason: one line, without a client's data.
    """

    job: str
    run_id: str
    cause: str
    reason: str
    failed_at: datetime


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check over all clients whose last verdict is that something is wrong."""

    asset: str
    check: str
    description: str
    failed_at: datetime


async def tell_failed_run(stack: Stack, failed: FailedRun) -> str | None:
    """One alert for each job and cause; the alert's key.

    Raises:
        TenantUnavailable: the agency's database is away.
    """
    return await raise_matter(
        stack,
        Matter(
            RUN_FAILED,
            f"{failed.job}:{failed.cause}"[:200],
            failed.failed_at,
            f"A run failed: {failed.job}",
            (
                f"{failed.cause}: {failed.reason}",
                f"The run is {failed.run_id}. What it held is free again; most work is taken up by the next run.",
                "This closes by itself once a run of the job succeeds. Otherwise mend the cause and run it again.",
            ),
        ),
    )


async def jobs_in_trouble(stack: Stack) -> list[str]:
    """The jobs of whose failed runs an alert stands.

    Raises:
        TenantUnavailable: the agency's database is away.
    """
    return sorted({_job_of(key) for key in await standing_keys(stack, RUN_FAILED)})


async def settle_runs(stack: Stack, recovered_jobs: Collection[str]) -> None:
    """Close the alerts of jobs whose last run succeeded.

    Raises:
        TenantUnavailable: the agency's database is away.
    """
    keys = await standing_keys(stack, RUN_FAILED)
    await settle_matters(stack, RUN_FAILED, [key for key in keys if _job_of(key) not in recovered_jobs])


def _job_of(event_key: str) -> str:
    return event_key.split(":")[1]


async def tell_failed_checks(stack: Stack, failed: Sequence[FailedCheck]) -> None:
    """One alert for each check that fails, and none any more for those that pass.

    Raises:
        TenantUnavailable: the agency's database is away.
    """
    keys = []
    for one in failed:
        matter = Matter(
            CHECK_FAILED,
            one.check,
            one.failed_at,
            f"A check fails: {one.check}",
            (one.description[:1000], f"It is a check of {one.asset}; its page in Dagster has the whole of it."),
        )
        keys.append(await raise_matter(stack, matter))
    await settle_matters(stack, CHECK_FAILED, [key for key in keys if key])
