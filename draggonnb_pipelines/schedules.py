"""What happens by the clock. Nothing rests on a tick being on time: what is due is in the databases."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from draggonnb_pipelines.canary_checks import canary_is_public
from draggonnb_pipelines.checks import lead_checks
from draggonnb_pipelines.jobs import (
    DAILY,
    LONG,
    analytics_config,
    back_up_databases,
    billing_config,
    collect_analytics,
    content_config,
    drill_restores,
    keep_books,
    keep_retention,
    look_after_clients,
    look_after_stacks,
    prune_asset_history,
    publish_due_posts,
    watch_message_templates,
)
from draggonnb_pipelines.messages_checks import message_checks
from draggonnb_pipelines.operations_checks import operations_checks, tell_operators
from draggonnb_pipelines.provisioning_checks import provisioning_checks
from draggonnb_pipelines.publishing_checks import publishing_checks
from draggonnb_pipelines.retention_checks import nothing_outlives_its_retention
from draggonnb_pipelines.settings import load_settings


def _always_on(name: str, job: Any, cron: str, **more: Any) -> dg.ScheduleDefinition:
    """Runs from the first start on, by UTC."""
    return dg.ScheduleDefinition(
        name=name,
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        **more,
    )


check_leads = dg.define_asset_job(
    "check_leads",
    selection=dg.AssetSelection.checks(*lead_checks),
    description="Dead deliveries, prompts that are behind, an inbox that stands still.",
    executor_def=dg.in_process_executor,
)

check_publishing = dg.define_asset_job(
    "check_publishing",
    selection=dg.AssetSelection.checks(*publishing_checks),
    description="What is due and silent, what waits for a person, networks that are stopped.",
    executor_def=dg.in_process_executor,
)

check_publishing_hourly = _always_on("check_publishing_hourly", check_publishing, "12 * * * *")

check_canary = dg.define_asset_job(
    "check_canary",
    selection=dg.AssetSelection.checks(canary_is_public),
    description="A test post of the agency's own goes the whole way and is deleted again.",
    # It waits for another run, at most ten minutes: never in the place that is kept for that one. A second try would be
    # a second post.
    tags={LONG: "canary", "dagster/max_retries": "0", "dagster/max_runtime": "900"},
    executor_def=dg.in_process_executor,
)

canary_hourly = _always_on("canary_hourly", check_canary, "34 * * * *")

# Between the publisher's quarter hours, so that the two do not share their minute.
tend_quarter_hourly = _always_on(
    "tend_quarter_hourly",
    look_after_clients,
    "8-59/15 * * * *",
    description="Renews tokens 45 minutes ahead, reminds and escalates, asks for what repeats, sends what was left.",
)

prune_nightly = _always_on("prune_nightly", prune_asset_history, "30 1 * * *")

# Before the prune and long before the books; the drill has the Sunday's file of everybody.
backup_nightly = _always_on("backup_nightly", back_up_databases, "30 0 * * *")
restore_drill_weekly = _always_on("restore_drill_weekly", drill_restores, "30 2 * * 0")

check_leads_hourly = _always_on("check_leads_hourly", check_leads, "7 * * * *")

check_clients = dg.define_asset_job(
    "check_clients",
    selection=dg.AssetSelection.checks(*provisioning_checks),
    description="Who is stuck on the way to a stack, notices of payments that were refused, what vendors hold.",
    executor_def=dg.in_process_executor,
)

check_clients_hourly = _always_on("check_clients_hourly", check_clients, "17 * * * *")

check_messages = dg.define_asset_job(
    "check_messages",
    selection=dg.AssetSelection.checks(*message_checks),
    description="Templates that WhatsApp does not take, alerts that nobody has answered, messages that wait.",
    executor_def=dg.in_process_executor,
)

check_messages_hourly = _always_on("check_messages_hourly", check_messages, "27 * * * *")

# After the backup, which so has it once more.
retention_nightly = _always_on("retention_nightly", keep_retention, "50 1 * * *")

check_retention = dg.define_asset_job(
    "check_retention",
    selection=dg.AssetSelection.checks(nothing_outlives_its_retention),
    description="What should have gone and has not.",
    executor_def=dg.in_process_executor,
)

check_retention_daily = _always_on("check_retention_daily", check_retention, "20 3 * * *")

check_operations = dg.define_asset_job(
    "check_operations",
    selection=dg.AssetSelection.checks(*operations_checks),
    description="What stands still in any table, put back where it can be; vendors' versions that end.",
    executor_def=dg.in_process_executor,
)

check_operations_hourly = _always_on("check_operations_hourly", check_operations, "32 * * * *")

# After all the hour's checks.
tell_operators_hourly = _always_on("tell_operators_hourly", tell_operators, "50 * * * *")

templates_daily = _always_on("templates_daily", watch_message_templates, "40 4 * * *")

stacks_hourly = _always_on(
    "stacks_hourly",
    look_after_stacks,
    "22 * * * *",
    description="Finishes what was begun and stopped: suspending, aborting, erasing.",
)

# Before the working day in South Africa, after PayFast has charged the day's cards.
books_daily = _always_on(
    "books_daily", keep_books, "0 4 * * *", run_config=billing_config(daily=True), tags={DAILY: "books", LONG: "books"}
)

analytics_daily = _always_on(
    "analytics_daily",
    collect_analytics,
    "0 6 * * *",
    run_config=analytics_config(everyone=True),
    tags={DAILY: "analytics"},
    description="Every active organization: numbers of its posts, and the snapshot of the day before.",
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
