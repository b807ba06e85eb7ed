"""Assembly: everything that Dagster serves, and nothing else."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from draggonnb_pipelines.assets.analytics import daily_analytics, weekly_analytics
from draggonnb_pipelines.assets.backups import backup_assets
from draggonnb_pipelines.assets.billing import billing_assets
from draggonnb_pipelines.assets.content import content_assets
from draggonnb_pipelines.assets.leads import lead_assets
from draggonnb_pipelines.assets.provisioning import provisioning_assets
from draggonnb_pipelines.canary_checks import canary_is_public
from draggonnb_pipelines.checks import lead_checks
from draggonnb_pipelines.jobs import (
    act_on_post,
    apply_message_statuses,
    back_up_databases,
    collect_analytics,
    deliver_messages,
    drill_restores,
    generate_content,
    keep_books,
    keep_retention,
    look_after_clients,
    look_after_stacks,
    prune_asset_history,
    publish_due_posts,
    qualify_leads,
    report_weeks,
    reprocess_leads,
    reprocess_snapshots,
    set_up_clients,
    watch_message_templates,
)
from draggonnb_pipelines.messages_checks import message_checks
from draggonnb_pipelines.operations_checks import operations_checks, tell_operators
from draggonnb_pipelines.provisioning_checks import provisioning_checks
from draggonnb_pipelines.publishing_checks import publishing_checks
from draggonnb_pipelines.resources.bindings import MasterQueries, RunStack
from draggonnb_pipelines.retention_checks import nothing_outlives_its_retention
from draggonnb_pipelines.schedules import (
    analytics_daily,
    backup_nightly,
    books_daily,
    canary_hourly,
    check_canary,
    check_clients,
    check_clients_hourly,
    check_leads,
    check_leads_hourly,
    check_messages,
    check_messages_hourly,
    check_operations,
    check_operations_hourly,
    check_publishing,
    check_publishing_hourly,
    check_retention,
    check_retention_daily,
    prune_nightly,
    publish_quarter_hourly,
    restore_drill_weekly,
    retention_nightly,
    stacks_hourly,
    tell_operators_hourly,
    templates_daily,
    tend_quarter_hourly,
)
from draggonnb_pipelines.sensors.analytics import numbers_due, weeks_to_report
from draggonnb_pipelines.sensors.billing import paid_clients, payment_notices
from draggonnb_pipelines.sensors.content import content_inbox
from draggonnb_pipelines.sensors.failures import failed_runs
from draggonnb_pipelines.sensors.leads import lead_inbox, reprocessing_requests
from draggonnb_pipelines.sensors.messages import inbox_freshness, message_requests, waiting_message_statuses
from draggonnb_pipelines.sensors.organizations import new_organizations
from draggonnb_pipelines.sensors.publishing import publishing_agenda


def build_defs(overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The code location. `overrides` replaces resources by their keys."""
    resources: dict[str, Any] = {"stack": RunStack(), "master": MasterQueries(), **(overrides or {})}
    return dg.Definitions(
        assets=[
            lead_assets,
            content_assets,
            billing_assets,
            provisioning_assets,
            daily_analytics,
            weekly_analytics,
            *backup_assets,
        ],
        asset_checks=[
            *lead_checks,
            *publishing_checks,
            *provisioning_checks,
            *message_checks,
            canary_is_public,
            *operations_checks,
            nothing_outlives_its_retention,
        ],
        jobs=[
            qualify_leads,
            reprocess_leads,
            generate_content,
            publish_due_posts,
            keep_books,
            keep_retention,
            set_up_clients,
            collect_analytics,
            reprocess_snapshots,
            report_weeks,
            deliver_messages,
            watch_message_templates,
            apply_message_statuses,
            look_after_clients,
            look_after_stacks,
            act_on_post,
            prune_asset_history,
            back_up_databases,
            drill_restores,
            check_leads,
            check_publishing,
            check_retention,
            check_canary,
            check_clients,
            check_messages,
            check_operations,
            tell_operators,
        ],
        schedules=[
            analytics_daily,
            books_daily,
            check_clients_hourly,
            stacks_hourly,
            prune_nightly,
            backup_nightly,
            restore_drill_weekly,
            check_leads_hourly,
            check_publishing_hourly,
            check_retention_daily,
            retention_nightly,
            canary_hourly,
            publish_quarter_hourly,
            tend_quarter_hourly,
            check_messages_hourly,
            check_operations_hourly,
            tell_operators_hourly,
            templates_daily,
        ],
        sensors=[
            lead_inbox,
            content_inbox,
            publishing_agenda,
            payment_notices,
            paid_clients,
            numbers_due,
            weeks_to_report,
            reprocessing_requests,
            new_organizations,
            failed_runs,
            waiting_message_statuses,
            message_requests,
            inbox_freshness,
        ],
        resources=resources,
        executor=dg.in_process_executor,
    )


defs = build_defs()
