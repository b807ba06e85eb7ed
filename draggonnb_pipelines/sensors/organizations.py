"""Watches master for organizations that Dagster does not know yet."""

import dagster as dg

from draggonnb_pipelines.partitions import organizations, register_organizations
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.sql import load_queries

ORGANIZATIONS = load_queries("organizations")


@dg.sensor(
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    asset_selection=dg.AssetSelection.groups("leads"),
    description="Keeps the partitions `organizations` in step with the master database; never takes one away.",
)
def new_organizations(context: dg.SensorEvaluationContext, master: MasterQueries) -> dg.SensorResult:
    async def slugs(conn: Connection) -> list[str]:
        return [row["slug"] async for row in ORGANIZATIONS.known_slugs(conn)]

    known = set(context.instance.get_dynamic_partitions(str(organizations.name)))
    new = [slug for slug in master.ask(slugs) if slug not in known]
    register_organizations(context.instance, new)
    return dg.SensorResult(skip_reason=f"registered {len(new)}" if new else "all are known")
