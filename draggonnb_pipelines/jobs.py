"""The jobs: verbs over assets. What a run works on is in its config (`assets/leads.LeadRun`)."""

import os
from pathlib import Path
from typing import Any
from uuid import UUID

import dagster as dg

from draggonnb_pipelines.assets import analytics, backups, billing, content_runs, provisioning
from draggonnb_pipelines.assets.leads import CHAIN
from draggonnb_pipelines.dagster_instance import INCOMING, LOGS_VARIABLE, LONG, PG_URL_VARIABLE
from draggonnb_pipelines.event_retention import prune_asset_events
from draggonnb_pipelines.resources.bindings import MasterQueries, RunStack
from draggonnb_pipelines.run_retention import prune_runs
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.tenant_events import to_dagster_metadata
from draggonnb_pipelines.workflows.messages.message_requests import deliver_requests
from draggonnb_pipelines.workflows.messages.message_statuses import apply_all_statuses
from draggonnb_pipelines.workflows.messages.message_templates import watch_templates
from draggonnb_pipelines.workflows.operations.retention import keep_retention as keep_retention_everywhere
from draggonnb_pipelines.workflows.provisioning.stack_care import care_for_stacks
from draggonnb_pipelines.workflows.publishing.publish_questions import act_on_row
from draggonnb_pipelines.workflows.tending import tend_clients

# The inbox itself hands rows out again when a run dies; a retry of the run would only meet an empty batch.
INBOX_TAGS = {"dagster/max_retries": "0"}
# New leads go before old ones; `dagster.yaml` lets one reprocessing run at a time.
NEW_LEADS_TAGS = {**INBOX_TAGS, "dagster/priority": "10"}
# As urgent as leads, or a backlog of these would keep both places of what came in for itself.
MESSAGE_TAGS = {**NEW_LEADS_TAGS, INCOMING: "messages"}
REPROCESSING_TAGS = {"dagster/max_retries": "0", "draggonnb/reprocessing": "leads", LONG: "reprocessing"}
RETENTION_TAGS = {**INBOX_TAGS, LONG: "retention"}


def lead_config(**values: Any) -> dict[str, Any]:
    """Run config for the lead chain: one of batch_id, reprocessing_id, or organizations with from_day and to_day."""
    return {"ops": {CHAIN: {"config": values}}}


# With the check that the chain records itself; the checks over all organizations have a job of their own.
THREE_QUICK_WINS = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("business_analyses"), "three_quick_wins"))
LEAD_ASSETS = dg.AssetSelection.groups("leads").without_checks() | THREE_QUICK_WINS
qualify_leads = dg.define_asset_job(
    "qualify_leads",
    selection=LEAD_ASSETS,
    description="New deliveries: lead, research, analyses, proposal, notification. Launched by `lead_inbox`.",
    tags=NEW_LEADS_TAGS,
    executor_def=dg.in_process_executor,
)

reprocess_leads = dg.define_asset_job(
    "reprocess_leads",
    selection=LEAD_ASSETS,
    description="Stored leads of chosen organizations (none: all) and days through the current prompts, by message "
    "batches at half the price; earlier versions stay, nobody is notified. Config: organizations, from_day, to_day.",
    tags=REPROCESSING_TAGS,
    executor_def=dg.in_process_executor,
)


# With the checks that the chain records itself; those over all organizations have a job of their own.
OWN_CHECKS = [
    dg.AssetCheckKey(dg.AssetKey(asset), name) for asset, names in content_runs.CHECKS.items() for name in names
]
CONTENT_ASSETS = dg.AssetSelection.groups(content_runs.GROUP).without_checks() | dg.AssetSelection.checks(*OWN_CHECKS)


def content_config(**values: Any) -> dict[str, Any]:
    """Run config for the content chain; see `ContentRun`."""
    return {"ops": {content_runs.CHAIN: {"config": values}}}


generate_content = dg.define_asset_job(
    "generate_content",
    selection=CONTENT_ASSETS,
    description="New requests: checked, generated, put up for approval or on the queue. Launched by `content_inbox`.",
    tags=NEW_LEADS_TAGS,
    executor_def=dg.in_process_executor,
)

# What is due goes before everything else: lateness is seen by the public.
publish_due_posts = dg.define_asset_job(
    "publish_due_posts",
    selection=CONTENT_ASSETS,
    description="What is due goes out, unknown outcomes are read back. Launched by `publishing_agenda` and every 15 "
    "minutes for everybody; the config `everyone` looks into every organization.",
    # A run ends by itself after two minutes; one that hangs holds its rows until it is ended.
    tags={**INBOX_TAGS, "dagster/priority": "20", "dagster/max_runtime": "900"},
    executor_def=dg.in_process_executor,
)


