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


def run_content(
    instance: dg.DagsterInstance, job: str, *, raises: bool = True, **config: Any
) -> dg.ExecuteInProcessResult:
    definition = build_defs().resolve_job_def(job)
    return definition.execute_in_process(instance=instance, run_config=content_config(**config), raise_on_error=raises)


def materialized(instance: dg.DagsterInstance, asset: str) -> set[str]:
    return set(instance.get_materialized_partitions(dg.AssetKey(asset)))


def metadata(instance: dg.DagsterInstance, asset: str) -> dict[str, Any]:
    """Of the latest materialization, as plain values."""
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def today(organization: Organization) -> str:
    return key(organization.slug, datetime.now(UTC).date())
