"""`draggonnb demo`: one real lead that becomes a client with its whole stack, one real post on four networks, its week.

Everything runs as in production: the API, the daemon, sensors, runs. Not here: the client's part (`demo_client.py`),
the post's part (`demo_content.py`), its numbers and the weekly report (`demo_numbers.py`).
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from draggonnb_pipelines.cli.demo_client import ClientStory, client_tables, win_a_client
from draggonnb_pipelines.cli.demo_content import PostStory, post_tables, publish_a_post
from draggonnb_pipelines.cli.demo_numbers import WeekStory, live_a_week, week_tables
from draggonnb_pipelines.cli.installation import open_installation
from draggonnb_pipelines.cli.processes import Running, running_stack
from draggonnb_pipelines.cli.up import addresses
from draggonnb_pipelines.domain.leads import Stage
from draggonnb_pipelines.domain.organizations import AGENCY_SLUG
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings, load_settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.leads.proposals import proposal_url
from draggonnb_pipelines.workflows.organizations import (
    CreatedOrganization,
    NewOrganization,
    create_organization,
)

INBOX = load_queries("inbox")
LEADS = load_queries("leads")
GENERATIONS = load_queries("generations")
console = Console()
PATIENCE_SECONDS = 150
OUTSIDER_SLUG = "table-bay-tours"
ENQUIRY = {
    "name": "Front desk",
    "email": "hello@bokaap-beans.example",
    "company": "Bo-Kaap Beans",
    "website": "http://bokaap-beans.example",
    "message": "We roast our own beans and supply a few restaurants. We would like more wholesale customers and more "
    "regulars in the shop, but nobody here has time for social media.",
    "consent": "yes",
    "consent_text": "You may contact me about my enquiry.",
    "source": "web_form",
}
STAGES = {
    Stage.CAPTURED: "lead and contact stored",
    Stage.RESEARCHED: "company researched",
    Stage.COMPETITORS: "competitors analysed",
    Stage.ANALYSED: "business analysed, three quick wins",
    Stage.PROPOSED: "proposal written",
    Stage.NOTIFIED: "sales team notified",
}


@dataclass(frozen=True)
class Story:
    """The lead's way as the databases tell it, and where to look at it."""

    row: dict[str, Any]
    lead: dict[str, Any]
    cost: dict[str, Any]
    url: str
    page: Path
    outsider_rows: int


def demo() -> None:
    """Start everything, send one lead, win it as a client, publish one post, live its week, show how it went, stop.

    Raises:
        OperatorError: the lead did not arrive within the time; says at which stage it stands and where to look.
    """
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console
    ) as progress:
        starting = progress.add_task("starting", total=None)

        def tell(text: str) -> None:
            progress.update(starting, description=text)

        with (
            open_installation(load_settings(), tell=tell) as settings,
            running_stack(settings, tell=tell) as running,
        ):
            tell("creating two organizations, each with its own database")
            agency, outsider = asyncio.run(organizations(running.settings))
            progress.update(starting, description="everything runs", total=1, completed=1)
            # A person who writes again is the same lead; each demo is to show a new one.
            stranger = {"email": f"hello-{uuid4().hex[:8]}@bokaap-beans.example"}
            inbox_id = send(running.settings, agency, ENQUIRY | stranger)
            asyncio.run(follow(progress, running.settings, inbox_id))
            client, post = asyncio.run(_client_and_post(progress, running.settings, agency, inbox_id))
            week = asyncio.run(live_a_week(progress, running, agency.organization))
            progress.stop()
            story = asyncio.run(tell_story(running.settings, agency, outsider, inbox_id))
            _show(running, story, client, post, week)


async def _client_and_post(
    progress: Progress, settings: Settings, agency: CreatedOrganization, inbox_id: UUID
) -> tuple[ClientStory, PostStory]:
    """Side by side, as they would be: the post does not wait for the client's stack."""
    return await asyncio.gather(
        win_a_client(progress, settings, agency, inbox_id), publish_a_post(progress, settings, agency)
    )


async def organizations(settings: Settings) -> tuple[CreatedOrganization, CreatedOrganization]:
    vault = Vault(settings.keys)
    async with MasterDb(settings.dsn, max_connections=2) as master:
        common = {"master": master, "vault": vault, "server_dsn": settings.dsn}
        agency = NewOrganization(AGENCY_SLUG, "DraggonnB", "sales@draggonnb.example", "+27821234567")
        other = NewOrganization(OUTSIDER_SLUG, "Table Bay Tours", "office@table-bay-tours.example", "+27829876543")
        return await create_organization(agency, **common), await create_organization(other, **common)


