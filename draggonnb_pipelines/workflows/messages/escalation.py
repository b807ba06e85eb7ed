"""Alerts: what somebody must see to goes to the next people up until one of them says that it is being seen to.

The ladder: the roles of the event, then the organization's owners, then the agency's owners. A step that would reach
nobody new is passed over. Lives here: raising an alert and moving it up. Not here: its words (`account_alerts.py`,
`publish_alerts.py`, `agency_alerts.py`), the answer (`acknowledgements.py`), the sending (`notices.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.payment_alerts import OWNERS, agency_of
from draggonnb_pipelines.workflows.messages.acknowledgements import ALERTS, alert_token, answer_by_text
from draggonnb_pipelines.workflows.messages.notices import TENANT, Notice, tell

FIRST_STEP, OWNERS_STEP, AGENCY_STEP = 0, 1, 2
AT_ONCE = 100
NEVER = datetime.max.replace(tzinfo=UTC)
NOT_ANSWERED = "Nobody who was told of this before has answered."


async def raise_alert(
    stack: Stack,
    organization: Organization,
    notice: Notice,
    *,
    account_id: UUID | None = None,
    about: Sequence[str] = (),
) -> None:
    """Tell a notice that somebody must acknowledge; raised again, it tells nobody twice.

    Each reader gets a link of their own, under which they see the matter and say that they see to it. An alert that
    reaches nobody goes up with the next look.

    Args:
        account_id, about: of posts of an account, which account and what has happened to them. While one such alert
            gathers, another one of the same event and account is not raised.

    Raises:
        TenantUnavailable: the organization's database is away; whoever raises it comes again.
    """
    now = stack.now()
    async with stack.tenants.open(organization) as tenant:
        people = [row async for row in TENANT.active_people(tenant.conn)]
        emails = {email.strip().lower(): email.strip() for email in notice.emails if email.strip()}
        emails |= {row["email"].lower(): row["email"] for row in people if row["role"] in notice.roles}
        await ALERTS.put_alert(
            tenant.conn,
            event_key=notice.event_key,
            event=notice.type,
            subject=notice.subject,
            lines=Jsonb(list(notice.lines)),
            link=notice.link,
            account_id=account_id,
            about=list(about),
            escalate_at=now + _patience(stack) if emails else now,
            now=now,
        )
        alert = await ALERTS.alert_of_key(tenant.conn, event_key=notice.event_key)
    if alert is not None and alert["acknowledged_at"] is None:
        raised = {**alert, "post_id": notice.post_id}
        await tell(
            stack, organization, _notices(stack, organization, organization, raised, FIRST_STEP, emails.values())
        )


async def escalate(stack: Stack, organization: Organization) -> int:
    """Move up what nobody has acknowledged in time; how many alerts. Repeatable, and killed at any moment: the news of
    a step has its own key, and the step counts as done only once it is told.

    Raises:
        TenantUnavailable: a database is away; the alerts that need it stay due, and hold up no other.
    """
    now = stack.now()
    async with stack.tenants.open(organization) as tenant:
        due = [row["id"] async for row in ALERTS.due_alerts(tenant.conn, now=now, row_limit=AT_ONCE)]
    moved, away = 0, None
    for alert_id in due:
        async with stack.tenants.open(organization) as tenant:
            # As it is now: somebody may have answered while those before it were told, or another look moved it up.
            alert = await ALERTS.one_alert(tenant.conn, id=alert_id)
        if alert is None or alert["acknowledged_at"] is not None or (alert["escalate_at"] or NEVER) > now:
            continue
        try:
            step = await _tell_next(stack, organization, alert)
        except TenantUnavailable as error:
            away = error
            continue
        async with stack.tenants.open(organization) as tenant:
            await ALERTS.move_up(
                tenant.conn,
                id=alert_id,
                level_before=alert["level"],
                level=step,
                escalate_at=now + _patience(stack) if step < AGENCY_STEP else None,
            )
        moved += 1
    if away is not None:
        raise away
    return moved


async def tell_again(stack: Stack, organization: Organization, events: Sequence[str]) -> int:
    """Tell the organization's owners again of alerts of these events that nobody has acknowledged, once for each whole
    day that they stand; how many alerts that are. Repeatable: each day's news has its own key.

    Raises:
        TenantUnavailable: the database is away.
    """
    async with stack.tenants.open(organization) as tenant:
        found = ALERTS.standing_alerts(tenant.conn, events=list(events), before=stack.now() - timedelta(days=1))
        alerts = [row async for row in found]
        people = [row async for row in TENANT.active_people(tenant.conn)]
    owners = [row["email"] for row in people if row["role"] in OWNERS]
    for alert in alerts:
        days = (stack.now() - alert["created_at"]).days
        again = {**alert, "event_key": f"alert:{alert['id']}:day:{days}", "subject": f"Day {days}: {alert['subject']}"}
        await tell(stack, organization, _notices(stack, organization, organization, again, FIRST_STEP, owners))
    return len(alerts)


async def _tell_next(stack: Stack, organization: Organization, alert: Mapping[str, Any]) -> int:
    """Tell the next people up who have not been told; the step that they are on, the last one if there is nobody."""
    for step in range(alert["level"] + 1, AGENCY_STEP + 1):
        home = organization if step == OWNERS_STEP else await agency_of(stack)
        if home is None:
            continue
        async with stack.tenants.open(home) as tenant:
            emails = await _owners_not_told(tenant, alert, step)
        if emails:
            # Out of their own organization's outbox: a client's database is not told who works at the agency.
            await tell(stack, home, _notices(stack, organization, home, alert, step, emails))
            return step
    return AGENCY_STEP


async def _owners_not_told(tenant: TenantDb, alert: Mapping[str, Any], step: int) -> list[str]:
    """The owners whom no step before this one has reached: one that was told by this very step, and then cut off, is
    told again, which its key makes no second message."""
    keys = [_event_key(alert, before) for before in range(step)]
    told = {row["email"] async for row in ALERTS.told(tenant.conn, event_keys=keys)}
    people = [row async for row in TENANT.active_people(tenant.conn)]
    return [row["email"] for row in people if row["role"] in OWNERS and row["email"].lower() not in told]


def _notices(
    stack: Stack,
    organization: Organization,
    home: Organization,
    alert: Mapping[str, Any],
    step: int,
    emails: Iterable[str],
) -> list[Notice]:
    """One notice for each reader, since each has a link of their own."""
    key = stack.tenants.key(organization)
    hours = _patience(stack) / timedelta(hours=1)
    about = f"{organization.name}: " if home.id != organization.id else ""
    last = "Nobody else is told after you." if step == AGENCY_STEP else f"Without an answer within {hours:g} hours it "
    last += "" if step == AGENCY_STEP else "goes to the next person."
    subject = f"{about}{alert['subject']}"
    is_on_whatsapp = stack.settings.whatsapp_token is not None
    by_text = f", or by WhatsApp to our number: {answer_by_text(organization, alert['id'])}" if is_on_whatsapp else ""
    return [
        Notice(
            event_key=_event_key(alert, step),
            type=alert["event"],
            subject=subject if step == FIRST_STEP else f"Not seen to: {subject}",
            lines=(
                *((NOT_ANSWERED,) if step else ()),
                *alert["lines"],
                f"Under the link you say that you see to it{by_text}. {last}",
            ),
            link=f"{stack.settings.base_url}/alerts/{alert_token(key, organization, alert['id'], email, home)}",
            post_id=alert.get("post_id"),
            emails=(email,),
        )
        for email in emails
    ]


def _event_key(alert: Mapping[str, Any], step: int) -> str:
    return alert["event_key"] if step == FIRST_STEP else f"alert:{alert['id']}:{step}"


def _patience(stack: Stack) -> timedelta:
    return timedelta(minutes=stack.settings.escalate_after_minutes)
