"""A client whose posts were measured for six weeks, for the pictures of its numbers.

Lives here: its posts and readings as rows, since nobody waits six weeks for them; the snapshots and reports that the
running system makes of them by backfills, and the mail that came of the last week. Not here: the pictures
(`screenshots.py`).
"""

import asyncio
import base64
import hashlib
import re
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as wall_time
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import requests
from psycopg.types.json import Jsonb

from draggonnb_pipelines.cli.processes import Running
from draggonnb_pipelines.domain.measuring import day_of, next_measure_at
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.organizations import NewOrganization, create_organization
from draggonnb_pipelines.workflows.publishing.accounts import connect_account

CLIENT = NewOrganization("kloof-coffee", "Kloof Coffee", "owner@kloof-coffee.example")
WEEKS = 6
PATIENCE_SECONDS = 240
ACCOUNTS = {
    Platform.FACEBOOK: "102030405060799",
    Platform.INSTAGRAM: "17841400000000099",
    Platform.LINKEDIN: "90000099",
    Platform.X: "1700000000000000099",
}
EVENING, NOON, MORNING = (1, wall_time(18)), (3, wall_time(12, 30)), (5, wall_time(9))
# Each week's posts: weekday and wall time, the words, the networks, and how far such a post gets.
POSTS = (
    (EVENING, "Tonight we cup three coffees from Rwanda. Come and say which one we buy.", "facebook instagram", 1.0),
    (NOON, "Roasted this morning, on your desk tomorrow: the office box is back.", "linkedin x", 0.5),
    (MORNING, "Saturday is for slow coffee. The first twenty cups come with a rusk.", "facebook instagram", 1.6),
)
# In the last week one of them went further than usual.
LUCK = {(0, MORNING): 3.2}
REACH, HALF_LIFE_HOURS = 900, 14.0
_POST = """
with post as (
    insert into social_posts (id, content, variants, platform_ids, status, scheduled_for, content_hash)
    values (%(id)s, %(text)s, jsonb_build_object(%(platform)s::text, jsonb_build_object('text', %(text)s::text)),
            array[%(platform)s::text], 'published', %(at)s, '')
)
insert into content_queue (id, post_id, platform_id, account_id, revision, publish_at, due_at, payload, status,
                           platform_post_id, platform_url, published_at)
select %(id)s, %(id)s, %(platform)s::text, a.id, 1, %(at)s, %(at)s, jsonb_build_object('text', %(text)s::text),
       'published', %(id)s::text, 'http://sandbox.invalid/' || %(id)s::text, %(at)s
from social_accounts a where a.platform_id = %(platform)s::text
"""
_READ = """
insert into platform_metrics (platform_id, account_id, post_id, queue_id, collected_at, engagement_data, missing)
select platform_id, account_id, post_id, id, %s, %s, %s from content_queue where id = %s
"""
_BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_STATUS = "query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
_FILES = """
select f.name, f.content from report_files f join weekly_reports r on r.id = f.report_id where r.week_start = %s
"""


@dataclass(frozen=True)
class Measured:
    """What there is to see: the partition of the last week's Saturday, its busiest day, and the mail about the week."""

    slug: str
    day: date
    mail_html: str


async def measure_a_client(running: Running) -> Measured:
    """Six weeks of posts and readings; then their snapshots as one backfill, the reports of the weeks, and the mail."""
    settings, slug, now = running.settings, CLIENT.slug, datetime.now(UTC)
    today = day_of(now)
    last_week = today - timedelta(days=today.weekday() + 7)
    async with open_stack(settings) as stack:
        created = await create_organization(CLIENT, master=stack.master, vault=stack.vault, server_dsn=settings.dsn)
        for platform, external_id in ACCOUNTS.items():
            token = f"sandbox-{external_id}"
            await connect_account(stack, created.organization, platform, external_id, token=token, handle="@kloof")
        await publish_weeks(stack, created.organization, last_week, now)
    await measure_weeks(running, slug, today, last_week)
    saturday = last_week + timedelta(days=6)  # measured on the day after it
    return Measured(slug, saturday, await _mail(settings, created.organization, last_week))


async def measure_weeks(running: Running, slug: str, today: date, last_week: date) -> None:
    """The snapshots of all days, and the reports of all weeks."""
    days = [today - timedelta(days=ahead) for ahead in range(7 * WEEKS)]
    await _backfill(running, "analytics_snapshots", [f"{day}|{slug}" for day in reversed(days)])
    weeks = [last_week - timedelta(weeks=ago) for ago in range(WEEKS)]
    # The earlier ones first: a report shows the weeks that are known by then.
    await _backfill(running, "weekly_reports", [f"{week}|{slug}" for week in reversed(weeks[1:])])
    await _backfill(running, "weekly_reports", [f"{last_week}|{slug}"])


