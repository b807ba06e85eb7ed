"""A client with something to see on every page of its app, for the pictures of it.

Lives here: enquiries that its own pipeline qualifies, deals, posts before and after their approval, six measured weeks
(`measured_client.py`). Not here: the pictures (`client_screenshots.py`).
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import requests
from measured_client import measure_weeks, publish_weeks
from psycopg.types.json import Jsonb

from draggonnb_pipelines.cli.processes import Running
from draggonnb_pipelines.domain.measuring import day_of
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.stack import open_stack

PATIENCE_SECONDS = 120
# Companies that the sandbox has sites of.
ENQUIRIES = {
    "Umhlanga Ridge Homes": "Could you supply the coffee for our show house? About forty visitors on Saturdays.",
    "Centurion Plumbing": "We want a bag on every desk each Monday. What does that cost a month?",
    "Karoo Trail Gear": "Do you roast for others under their own name? We would sell it in our two shops.",
}
DEALS = (
    ("Coffee for the show house", "qualified", 480_000, 20),
    ("A bag on every desk", "proposal", 1_250_000, 45),
    ("Own label for two shops", "negotiation", 3_600_000, 70),
    ("Beans for the climbing gym", "won", 900_000, 100),
)
_DEAL = """
insert into deals (contact_id, lead_id, title, value_cents, stage, probability, closed_at)
select contact_id, id, %s, %s, %s::text, %s, case when %s::text = 'won' then now() end from leads
order by received_at offset %s limit 1
"""
_WORDS = (
    "Twelve bags of a natural Sidamo came in this week, and nobody else in town has them. R145 for 250 g, at the "
    "counter and on our site. Taste it on Saturday from nine.",
    "Our roaster is twenty years old today. Come and see it run: open doors on Friday at four, with a cup of the "
    "first batch for everybody who asks a question.",
    "Brewing at home tastes flat? Weigh the coffee: 60 g for each litre, water just off the boil, and four minutes. "
    "That is all there is to it.",
    "The last orders that arrive before Christmas leave us on 17 December. Gift boxes from R320.",
    "Wholesale in 2027: we take on five more restaurants. One roast, one price, delivered on Tuesdays.",
)
_TITLES = ("Natural Sidamo", "Twenty years of one roaster", "Brewing at home", "Last orders", "Wholesale in 2027")
# Place in the words above, status, days from now, wall time, networks.
_POSTS = (
    (0, "in_review", 1, 9, ("facebook", "instagram", "linkedin", "x")),
    (1, "in_review", 3, 12, ("facebook", "x")),
    (2, "approved", 2, 9, ("facebook", "linkedin")),
    (3, "approved", 4, 9, ("facebook", "instagram", "x")),
    (4, "draft", 7, 9, ("linkedin",)),
)
_POST = """
with made as (
    insert into social_posts (title, content, variants, platform_ids, media, status, scheduled_for)
    values (%s, %s, %s, %s, %s, case when %s::text = 'draft' then 'draft' else 'in_review' end, %s) returning id
)
select id from made
"""
_APPROVE = """
update social_posts set status = 'approved', approved_hash = content_hash, approved_at = now() where id = %s
"""


async def fill_a_client(running: Running, organization: Organization, token: str) -> None:
    """Enquiries, deals, posts and six weeks of numbers; returns when all of it is there."""
    now = datetime.now(UTC)
    today = day_of(now)
    last_week = today - timedelta(days=today.weekday() + 7)
    await asyncio.to_thread(_enquire, running, organization, token)
    async with open_stack(running.settings) as stack:
        await _until_qualified(stack, organization)
        async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
            for place, (title, stage, cents, chance) in enumerate(DEALS):
                await tenant.conn.execute(_DEAL, [title, cents, stage, chance, stage, place % len(ENQUIRIES)])
            await _write_posts(tenant.conn, organization, now)
        await publish_weeks(stack, organization, last_week, now)
    await measure_weeks(running, organization.slug, today, last_week)


def _enquire(running: Running, organization: Organization, token: str) -> None:
    url = f"{running.settings.base_url}/webhook/{organization.slug}/leads"
    for company, message in ENQUIRIES.items():
        host = f"{company.lower().replace(' ', '-')}.example"
        body = {"name": "Front desk", "company": company, "email": f"hello@{host}", "website": f"http://{host}"}
        consent = {"consent": True, "consent_text": "You may contact me about my enquiry.", "message": message}
        headers = {"X-Webhook-Token": token, "X-Delivery-Id": host}
        requests.post(url, json=body | consent, headers=headers, timeout=10).raise_for_status()


async def _until_qualified(stack: Any, organization: Organization) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        async with stack.tenants.open(organization) as tenant:
            rows = await (await tenant.conn.execute("select status from leads")).fetchall()
        if len(rows) == len(ENQUIRIES) and all(row["status"] != "new" for row in rows):
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"the enquiries are not qualified: {rows}")
        await asyncio.sleep(0.5)


async def _write_posts(conn: Any, organization: Organization, now: datetime) -> None:
    zone = ZoneInfo(organization.timezone)
    for place, status, days, hour, networks in _POSTS:
        words = _WORDS[place]
        variants = {network: {"text": words, "thread": [], "first_comment": None} for network in networks}
        at = (now.astimezone(zone) + timedelta(days=days)).replace(hour=hour, minute=0, second=0, microsecond=0)
        media = [{"path": "square.jpg", "alt": "A paper bag of coffee"}] if "instagram" in networks else []
        values = [_TITLES[place], words, Jsonb(variants), list(networks), Jsonb(media), status, at]
        [row] = await (await conn.execute(_POST, values)).fetchall()
        if status == "approved":
            await conn.execute(_APPROVE, [row["id"]])
