"""Accepted proposals of the agency and a client's way through the checkout, as an outside client does it."""

import hashlib
import html
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants

ACCEPTED_AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
_FORM = re.compile(r'<form [^>]*action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


class AgencyProposals:
    """Proposals of one organization, with the links that its own key derives."""

    def __init__(self, organization: Organization, master: MasterDb, tenants: Tenants) -> None:
        self.organization = organization
        self._master = master
        self._tenants = tenants

    async def add(
        self,
        *,
        status: str = "accepted",
        valid_days: int = 30,
        company: str | None = "Kloof Street Coffee",
        name: str | None = "Front Desk Dlamini",
        email: str | None = "desk@kloof.example",
        lead_email: str | None = "lead@kloof.example",
    ) -> str:
        """The path of a proposal's page; `name` and `email` are those of the accept form, None for a crash before."""
        proposal_id, lead_id, accepted_at = uuid.uuid4(), uuid.uuid4(), ACCEPTED_AT if status == "accepted" else None
        async with self._tenants.open(self.organization) as tenant:
            await tenant.conn.execute(
                """with c as (insert into contacts (name, email, email_normalized, phone_e164)
                              values ('The Lead', %(mail)s, %(key)s, %(phone)s) returning id)
                   insert into leads (id, contact_id, source, received_at, company_name)
                   select %(lead)s, id, 'web_form', now(), %(company)s from c""",
                {
                    "mail": lead_email,
                    "key": f"{lead_id}@kloof.example" if lead_email else None,
                    "phone": f"+2782{lead_id.int % 10**7:07}",
                    "lead": lead_id,
                    "company": company,
                },
            )
            await tenant.conn.execute(
                """insert into proposals (id, lead_id, version, prompt_hash, request_hash, title, content, html,
                                          html_sha256, plan_key, status, accepted_at)
                   values (%s, %s, 1, 'p', 'r', 'T', %s, '<!-- decision -->', repeat('ab', 32), 'growth', %s, %s)""",
                (proposal_id, lead_id, Jsonb({}), status, accepted_at),
            )
        token = self._tenants.key(self.organization).derive_token("proposal", str(proposal_id))
        async with self._master.connection() as conn:
            await conn.execute(
                """insert into proposal_links (token_sha256, organization_id, proposal_id, lead_id, version, expires_at,
                                               accepted_at, accepted_by_name, accepted_by_email)
                   values (%s, %s, %s, %s, 1, %s, %s, %s, %s)""",
                (
                    hashlib.sha256(token.encode()).digest(),
                    self.organization.id,
                    proposal_id,
                    lead_id,
                    datetime.now(UTC) + timedelta(days=valid_days),
                    accepted_at if email else None,
                    name if accepted_at and email else None,
                    email if accepted_at else None,
                ),
            )
        return f"/proposals/{token}"


def forms(page: httpx.Response) -> list[tuple[str, dict[str, str]]]:
    """Every form of a page: where it goes, and its hidden fields."""
    return [
        (html.unescape(action), {name: html.unescape(value) for name, value in _FIELD.findall(body)})
        for action, body in _FORM.findall(page.text)
    ]


async def plan_form(http: httpx.AsyncClient, proposal: str, plan: str) -> dict[str, str]:
    """The hidden fields behind this plan's button, as the page has them now."""
    page = await http.get(f"{proposal}/plans")
    assert page.status_code == 200, page.text
    return next(fields for _, fields in forms(page) if fields["plan"] == plan)


async def choose(http: httpx.AsyncClient, proposal: str, plan: str = "growth") -> str:
    """Click on a plan; the path of the checkout."""
    answer = await http.post(f"{proposal}/plans", data=await plan_form(http, proposal, plan))
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def mark_paid(master: MasterDb, checkout_id: Any, *, provisioning: str = "waiting") -> Any:
    """What the first believed payment leaves: the client, its subscription and its place in the queue."""
    async with master.connection() as conn, conn.transaction():
        cursor = await conn.execute(
            """with o as (
                   insert into organizations (slug, name) values ('kloof-street-coffee', 'Kloof Street Coffee')
                   returning id
               ), s as (
                   insert into subscriptions (organization_id, plan_key, status, m_payment_id, amount_cents,
                                              checkout_id)
                   select o.id, c.plan_key, 'active', c.m_payment_id, c.recurring_cents, c.id
                   from o, checkouts c where c.id = %(checkout)s returning id, organization_id
               ), p as (
                   insert into provisionings (organization_id, subscription_id, owner_email, state, requested_by,
                                              run_id, finished_at)
                   select organization_id, id, 'desk@kloof.example', %(state)s, 'payment',
                          case when %(state)s = 'running' then 'run' end, case when %(state)s = 'done' then now() end
                   from s
               )
               update checkouts set state = 'paid', paid_at = now(), subscription_id = s.id from s
               where checkouts.id = %(checkout)s returning s.organization_id""",
            {"checkout": checkout_id, "state": provisioning},
        )
        row = await cursor.fetchone()
        assert row is not None
        return row["organization_id"]
