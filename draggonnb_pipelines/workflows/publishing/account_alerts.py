"""What people are told about their accounts: that one has stopped, or is about to, and which posts that puts at risk.

Lives here: the words, once an incident. Does not live here: who finds an account dead (`accounts.py`,
`token_refresh.py`, `account_checks.py`) and who is told next (`escalation.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.messages.acknowledgements import ALERTS
from draggonnb_pipelines.workflows.messages.escalation import raise_alert
from draggonnb_pipelines.workflows.messages.notices import Notice
from draggonnb_pipelines.workflows.publishing.publish_alerts import SETTLED

ACCOUNTS = load_queries("accounts")
OWNERS = ("owner", "admin")
NAMED_POSTS = 20
TROUBLE_TOLD_FOR = timedelta(days=2)  # how long a killed run's alert is still made up for
_NAMES = {"facebook": "Facebook page", "instagram": "Instagram account", "linkedin": "LinkedIn page", "x": "X account"}
_TROUBLES = {
    "reconnect_needed": ("must be connected again", "Connect the account again; its posts then go out by themselves."),
    "permission_missing": (
        "lacks a permission",
        "Give back the role or the permission at the network, then connect the account again.",
    ),
    "blocked": ("is blocked by the network", "Look into the account at the network. We try again after the pause."),
}


@dataclass(frozen=True, slots=True)
class PostAtRisk:
    """A post that waits for an account. `publish_at` is UTC."""

    post_id: UUID
    title: str
    publish_at: datetime


async def posts_at_risk(tenant: TenantDb, account_id: UUID, from_at: datetime | None = None) -> list[PostAtRisk]:
    """What waits to go out through this account, soonest first; with `from_at` only what is due then or later."""
    rows = ACCOUNTS.posts_at_risk(tenant.conn, account_id=account_id, from_at=from_at)
    return [PostAtRisk(**row) async for row in rows]


async def tell_trouble(stack: Stack, organization: Organization, account_id: UUID) -> None:
    """Tell the owners why an account stands still and what that puts at risk, once an incident however often called."""
    async with stack.tenants.open(organization) as tenant:
        row = await ACCOUNTS.get_account(tenant.conn, account_id=account_id)
        if row is None or row["status"] not in _TROUBLES:
            return
        posts = await posts_at_risk(tenant, account_id)
    await raise_alert(stack, organization, _trouble(organization, row, posts))


async def tell_all_troubles(stack: Stack, organization: Organization) -> None:
    """What a killed run left untold after marking an account; alerts of accounts that are well again close."""
    async with stack.tenants.open(organization) as tenant:
        await ALERTS.settle_account_alerts(tenant.conn, by=SETTLED, now=stack.now())
        rows = ACCOUNTS.accounts_in_trouble(tenant.conn, since=stack.now() - TROUBLE_TOLD_FOR)
        troubled = [row["account_id"] async for row in rows]
    for account_id in troubled:
        await tell_trouble(stack, organization, account_id)


def reminder(organization: Organization, row: Mapping[str, Any], posts: Sequence[PostAtRisk], days: int) -> Notice:
    """An account that only a person can keep alive ends within so many days."""
    ends_at = row["ends_at"]
    name = account_name(row)
    return Notice(
        event_key=f"account:{row['account_id']}:ends:{ends_at:%Y-%m-%d}:{days}",
        type="account_ends",
        subject=f"Connect the {name} again before {_moment(organization, ends_at)}",
        lines=(
            f"The network lets us publish to the {name} until {_moment(organization, ends_at)}, and gives us no way "
            "to prolong that ourselves.",
            *_at_risk(organization, posts, "Nothing is scheduled for after that day yet."),
            "Connect the account again before then; nothing is lost by doing it today.",
        ),
        roles=OWNERS,
    )


def account_name(row: Mapping[str, Any]) -> str:
    """As people know it: "X account @kloof"."""
    return f"{_NAMES[row['platform_id']]} {row['handle'] or row['display_name'] or row['external_id']}"


def _trouble(organization: Organization, row: Mapping[str, Any], posts: Sequence[PostAtRisk]) -> Notice:
    what, remedy = _TROUBLES[row["status"]]
    incident = f"{row['status']}:{row['credentials_version']}"
    lines = [f"The {account_name(row)} {what}: {row['status_reason'] or 'the network gives no reason'}."]
    if row["status"] == "blocked":
        incident += f":{row['paused_until']:%Y-%m-%dT%H:%M:%S}"
        lines.append(f"We publish nothing there before {_moment(organization, row['paused_until'])}.")
    return Notice(
        event_key=f"account:{row['account_id']}:{incident}",
        type="account_trouble",
        subject=f"The {account_name(row)} {what}: {_count(posts)} at risk",
        lines=(*lines, *_at_risk(organization, posts, "No post is waiting for it."), remedy),
        roles=OWNERS,
    )


def _at_risk(organization: Organization, posts: Sequence[PostAtRisk], none: str) -> list[str]:
    if not posts:
        return [none]
    named = [f"{_moment(organization, post.publish_at)}: {post.title}" for post in posts[:NAMED_POSTS]]
    more = [f"and {len(posts) - NAMED_POSTS} more"] if len(posts) > NAMED_POSTS else []
    return [f"{_count(posts)} at risk:", *named, *more]


def _count(posts: Sequence[PostAtRisk]) -> str:
    return {0: "no posts", 1: "1 post"}.get(len(posts), f"{len(posts)} posts")


def _moment(organization: Organization, at: datetime) -> str:
    return f"{at.astimezone(ZoneInfo(organization.timezone)):%a %-d %b %Y %H:%M}"
