"""The agency's books as assets, per organization and day: subscriptions, invoices, use, and whether it all agrees."""

from collections.abc import Mapping
from datetime import timedelta

import dagster as dg

from draggonnb_pipelines.domain.payfast import south_african_day
from draggonnb_pipelines.domain.reports import PartitionKey, StepReport
from draggonnb_pipelines.errors import VendorError
from draggonnb_pipelines.resources.bindings import RunStack
from draggonnb_pipelines.tenant_runs import TenantRun, tenant_asset, tenant_chain
from draggonnb_pipelines.workflows.billing.books import compare_books, read_history
from draggonnb_pipelines.workflows.billing.invoices import invoice_payments
from draggonnb_pipelines.workflows.billing.payments import take_notices
from draggonnb_pipelines.workflows.billing.subscription_orders import carry_out_orders
from draggonnb_pipelines.workflows.billing.subscriptions import tend_subscriptions
from draggonnb_pipelines.workflows.billing.usage_metrics import report_usage
from draggonnb_pipelines.workflows.organizations import known_slugs

GROUP = "billing"
CHAIN = "keep_the_books"
OWNERS = ["team:billing"]
# A notice that PayFast could not deliver is missing for days at most; older ones were looked for before.
HISTORY_DAYS = 7
AFTER_PAYMENTS = frozenset({"subscriptions", "invoices"})


class BillingRun(dg.Config):
    """What is to be done. A range chosen in the UI needs nothing.

    Args:
        daily: every organization, PayFast's own history, and the comparison; else what notices and orders ask for.
    """

    daily: bool = False


def is_after_payments(run: TenantRun[BillingRun]) -> bool:
    """Notices and orders alone: what is done once a day stays as it is."""
    return not run.config.daily


def clients_to_bill(run: TenantRun[BillingRun], stack: RunStack) -> Mapping[PartitionKey, frozenset[str]]:
    """Today's partitions of whom notices and orders concern; daily of everybody."""
    now = stack.stack.now()
    today, last = now.date(), south_african_day(now)
    if run.config.daily:
        try:
            stack.run(read_history, run.run_id, last - timedelta(days=HISTORY_DAYS), last)
        except VendorError as error:  # nobody's dunning, invoice or use waits for it
            run.log.error(f"PayFast's history cannot be read, the books are not compared: {error}")
    touched = [*stack.run(take_notices, run.run_id), *stack.run(carry_out_orders, run.run_id)]
    everybody = stack.run(known_slugs) if run.config.daily else []
    daily = frozenset({"usage_metrics", "payment_reconciliation"}) if run.config.daily else frozenset[str]()
    return {PartitionKey(slug, today): AFTER_PAYMENTS | daily for slug in dict.fromkeys([*everybody, *touched])}


@tenant_asset(
    group=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    description="Who is on which plan, paid until when, and what PayFast says of it: active, late, suspended, ended.",
    column_schema={
        "id": "uuid",
        "organization_id": "uuid",
        "plan_key": "text",
        "status": "text",
        "amount_cents": "bigint",
        "paid_until": "date",
    },
)
def subscriptions(run: TenantRun[BillingRun], stack: RunStack) -> StepReport:
    return stack.run(tend_subscriptions, run.run_id, run.keys)


@tenant_asset(
    group=GROUP,
    owners=OWNERS,
    kinds={"postgres", "email"},
    deps=["subscriptions"],
    description="One for each period and charge, numbered without gaps, with its VAT, as PDF and by mail.",
    column_schema={
        "id": "uuid",
        "number": "bigint",
        "period_start": "date",
        "net_cents": "bigint",
        "vat_cents": "bigint",
        "amount_cents": "bigint",
        "status": "text",
    },
)
def invoices(run: TenantRun[BillingRun], stack: RunStack) -> StepReport:
    return stack.run(invoice_payments, run.run_id, run.keys)


@tenant_asset(
    group=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    deps=["subscriptions"],
    skip_when=is_after_payments,
    description="The five metrics against the plan's limits; people are told at 80 % and at 100 %, once each.",
    column_schema={"metric_name": "text", "value": "bigint", "date": "date"},
)
def usage_metrics(run: TenantRun[BillingRun], stack: RunStack) -> StepReport:
    return stack.run(report_usage, run.run_id, run.keys)


@tenant_asset(
    group=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    deps=["invoices"],
    skip_when=is_after_payments,
    checks={"books_agree": "Notices, invoices and PayFast's own history agree to the cent."},
    description="Our books against PayFast's; a payment whose notice never came was found there and applied.",
)
def payment_reconciliation(run: TenantRun[BillingRun], stack: RunStack) -> StepReport:
    return stack.run(compare_books, run.run_id, run.keys)


# Notices and orders wait in master until they are settled; the sensor and the daily schedule ask again. Usage comes
# last: a client whose system is being set up, or is away, has none to report, and its money is compared all the same.
billing_assets: dg.AssetsDefinition = tenant_chain(
    CHAIN, [subscriptions, invoices, payment_reconciliation, usage_metrics], keys=clients_to_bill, config=BillingRun
)