async def publish_weeks(stack: Stack, client: Organization, last_week: date, now: datetime) -> None:
    """Posts of six weeks and of this one up to now, on the accounts that the client has, with what was read of them."""
    zone = ZoneInfo(client.timezone)
    async with stack.tenants.open(client) as tenant, tenant.conn.transaction():
        for weeks_ago in range(-1, WEEKS):
            for slot, text, platforms, scale in POSTS:
                on = last_week - timedelta(weeks=weeks_ago) + timedelta(days=slot[0])
                at = datetime.combine(on, slot[1], zone).astimezone(UTC)
                for platform in platforms.split() if at < now else ():
                    reach = REACH * scale * LUCK.get((weeks_ago, slot), 1.0)
                    await _publish(tenant.conn, platform, text, at, reach, now)
        # Nobody is to ask the networks for posts that were never there.
        await tenant.conn.execute("update content_queue set measure_at = null")


async def _publish(conn: Any, platform: str, text: str, at: datetime, reach: float, now: datetime) -> None:
    post_id = uuid4()
    await conn.execute(_POST, {"id": post_id, "platform": platform, "text": text, "at": at})
    chance = hashlib.sha256(f"{platform}/{at}".encode()).digest()
    measured_at: datetime | None = next_measure_at(at, at)
    while measured_at is not None and measured_at < now:
        counts, missing = _numbers(
            platform, reach * (0.8 + chance[0] / 640), chance, (measured_at - at).total_seconds()
        )
        await conn.execute(_READ, [measured_at, Jsonb(counts), Jsonb(missing), post_id])
        measured_at = next_measure_at(at, measured_at)


def _numbers(platform: str, reach: float, chance: bytes, age_seconds: float) -> tuple[dict[str, int], dict[str, str]]:
    """What a network counts at this age; LinkedIn has no statistics of a young post, and X tells no reach."""
    if platform == "linkedin" and age_seconds < 12 * 3600:
        reason = "LinkedIn gave no statistics of the post: too young, or older than twelve months"
        return {}, dict.fromkeys(("views", "reach", "reactions", "comments", "shares", "clicks"), reason)
    people = reach * (1 - 0.5 ** (age_seconds / 3600 / HALF_LIFE_HOURS))
    counts = {
        "views": int(people * 1.4),
        "reach": int(people),
        "reactions": int(people * (0.03 + chance[1] / 12_000)),
        "comments": int(people * 0.006),
        "shares": int(people * (0.003 + chance[2] / 60_000)),
    }
    missing = {}
    if platform == "x":
        counts |= {"quotes": int(people * 0.001), "saves": int(people * 0.004)}
        del counts["reach"]
    elif platform == "instagram" and reach < REACH:
        missing = {"saves": "saved: null in the answer"}
    elif platform == "instagram":
        counts["saves"] = int(people * 0.008)
    else:
        counts["clicks"] = int(people * 0.015)
    return counts | ({"video_views": 0} if platform == "facebook" else {}), missing


async def _backfill(running: Running, asset: str, partitions: list[str]) -> None:
    """As "Materialize" over these partitions in the UI, to its good end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    params = {"assetSelection": [{"path": [asset]}], "partitionNames": partitions}
    # A new organization is known to Dagster once a sensor has told it.
    while (asked := _ask(running, _BACKFILL, params=params)["launchPartitionBackfill"]).get("backfillId") is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"Dagster does not take the backfill of {asset}: {asked}")
        await asyncio.sleep(2)
    while True:
        found = _ask(running, _STATUS, id=asked["backfillId"])["partitionBackfillOrError"]
        if (status := found.get("status")) in ("COMPLETED", "COMPLETED_SUCCESS"):
            return
        if status in ("FAILED", "COMPLETED_FAILED", "CANCELED") or time.monotonic() > deadline:
            raise RuntimeError(f"the backfill of {asset} is {status}: {running.ui_url}/runs?view=backfills")
        await asyncio.sleep(1)


def _ask(running: Running, query: str, **variables: object) -> dict[str, Any]:
    body = {"query": query, "variables": variables}
    answer = requests.post(f"{running.ui_url}/graphql", json=body, timeout=30)
    answer.raise_for_status()
    return answer.json()["data"]


async def _mail(settings: Settings, client: Organization, week_start: date) -> str:
    """The HTML of the mail, with the pictures that travelled in it in their places."""
    async with open_stack(settings) as stack, stack.tenants.open(client) as tenant:
        rows = await tenant.conn.execute(_FILES, [week_start])
        files = {row["name"].partition(".")[0]: row["content"] for row in await rows.fetchall()}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        if found := await asyncio.to_thread(_mails_with_pictures, settings):
            break
        if time.monotonic() > deadline:
            raise RuntimeError("the mail with the weekly report did not come")
        await asyncio.sleep(1)

    def picture(name: re.Match[str]) -> str:
        return f"data:image/png;base64,{base64.b64encode(files[name[1]]).decode()}"

    return re.sub(r"cid:(\w+)@[\w.]+", picture, found[-1]["html"])


def _mails_with_pictures(settings: Settings) -> list[dict[str, Any]]:
    answer = requests.get(f"{settings.sandbox_url}/_sandbox/public", params={"kind": "mail"}, timeout=10)
    return [one for one in answer.json() if one["recipient"] == CLIENT.owner_email and one["files"]]
