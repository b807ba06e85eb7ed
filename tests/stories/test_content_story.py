"""The content workflow's story: asked for, written, approved on its page, public on four networks; through the real
daemon, code server and runs."""

import asyncio
import os
import re
import shutil
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import requests
from playwright.sync_api import sync_playwright

from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.workflows.publishing.accounts import connect_account
from tests.stories.system import System, opened

AGENCY = "draggonnb"
OUTSIDER = "outsider"
OWNER = f"sales@{AGENCY}.example"
REQUESTER = "marketing@client.example"
ACCOUNTS = {
    Platform.FACEBOOK: "102030405060701",
    Platform.INSTAGRAM: "17841400000000001",
    Platform.LINKEDIN: "90000001",
    Platform.X: "1700000000000000001",
}
NETWORKS = tuple(str(platform) for platform in ACCOUNTS)
CHROMIUM = os.environ.get("DRAGGONNB_CHROMIUM") or shutil.which("chromium")


def test_a_request_becomes_a_post_that_is_approved_on_its_page_and_public_once_on_four_networks(
    system: System,
) -> None:
    _begin(system)
    untouched = system.table_counts(OUTSIDER)

    request_id = _ask(system, "request-1", "Our new filter roast from Ethiopia is here. Come and taste it.")
    post = _until_in_review(system, request_id)
    assert system.tenant(AGENCY, "select count(*) as n from content_queue") == [{"n": 0}]
    assert [system.sandbox.public(network) for network in NETWORKS] == [[], [], [], []]
    url = _review_link(system, post["title"])
    page = requests.get(url, timeout=10)
    assert (page.status_code, post["title"] in page.text) == (200, True)
    answer = requests.post(url, data={"decision": "approve", "comment": "Lovely."}, timeout=10)
    assert answer.status_code == 200
    _until_public(system, post["id"])

    _check_ledger(system, post)
    assert _decisions(system, post["id"]) == [
        {"decision": "approved", "comment": "Lovely.", "reviewer": OWNER, "via": "link"}
    ]
    _check_limits(system, requests_made=1)
    _check_materializations(system)
    assert system.table_counts(OUTSIDER) == untouched
    assert {untouched[f"public.{name}"] for name in ("content_requests", "social_posts", "content_queue")} == {0}


