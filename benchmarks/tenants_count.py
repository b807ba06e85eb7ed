"""What has come of the day in fast motion, for each client, against what must have: each thing once.

The clients' databases are asked, and what the networks and mailboxes of the sandbox show; each miss is named with its
client. Not here: how it came about.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from benchmarks.tenants_seed import DUE_POSTS, LEADS, MEASURED, OLDER_POSTS, REQUESTS
from draggonnb_pipelines.domain.publishing import Platform
from tests.stories.system import System
from tests.stories.week_ledger import SUBJECT

ASKED_AT_ONCE = 4
OF_DAY = """
select (select count(*) from leads) as leads,
       (select count(*) from lead_analyses where kind = 'business') as analyses,
       (select count(distinct lead_id) from lead_analyses where kind = 'business') as analysed_leads,
       (select count(*) from proposals) as proposals,
       (select count(*) from content_requests where status = 'generated') as written_requests,
       (select count(*) from social_posts where request_id is not null and status = 'published') as written_posts,
       (select count(*) from content_queue where part_kind = 'post' and status = 'published') as public_posts,
       (select count(*) from content_queue where status <> 'published') as unpublished,
       (select count(*) from content_queue where attempts > 1) as called_again
"""
WHOLE_DAY = {
    "leads": LEADS,
    "analyses": LEADS,
    "analysed_leads": LEADS,
    "proposals": LEADS,
    "written_requests": REQUESTS,
    "written_posts": REQUESTS,
    "public_posts": OLDER_POSTS + DUE_POSTS + REQUESTS,
    "unpublished": 0,
    "called_again": 0,
}
ROWS = """
select q.platform_id, a.external_id, q.payload ->> 'text' as text, q.publish_at, q.part_kind, p.request_id
from content_queue q join social_accounts a on a.id = q.account_id join social_posts p on p.id = q.post_id
"""
# Of the morning alone: where the day took longer than an hour, its first posts are read for the first time in it.
OF_MORNING = """
select (select count(*) from platform_metrics where collected_at >= %s) as readings,
       (select count(distinct queue_id) from platform_metrics
        where collected_at >= %s and engagement_data <> '{}' and not is_gone) as measured_posts,
       (select count(*) from analytics_snapshots where period = 'day') as day_snapshots
"""
WHOLE_MORNING = {"readings": MEASURED, "measured_posts": MEASURED, "day_snapshots": 1}
OF_WEEK = """
select (select count(*) from weekly_reports) as reports,
       (select count(*) from notification_deliveries
        where event_key like 'weekly_report:%' and channel = 'email' and status in ('sent', 'delivered')) as mails_sent
"""
WHOLE_WEEK = {"reports": 1, "mails_sent": 1}


@dataclass
class Public:
    """The day's posts as the public sees them; seconds after their time, those that were due and those approved."""

    posts: int = 0
    late_due: list[float] = field(default_factory=list)
    late_approved: list[float] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)


def wrong(found: Mapping[str, Sequence[Mapping[str, int]]], whole: Mapping[str, int]) -> list[str]:
    """Which clients have something else than they must."""
    return [
        f"{slug}: {name} {row[name]} for {count}"
        for slug, [row] in found.items()
        for name, count in whole.items()
        if row[name] != count
    ]


def total(found: Mapping[str, Sequence[Mapping[str, int]]], name: str) -> int:
    """Of all clients together."""
    return sum(row[name] for [row] in found.values())


def judge_public(system: System, slugs: Sequence[str], due_texts: Mapping[str, Sequence[str]]) -> Public:
    """Every text that was due or written, once at its network; nothing else."""
    seen = [post for platform in Platform for post in system.sandbox.public(platform) if not post["deleted"]]
    shown = Counter((post["kind"], post["account"], post["text"]) for post in seen)
    at = {(post["kind"], post["account"], post["text"]): datetime.fromisoformat(post["at"]) for post in seen}
    public, asked = Public(), set[tuple[str, str, str]]()
    for slug, rows in ask_each(system, slugs, ROWS).items():
        texts = {row["text"] for row in rows}
        public.misses += [f"{slug}: not in its ledger: {text}" for text in due_texts[slug] if text not in texts]
        for row in rows:
            key = (row["platform_id"], row["external_id"], row["text"])
            asked.add(key)
            if shown[key] != 1:
                public.misses.append(f"{slug}: {shown[key]} times on {key[0]}: {key[2][:60]}")
            elif row["part_kind"] == "post" and (row["request_id"] or row["text"] in due_texts[slug]):
                late = (at[key] - row["publish_at"]).total_seconds()
                (public.late_approved if row["request_id"] else public.late_due).append(late)
                public.posts += 1
    public.misses += [f"on {key[0]} and nobody's: {key[2][:60]}" for key in shown if key not in asked]
    return public


def missed_mails(system: System, slugs: Sequence[str]) -> list[str]:
    """Owners who did not get exactly one mail about their week."""
    mails = [mail for mail in system.sandbox.public("mail") if mail["subject"].startswith(SUBJECT)]
    got = Counter[str]()
    for mail in mails:
        got[mail["recipient"]] += mail["transmissions"]
    return [f"{slug}: {n} weekly mails" for slug in slugs if (n := got[f"sales@{slug}.example"]) != 1]


def ask_each(system: System, slugs: Sequence[str], query: str, *values: object) -> dict[str, list[dict[str, Any]]]:
    """Each client's own answer to one question."""
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return dict(zip(slugs, pool.map(lambda slug: system.tenant(slug, query, *values), slugs), strict=True))