def send(settings: Settings, agency: CreatedOrganization, enquiry: Mapping[str, str]) -> UUID:
    """Post an enquiry as a web form's server would; returns its inbox id."""
    answer = httpx.post(
        f"{settings.base_url}/webhook/{AGENCY_SLUG}/leads",
        json=dict(enquiry),
        headers={"X-Webhook-Token": agency.webhook_token, "X-Delivery-Id": f"demo-{uuid4()}"},
        timeout=10,
        trust_env=False,
    )
    if answer.status_code != 202:
        raise OperatorError(f"the webhook answered {answer.status_code}", remedy=answer.text)
    return UUID(answer.json()["id"])


async def follow(progress: Progress, settings: Settings, inbox_id: UUID) -> None:
    task = progress.add_task("webhook answered 202; waiting for the sensor", total=len(STAGES))
    deadline = time.monotonic() + PATIENCE_SECONDS
    async with MasterDb(settings.dsn, max_connections=1) as master:
        while True:
            async with master.connection() as conn:
                row = await INBOX.one_row(conn, id=inbox_id)
            stage = Stage(row["stage"])
            progress.update(task, completed=int(stage), description=STAGES.get(stage, "waiting for the sensor"))
            if row["state"] == "done":
                progress.update(task, completed=len(STAGES), description=STAGES[Stage.NOTIFIED])
                return
            if row["state"] == "dead" or time.monotonic() > deadline:
                where = STAGES.get(stage, "the sensor has not taken it up")
                raise OperatorError(
                    f"the lead did not arrive; last reached: {where}",
                    remedy=f"{row['last_error'] or 'no error is recorded'}; logs: {settings.state_dir / 'logs'}",
                )
            await asyncio.sleep(0.2)


async def tell_story(
    settings: Settings, agency: CreatedOrganization, outsider: CreatedOrganization, inbox_id: UUID
) -> Story:
    """What the databases say happened; the demo itself measures nothing."""
    async with open_stack(settings) as stack:
        async with stack.master.connection() as conn:
            row = await INBOX.one_row(conn, id=inbox_id)
            outsiders_rows = [r async for r in INBOX.list_rows(conn, state=None, slug=OUTSIDER_SLUG, row_limit=10)]
        async with stack.tenants.open(agency.organization) as tenant:
            lead = await LEADS.lead_story(tenant.conn, lead_id=row["lead_id"])
            [cost] = [r async for r in GENERATIONS.lead_costs(tenant.conn, lead_ids=[row["lead_id"]])]
        async with stack.tenants.open(outsider.organization) as tenant:
            outsiders_leads = await LEADS.count_leads(tenant.conn)
        url = proposal_url(stack, agency.organization, lead["proposal_id"])
    page = (settings.state_dir / "demo-proposal.html").resolve()
    page.write_text(lead["html"])
    return Story(row, lead, cost, url, page, len(outsiders_rows) + outsiders_leads)


def _show(running: Running, story: Story, client: ClientStory, post: PostStory, week: WeekStory) -> None:
    row, lead = story.row, story.lead
    started: datetime = row["received_at"]
    way = Table(title="The lead's way", title_justify="left")
    way.add_column("step", no_wrap=True)
    way.add_column("after", justify="right", no_wrap=True)
    way.add_column("what")
    for step, at, what in (
        ("webhook", started, f"POST /webhook/{AGENCY_SLUG}/leads answered 202; inbox row {row['id']}"),
        ("lead stored", lead["captured_at"], f"lead {lead['id']}, score by rules {lead['rule_score']}/100"),
        ("company researched", lead["researched_at"], f"{ENQUIRY['website']}: {lead['pages']} pages kept as evidence"),
        ("competitors", lead["competitors_at"], f"{lead['competitors']} found by Claude's web search"),
        ("business analysis", lead["analysed_at"], f"score by the model {lead['model_score']}/100"),
        *(("", None, f"quick win: {win}") for win in lead["quick_wins"]),
        ("proposal", lead["proposed_at"], lead["title"]),
        ("sales notified", lead["notified_at"], lead["channels"]),
    ):
        way.add_row(step, f"{(at - started).total_seconds():.1f} s" if at else "", what)
    links = Table(show_header=False)
    links.add_column(no_wrap=True)
    links.add_column(overflow="fold")
    links.add_row("run", str(row["run_id"]))
    links.add_row("run in the UI", f"{running.ui_url}/runs/{row['run_id']}")
    links.add_row("proposal", story.url)
    links.add_row("proposal as a file", str(story.page))
    cost = story.cost
    links.add_row("cost", f"{cost['tokens']} tokens, USD {cost['cost_usd']:.3f} (R {cost['cost_zar']:.2f})")
    links.add_row("the other organization", f"{story.outsider_rows} rows: it saw nothing")
    console.print(way, links, *client_tables(running, client), *post_tables(running, post), *week_tables(running, week))
    console.print(addresses(running))
    console.print("The demo stops now. The links work again while [bold]make up[/] runs; its data are kept.")
