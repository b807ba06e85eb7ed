"""What the tests of runs share: a stack on the environment's settings, a job run in this process, what it left."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import dagster as dg

from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.jobs import content_config
from draggonnb_pipelines.partitions import key
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import load_settings

T = TypeVar("T")


def with_stack(work: Callable[[Stack], Awaitable[T]]) -> T:
    """Do something with the stack that the runs of this test use."""

    async def once() -> T:
        async with open_stack(load_settings()) as stack:
            return await work(stack)

    return asyncio.run(once())


def run_job(instance: dg.DagsterInstance, job: str, *, raises: bool = True, **more: Any) -> dg.ExecuteInProcessResult:
    definition = build_defs().resolve_job_def(job)
    return definition.execute_in_process(instance=instance, raise_on_error=raises, **more)


def run_content(
    instance: dg.DagsterInstance, job: str, *, raises: bool = True, **config: Any
) -> dg.ExecuteInProcessResult:
    return run_job(instance, job, raises=raises, run_config=content_config(**config))


def materialized(instance: dg.DagsterInstance, asset: str) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey(asset)))


def metadata(instance: dg.DagsterInstance, asset: str, partition: str | None = None) -> dict[str, Any]:
    """Of the latest materialization, of a partition or of any, as plain values."""
    if partition:
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[partition])
        [record] = instance.fetch_materializations(wanted, limit=1).records
        event = record.event_log_entry
    else:
        event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def checks_of(result: dg.ExecuteInProcessResult, name: str) -> dict[str, bool]:
    """By partition, whether a check passed in this run."""
    found = [one for one in result.get_asset_check_evaluations() if one.check_name == name]
    return {str(one.partition): one.passed for one in found}


def today(organization: Organization | str) -> str:
    """The partition of an organization, or of a slug, and of today."""
    slug = organization if isinstance(organization, str) else organization.slug
    return key(slug, datetime.now(UTC).date())
