"""How each thing of a client's stack is found at its vendor as ours, and removed there.

Lives here: one function for each kind of thing. Not here: in which order, and what the ledger says of it
(`removal.py`).

Each may be repeated at will, and looks for everything that carries our mark: also for what a call made whose answer was
lost. What does not carry it is left alone, whatever its name.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg

from draggonnb_pipelines.domain.kickoff import invitation
from draggonnb_pipelines.domain.n8n_workflows import credential_id
from draggonnb_pipelines.domain.provisioning import WEBHOOKS, Resource, repo_name, webhook_path
from draggonnb_pipelines.errors import NeedsReview, TenantUnavailable
from draggonnb_pipelines.resources.github_wire import Repository
from draggonnb_pipelines.resources.project_database import takes_password
from draggonnb_pipelines.resources.supabase_wire import Project
from draggonnb_pipelines.resources.vercel_wire import Project as Site
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.messages.notices import Notice, send_waiting
from draggonnb_pipelines.workflows.pages import render
from draggonnb_pipelines.workflows.provisioning.client_mails import ClientMail, agency_of, is_planned, plan_mails
from draggonnb_pipelines.workflows.provisioning.github_repo import carries_mark
from draggonnb_pipelines.workflows.provisioning.kickoff_call import KICKOFF, TENANT
from draggonnb_pipelines.workflows.provisioning.n8n_webhooks import entries_of
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, NotYet
from draggonnb_pipelines.workflows.provisioning.supabase_project import CLOCK_SKEW, ENDS, PASSWORD, dsn_of_project

REMOVAL = load_queries("removal")


async def remove_project(ledger: Ledger, resource: Resource) -> str:
    """The Supabase project with its database, and any other that a lost call of ours made.

    Raises:
        NotYet: one of that name is not up yet, so it cannot be told whose it is.
        NeedsReview: one of that name will never be up.
    """
    supabase, settings = ledger.stack.supabase, ledger.stack.settings
    gone = []
    if resource.vendor_id:
        await supabase.delete(resource.vendor_id)
        gone.append(resource.vendor_id)
    for project in await supabase.find_projects(settings.supabase_organization, resource.name):
        if project.ref not in gone and await _is_our_project(ledger, resource, project):
            await supabase.delete(project.ref)
            gone.append(project.ref)
    return f"deleted: {', '.join(gone)}" if gone else "none was made"


async def _is_our_project(ledger: Ledger, resource: Resource, project: Project) -> bool:
    """A project has no mark: it is ours if our call could have made it and its database takes our password."""
    assert resource.created_at is not None
    if resource.attempted_at is None or project.created_at < resource.created_at - CLOCK_SKEW:
        return False
    settled = resource.attempted_at + timedelta(seconds=ledger.stack.settings.provision_settle_seconds)
    if project.created_at > settled + CLOCK_SKEW:
        return False
    if project.status in ENDS:
        raise NeedsReview(f"supabase: whose {project.ref} is cannot be told, it is {project.status}: look at it there")
    poll = ledger.stack.settings.provision_poll_seconds
    if not project.is_healthy:
        raise NotYet(f"the project {project.ref} is {project.status}: whose it is can be told once it is up", poll)
    try:
        return await takes_password(await dsn_of_project(ledger.stack, project.ref, resource.secrets[PASSWORD]))
    except psycopg.OperationalError as error:
        raise NotYet(f"the database of the project {project.ref} cannot be reached yet", poll) from error


async def remove_repo(ledger: Ledger, resource: Resource) -> str:
    """The GitHub repository, archived or not."""
    repo = await our_repo(ledger, resource)
    if repo is None:
        return _not_there(resource)
    await ledger.stack.github.delete(*repo.full_name.split("/"))
    return f"deleted: {repo.full_name}"


def _not_there(resource: Resource) -> str:
    return f"{resource.vendor_id} was gone already" if resource.vendor_id else "none was made"


async def our_repo(ledger: Ledger, resource: Resource) -> Repository | None:
    """The client's repository: by the number that it got, or by our mark; None if there is none that is ours."""
    known = resource.details.get("full_name")
    owner, _, name = (known or f"{ledger.stack.settings.github_owner}/{resource.name}").partition("/")
    repo = await ledger.stack.github.repo(owner, name)
    if repo is None:
        return None
    if resource.vendor_id is not None:
        return repo if str(repo.id) == resource.vendor_id else None
    return repo if carries_mark(repo, ledger.client.mark, resource.details.get("template")) else None


