"""The client's app by people in browsers: invited, a post asked for, agreed to, published by the real pipeline, and its
numbers read."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from playwright.sync_api import Page, expect

from draggonnb_pipelines.jobs import analytics_config, content_config
from tests.client.app.stage import OWNER, Stage, choose_password, sign_in

APPROVER = "approver@bokaap-beans.example"
BRIEF = "Our Ethiopian filter roast is back: fruity, light, roasted on Tuesday. Come and taste it on Saturday."
NETWORKS = ("facebook", "x")
POST = """
select p.id, p.title, p.status from social_posts p join content_requests r on r.id = p.request_id where r.brief = %s
"""
QUEUE = "select platform_id, status, platform_post_id from content_queue where post_id = %s order by platform_id"
DECISIONS = "select decision, reviewer, via from review_decisions where post_id = %s"


def test_invited_people_have_a_post_written_agreed_to_and_published_and_read_its_numbers(stage: Stage):
    owner, approver = stage.owner(), stage.page()
    _invite(owner, APPROVER)
    _come_by_invitation(stage, approver)

    _ask_for_a_post(owner)
    title = _until_written(stage, owner)["title"]
    assert [stage.system.sandbox.public(network) for network in NETWORKS] == [[], []]

    approver.goto("/approvals")
    approver.get_by_role("heading", name=title).wait_for()
    approver.get_by_role("button", name="Approve", exact=True).click()
    approver.get_by_text("Approved. It goes onto the queue").wait_for()
    rows = _until_published(stage)

    _look_at_the_calendar(owner, title)
    assert [(row["platform_id"], row["status"]) for row in rows] == [(network, "published") for network in NETWORKS]
    assert [len(stage.system.sandbox.public(network)) for network in NETWORKS] == [1, 1]
    assert stage.system.tenant(stage.slug, DECISIONS, _post(stage)["id"]) == [
        {"decision": "approved", "reviewer": APPROVER, "via": "app"}
    ]

    morning = _measure(stage, rows)
    _read_the_numbers(stage, morning)


def _invite(owner: Page, email: str) -> None:
    owner.goto("/settings/team")
    owner.get_by_label("E-mail address").fill(email)
    owner.get_by_label("Name", exact=True).fill("Second pair of eyes")
    owner.get_by_label("Role", exact=True).select_option("approver")
    owner.get_by_role("button", name="Add to the team").click()
    owner.get_by_text("The invitation is on its way.").wait_for()


def _come_by_invitation(stage: Stage, page: Page) -> None:
    """Choose a password, go, and come back with it."""
    page.goto(stage.mailed_link(APPROVER))
    choose_password(page)
    page.get_by_role("button", name=re.compile("^Account of ")).click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.wait_for_url("**/login")
    sign_in(page, APPROVER)


def _ask_for_a_post(owner: Page) -> None:
    owner.goto("/generate")
    owner.get_by_label("What is the post about?").fill(BRIEF)
    for name in ("Facebook", "X"):
        owner.get_by_role("checkbox", name=re.compile(f"^{name} ")).check()
    owner.get_by_role("radio", name=re.compile("^As soon as it is approved")).check()
    owner.get_by_role("button", name="Write the post").click()
    owner.get_by_text("Request accepted").wait_for()


def _post(stage: Stage) -> dict[str, Any]:
    [post] = stage.system.tenant(stage.slug, POST, BRIEF)
    return post


def _until_written(stage: Stage, owner: Page) -> dict[str, Any]:
    """The page shows it by itself once it is written."""
    owner.get_by_text("In review", exact=True).first.wait_for(timeout=90_000)
    post = _post(stage)
    assert post["status"] == "in_review"
    owner.get_by_role("heading", name=post["title"]).wait_for()
    return post


def _until_published(stage: Stage) -> list[dict[str, Any]]:
    """What was approved in the app is found by the next quarter-hourly run, for which nobody waits here."""
    post_id = _post(stage)["id"]
    stage.system.launch("publish_due_posts", content_config(shard=0, everyone=True))
    stage.system.wait_until("it is public", lambda: _post(stage)["status"] == "published", seconds=120)
    return stage.system.tenant(stage.slug, QUEUE, post_id)


def _look_at_the_calendar(owner: Page, title: str) -> None:
    owner.goto("/calendar")
    owner.get_by_role("button", name="List").click()
    entry = owner.get_by_role("button", name=re.compile(re.escape(title)))
    expect(entry).to_contain_text("Published")
    entry.click()
    for name in ("Facebook", "X"):
        owner.get_by_role("dialog").get_by_role("link", name=f"Open on {name}, in a new window").wait_for()


def _measure(stage: Stage, rows: Sequence[dict[str, Any]]) -> datetime:
    """The daily run of the next morning, on which each network has counted so much."""
    day = datetime.now(ZoneInfo("Africa/Johannesburg")).date()  # the client's, in which it was published
    morning = datetime.combine(day + timedelta(days=1), time(6, tzinfo=UTC))
    stage.system.sandbox.settings(social_clock_ahead_seconds=(morning - datetime.now(UTC)).total_seconds())
    for row in rows:
        stage.system.sandbox.social_numbers(row["platform_post_id"], views=1200, reactions=36)
    stage.system.launch("collect_analytics", analytics_config(everyone=True, at=morning.isoformat()))
    return morning


def _read_the_numbers(stage: Stage, morning: datetime) -> None:
    page = stage.page()
    page.clock.set_fixed_time(morning + timedelta(hours=1))
    sign_in(page, OWNER)
    page.goto("/analytics?range=7d")
    views = page.locator("dl > div").filter(has=page.get_by_text("Views", exact=True))
    expect(views).to_contain_text(re.compile(r"2\s400"))
    page.get_by_label("Network").select_option("x")
    expect(views).to_contain_text(re.compile(r"1\s200"))
