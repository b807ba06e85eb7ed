"""The demo's client: the proposal accepted, paid on PayFast's page as a browser would, the whole stack set up."""

import asyncio
import time
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

import requests
from rich.progress import Progress
from rich.table import Table

from draggonnb_pipelines.cli.processes import Running
from draggonnb_pipelines.domain.provisioning import STEPS, Resource
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.leads.proposals import proposal_url
from draggonnb_pipelines.workflows.organizations import CreatedOrganization
from draggonnb_pipelines.workflows.provisioning.provisioning import client_of
from draggonnb_pipelines.workflows.provisioning.stack_ledger import PROVISIONING, Ledger

INBOX = load_queries("inbox")
LEADS = load_queries("leads")
DEMO = load_queries("demo")
PATIENCE_SECONDS = 240
PLAN = "growth"
BUYER = {"name": "Front desk", "email": "hello@bokaap-beans.example", "agree": "yes"}


@dataclass(frozen=True)
class ClientStory:
    """The new client as the master database tells it: its subscription, its first invoice, its stack."""

    row: dict[str, Any]
    resources: list[Resource]
    thanks_url: str


class _Forms(HTMLParser):
    """The forms of a page, as a browser would send them: action and fields."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((given.get("action", ""), {}))
        elif tag in ("input", "button") and given.get("name") and self.forms:
            self.forms[-1][1][given["name"]] = given.get("value", "")


async def win_a_client(
    progress: Progress, settings: Settings, agency: CreatedOrganization, inbox_id: UUID
) -> ClientStory:
    """Accept the proposal of this lead, pay for a plan, and wait until the client's stack stands.

    Raises:
        OperatorError: it stood still; says where and what to look at.
    """
    task = progress.add_task("accepting the proposal", total=len(STEPS) + 2)
    async with open_stack(settings) as stack:
        async with stack.master.connection() as conn:
            lead_id = (await INBOX.one_row(conn, id=inbox_id))["lead_id"]
        async with stack.tenants.open(agency.organization) as tenant:
            proposal_id = (await LEADS.lead_story(tenant.conn, lead_id=lead_id))["proposal_id"]
        page = proposal_url(stack, agency.organization, proposal_id)
        thanks_url = await asyncio.to_thread(_buy, page)
        progress.update(task, completed=1, description="paid at PayFast; waiting for its notice")
        row = await _set_up(stack, proposal_id, progress, task)
        async with stack.master.connection() as conn:
            [client] = [found async for found in PROVISIONING.clients_of(conn, slugs=[row["slug"]])]
        resources = await Ledger(stack, client_of(client), "").resources()
    return ClientStory(row, resources, thanks_url)


def client_tables(running: Running, story: ClientStory) -> tuple[Table, Table]:
    """The client's way from the acceptance to its stack, and the ten assets with their links."""
    row = story.row
    way = Table(title="The client's way", title_justify="left")
    way.add_column("step", no_wrap=True)
    way.add_column("after", justify="right", no_wrap=True)
    way.add_column("what", overflow="fold")
    price = f"R {row['amount_cents'] / 100:,.2f} a month"
    vat = f"with VAT of R {row['vat_cents'] / 100:,.2f}" if row["vat_cents"] else "without VAT: no VAT number is set"
    for step, at, what in (
        ("accepted, paid", row["placed_at"], f"{row['company']}: {row['plan_key']}, {price}; {story.thanks_url}"),
        ("notice believed", row["paid_at"], f"payment {row['pf_payment_id']}, {row['deliveries']} delivery"),
        ("invoice", row["invoiced_at"], f"{row['series']}-{row['number']}, {vat}"),
        ("stack stands", row["finished_at"], f"organization {row['slug']} is {row['status']}"),
    ):
        way.add_row(step, f"{(at - row['placed_at']).total_seconds():.1f} s" if at else "", what)
    assets = Table(show_header=True)
    assets.add_column("asset", no_wrap=True)
    assets.add_column("what", overflow="fold")
    assets.add_column("link", overflow="fold")
    for step in STEPS:
        own = [one for one in story.resources if one.step == step]
        link = next((one.url for one in own if one.url), None) or f"{running.ui_url}/assets/{step}"
        assets.add_row(step, ", ".join(one.name for one in own), link)
    return way, assets


def _buy(page: str) -> str:
    """What a person does with a browser: accept, choose a plan, go to PayFast, pay, come back."""
    with requests.Session() as browser:
        browser.trust_env = False
        _seen(browser.post(f"{page}/accept", data=BUYER, timeout=10))
        plans = _seen(browser.get(f"{page}/plans", timeout=10))
        chosen = next((form for form in _Forms(plans.text).forms if form[1].get("plan") == PLAN), None)
        if chosen is None:
            raise OperatorError(f"the page of plans does not offer {PLAN}", remedy=plans.url)
        checkout = _seen(browser.post(urljoin(plans.url, chosen[0]), data=chosen[1], timeout=10))
        [(payfast, fields)] = _Forms(checkout.text).forms
        till = _seen(browser.post(payfast, data=fields, timeout=10))
        pay = next(action for action, _ in _Forms(till.text).forms if action.endswith("/pay"))
        return _seen(browser.post(urljoin(till.url, pay), timeout=10)).url


def _seen(answer: requests.Response) -> requests.Response:
    if not answer.ok:
        raise OperatorError(f"{answer.url} answered {answer.status_code}", remedy=answer.text[:500])
    return answer


async def _set_up(stack: Stack, proposal_id: UUID, progress: Progress, task: Any) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        async with stack.master.connection() as conn:
            row = await DEMO.client_story(conn, proposal_id=proposal_id)
        if row and row["state"] == "done" and row["invoiced_at"]:
            progress.update(task, completed=len(STEPS) + 2, description=f"{row['slug']}: the whole stack stands")
            return row
        if row:
            at = STEPS.index(row["last_step"]) + 1 if row["last_step"] else 0
            said = row["last_step"] or "the sensor"
            progress.update(task, completed=2 + at, description=f"{row['slug']}: {said.replace('_', ' ')}")
        if time.monotonic() > deadline or (row and row["state"] == "failed"):
            where = f"{row['slug']} is {row['state']} after {row['last_step']}" if row else "no notice was believed"
            raise OperatorError(
                f"the client was not set up: {where}",
                remedy=f"{(row or {}).get('last_error') or 'nothing is recorded'}; logs: {stack.settings.state_dir}",
            )
        await asyncio.sleep(0.2)
