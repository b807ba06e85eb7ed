"""The demo's post: asked for, written, approved on its real page as a client would, public on four networks."""

import asyncio
import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import requests
from rich.progress import Progress
from rich.table import Table

from draggonnb_pipelines.cli.processes import Running
from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.organizations import CreatedOrganization
from draggonnb_pipelines.workflows.publishing.accounts import connect_account

DEMO = load_queries("demo")
PATIENCE_SECONDS = 120
ACCOUNTS = {
    Platform.FACEBOOK: "102030405060701",
    Platform.INSTAGRAM: "17841400000000001",
    Platform.LINKEDIN: "90000001",
    Platform.X: "1700000000000000001",
}
REQUEST = {
    "brief": "We open our books for two new clients in the new year: a small business that wants its social media, "
    "its leads and its invoices in one place. Invite owners to a half-hour call.",
    "media": [{"path": "square.jpg", "alt": "A desk with a laptop that shows a calendar of posts"}],
    "as_soon_as_approved": True,
    "requested_by": "sales@draggonnb.example",
}
_LINK = re.compile(r"https?://[^\s\"<>]+/reviews/[A-Za-z0-9_-]+")
STEPS = ("asked for", "written by Claude", "approved on its page", "public on all networks")


@dataclass(frozen=True)
class PostStory:
    """The post's way as the databases tell it."""

    post: dict[str, Any]
    rows: list[dict[str, Any]]
    review_url: str
    asked_at: datetime


async def publish_a_post(progress: Progress, settings: Settings, agency: CreatedOrganization) -> PostStory:
    """Connect four accounts, ask for a post, approve it through its public page, wait until it is out.

    Raises:
        OperatorError: it stood still; says where and what to look at.
    """
    task = progress.add_task("connecting four accounts", total=len(STEPS))
    organization = agency.organization
    async with open_stack(settings) as stack:
        for platform, external_id in ACCOUNTS.items():
            token = f"sandbox-{external_id}"
            await connect_account(stack, organization, platform, external_id, token=token, handle="@draggonnb")
        request_id = await asyncio.to_thread(_ask, settings, agency)
        progress.update(task, completed=1, description="post asked for; waiting for Claude")
        post = await _until(stack, organization, request_id, lambda found: found["status"] == "in_review", settings)
        progress.update(task, completed=2, description="written; approving it on its page")
        review_url = await asyncio.to_thread(_approve, settings, post)
        progress.update(task, completed=3, description="approved; waiting for the publisher")
        post = await _until(stack, organization, request_id, lambda found: found["status"] == "published", settings)
        progress.update(task, completed=4, description=STEPS[-1])
        async with stack.tenants.open(organization) as tenant:
            rows = [row async for row in DEMO.post_rows(tenant.conn, post_id=post["id"])]
    return PostStory(post, rows, review_url, post["asked_at"])


def post_tables(running: Running, story: PostStory) -> tuple[Table, Table]:
    """The post's way, and a link for each network."""
    way = Table(title="The post's way", title_justify="left")
    way.add_column("step", no_wrap=True)
    way.add_column("after", justify="right", no_wrap=True)
    way.add_column("what", overflow="fold")
    post = story.post
    for step, at, what in (
        ("webhook", story.asked_at, f"POST /webhook/{AGENCY_SLUG}/generate-content answered 202"),
        ("written", post["written_at"], f"{post['title']}; {post['tokens']} tokens, USD {post['cost_usd']:.3f}"),
        ("approved", post["approved_at"], f"as a client: {story.review_url}"),
        ("public", post["published_at"], f"{len(story.rows)} rows of the publish ledger, one call each"),
    ):
        way.add_row(step, f"{(at - story.asked_at).total_seconds():.1f} s", what)
    posts = Table(show_header=True)
    posts.add_column("network", no_wrap=True)
    posts.add_column("late", justify="right", no_wrap=True)
    posts.add_column("calls", justify="right")
    posts.add_column("post", overflow="fold")
    for row in story.rows:
        posts.add_row(row["platform_id"], f"{row['lateness_seconds']} s", str(row["attempts"]), row["platform_url"])
    return way, posts


def _ask(settings: Settings, agency: CreatedOrganization) -> UUID:
    """Post the request as the client's app would. Each demo says something new: networks refuse repetitions."""
    answer = requests.post(
        f"{settings.base_url}/webhook/{AGENCY_SLUG}/generate-content",
        json={**REQUEST, "brief": f"{REQUEST['brief']} Ask for call number {uuid4().hex[:6]}."},
        headers={"X-Webhook-Token": agency.webhook_token},
        timeout=10,
    )
    if answer.status_code != 202:
        raise OperatorError(f"the webhook answered {answer.status_code}", remedy=answer.text)
    return UUID(answer.json()["id"])


def _approve(settings: Settings, post: dict[str, Any]) -> str:
    """Open the link that the reviewer was mailed, and approve what it shows."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        mails = requests.get(f"{settings.sandbox_url}/_sandbox/public", params={"kind": "mail"}, timeout=10).json()
        texts = [mail["text"] for mail in mails if post["title"] in mail["subject"]]
        links = [found[0] for text in texts if (found := _LINK.findall(text))]
        if links:
            url = links[-1]
            requests.get(url, timeout=10).raise_for_status()
            requests.post(url, data={"decision": "approve", "comment": ""}, timeout=10).raise_for_status()
            return url
        time.sleep(0.3)
    raise OperatorError("no review was asked for by mail", remedy=f"logs: {settings.state_dir / 'logs'}")


async def _until(stack: Stack, organization: Organization, request_id: UUID, is_there: Any, settings: Settings) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        async with stack.tenants.open(organization) as tenant:
            found = await DEMO.post_story(tenant.conn, request_id=request_id)
        if found and found["id"] and is_there(found):
            return found
        stuck = found and (found["request_status"] in ("refused", "needs_review") or found["status"] == "blocked")
        if stuck or time.monotonic() > deadline:
            where = f"request {found['request_status']}, post {found['status']}" if found else "it was not taken up"
            reason = (
                found and (found["faults"] or found["findings"] or found["last_error"])
            ) or "no reason is recorded"
            raise OperatorError(
                f"the post did not get through: {where}", remedy=f"{reason}; logs: {settings.state_dir / 'logs'}"
            )
        await asyncio.sleep(0.3)