async def remove_site(ledger: Ledger, resource: Resource) -> str:
    """The Vercel project with its domain, variables and deployments."""
    site = await _our_site(ledger, resource)
    if site is None:
        return _not_there(resource)
    await ledger.stack.vercel.delete_project(site.id)
    return f"deleted: {site.id}"


async def _our_site(ledger: Ledger, resource: Resource) -> Site | None:
    """By the id that it got, or by the repository that it is linked to, which is ours by its mark."""
    site = await ledger.stack.vercel.project(resource.vendor_id or resource.name)
    if site is None or site.id == resource.vendor_id:
        return site
    try:
        repo = await ledger.resource("github_repo", repo_name(ledger.client.slug))
    except LookupError:
        return None
    return site if repo.vendor_id and str(site.repo_id) == repo.vendor_id else None


async def remove_entry(ledger: Ledger, resource: Resource) -> str:
    """One entry workflow in n8n, archived, since n8n keeps what ran; with the last one goes the client's token."""
    client, n8n = ledger.client, ledger.stack.n8n
    kind = resource.name.rpartition("/")[2]
    ours = await entries_of(ledger, kind, resource)
    for workflow in ours:
        await n8n.archive(workflow.id)
    if resource.name == webhook_path(client.slug, WEBHOOKS[0]):
        await n8n.delete_credential(credential_id(client))
    return f"archived: {', '.join(one.id for one in ours)}" if ours else "none was there"


async def cancel_call(ledger: Ledger, resource: Resource) -> str:
    """The first call: who was invited to one that is still to come is told, and its half hour is free again.

    The news goes through the agency's outbox, since the client's own goes with its database.
    """
    stack, organization = ledger.stack, ledger.client.organization
    async with stack.master.connection() as conn:
        call = await KICKOFF.kickoff_of(conn, organization_id=organization.id)
    if call is None:
        return "no half hour was taken"
    agency = await agency_of(stack)
    is_to_come = call["starts_at"] > stack.now()
    if is_to_come and await _was_invited(ledger, resource):
        event_key = f"kickoff_cancelled:{organization.id}:{call['starts_at'].isoformat()}"
        async with stack.tenants.open(agency) as tenant:
            sales = [person["email"] async for person in TENANT.lead_recipients(tenant.conn)]
        people = list(dict.fromkeys([ledger.client.owner_email, *sales]))
        await plan_mails(stack, agency, _cancellations(ledger, call, event_key, people))
        await send_waiting(stack, agency)
    async with stack.master.connection() as conn:
        await REMOVAL.free_half_hour(conn, organization_id=organization.id)
    return "cancelled" if is_to_come else "it was over"


async def _was_invited(ledger: Ledger, resource: Resource) -> bool:
    if resource.attempted_at is None:
        return False
    client = ledger.client
    try:
        key = f"kickoff_call:{client.organization.id}"
        return await is_planned(ledger.stack, client.organization, key, client.owner_email)
    except TenantUnavailable:
        return True  # a cancellation too many confuses less than a call that nobody comes to


def _cancellations(ledger: Ledger, call: Mapping[str, Any], event_key: str, people: list[str]) -> list[ClientMail]:
    client, stack = ledger.client, ledger.stack
    summary = f"First call: {client.organization.name} and {stack.settings.seller_name}"
    calendar = invitation(
        uid=call["uid"],
        starts_at=call["starts_at"],
        ends_at=call["ends_at"],
        written_at=call["created_at"] + timedelta(seconds=1),
        summary=summary,
        description="This call does not take place.",
        organizer=(stack.settings.seller_name, stack.mailer.address),
        attendees=[("", email) for email in people],
        is_cancelled=True,
    )
    lines = (f"The call of {call['starts_at']:%Y-%m-%d %H:%M} UTC does not take place.",)
    notice = Notice(event_key, "kickoff_cancelled", f"Cancelled: {summary}", lines)
    html, text = (
        render(f"notice_mail.{kind}.j2", notice=notice, organization=client.organization) for kind in ("html", "txt")
    )
    return [ClientMail(event_key, email, notice.subject, text, html, calendar) for email in people]
