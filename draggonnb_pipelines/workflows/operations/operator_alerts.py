"""What the operators must see to: one alert a matter, told again daily until somebody answers, closed once it is over.

Lives here: when a matter is the same one, and its repeating. Not here: what is a matter (`stuck_states.py`,
`run_troubles.py`, `budget_alerts.py`), the ladder and its links (`messages/escalation.py`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.payment_alerts import OWNERS, agency_of
from draggonnb_pipelines.workflows.messages.acknowledgements import ALERTS
from draggonnb_pipelines.workflows.messages.escalation import raise_alert, tell_again
from draggonnb_pipelines.workflows.messages.notices import Notice
from draggonnb_pipelines.workflows.publishing.publish_alerts import SETTLED

STUCK, RUN_FAILED, CHECK_FAILED, AI_BUDGET = "something_stuck", "run_failed", "check_failed", "ai_budget"
OPERATOR_EVENTS = (STUCK, RUN_FAILED, CHECK_FAILED, AI_BUDGET)
# What closed by itself and came back so soon after it was raised is the same: what flaps is not told of every hour.
SAME_WHEN_SETTLED = timedelta(hours=6)
# Shorter than a day by what two nights' runs differ: who answered for the first night is told of the second.
SAME_WHEN_ANSWERED = timedelta(hours=20)


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing for the operators.

    Args:
        event: one of `OPERATOR_EVENTS`.
        name: what tells it from others of its event; at most 200 characters, without a client's data.
        began_at: since when it is so; what began before an alert was answered is what the answer was about.
        subject, lines: what is so, and what to do.
    """

    event: str
    name: str
    began_at: datetime
    subject: str
    lines: tuple[str, ...]


async def raise_matter(stack: Stack, matter: Matter) -> str | None:
    """Raise its alert unless it stands; the alert's key, None where there is no agency to tell.

    The alert before counts as this one's while nobody has answered; where it closed by itself, for six hours after it
    was raised; where somebody has answered, for twenty hours, and for as long as the matter is older than that alert:
    who sees to something is not asked again.

    Raises:
        TenantUnavailable: the agency's database is away; whoever looks comes again.
    """
    agency = await agency_of(stack)
    if agency is None:
        return None
    prefix, now = f"{matter.event}:{matter.name}:", stack.now()
    async with stack.tenants.open(agency) as tenant:
        last = await ALERTS.last_alert_of(tenant.conn, prefix=prefix)
    is_same = last is not None and _is_same(last, matter, now)
    key = last["event_key"] if last is not None and is_same else f"{prefix}{now:%Y-%m-%dT%H:%M:%S}"
    # One that stands is raised again, which tells whom a killed run did not reach, and nobody twice.
    await raise_alert(stack, agency, Notice(key, matter.event, matter.subject, matter.lines, roles=OWNERS))
    return key


def _is_same(last: Mapping[str, Any], matter: Matter, now: datetime) -> bool:
    raised_at = last["created_at"]
    if last["acknowledged_at"] is None:
        return True
    if last["acknowledged_by"] == SETTLED:
        return raised_at > now - SAME_WHEN_SETTLED
    return raised_at > now - SAME_WHEN_ANSWERED or matter.began_at <= raised_at


async def standing_keys(stack: Stack, event: str) -> list[str]:
    """The keys of the alerts of an event that nobody has answered.

    Raises:
        TenantUnavailable: the agency's database is away.
    """
    agency = await agency_of(stack)
    if agency is None:
        return []
    async with stack.tenants.open(agency) as tenant:
        rows = ALERTS.standing_alerts(tenant.conn, events=[event], before=stack.now())
        return [row["event_key"] async for row in rows]


async def settle_matters(stack: Stack, event: str, open_keys: Collection[str]) -> None:
    """Close the alerts of an event whose matters are over: all but these.

    Raises:
        TenantUnavailable: the agency's database is away.
    """
    agency = await agency_of(stack)
    if agency is None:
        return
    async with stack.tenants.open(agency) as tenant:
        await ALERTS.settle_others(tenant.conn, event=event, open_keys=list(open_keys), by=SETTLED, now=stack.now())


async def repeat_matters(stack: Stack) -> int:
    """Tell the agency's owners again of what nobody has answered, once for each day that it stands; how many stand.

    Raises:
        TenantUnavailable: the agency's database is away.
    """
    agency = await agency_of(stack)
    return 0 if agency is None else await tell_again(stack, agency, OPERATOR_EVENTS)