# Runs of the day's books: what comes in meanwhile does not wait for them.
DAILY = "draggonnb/daily"


def billing_config(**values: Any) -> dict[str, Any]:
    """Run config for the billing chain; see `BillingRun`."""
    return {"ops": {billing.CHAIN: {"config": values}}}


BOOKS_AGREE = dg.AssetCheckKey(dg.AssetKey("payment_reconciliation"), "books_agree")
keep_books = dg.define_asset_job(
    "keep_books",
    selection=dg.AssetSelection.groups(billing.GROUP).without_checks() | dg.AssetSelection.checks(BOOKS_AGREE),
    description="Notices of payments and orders to PayFast, launched by `payment_notices`; with the config `daily` "
    "every organization, PayFast's own history, usage and the comparison.",
    tags=NEW_LEADS_TAGS,
    executor_def=dg.in_process_executor,
)

set_up_clients = dg.define_asset_job(
    "set_up_clients",
    # The checks over all clients have a job of their own.
    selection=dg.AssetSelection.groups(provisioning.GROUP).without_checks(),
    description="Everything a paid client gets, in ten steps. Launched by `paid_clients`; a client that stopped goes "
    "on by re-execution, or by materializing its partition.",
    tags={LONG: "set-up", **INBOX_TAGS, "dagster/max_runtime": "3600"},
    executor_def=dg.in_process_executor,
)


def analytics_config(**values: Any) -> dict[str, Any]:
    """Run config for the daily chain of numbers; see `AnalyticsRun`."""
    return {"ops": {analytics.CHAIN: {"config": values}}}


collect_analytics = dg.define_asset_job(
    "collect_analytics",
    selection=dg.AssetSelection.assets("platform_metrics", "analytics_snapshots").without_checks(),
    description="Numbers of posts that are due, and the figures of the day before. Daily at 06:00 UTC for everybody, "
    "hourly and on request for who has something due; what failed is taken up again by the hourly run.",
    tags={LONG: "analytics", **INBOX_TAGS, "dagster/max_runtime": "3600"},
    executor_def=dg.in_process_executor,
)

reprocess_snapshots = dg.define_asset_job(
    "reprocess_snapshots",
    # Both, since Dagster starts no run without partitions below an asset that it does not select.
    selection=dg.AssetSelection.assets("platform_metrics", "analytics_snapshots").without_checks(),
    description="Snapshots of chosen organizations (none: all) and days again, in one run and from stored rows: no "
    "platform is asked. Config: organizations, from_day, to_day.",
    tags={"dagster/max_retries": "0", "draggonnb/reprocessing": "snapshots", LONG: "reprocessing"},
    executor_def=dg.in_process_executor,
)

report_weeks = dg.define_asset_job(
    "report_weeks",
    selection=dg.AssetSelection.assets("weekly_reports", "agency_reports").without_checks(),
    description="The reports of the last complete week, of each client and of the agency. Launched by "
    "`weeks_to_report` once the snapshot of its Sunday is taken.",
    tags={LONG: "reports", **INBOX_TAGS, "dagster/max_runtime": "3600"},
    executor_def=dg.in_process_executor,
)


class PostAction(dg.Config):
    """What a person says about one row of the publish ledger.

    Args:
        organization: its slug.
        row: id of the row, as the check `no_open_questions` and the asset's table show it.
        action: an answer to its question (published, not-published, publish, drop, deleted), or undo.
        url: with published: where the post is.
    """

    organization: str
    row: str
    action: str
    url: str | None = None


@dg.op(description="A person's answer about one post, or its being taken back; the next run carries it out.")
def act_on_one_post(context: dg.OpExecutionContext, config: PostAction, stack: RunStack) -> None:
    by = f"dagster:{context.run.run_id}"
    said = stack.run(act_on_row, config.organization, UUID(config.row), config.action, by=by, url=config.url)
    context.log.info(said)


@dg.job(executor_def=dg.in_process_executor, tags=INBOX_TAGS)
def act_on_post() -> None:
    act_on_one_post()


@dg.op(description="Status webhooks of WhatsApp that no lead run has applied on its way.")
def apply_waiting_statuses(context: dg.OpExecutionContext, stack: RunStack) -> None:
    done = stack.run(apply_all_statuses)
    context.log.info(f"{done.applied} statuses applied")
    for slug, reason in done.waiting.items():
        context.log.warning(f"the statuses of {slug} wait for the next run: {reason}")


@dg.job(executor_def=dg.in_process_executor, tags=MESSAGE_TAGS)
def apply_message_statuses() -> None:
    apply_waiting_statuses()


