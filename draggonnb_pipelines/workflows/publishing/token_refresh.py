"""Access tokens are renewed ahead of their end, with refresh tokens of which some are good for a single use.

The order is the promise: (1) the intent is committed, under a lease, (2) the platform is called, (3) the new pair is
stored, by compare-and-set, (4) only then is it used. A worker that is killed between 2 and 3 takes the new pair with
it: the account must be connected again, and the old refresh token is never shown to the platform a second time.
Not here: tokens that a person brings (`accounts.py`), accounts that cannot be refreshed (`account_checks.py`).
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from draggonnb_pipelines.domain.accounts import Credentials, TokenPair, merge_tokens
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.errors import ErrorClass, TenantUnavailable, VendorError
from draggonnb_pipelines.resources.linkedin import LinkedIn
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.x import X
from draggonnb_pipelines.workflows.publishing.account_alerts import ACCOUNTS, tell_all_troubles, tell_trouble
from draggonnb_pipelines.workflows.publishing.account_credentials import open_credentials, seal_credentials
from draggonnb_pipelines.workflows.publishing.agenda import note_due

X_AHEAD = timedelta(minutes=45)  # of two hours
OTHERS_AHEAD = timedelta(days=10)  # of sixty days
LEASE_SECONDS = 180  # longer than the door ever lets a call take
RETRY_AFTER = timedelta(minutes=5)
STORE_ATTEMPTS = 5
# LinkedIn's refresh token is good for a year of uses; X's for one, so that a lost answer has taken the pair with it.
SINGLE_USE = frozenset({Platform.X})
# Nothing is wrong with the account: the platform is away, or our own app's credentials are wrong.
WAITS = frozenset({ErrorClass.RETRY, ErrorClass.THROTTLED, ErrorClass.CONFIG})
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What one pass did for one client, by account; `later` and `lost` have their reasons."""

    refreshed: list[UUID] = field(default_factory=list)
    later: dict[UUID, str] = field(default_factory=dict)
    lost: dict[UUID, str] = field(default_factory=dict)


async def refresh_due(stack: Stack, organization: Organization) -> RefreshReport:
    """Refresh what ends soon: X within 45 minutes, others that can be refreshed within 10 days.

    Also settles refreshes that a killed worker left, lifts blocks whose time is over, and makes up for alerts that
    were not told.
    """
    report = RefreshReport()
    async with stack.tenants.open(organization) as tenant:
        lost = [row async for row in ACCOUNTS.take_lost(tenant.conn, now=stack.now())]
        [_ async for _ in ACCOUNTS.lift_blocks(tenant.conn, now=stack.now())]
    for row in lost:
        await _settle_lost(stack, organization, row, report)
    taken = await _take(stack, organization, None)
    await asyncio.gather(*(_refresh(stack, organization, row, report, was_refused=False) for row in taken))
    await tell_all_troubles(stack, organization)
    return report


async def refresh_account(
    stack: Stack, organization: Organization, account_id: UUID, *, was_refused: bool = False
) -> RefreshReport:
    """Refresh one account now, whenever its token ends. An empty report: it cannot be, or somebody is at it.

    Args:
        was_refused: the platform refuses the present token; where it cannot be refreshed now, the account is silent
            until the next attempt.
    """
    report = RefreshReport()
    for row in await _take(stack, organization, account_id):
        await _refresh(stack, organization, row, report, was_refused=was_refused)
    return report


async def _take(stack: Stack, organization: Organization, account_id: UUID | None) -> list[dict[str, Any]]:
    now = stack.now()
    async with stack.tenants.open(organization) as tenant:
        rows = ACCOUNTS.take_refreshes(
            tenant.conn,
            account_id=account_id,
            now=now,
            lease_seconds=LEASE_SECONDS,
            x_before=now + X_AHEAD,
            others_before=now + OTHERS_AHEAD,
        )
        return [row async for row in rows]


