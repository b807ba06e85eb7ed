"""The tools that read. None changes anything, none calls a vendor.

Lives here: which existing reading each tool stands for, and its answer. Not here: shapes (`answers.py`), which of a
row's columns are told (`views.py`), what becomes of errors (`server.py`). A tool's docstring is what the client's
model reads of it.
"""

from uuid import UUID

import httpx

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.mcp_server import answers, views
from draggonnb_pipelines.mcp_server.answers import InboxState, LeadStatus, Limit, QueueStatus, Slug
from draggonnb_pipelines.mcp_server.fences import Fence
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.usage_reading import read_usage
from draggonnb_pipelines.workflows.inbox_batches import INBOX, organizations_by_slug
from draggonnb_pipelines.workflows.messages.open_alerts import look_into_clients, open_alerts
from draggonnb_pipelines.workflows.publishing.publish_questions import QUESTIONS

MCP = load_queries("mcp")
LEADS = load_queries("leads")
INSTALLATION = load_queries("installation")
REMOVAL = load_queries("removal")
HEALTH_SECONDS = 10
QUESTIONS_EACH = 100


class Reading:
    """The reading half of the desk, over one opened installation.

    Args:
        api_url: where the API of this installation answers on this machine.
    """

    def __init__(self, stack: Stack, *, api_url: str) -> None:
        self._stack = stack
        self._api_url = api_url

    async def list_organizations(self) -> answers.Organizations:
        """All organizations: the agency's clients, and the agency itself (draggonnb)."""
        fence = Fence()
        async with self._stack.master.connection() as conn:
            rows = [row async for row in INSTALLATION.tenant_overview(conn)]
        return answers.Organizations(
            notice=fence.notice, organizations=[views.organization(row, fence) for row in rows]
        )

    async def list_leads(
        self, organization: Slug, status: LeadStatus | None = None, limit: Limit = 30
    ) -> answers.Leads:
        """An organization's leads, newest first, with their scores. Addresses and numbers are left out."""
        fence, owner = Fence(), await organization_of(self._stack, organization)
        async with self._stack.tenants.open(owner) as tenant:
            rows = [row async for row in MCP.leads(tenant.conn, status=status, row_limit=limit)]
        leads = [views.lead(row, fence) for row in rows]
        return answers.Leads(notice=fence.notice, organization=owner.slug, leads=leads)

    async def show_analysis(self, organization: Slug, lead_id: UUID) -> answers.Analysis:
        """The newest analyses of one lead: the company, its three quick wins, its competitors."""
        fence, owner = Fence(), await organization_of(self._stack, organization)
        async with self._stack.tenants.open(owner) as tenant:
            leads = [row async for row in LEADS.lead_rows(tenant.conn, lead_ids=[lead_id])]
            stored = {row["kind"]: row async for row in LEADS.current_analyses(tenant.conn, lead_ids=[lead_id])}
        if not leads:
            raise OperatorError(
                f"lead_id: {owner.slug} has no lead {lead_id}", remedy="list_leads shows those of an organization"
            )
        [lead] = leads
        business, competitors = stored.get("business"), stored.get("competitors")
        return answers.Analysis(
            notice=fence.notice,
            organization=owner.slug,
            lead_id=lead_id,
            status=lead["status"],
            company=fence(lead["company_name"]),
            website=fence(lead["website"]),
            business=views.business(business, fence) if business else None,
            competitors=views.competitors(competitors, fence) if competitors else None,
        )

    async def tenant_stack(self, organization: Slug) -> answers.TenantStack:
        """One organization, and everything that was made for it at the vendors: state, age, costs, last error."""
        fence, owner = Fence(), await organization_of(self._stack, organization)
        async with self._stack.master.connection() as conn:
            row = await INSTALLATION.tenant_details(conn, slug=owner.slug)
            resources = [one async for one in REMOVAL.stack_of(conn, organization_id=owner.id)]
        shown = [views.resource(one, fence) for one in resources]
        return answers.TenantStack(
            notice=fence.notice,
            organization=owner.slug,
            name=fence(row["name"]),
            status=row["status"],
            plan=row["plan_key"],
            timezone=row["timezone"],
            locale=row["locale"],
            deliveries_waiting=row["waiting"],
            deliveries_dead=row["dead"],
            last_delivery_at=row["last_delivery_at"],
            resources=shown,
            monthly_usd=round(sum(one.monthly_usd for one in shown), 2),
        )

    async def publish_queue(
        self, organization: Slug, status: QueueStatus | None = None, limit: Limit = 30
    ) -> answers.PublishQueue:
        """An organization's publish ledger, newest first: what goes out when, what went out and how late."""
        fence, owner = Fence(), await organization_of(self._stack, organization)
        async with self._stack.tenants.open(owner) as tenant:
            rows = [row async for row in QUESTIONS.queue_rows(tenant.conn, status=status, row_limit=limit)]
        shown = [views.queue_row(row, fence) for row in rows]
        return answers.PublishQueue(notice=fence.notice, organization=owner.slug, rows=shown)

    async def review_posts(self, organization: Slug | None = None) -> answers.Questions:
        """Posts that wait for a person, each with its question; of one active organization, or of all."""
        fence = Fence()
        if organization is not None:
            await organization_of(self._stack, organization)
        found, away = await look_into_clients(
            self._stack.master,
            self._stack.tenants,
            organization,
            lambda tenant: QUESTIONS.questions(tenant.conn, row_limit=QUESTIONS_EACH),
        )
        in_order = sorted(found, key=lambda one: (one[1]["publish_at"], one[0]))
        shown = [views.question(slug, row, fence) for slug, row in in_order]
        return answers.Questions(notice=fence.notice, questions=shown, away=away)

    async def inbox_list(
        self, organization: Slug | None = None, state: InboxState | None = None, limit: Limit = 50
    ) -> answers.Inbox:
        """What webhooks brought, newest first, with the reason where a delivery failed; never what it says."""
        fence = Fence()
        if organization is not None:
            await organization_of(self._stack, organization)
        async with self._stack.master.connection() as conn:
            rows = [row async for row in INBOX.list_rows(conn, state=state, slug=organization, row_limit=limit)]
        return answers.Inbox(notice=fence.notice, rows=[views.delivery(row, fence) for row in rows])

    async def health(self) -> answers.HealthReport:
        """What the running API says of itself, its database and the vendors; `down` where it does not answer."""
        url = f"{self._api_url}/api/health"
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=HEALTH_SECONDS) as client:
                report = (await client.get(url)).json()
        except httpx.HTTPError as error:
            report = {"status": "down", "reason": f"the API does not answer: {type(error).__name__}"}
        except ValueError:
            report = None
        if not isinstance(report, dict) or not isinstance(report.get("status"), str):
            report = {"status": "down", "reason": "what answers there is not our API"}
        return answers.HealthReport(notice=Fence().notice, url=url, status=report["status"], report=report)

    async def usage(self, organization: Slug) -> answers.UsageReport:
        """How far an organization's plan is used now: the five metrics, in the periods of its zone."""
        owner = await organization_of(self._stack, organization)
        async with self._stack.tenants.open(owner) as tenant:
            found = await read_usage(self._stack.master, tenant, self._stack.now())
        return answers.UsageReport(
            notice=Fence().notice,
            organization=owner.slug,
            plan=found.plan_key,
            timezone=owner.timezone,
            metrics=[views.metric(use) for use in found.metrics],
        )

    async def open_alerts(self, organization: Slug | None = None) -> answers.Alerts:
        """What somebody must see to and nobody has answered, oldest first; of one active organization, or of all."""
        fence = Fence()
        if organization is not None:
            await organization_of(self._stack, organization)
        found, away = await open_alerts(self._stack.master, self._stack.tenants, organization)
        shown = [views.alert(slug, row, fence) for slug, row in found]
        return answers.Alerts(notice=fence.notice, alerts=shown, away=away)


async def organization_of(stack: Stack, slug: str) -> Organization:
    """Raises OperatorError where nobody has this slug."""
    organization = (await organizations_by_slug(stack, [slug])).get(slug)
    if organization is None:
        raise OperatorError(f"organization: nobody has the slug {slug!r}", remedy="list_organizations shows all")
    return organization
