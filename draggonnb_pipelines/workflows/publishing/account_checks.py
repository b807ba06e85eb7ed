"""Accounts that cannot be refreshed: are their tokens still good, and do people know when they end?

Meta gives page tokens without a refresh token, and data access ends after 90 days; LinkedIn gives refresh tokens to
few. Only a person who logs in again helps, so they are asked in time. Not here: refreshing (`token_refresh.py`).
"""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from draggonnb_pipelines.domain.accounts import TokenState
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.acknowledgements import ALERTS
from draggonnb_pipelines.workflows.messages.escalation import raise_alert
from draggonnb_pipelines.workflows.messages.notices import tell
from draggonnb_pipelines.workflows.publishing.account_alerts import ACCOUNTS, posts_at_risk, reminder
from draggonnb_pipelines.workflows.publishing.accounts import mark_account, open_token
from draggonnb_pipelines.workflows.publishing.publish_alerts import SETTLED

CHECK_EVERY = timedelta(hours=20)  # of a daily schedule, which may come a little early
REMIND_DAYS = (3, 14)  # the nearest one that applies is sent
# These say all there is to say: no date means that the token does not end.
TELLS_EXPIRY = frozenset({Platform.FACEBOOK, Platform.INSTAGRAM})


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What one pass found for one client, by account; `unread` could not be asked and will be again."""

    good: list[UUID] = field(default_factory=list)
    dead: dict[UUID, str] = field(default_factory=dict)
    unread: dict[UUID, str] = field(default_factory=dict)


async def check_accounts(stack: Stack, organization: Organization) -> CheckReport:
    """Ask the platforms about tokens that were not asked about today, and keep the dates that they name.

    A failed question is not an answer: the account stays as it is.
    """
    report = CheckReport()
    async with stack.tenants.open(organization) as tenant:
        rows = ACCOUNTS.accounts_to_check(tenant.conn, checked_before=stack.now() - CHECK_EVERY)
        waiting = [row async for row in rows]
    for row in waiting:
        account_id, platform = row["account_id"], Platform(row["platform_id"])
        token = None
        try:
            async with stack.tenants.open(organization) as tenant:
                account = open_token(tenant, row)
            token = account.token
            state = await stack.platforms[platform].check(account)
            if not state.is_valid:
                raise VendorError(platform, ErrorClass.AUTH, state.reason or "the token is not valid any more")
        except VendorError as error:
            if error.error_class in (ErrorClass.AUTH, ErrorClass.PERMISSION, ErrorClass.BLOCKED):
                await mark_account(stack, organization, account_id, error, token=token)
                report.dead[account_id] = error.message
            else:
                report.unread[account_id] = error.message
            continue
        await _record(stack, organization, row["credentials_version"], account_id, platform, state)
        report.good.append(account_id)
    return report


async def remind_reconnects(stack: Stack, organization: Organization) -> int:
    """Ask the owners, 14 and 3 days ahead and once each, to connect again what ends; how many accounts end soon.

    The second time it is an alert, which goes on to the agency if nobody answers, and closes once the account is
    connected again or has ended.
    """
    now = stack.now()
    async with stack.tenants.open(organization) as tenant:
        ending = ACCOUNTS.accounts_to_remind(tenant.conn, now=now, before=now + timedelta(days=max(REMIND_DAYS)))
        rows = [row async for row in ending]
        notices, alerts = [], []
        for row in rows:
            days = min(days for days in REMIND_DAYS if row["ends_at"] <= now + timedelta(days=days))
            posts = await posts_at_risk(tenant, row["account_id"], row["ends_at"])
            (alerts if days == min(REMIND_DAYS) else notices).append(reminder(organization, row, posts, days))
        keys = [alert.event_key for alert in alerts]
        await ALERTS.settle_others(tenant.conn, event="account_ends", open_keys=keys, by=SETTLED, now=now)
    await tell(stack, organization, notices)
    for alert in alerts:
        await raise_alert(stack, organization, alert)
    async with stack.tenants.open(organization) as tenant:
        await ACCOUNTS.note_reminded(tenant.conn, account_ids=[row["account_id"] for row in rows], now=now)
    return len(rows)


async def _record(
    stack: Stack, organization: Organization, version: int, account_id: UUID, platform: Platform, state: TokenState
) -> None:
    async with stack.tenants.open(organization) as tenant:
        await ACCOUNTS.record_check(
            tenant.conn,
            account_id=account_id,
            credentials_version=version,
            now=stack.now(),
            scopes=list(state.scopes),
            is_whole=platform in TELLS_EXPIRY,
            expires_at=state.expires_at,
            data_access_expires_at=state.data_access_expires_at,
        )