async def _refresh(
    stack: Stack, organization: Organization, row: Mapping[str, Any], report: RefreshReport, *, was_refused: bool
) -> None:
    try:
        async with stack.tenants.open(organization) as tenant:
            stored = open_credentials(tenant, row)
        pair = await _call(stack, row, stored)
    except VendorError as error:
        is_reusable = row["platform_id"] not in SINGLE_USE and error.error_class is ErrorClass.AMBIGUOUS
        if error.error_class in WAITS or is_reusable:
            await _put_off(stack, organization, row, was_refused=was_refused)
            report.later[row["account_id"]] = error.message
            return
        reason = error.message
        if error.error_class is ErrorClass.AMBIGUOUS:
            reason = f"the new pair of tokens was lost: {error.message}"
        await _lose(stack, organization, row, reason, report)
        return
    # Nothing may come between the call and this: the pair exists nowhere else.
    if not await _store(stack, organization, row, stored, pair):
        return
    report.refreshed.append(row["account_id"])
    if was_refused or row["status"] != "connected":
        await note_due(stack.master, organization.id, stack.now())  # its posts go on


async def _call(stack: Stack, row: Mapping[str, Any], stored: Credentials) -> TokenPair:
    adapter = stack.platforms[Platform(row["platform_id"])]
    if not isinstance(adapter, X | LinkedIn) or not stored.refresh_token:
        raise VendorError(row["platform_id"], ErrorClass.AUTH, "there is no refresh token")
    return await adapter.refresh(stored.refresh_token)


async def _store(
    stack: Stack, organization: Organization, row: Mapping[str, Any], stored: Credentials, pair: TokenPair
) -> bool:
    """False where a person has brought newer tokens meanwhile; those stay.

    A database that is away for a moment is waited for.
    """
    now = stack.now()
    kept = stored.without_refresh() if row["platform_id"] in SINGLE_USE else stored
    merged = merge_tokens(kept, pair.access_token, pair.refresh_token, at=now)
    assert merged is not None
    expires_at = now + timedelta(seconds=pair.expires_in_seconds) if pair.expires_in_seconds else None
    for attempt in range(1, STORE_ATTEMPTS + 1):
        try:
            async with stack.tenants.open(organization) as tenant:
                found = await ACCOUNTS.store_pair(
                    tenant.conn,
                    account_id=row["account_id"],
                    credentials_version=row["credentials_version"],
                    credentials=seal_credentials(tenant, row["account_id"], merged),
                    has_refresh_token=merged.refresh_token is not None,
                    expires_at=expires_at,
                )
            return found is not None
        except TenantUnavailable:
            if attempt == STORE_ATTEMPTS:
                raise
            await asyncio.sleep(attempt)
    raise AssertionError("the loop returns or raises")


async def _put_off(stack: Stack, organization: Organization, row: Mapping[str, Any], *, was_refused: bool) -> None:
    now = stack.now()
    async with stack.tenants.open(organization) as tenant:
        await ACCOUNTS.put_off_refresh(
            tenant.conn,
            account_id=row["account_id"],
            credentials_version=row["credentials_version"],
            was_refused=was_refused,
            now=now,
            until=now + RETRY_AFTER,
        )


async def _settle_lost(stack: Stack, organization: Organization, row: Mapping[str, Any], report: RefreshReport) -> None:
    """A worker was killed within a refresh. Where the refresh token is good for many uses, another one follows."""
    if row["platform_id"] in SINGLE_USE:
        await _lose(stack, organization, row, "the new pair of tokens was lost: the refresh was cut off", report)
        return
    now = stack.now()
    async with stack.tenants.open(organization) as tenant:
        await ACCOUNTS.put_off_refresh(
            tenant.conn,
            account_id=row["account_id"],
            credentials_version=row["credentials_version"],
            was_refused=False,
            now=now,
            until=now,
        )


async def _lose(
    stack: Stack, organization: Organization, row: Mapping[str, Any], reason: str, report: RefreshReport
) -> None:
    """Forget the refresh token, so that nothing ever spends it a second time, and tell the owners."""
    async with stack.tenants.open(organization) as tenant:
        try:
            kept = seal_credentials(tenant, row["account_id"], open_credentials(tenant, row).without_refresh())
        except VendorError:  # it does not open: it spends nothing either
            kept = row["credentials"]
        found = await ACCOUNTS.lose_refresh_token(
            tenant.conn,
            account_id=row["account_id"],
            credentials_version=row["credentials_version"],
            credentials=kept,
            reason=reason,
        )
    if found is not None:
        log.warning("account %s of %s must be connected again: %s", row["account_id"], organization.slug, reason)
        report.lost[row["account_id"]] = reason
        await tell_trouble(stack, organization, row["account_id"])