@dg.op(description="Messages that clients' automations asked for, told once to each recipient.")
def deliver_asked_messages(context: dg.OpExecutionContext, stack: RunStack) -> None:
    done = stack.run(deliver_requests)
    context.log.info(f"{done.told} requests told, {done.dead} cannot be told to everybody")
    context.add_output_metadata({"told": done.told, "dead": done.dead, "waiting": done.waiting})
    for slug, reason in done.waiting.items():
        context.log.warning(f"the messages of {slug} wait for the next run: {reason}")


@dg.job(executor_def=dg.in_process_executor, tags=MESSAGE_TAGS)
def deliver_messages() -> None:
    deliver_asked_messages()


@dg.op(description="WhatsApp's templates as they stand today; the agency is told of each change once.")
def look_at_templates(context: dg.OpExecutionContext, stack: RunStack) -> None:
    watched = stack.run(watch_templates)
    context.log.info("; ".join(watched.changes) or f"{watched.templates} templates, all as before")
    context.add_output_metadata({"templates": watched.templates, "changes": watched.changes})


@dg.job(executor_def=dg.in_process_executor, tags=INBOX_TAGS)
def watch_message_templates() -> None:
    look_at_templates()


@dg.op(description="Tokens ahead of their end, reminders, repetitions, reviews and notices of every organization.")
def tend_all_clients(context: dg.OpExecutionContext, stack: RunStack) -> None:
    tended = stack.run(tend_clients)
    context.log.info(f"{tended.clients} organizations looked after")
    context.add_output_metadata({"organizations": tended.clients, "troubles": tended.troubles})
    for slug, reason in tended.troubles.items():
        context.log.warning(f"{slug}: {reason}")


@dg.job(executor_def=dg.in_process_executor, tags={**INBOX_TAGS, LONG: "tending"})
def look_after_clients() -> None:
    tend_all_clients()


@dg.op(description="Entries that follow a client's status, removals that stopped, erasures that are due.")
def care_for_all_stacks(context: dg.OpExecutionContext, stack: RunStack) -> None:
    cared = stack.run(care_for_stacks)
    context.log.info("; ".join(cared.done) or "nothing was left to do")
    context.add_output_metadata({"done": cared.done, "troubles": cared.troubles})
    for slug, reason in cared.troubles.items():
        context.log.warning(f"{slug}: {reason}")


@dg.job(executor_def=dg.in_process_executor, tags={**INBOX_TAGS, LONG: "stacks"})
def look_after_stacks() -> None:
    care_for_all_stacks()


@dg.op(description="Deletes asset events that no page needs, and old runs; our ledger keeps the full truth.")
def prune_events(context: dg.OpExecutionContext, master: MasterQueries) -> None:
    settings, url = load_settings(), os.environ[PG_URL_VARIABLE]
    context.log.info(str(prune_asset_events(url, settings.asset_event_keep_days)))
    context.log.info(str(prune_runs(url, Path(os.environ[LOGS_VARIABLE]), settings.run_keep_days)))


@dg.job(executor_def=dg.in_process_executor, tags={LONG: "prune"}, description="Nightly: keeps Dagster's log small.")
def prune_asset_history() -> None:
    prune_events()


@dg.op(description="Deletes and empties what is older than its retention; forgets again whom a backup brought back.")
def delete_what_is_over(context: dg.OpExecutionContext, stack: RunStack) -> None:
    kept = stack.run(keep_retention_everywhere)
    context.log.info(f"{kept.rows.total()} rows of {kept.clients} organizations and the master were older")
    counts = {"rows": kept.rows.total(), "persons": kept.forgotten, "exports": kept.exports}
    context.add_output_metadata(to_dagster_metadata({**counts, "deleted": kept.table(), "troubles": kept.troubles}))
    for slug, reason in kept.troubles.items():
        context.log.warning(f"{slug}: {reason}")


@dg.job(executor_def=dg.in_process_executor, tags=RETENTION_TAGS, description="Nightly: `domain/retention.py` at work.")
def keep_retention() -> None:
    delete_what_is_over()


back_up_databases = dg.define_asset_job(
    "back_up_databases",
    selection=dg.AssetSelection.assets(backups.tenant_backups),
    description="The master and every client, each as a sealed file. Nightly at 00:30 UTC; `draggonnb backup create`.",
    tags={LONG: "backup", "dagster/max_retries": "0", "dagster/max_runtime": "14400"},
    executor_def=dg.in_process_executor,
)

drill_restores = dg.define_asset_job(
    "drill_restores",
    selection=dg.AssetSelection.assets(backups.restore_drill),
    description="Restores backups for trial, compares and times them. Weekly; `draggonnb backup drill` does everybody.",
    tags={LONG: "drill", "dagster/max_retries": "0", "dagster/max_runtime": "14400"},
    executor_def=dg.in_process_executor,
)
