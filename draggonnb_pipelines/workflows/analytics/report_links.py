"""What the address of a weekly report stands for: one organization's week, in its newest version.

The address is signed with the organization's key, so no row stands behind it; who has it reads the report and can do
nothing else. Not here: the report (`weekly_reports.py`), the page (`api/reports.py`).
"""

import hmac
from datetime import date
from typing import NamedTuple

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries

ORGANIZATIONS = load_queries("organizations")
PURPOSE = "weekly_report"


class ReportLink(NamedTuple):
    organization: Organization
    week_start: date


def report_url(stack: Stack, organization: Organization, week_start: date) -> str:
    """The page's address: the same whenever it is asked, for as long as the organization keeps its key."""
    return f"{stack.settings.base_url}/reports/{report_token(stack.tenants, organization, week_start)}"


def report_token(tenants: Tenants, organization: Organization, week_start: date) -> str:
    """`<slug>.<week>.<proof>`."""
    proof = tenants.key(organization).derive_token(PURPOSE, week_start.isoformat())
    return f"{organization.slug}.{week_start.isoformat()}.{proof}"


async def open_link(master: MasterDb, tenants: Tenants, token: str) -> ReportLink | None:
    """What this token stands for; None: not one of ours, or the organization is gone.

    Raises:
        psycopg.OperationalError, PoolTimeout: master is away.
    """
    slug, _, rest = token.partition(".")
    week, _, _ = rest.partition(".")
    try:
        week_start = date.fromisoformat(week)
    except ValueError:
        return None
    if "\0" in slug:
        return None
    async with master.connection() as conn:
        row = await ORGANIZATIONS.get_organization(conn, slug=slug)
    organization = Organization(**row) if row else None
    if organization is None or organization.data_key_wrapped is None or organization.status == "closed":
        return None
    wanted = report_token(tenants, organization, week_start)
    is_ours = hmac.compare_digest(wanted.encode(), token.encode("utf-8", "surrogateescape"))
    return ReportLink(organization, week_start) if is_ours else None
