"""What happens by the clock. Nothing rests on a tick being on time: what is due is in the databases."""

import dagster as dg

from draggonnb_pipelines.checks import lead_checks
from draggonnb_pipelines.jobs import prune_asset_history

check_leads = dg.define_asset_job(
    "check_leads",
    selection=dg.AssetSelection.checks(*lead_checks),
    description="Dead deliveries, prompts that are behind, an inbox that stands still.",
    executor_def=dg.in_process_executor,
)

prune_nightly = dg.ScheduleDefinition(
    name="prune_nightly",
    job=prune_asset_history,
    cron_schedule="30 1 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

check_leads_hourly = dg.ScheduleDefinition(
    name="check_leads_hourly",
    job=check_leads,
    cron_schedule="7 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
