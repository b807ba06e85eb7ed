"""Posts that are public and readings of them, as the publisher and the collection leave them; and plain SQL that
counts them again. Not here: assertions."""

import base64
import json
import random
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from draggonnb_pipelines.domain.metric_registry import unavailable
from draggonnb_pipelines.domain.metrics import Metric
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.reports import PartitionKey, StepReport
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics.snapshots import take_snapshots
from tests.workflows.lead_work import tenant_rows, variant

# Gains of one UTC day by metric and platform, from the definition and without a line of ours: the value of a day is the
# first reading in its window that has the metric, else the last one before the window.
GAINS = """
with posts as (
    select id, platform_id, (published_at at time zone %(zone)s)::date + 1 as first
    from content_queue where part_kind = 'post' and platform_post_id is not null
), value as (
    select p.id, p.platform_id, p.first, d.day, n.metric, coalesce(
        (select (m.engagement_data ->> n.metric)::bigint from platform_metrics m
         where m.queue_id = p.id and m.engagement_data ? n.metric
           and m.collected_at >= (d.day + time '06:00') at time zone 'UTC'
           and m.collected_at < (d.day + 1 + time '06:00') at time zone 'UTC'
         order by m.collected_at limit 1),
        (select (m.engagement_data ->> n.metric)::bigint from platform_metrics m
         where m.queue_id = p.id and m.engagement_data ? n.metric
           and m.collected_at < (d.day + time '06:00') at time zone 'UTC'
         order by m.collected_at desc limit 1)) as value
    from posts p cross join (values (%(day)s::date), (%(day)s::date - 1)) d (day)
    cross join unnest(%(metrics)s::text[]) n (metric)
)
select now.metric, now.platform_id as platform,
       sum(now.value - case when now.first = now.day then 0 else before.value end)::bigint as gained,
       sum(now.value) filter (where now.first = now.day)::bigint as total
from value now join value before using (id, metric)
where now.day = %(day)s and before.day = now.day - 1 and now.first <= now.day
group by 1, 2 order by 1, 2
"""


def at(text: str) -> datetime:
    """`11-20 06:00` in 2026, UTC."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def clock(stack: Stack, text: str) -> Stack:
    return variant(stack, now=lambda: at(text))


async def publish(
    stack: Stack,
    organization: Organization,
    published: datetime,
    platform: str = "facebook",
    *,
    status: str = "published",
) -> UUID:
    """A post that became public then; the id of its row in the queue."""
    post_id, queue_id = uuid4(), uuid4()
    async with stack.tenants.open(organization) as tenant:
        await tenant.conn.execute(
            "insert into social_accounts (id, platform_id, external_id, status)"
            " values (%s, %s, 'page-1', 'disconnected') on conflict do nothing",
            (uuid4(), platform),
        )
        await tenant.conn.execute(
            "insert into social_posts (id, content, content_hash) values (%s, 'Words', '')", (post_id,)
        )
        await tenant.conn.execute(
            "insert into content_queue (id, post_id, platform_id, account_id, revision, publish_at, status, payload,"
            " platform_post_id, platform_url, published_at, undone_at)"
            " select %s, %s, platform_id, id, 1, %s, %s, %s, %s, 'https://social.example/1', %s, %s"
            " from social_accounts where platform_id = %s",
            (
                queue_id,
                post_id,
                published,
                status,
                json.dumps({"text": f"Words of {published:%d %B}"}),
                str(queue_id),
                published,
                published if status == "undone" else None,
                platform,
            ),
        )
    return queue_id


async def read(
    stack: Stack,
    organization: Organization,
    queue_id: UUID,
    collected: datetime,
    values: Mapping[str, Any],
    missing: Mapping[str, str] | None = None,
) -> None:
    """One reading, appended."""
    await tenant_rows(
        stack,
        organization,
        "insert into platform_metrics"
        " (platform_id, account_id, post_id, queue_id, collected_at, engagement_data, missing)"
        " select platform_id, account_id, post_id, id, %s, %s, %s from content_queue where id = %s returning id",
        collected,
        json.dumps(values),
        json.dumps(missing or {}),
        queue_id,
    )


async def busy_weeks(stack: Stack, organization: Organization, last: date, days: int, seed: int) -> None:
    """Posts on all networks at any hour, read in the cadence of the collection: with gaps, retired metrics, corrections
    downwards, late first readings and readings in the middle of a day."""
    draw = random.Random(seed)
    for number in range(days):
        platform = draw.choice(list(Platform))
        published = datetime.combine(last - timedelta(days=number), datetime.min.time(), UTC)
        published += timedelta(minutes=draw.randrange(24 * 60))
        queue_id = await publish(stack, organization, published, platform)
        told = [metric for metric in Metric if metric not in unavailable(platform)]
        views = 0
        for collected in _times(published, last, draw):
            views += draw.randrange(-20, 400)
            values = {
                str(metric): max(views // (place + 1), 0)
                for place, metric in enumerate(told)
                if draw.random() > 0.1  # a platform that answers half
            }
            await read(stack, organization, queue_id, collected, values)


def _times(published: datetime, last: date, draw: random.Random) -> list[datetime]:
    day = published.date()
    mornings = [datetime.combine(day + timedelta(days=n), datetime.min.time(), UTC) for n in range(1, 40)]
    times = [published + timedelta(hours=1), published + timedelta(hours=6)]
    times += [morning + timedelta(hours=6, seconds=draw.randrange(300)) for morning in mornings[:7]]
    times += [morning + timedelta(hours=6) for morning in mornings[13::7]]
    times += [morning + timedelta(hours=15) for morning in mornings[:7] if draw.random() < 0.3]
    end = datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC)
    return [time for time in sorted(set(times)) if time < end and draw.random() > 0.15]


async def take(stack: Stack, organization: Organization, *days: str, run_id: str = "run-1") -> StepReport:
    return await take_snapshots(
        stack, run_id, [PartitionKey(organization.slug, date.fromisoformat(f"2026-{one}")) for one in days]
    )


async def snapshots(stack: Stack, organization: Organization) -> list[dict[str, Any]]:
    """All versions, oldest period first."""
    return await tenant_rows(
        stack,
        organization,
        "select id, period, period_start, period_end, version, metrics, restates, changes, run_id"
        " from analytics_snapshots order by period, period_start, version",
    )


async def gains_by_sql(
    stack: Stack, organization: Organization, day: date, zone: str
) -> dict[tuple[str, str], tuple[int | None, int | None]]:
    """Gain and total by metric and platform, where there is either."""
    async with stack.tenants.open(organization) as tenant:
        found = await tenant.conn.execute(
            GAINS.encode(), {"zone": zone, "day": day, "metrics": [str(metric) for metric in Metric]}
        )
        rows = await found.fetchall()
    return {
        (row["metric"], row["platform"]): (row["gained"], row["total"])
        for row in rows
        if row["gained"] is not None or row["total"] is not None
    }


def bars_of(picture: str) -> list[tuple[int, str, int]]:
    """Place, colour and height of the bars of a chart in the metadata, in order."""
    _, _, encoded = picture.rstrip(")").partition("base64,")
    paths = re.findall(r'<path stroke="(.*?)" d="(.*?)"/>', base64.b64decode(encoded).decode())
    bars = [(color, bar) for color, path in paths for bar in re.findall(r"M(\d+) 102v-(\d+)", path)]
    return sorted((int(x) // 16, color, int(height)) for color, (x, height) in bars)
