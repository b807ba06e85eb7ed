"""Assembly: everything that Dagster serves, and nothing else."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from draggonnb_pipelines.assets.billing import billing_assets
from draggonnb_pipelines.assets.content import content_assets
from draggonnb_pipelines.assets.leads import lead_assets
from draggonnb_pipelines.assets.provisioning import provisioning_assets
from draggonnb_pipelines.checks import lead_checks
from draggonnb_pipelines.jobs import (
    act_on_post,
    apply_message_statuses,
    generate_content,
    keep_books,
    look_after_clients,
    look_after_stacks,
    prune_asset_history,
    publish_due_posts,
    qualify_leads,
    reprocess_leads,
    set_up_clients,
)
from draggonnb_pipelines.provisioning_checks import provisioning_checks
from draggonnb_pipelines.publishing_checks import publishing_checks
from draggonnb_pipelines.resources.bindings import MasterQueries, RunStack
from draggonnb_pipelines.schedules import (
    books_daily,
    check_clients,
    check_clients_hourly,
    check_leads,
    check_leads_hourly,
    check_publishing,
    check_publishing_hourly,
    prune_nightly,
    publish_quarter_hourly,
    stacks_hourly,
    tend_quarter_hourly,
)
from draggonnb_pipelines.sensors.billing import paid_clients, payment_notices
from draggonnb_pipelines.sensors.content import content_inbox
from draggonnb_pipelines.sensors.failures import failed_runs
from draggonnb_pipelines.sensors.leads import lead_inbox, reprocessing_requests
from draggonnb_pipelines.sensors.messages import inbox_freshness, waiting_message_statuses
from draggonnb_pipelines.sensors.organizations import new_organizations
from draggonnb_pipelines.sensors.publishing import publishing_agenda


def build_defs(overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The code location. `overrides` replaces resources by their keys."""
    resources: dict[str, Any] = {"stack": RunStack(), "master": MasterQueries(), **(overrides or {})}
    return dg.Definitions(
        assets=[lead_assets, content_assets, billing_assets, provisioning_assets],
        asset_checks=[*lead_checks, *publishing_checks, *provisioning_checks],
        jobs=[
            qualify_leads,
            reprocess_leads,
            generate_content,
            publish_due_posts,
            keep_books,
            set_up_clients,
            apply_message_statuses,
            look_after_clients,
            look_after_stacks,
            act_on_post,
            prune_asset_history,
            check_leads,
            check_publishing,
            check_clients,
        ],
        schedules=[
            books_daily,
            check_clients_hourly,
            stacks_hourly,
            prune_nightly,
            check_leads_hourly,
            check_publishing_hourly,
            publish_quarter_hourly,
            tend_quarter_hourly,
        ],
        sensors=[
            lead_inbox,
            content_inbox,
            publishing_agenda,
            payment_notices,
            paid_clients,
            reprocessing_requests,
            new_organizations,
            failed_runs,
            waiting_message_statuses,
            inbox_freshness,
        ],
        resources=resources,
        executor=dg.in_process_executor,
    )


defs = build_defs()
