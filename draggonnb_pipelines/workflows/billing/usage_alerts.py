"""What owners and operators read about a plan's limits: the alerts at 80 and 100 percent, and the table with bars.

Lives here: the words, and that each alert goes out once for a limit and a period. Not here: what is counted
(`usage_metrics.py`), the outbox (`notices.py`).
"""

from collections.abc import Sequence
from datetime import tzinfo

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.usage import LASTING, METRICS, MetricUse, zone_of
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.usage_reading import USAGE
from draggonnb_pipelines.workflows.messages.notices import Notice, tell

AT_THE_LIMIT = {
    "posts_monthly": "Further posts of this month are not scheduled.",
    "ai_generations": "Further requests for content are refused this month.",
    "social_accounts": "No further account can be connected until one is disconnected.",
    "users": "Nobody can be added until somebody is deactivated.",
    "api_calls": "Further calls of the API are refused this month. Leads are taken all the same.",
}


async def tell_reached(stack: Stack, organization: Organization, uses: Sequence[MetricUse]) -> list[str]:
    """Tell the owners of each threshold that is newly reached; returns them in words.

    The notice comes first and is the same however often it is planned, so that a run that is killed in between, or two
    runs at once, tell nobody twice and never nobody. A jump over both thresholds tells of the higher one alone. After a
    change of the limit both count anew; a limit that comes back was told already.
    """
    reached = [use for use in uses if use.reached > use.alerted_percent]
    await tell(stack, organization, [_notice(use, organization) for use in reached])
    if reached:
        async with stack.tenants.open(organization) as tenant:
            for use in reached:
                await USAGE.note_alert(
                    tenant.conn,
                    metric=use.metric,
                    period_start=use.period_start,
                    percent=use.reached,
                    limit_value=use.limit,
                )
    return [f"{use.metric} {use.period_start:%Y-%m}: {use.reached} %" for use in reached]


def _notice(use: MetricUse, organization: Organization) -> Notice:
    zone = zone_of(organization.timezone)
    held = f" {use.reserved} of them are planned and not done yet." if use.reserved else ""
    end = use.resets_at(zone)
    period = f"This is for {use.period_start:%B %Y}; the count begins again on {end:%d %B %Y}." if end else ""
    consequence = AT_THE_LIMIT[use.metric] if use.reached == 100 else ""
    what = f"{use.taken} of {use.limit} {METRICS[use.metric]} are taken: {use.percent} %.{held}"
    return Notice(
        event_key=f"usage:{use.metric}:{use.period_start}:{use.limit}:{use.reached}",
        type="usage_alert",
        subject=f"{use.taken} of your plan's {use.limit} {METRICS[use.metric]} are taken",
        lines=tuple(line for line in (what, period, consequence, "A larger plan allows more: just ask us.") if line),
        roles=("owner",),
    )


def usage_table(uses: Sequence[MetricUse], zone: tzinfo) -> str:
    """A row per metric and period, as Markdown."""
    lines = ["| metric | used | held | limit | use | until |", "|---|---:|---:|---:|---|---|"]
    for use in uses:
        end = use.resets_at(zone)
        limit = "none" if use.limit is None else f"{use.limit:,}"
        until = "as long as it exists" if use.metric in LASTING or end is None else f"{end:%Y-%m-%d}"
        lines.append(f"| {METRICS[use.metric]} | {use.used:,} | {use.reserved:,} | {limit} | `{use.bar}` | {until} |")
    return "\n".join(lines)
