"""A workflow of three steps on a real Dagster instance, whose organizations fail when a test says so.

Lives here: the chain, its job and what its steps were given. Does not live here: any assertion.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg
from pydantic import Field

from draggonnb_pipelines.domain.reports import CheckOutcome, KeyReport, Markdown, PartitionKey, StepReport
from draggonnb_pipelines.partitions import key, organization_day, organizations, register_organizations
from draggonnb_pipelines.tenant_runs import TenantRun, tenant_asset, tenant_chain

TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)
SLUGS = ("alpha", "bravo", "charlie", "delta", "outsider")


@dataclass
class World:
    """What fails, wholly or in part, and who joins, by step; and which organizations each step was given, in order."""

    broken: dict[str, set[str]] = field(default_factory=dict)
    halved: dict[str, set[str]] = field(default_factory=dict)
    silent: dict[str, set[str]] = field(default_factory=dict)
    joining: dict[str, set[str]] = field(default_factory=dict)
    crash: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, list[str]]] = field(default_factory=list)

    def work(self, step: str, run: TenantRun) -> StepReport:
        self.asked.append((step, [partition.slug for partition in run.keys]))
        if self.crash.get(step, 0):
            self.crash[step] -= 1
            raise ConnectionError("the master database is away")
        newcomers = [PartitionKey(slug, TODAY) for slug in sorted(self.joining.get(step, ()))]
        keys = [each for each in (*run.keys, *newcomers) if each.slug not in self.silent.get(step, ())]
        halved = {each for each in keys if each.slug in self.halved.get(step, ())}
        failed = {each: "vendor said | no" for each in keys if each.slug in self.broken.get(step, ()) or each in halved}
        done = {each: KeyReport(rows=2) for each in keys if each not in failed}
        return StepReport(done=done, failed=failed, goes_on=frozenset(halved), newcomers=frozenset(newcomers))


WORLD = World()


class Batch(dg.Config):
    slugs: list[str] = Field(default_factory=list)


def keys_of_batch(run: TenantRun[Batch], world: World) -> list[PartitionKey]:
    return [PartitionKey(slug, TODAY) for slug in run.config.slugs]


@tenant_asset(group="stories", description="First.", kinds={"postgres"}, column_schema={"id": "uuid"})
def first(run: TenantRun[Batch], world: World) -> Iterator[StepReport]:
    report = world.work("first", run)
    for each, done in report.done.items():
        yield StepReport(done={each: done})
    yield StepReport(failed=report.failed, goes_on=report.goes_on)


@tenant_asset(group="stories", description="Second.", deps=["first"], checks={"looks_right": "Each is looked at."})
def second(run: TenantRun[Batch], world: World) -> StepReport:
    report = world.work("second", run)
    checked = {
        each: KeyReport(done.rows, {"preview": Markdown("*fine*")}, [CheckOutcome("looks_right", passed=True)])
        for each, done in report.done.items()
    }
    return StepReport(done=checked, failed=report.failed)


@tenant_asset(group="stories", description="Third.", deps=["second"], code_version="7")
def third(run: TenantRun[Batch], world: World) -> StepReport:
    return world.work("third", run)


stories = tenant_chain(
    "tell_stories",
    [first, second, third],
    keys=keys_of_batch,
    config=Batch,
    retry_policy=dg.RetryPolicy(max_retries=1),
)


@tenant_asset(group="houses", description="What a client has once.", partitions_def=organizations)
def house(run: TenantRun[Batch], world: World) -> StepReport:
    return world.work("house", run)


def keys_without_days(run: TenantRun[Batch], world: World) -> list[PartitionKey]:
    return [PartitionKey(slug) for slug in run.config.slugs]


houses = tenant_chain("build_houses", [house], keys=keys_without_days, config=Batch)


def houses_job() -> dg.JobDefinition:
    """Rebuilt by name, as a run process does."""
    job = dg.define_asset_job("houses_job", [houses], executor_def=dg.in_process_executor)
    definitions = dg.Definitions(assets=[houses], jobs=[job], resources={"world": WORLD})
    return definitions.resolve_job_def("houses_job")


def build_houses(instance: dg.DagsterInstance, *slugs: str, **tags: str) -> dg.JobExecutionResult:
    """A launch by config, or with the tags of a range of organizations."""
    config = {"ops": {"build_houses": {"config": {"slugs": list(slugs)}}}}
    return dg.execute_job(dg.reconstructable(houses_job), instance, run_config=config, tags=tags)


def stories_job() -> dg.JobDefinition:
    """Rebuilt by name, as a run process does."""
    job = dg.define_asset_job("stories_job", [stories], executor_def=dg.in_process_executor)
    definitions = dg.Definitions(assets=[stories], jobs=[job], resources={"world": WORLD})
    return definitions.resolve_job_def("stories_job")


def fresh_world(instance: dg.DagsterInstance) -> World:
    """The shared world without yesterday's faults, and the organizations registered."""
    WORLD.__init__()
    register_organizations(instance, SLUGS)
    return WORLD


def run_batch(instance: dg.DagsterInstance, *slugs: str) -> dg.JobExecutionResult:
    config = {"ops": {"tell_stories": {"config": {"slugs": list(slugs)}}}}
    return dg.execute_job(dg.reconstructable(stories_job), instance, run_config=config)


def run_again(instance: dg.DagsterInstance, parent: str, *, from_failure: bool) -> dg.JobExecutionResult:
    """What the two buttons of the UI do."""
    options = (
        dg.ReexecutionOptions.from_failure(parent, instance)
        if from_failure
        else dg.ReexecutionOptions(parent_run_id=parent)
    )
    run = instance.get_run_by_id(parent)
    assert run is not None
    origin = {"dagster/parent_run_id": parent, "dagster/root_run_id": run.root_run_id or parent}
    return dg.execute_job(
        dg.reconstructable(stories_job),
        instance,
        run_config=dict(run.run_config),
        tags={**run.tags, **origin},
        reexecution_options=options,
    )


def run_range(instance: dg.DagsterInstance, start: str, end: str) -> dg.JobExecutionResult:
    """A range chosen in the UI: every organization from `start` to `end`, today."""
    tags = {
        "dagster/asset_partition_range_start": key(start, TODAY),
        "dagster/asset_partition_range_end": key(end, TODAY),
    }
    return dg.execute_job(dg.reconstructable(stories_job), instance, tags=tags)


def statuses(instance: dg.DagsterInstance, asset: str) -> dict[str, str]:
    """What the UI shows today, per organization; those without a colour are left out."""
    by_partition = instance.get_status_by_partition(
        dg.AssetKey(asset), [key(slug, TODAY) for slug in SLUGS], organization_day
    )
    return {partition.partition("|")[2]: status.value for partition, status in (by_partition or {}).items() if status}
