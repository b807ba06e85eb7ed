"""Asset checks of messages over all clients: templates that can be sent, alerts that are answered, what goes out."""

from datetime import UTC, datetime
from functools import partial

import dagster as dg

from draggonnb_pipelines.domain.reports import CheckOutcome
from draggonnb_pipelines.resources.bindings import MasterQueries, RunStack
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.tenant_events import to_dagster_metadata
from draggonnb_pipelines.workflows.messages.message_templates import templates_outcome
from draggonnb_pipelines.workflows.messages.open_alerts import alerts_outcome
from draggonnb_pipelines.workflows.messages.unsent_messages import messages_outcome


@dg.asset_check(asset="weekly_reports", description="Every WhatsApp template that we send is approved.")
def templates_are_usable(master: MasterQueries) -> dg.AssetCheckResult:
    language = load_settings().whatsapp_language
    return _result(master.ask(partial(templates_outcome, language=language, now=datetime.now(UTC))))


@dg.asset_check(asset="weekly_reports", description="No alert went all the way up without an answer.")
def alerts_are_seen_to(stack: RunStack) -> dg.AssetCheckResult:
    return _result(stack.run(alerts_outcome))


@dg.asset_check(asset="weekly_reports", description="No message waits for a person.")
def messages_go_out(stack: RunStack) -> dg.AssetCheckResult:
    return _result(stack.run(messages_outcome))


def _result(outcome: CheckOutcome) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=outcome.passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=outcome.description,
        metadata=to_dagster_metadata(outcome.metadata),
    )


message_checks = [templates_are_usable, alerts_are_seen_to, messages_go_out]