def test_a_request_that_cannot_be_done_is_told_to_whom_asked_and_leaves_nothing_behind(system: System) -> None:
    _begin(system)
    untouched = system.table_counts(OUTSIDER)
    before = _effects(system)

    request_id = _ask(system, "request-refused", "A picture that is nowhere.", media=["missing.jpg"])
    system.wait_until("it is refused", lambda: bool(_told(system, to=REQUESTER, request_id=request_id)), seconds=60)

    [request] = system.tenant(AGENCY, "select status, faults from content_requests where id = %s", request_id)
    fault = {
        "field": "media[0].path",
        "detail": f"the file media-{AGENCY}/missing.jpg is not in the storage",
    }
    assert request == {"status": "refused", "faults": [fault]}
    [mail] = _told(system, to=REQUESTER, request_id=request_id)
    assert fault["detail"] in mail["text"]
    assert _effects(system) == before
    assert system.table_counts(OUTSIDER) == untouched


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed, and DRAGGONNB_CHROMIUM names none")
def test_the_same_approval_works_in_a_browser(system: System) -> None:
    _begin(system)
    request_id = _ask(system, "request-browser", "We close at noon on Saturday for the street market.")
    post = _until_in_review(system, request_id)
    url = _review_link(system, post["title"])
    troubles: list[str] = []

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page()
        page.on("console", lambda entry: troubles.append(entry.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(url)
        assert page.get_by_text("We close at noon", exact=False).first.is_visible()
        page.get_by_role("button", name="Approve").click()
        page.get_by_role("heading", name="Approved on").wait_for()
        assert page.get_by_role("button").count() == 0
        browser.close()
    _until_public(system, post["id"])

    assert troubles == []
    _check_ledger(system, post)
    assert _decisions(system, post["id"]) == [{"decision": "approved", "comment": "", "reviewer": OWNER, "via": "link"}]


def _begin(system: System) -> None:
    """Two organizations, one of which has an account on each network; the stories of this module share them."""
    if AGENCY in system.clients:
        return
    system.create(AGENCY, OUTSIDER)

    async def connect() -> None:
        async with open_stack(system.settings) as stack:
            for platform, external_id in ACCOUNTS.items():
                token = f"sandbox-{external_id}"
                await connect_account(stack, opened(system, AGENCY), platform, external_id, token=token)

    asyncio.run(connect())


def _ask(system: System, delivery_id: str, brief: str, *, media: Any = None) -> UUID:
    body = {
        "brief": brief,
        "media": media or [{"path": "square.jpg", "alt": "A bag of beans on a counter"}],
        "as_soon_as_approved": True,
        "requested_by": REQUESTER,
    }
    headers = {"X-Webhook-Token": system.clients[AGENCY].webhook_token, "X-Delivery-Id": delivery_id}
    answer = system.http.post(f"/webhook/{AGENCY}/generate-content", json=body, headers=headers)
    assert (answer.status_code, answer.json()["duplicate"]) == (202, False)
    return UUID(answer.json()["id"])


def _until_in_review(system: System, request_id: UUID) -> dict[str, Any]:
    query = "select id, title, status, variants, request_id from social_posts where request_id = %s"

    def is_in_review() -> bool:
        return [post["status"] for post in system.tenant(AGENCY, query, request_id)] == ["in_review"]

    system.wait_until("the post is in review", is_in_review, seconds=60)
    [post] = system.tenant(AGENCY, query, request_id)
    assert set(post["variants"]) == set(NETWORKS)
    return post


def _review_link(system: System, title: str) -> str:
    """Out of the mail to the owner, who is the only one to approve."""

    def links() -> list[str]:
        mails = [mail for mail in system.sandbox.public("mail") if title in mail["subject"]]
        assert {mail["recipient"] for mail in mails} <= {OWNER, REQUESTER}
        return [link for mail in mails for link in re.findall(r"https?://\S+/reviews/[\w-]+", mail["text"])]

    system.wait_until("the review was asked for by mail", lambda: bool(links()), seconds=30)
    return links()[-1]


def _until_public(system: System, post_id: UUID) -> None:
    query = "select status from social_posts where id = %s"
    system.wait_until(
        "the post is public", lambda: system.tenant(AGENCY, query, post_id) == [{"status": "published"}], seconds=60
    )


def _check_ledger(system: System, post: dict[str, Any]) -> None:
    """One call for each row of the ledger, and exactly these words at each network."""
    rows = system.tenant(
        AGENCY,
        "select platform_id, part, part_kind, status, attempts, platform_post_id, lateness_seconds, payload"
        " from content_queue where post_id = %s order by platform_id, part",
        post["id"],
    )
    assert {row["platform_id"] for row in rows} == set(NETWORKS)
    assert {(row["status"], row["attempts"]) for row in rows} == {("published", 1)}
    assert all(row["lateness_seconds"] < 60 for row in rows)
    for network in NETWORKS:
        ours = {row["platform_post_id"]: row["payload"]["text"] for row in rows if row["platform_id"] == network}
        [first] = [row for row in rows if (row["platform_id"], row["part"]) == (network, 0)]
        assert first["payload"]["text"] == post["variants"][network]["text"]
        account = ACCOUNTS[Platform(network)]
        public = {seen["id"]: seen for seen in system.sandbox.public(network)}
        assert {key: public[key]["text"] for key in ours} == ours
        assert {public[key]["account"] for key in ours} == {account}
        assert sum(seen["text"] == first["payload"]["text"] for seen in public.values()) == 1


def _decisions(system: System, post_id: UUID) -> list[dict[str, Any]]:
    query = "select decision, comment, reviewer, via from review_decisions where post_id = %s"
    return system.tenant(AGENCY, query, post_id)


def _check_limits(system: System, *, requests_made: int) -> None:
    """One generation and four posts are used; nothing is held any more."""
    counted = {row["metric"]: (row["used"], row["reserved"]) for row in _counters(system)}
    assert counted["ai_generations"] == (requests_made, 0)
    assert counted["posts_monthly"] == (4 * requests_made, 0)


def _check_materializations(system: System) -> None:
    """Each asset of exactly this organization and day; publishing adds the queue and the posts."""
    system.wait_until("the runs have ended", lambda: _open_runs(system) == 0, seconds=30)
    events = system.dagster(
        "select distinct asset_key, partition from event_logs"
        " where dagster_event_type = 'ASSET_MATERIALIZATION' and partition is not null"
    )
    partition = f"{datetime.now(UTC).date()}|{AGENCY}"
    assert {(row["asset_key"], row["partition"]) for row in events} == {
        (f'["{asset}"]', partition)
        for asset in ("content_requests", "generated_posts", "content_queue", "published_posts")
    }
    ended = system.dagster("select distinct pipeline_name, status from runs where pipeline_name like '%%content%%'")
    assert ended == [{"pipeline_name": "generate_content", "status": "SUCCESS"}]
    failed = system.dagster("select pipeline_name, status from runs where status = 'FAILURE'")
    assert failed == []


def _open_runs(system: System) -> int:
    return system.dagster("select count(*) as n from runs where status in ('QUEUED', 'STARTING', 'STARTED')")[0]["n"]


def _told(system: System, *, to: str, request_id: UUID) -> list[dict[str, Any]]:
    """Mails that our outbox sent about a request."""
    sent = system.tenant(
        AGENCY,
        "select id from notification_deliveries where event_key like %s and recipient = %s and status = 'sent'",
        f"content:{request_id}:%",
        to,
    )
    if not sent:
        return []
    return [mail for mail in system.sandbox.public("mail") if mail["recipient"] == to and "missing" in mail["text"]]


def _counters(system: System) -> list[dict[str, Any]]:
    return system.tenant(AGENCY, "select metric, used, reserved from usage_counters order by metric")


def _effects(system: System) -> dict[str, Any]:
    """What a refused request must leave as it was."""
    counts = system.table_counts(AGENCY)
    tables = ("social_posts", "content_queue", "ai_generation_log", "usage_reservations")
    posts = {network: len(system.sandbox.public(network)) for network in NETWORKS}
    return {name: counts[f"public.{name}"] for name in tables} | posts | {"counters": _counters(system)}
