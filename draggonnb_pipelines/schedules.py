"""What happens by the clock. Nothing rests on a tick being on time: what is due is in the databases."""

from collections.abc import Iterator

import dagster as dg

from draggonnb_pipelines.checks import lead_checks
from draggonnb_pipelines.jobs import (
    billing_config,
    content_config,
    keep_books,
    look_after_clients,
    look_after_stacks,
    prune_asset_history,
    publish_due_posts,
)
from draggonnb_pipelines.provisioning_checks import provisioning_checks
from draggonnb_pipelines.publishing_checks import publishing_checks
from draggonnb_pipelines.settings import load_settings

check_leads = dg.define_asset_job(
    "check_leads",
    selection=dg.AssetSelection.checks(*lead_checks),
    description="Dead deliveries, prompts that are behind, an inbox that stands still.",
    executor_def=dg.in_process_executor,
)

check_publishing = dg.define_asset_job(
    "check_publishing",
    selection=dg.AssetSelection.checks(*publishing_checks),
    description="What is due and silent, what waits for a person, networks that are stopped, versions that end.",
    executor_def=dg.in_process_executor,
)

check_publishing_hourly = dg.ScheduleDefinition(
    name="check_publishing_hourly",
    job=check_publishing,
    cron_schedule="12 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

# Between the publisher's quarter hours, so that the two do not share their minute.
tend_quarter_hourly = dg.ScheduleDefinition(
    name="tend_quarter_hourly",
    job=look_after_clients,
    cron_schedule="8-59/15 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Renews tokens 45 minutes ahead, reminds and escalates, asks for what repeats, sends what was left.",
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

check_clients = dg.define_asset_job(
    "check_clients",
    selection=dg.AssetSelection.checks(*provisioning_checks),
    description="Who is stuck on the way to a stack, notices of payments that were refused, what vendors hold.",
    executor_def=dg.in_process_executor,
)

check_clients_hourly = dg.ScheduleDefinition(
    name="check_clients_hourly",
    job=check_clients,
    cron_schedule="17 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

stacks_hourly = dg.ScheduleDefinition(
    name="stacks_hourly",
    job=look_after_stacks,
    cron_schedule="22 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Finishes what was begun and stopped: suspending, aborting, erasing.",
)

# Before the working day in South Africa, after PayFast has charged the day's cards.
books_daily = dg.ScheduleDefinition(
    name="books_daily",
    job=keep_books,
    cron_schedule="0 4 * * *",
    execution_timezone="UTC",
    run_config=billing_config(daily=True),
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


@dg.schedule(
    job=publish_due_posts,
    cron_schedule="*/15 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Looks into every organization: what the agenda missed, what a dead run left, what was approved in "
    "the app. In between the sensor `publishing_agenda` watches the agenda.",
)
def publish_quarter_hourly(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    for shard in range(load_settings().shards):
        yield dg.RunRequest(
            run_key=f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M}/{shard}",  # Dagster refuses several without
            run_config=content_config(shard=shard, everyone=True),
            tags={"draggonnb/sweep": str(shard)},
        )
