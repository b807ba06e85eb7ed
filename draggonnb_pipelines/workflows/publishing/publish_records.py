"""Rows of the publish ledger while a run has them in hand, and the storing of what became of them.

Not here: the calls (`publish_calls.py`), the settling of unknown outcomes (`publish_recovery.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publish_outcomes import Verdict
from draggonnb_pipelines.domain.publishing import Account, Limits, Payload, Platform, Published
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.usage import commit, release
from draggonnb_pipelines.workflows.publishing.accounts import mark_account
from draggonnb_pipelines.workflows.publishing.publish_quotas import Quotas

PUBLISHING = load_queries("publishing")
POSTS = "posts_monthly"
MARKED = frozenset({ErrorClass.AUTH, ErrorClass.PERMISSION, ErrorClass.BLOCKED})


@dataclass
class Row:
    """A claimed row of the ledger, and what has become of it so far."""

    values: Mapping[str, Any]
    account: Account
    payload: Payload
    progress: Mapping[str, Any]
    attempt: int
    verdict: Verdict | None = None
    published: Published | None = None
    error: VendorError | None = None
    latency_ms: int = 0

    @property
    def id(self) -> UUID:
        return self.values["id"]

    @property
    def platform(self) -> Platform:
        return self.account.platform

    @property
    def is_post(self) -> bool:
        """What the monthly limit counts; replies and comments belong to their post."""
        return self.values["part"] == 0

    @property
    def refusal(self) -> VendorError | None:
        """What the network itself said; trouble of the storage is neither the account's nor the network's."""
        return self.error if self.error and self.error.vendor == self.platform else None

    @property
    def limits(self) -> Limits | None:
        found = self.published.limits if self.published else self.error.limits if self.error else None
        return found if isinstance(found, Limits) else None


@dataclass
class Tally:
    """What one run did for one client."""

    published: int = 0
    refused: int = 0
    unknown: int = 0
    held: int = 0
    rescheduled: int = 0
    read_back: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def add(self, rows: Sequence["Row"]) -> None:
        names = {"published": "published", "refused": "refused", "unknown": "unknown", "needs_review": "held"}
        for row in rows:
            if row.verdict is None:
                continue
            name = names.get(row.verdict.status, "rescheduled")
            setattr(self, name, getattr(self, name) + 1)
            if row.error is not None:
                self.errors[str(row.error)] = self.errors.get(str(row.error), 0) + 1

    @property
    def did_something(self) -> bool:
        return any((self.published, self.refused, self.unknown, self.held, self.rescheduled, self.read_back))


async def record(stack: Stack, organization: Organization, run_id: str, rows: Sequence[Row], quotas: Quotas) -> None:
    """Store all outcomes in one statement, then what they mean for usage, accounts and quotas."""
    done = [row for row in rows if row.verdict is not None and row.attempt >= 0]
    if not done:
        return
    async with stack.tenants.open(organization) as tenant:
        async with tenant.conn.transaction():
            stored = await _store_outcomes(tenant, run_id, done)
            posts = {row.id: row.verdict.status for row in done if row.verdict and row.is_post}
            await settle_usage(tenant, posts | {key: stored[key] for key in posts.keys() & stored.keys()})
        await _pause_accounts(tenant, done)
    for row in done:
        quotas.note(row.platform, row.limits, stack.now())
        quotas.sent(row.platform, organization.id)
        if row.refusal and row.refusal.error_class is ErrorClass.CONFIG:
            quotas.stop(row.platform, row.refusal)
    marked = {row.values["account_id"]: row for row in done if row.refusal and row.refusal.error_class in MARKED}
    for account_id, row in marked.items():
        if row.refusal:
            await mark_account(stack, organization, account_id, row.refusal, token=row.account.token or None)


async def settle_usage(tenant: TenantDb, statuses: Mapping[UUID, str]) -> None:
    """A published post counts against the month's limit; one that will never be published frees its place."""
    published = [f"post:{key}" for key, status in statuses.items() if status == "published"]
    over = [f"post:{key}" for key, status in statuses.items() if status in ("refused", "dropped", "cancelled")]
    if published:
        await commit(tenant, POSTS, published)
    if over:
        await release(tenant, POSTS, over)


async def _store_outcomes(tenant: TenantDb, run_id: str, rows: Sequence[Row]) -> dict[UUID, str]:
    """The status that each row has now, of those that took what is stored."""
    verdicts = [row.verdict or Verdict("scheduled") for row in rows]
    errors = [row.error for row in rows]
    stored = PUBLISHING.record_outcomes(
        tenant.conn,
        run_id=run_id,
        ids=[row.id for row in rows],
        attempts=[row.attempt for row in rows],
        statuses=[verdict.status for verdict in verdicts],
        delays=[verdict.delay_seconds for verdict in verdicts],
        tries=[verdict.tries for verdict in verdicts],
        post_ids=[row.published.platform_post_id if row.published else None for row in rows],
        urls=[row.published.url if row.published else None for row in rows],
        costs=[row.published.cost_usd if row.published else Decimal(0) for row in rows],
        classes=[error.error_class.value if error else None for error in errors],
        errors=[error.message[:500] if error else None for error in errors],
        questions=[verdict.question for verdict in verdicts],
        outcomes=[error.error_class.value if error else "published" for error in errors],
        http_statuses=[error.status if error else None for error in errors],
        codes=[error.code if error else None for error in errors],
        request_ids=[error.request_id if error else None for error in errors],
        latencies=[row.latency_ms for row in rows],
    )
    return {row["id"]: row["status"] async for row in stored}


async def _pause_accounts(tenant: TenantDb, rows: Sequence[Row]) -> None:
    """An account whose own quota is spent waits for its window; its rows with it, nobody else's."""
    for row in rows:
        limits = row.limits
        until = limits.account_resets_at if limits and limits.account_remaining == 0 else None
        if row.refusal and row.refusal.error_class is ErrorClass.THROTTLED and until is None:
            until = row.values["db_now"] + timedelta(seconds=row.refusal.retry_after_seconds or 60)
        if until is not None:
            left = {"remaining": limits.account_remaining if limits else None, "resets_at": until.isoformat()}
            await PUBLISHING.pause_account(
                tenant.conn, account_id=row.values["account_id"], until=until, rate_limit=Jsonb(left)
            )
