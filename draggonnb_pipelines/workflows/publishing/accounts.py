"""The life of a connected account: connected by a person, marked when it stops working, disconnected.

Lives here: storing the tokens that a person brings, opening them for a call, and what a platform's refusal means for
the account; only its own posts wait then. Does not live here: renewing tokens (`token_refresh.py`), daily checks and
reminders (`account_checks.py`), the words of alerts (`account_alerts.py`).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from draggonnb_pipelines.domain.accounts import Credentials, merge_tokens, status_after
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Account, Platform
from draggonnb_pipelines.errors import ErrorClass, OperatorError, VendorError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.usage import commit, release, reserve
from draggonnb_pipelines.workflows.publishing.account_alerts import ACCOUNTS, PostAtRisk, posts_at_risk, tell_trouble
from draggonnb_pipelines.workflows.publishing.account_credentials import account_of, open_credentials, seal_credentials
from draggonnb_pipelines.workflows.publishing.agenda import announced
from draggonnb_pipelines.workflows.publishing.token_refresh import SINGLE_USE, refresh_account

ORGANIZATIONS = load_queries("organizations")
SOCIAL_ACCOUNTS = "social_accounts"
RESERVED_FOR = timedelta(minutes=15)
BLOCKED_FOR = timedelta(hours=24)
# A token that is refused so soon after it was made will not get better by another refresh.
REFRESH_HELPS_AFTER = timedelta(minutes=10)
# Of a token that can be refreshed, where nobody says how long it lives.
USUAL_LIFE = {Platform.X: timedelta(hours=2), Platform.LINKEDIN: timedelta(days=60)}
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Connected:
    """What connecting did."""

    account_id: UUID
    is_new: bool
    has_refresh_token: bool


def open_token(tenant: TenantDb, row: Mapping[str, Any]) -> Account:
    """The account of a row with account_id, platform_id, external_id and credentials, ready for a call.

    Raises:
        VendorError: AUTH: it is disconnected, or what is stored does not open.
    """
    return account_of(row, open_credentials(tenant, row))


async def connect_account(
    stack: Stack,
    organization: Organization,
    platform: Platform,
    external_id: str,
    *,
    token: str | None,
    refresh_token: str | None = None,
    expires_in_seconds: float | None = None,
    handle: str | None = None,
    display_name: str | None = None,
    scopes: Sequence[str] | None = None,
    by: str = "operator",
) -> Connected:
    """Store the tokens that a person brought. A new account takes a place of the plan's; posts that waited go on.

    An empty value never replaces a stored one: without a token, an account that is known keeps the one it has.

    Raises:
        OperatorError: the plan has no place left, or there is no token at all. Nothing was stored.
    """
    now, key = stack.now(), f"{platform}:{external_id}"
    async with stack.tenants.open(organization) as tenant:
        known = await ACCOUNTS.find_account(tenant.conn, platform=platform, external_id=external_id)
        if not (token or "").strip() and (known is None or known["credentials"] is None):
            raise OperatorError("there is no access token", remedy="give the token that the network issued")
        places = await reserve(stack, tenant, SOCIAL_ACCOUNTS, [key], at=now, expires_at=now + RESERVED_FOR)
        if key not in places.granted:
            raise OperatorError(
                f"the plan of {organization.slug} allows {places.limit} social accounts, and all are taken",
                remedy="disconnect one with `draggonnb account disconnect`, or change the plan",
            )
        # What waited for the account is due again.
        async with announced(stack.master, organization.id, now), tenant.conn.transaction():
            new_id = uuid5(organization.id, f"social_account:{key}")
            is_new = await ACCOUNTS.add_account(tenant.conn, id=new_id, platform=platform, external_id=external_id)
            row = await ACCOUNTS.lock_account(tenant.conn, platform=platform, external_id=external_id)
            stored = _opened(tenant, row)
            if stored and token and platform in SINGLE_USE and row["refresh_started_at"] is not None:
                stored = stored.without_refresh()  # it is being spent, and the new pair comes too late for this
            merged = merge_tokens(stored, token, refresh_token, at=now)
            if merged is None:
                raise OperatorError("the stored token does not open", remedy="give the token that the network issued")
            await ACCOUNTS.connect_account(
                tenant.conn,
                account_id=row["account_id"],
                credentials=seal_credentials(tenant, row["account_id"], merged),
                has_refresh_token=merged.refresh_token is not None,
                handle=handle or None,
                display_name=display_name or None,
                scopes=list(scopes) if scopes else None,
                brings_something=bool((token or "").strip() or (refresh_token or "").strip()),
                expires_at=_expiry(platform, now, token, expires_in_seconds, merged),
            )
            await commit(tenant, SOCIAL_ACCOUNTS, [key])
            await _audit(tenant, by, "account.connected", row["account_id"])
    return Connected(row["account_id"], bool(is_new), merged.refresh_token is not None)


async def disconnect_account(
    stack: Stack, organization: Organization, account_id: UUID, *, by: str = "operator"
) -> list[PostAtRisk]:
    """Forget the tokens and give the plan's place back; returns the posts that now wait for nobody.

    Raises:
        OperatorError: there is no such account, or it is disconnected already.
    """
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        row = await ACCOUNTS.disconnect_account(tenant.conn, account_id=account_id)
        if row is None:
            raise OperatorError(
                f"{organization.slug} has no connected account {account_id}",
                remedy=f"`draggonnb account list {organization.slug}` shows all",
            )
        await release(tenant, SOCIAL_ACCOUNTS, [f"{row['platform_id']}:{row['external_id']}"])
        posts = await posts_at_risk(tenant, account_id)
        await _audit(tenant, by, "account.disconnected", account_id)
        return posts


async def mark_account(
    stack: Stack, organization: Organization, account_id: UUID, error: VendorError, *, token: str | None = None
) -> None:
    """What a platform's refusal means for the account: refreshed, or held until somebody acts, and the owners told.

    Other accounts go on. AUTH refreshes the token where that can help; otherwise, and for PERMISSION and BLOCKED (24
    hours), the account is marked. Other classes change nothing.

    Args:
        token: that was refused. One that was replaced since says nothing about the account as it is now.
    """
    status = status_after(error.error_class)
    if status is None:
        return
    now = stack.now()
    async with stack.tenants.open(organization) as tenant:
        row = await ACCOUNTS.get_account(tenant.conn, account_id=account_id)
        if row is None or row["status"] not in ("connected", "blocked"):
            return
        credentials = _opened(tenant, row)
    if credentials and token is not None and token != credentials.access_token:
        return
    if error.error_class is ErrorClass.AUTH and credentials and credentials.refresh_token:
        if row["refresh_started_at"] is not None:
            return  # somebody is at it
        if now - credentials.issued_at >= REFRESH_HELPS_AFTER:
            await refresh_account(stack, organization, account_id, was_refused=True)
            return
    async with stack.tenants.open(organization) as tenant:
        is_news = await ACCOUNTS.mark_account(
            tenant.conn,
            account_id=account_id,
            credentials_version=row["credentials_version"],
            status=status,
            reason=error.message,
            paused_until=now + BLOCKED_FOR if status == "blocked" else None,
            now=now,
        )
    if is_news:
        log.warning("account %s of %s: %s: %s", account_id, organization.slug, status, error.message)
        await tell_trouble(stack, organization, account_id)


async def _audit(tenant: TenantDb, by: str, action: str, account_id: UUID) -> None:
    await ORGANIZATIONS.audit(
        tenant.conn, actor=by, action=action, resource=f"social_account:{account_id}", metadata="{}"
    )


def _opened(tenant: TenantDb, row: Mapping[str, Any]) -> Credentials | None:
    try:
        return open_credentials(tenant, row)
    except VendorError:
        return None


def _expiry(
    platform: Platform, now: datetime, token: str | None, expires_in_seconds: float | None, merged: Credentials
) -> datetime | None:
    """Of a refresh token that came alone: now, so that an access token is had for it at once."""
    if not (token or "").strip():
        return now
    if expires_in_seconds is not None:
        return now + timedelta(seconds=expires_in_seconds)
    return now + USUAL_LIFE[platform] if merged.refresh_token and platform in USUAL_LIFE else None
