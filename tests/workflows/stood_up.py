"""A client whose stack stands: real things in the sandbox, and the ledger's rows of them. What is left of both later.

Not here: assertions.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from draggonnb_pipelines.domain.n8n_workflows import TOKEN_HEADER, credential_id, entry_workflow
from draggonnb_pipelines.domain.provisioning import WEBHOOKS, repo_name, webhook_path
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.vendors import build_github, build_n8n, build_supabase, build_vercel
from draggonnb_pipelines.workflows.provisioning.client_mails import ClientMail, plan_mails, send_planned
from draggonnb_pipelines.workflows.provisioning.stack_clients import ledger_of
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Made
from tests.sandbox_process import Sandbox
from tests.workflows.client_desk import OWNER, Desk

TEMPLATE = "draggonnb/client-template"
SLUG = "kloof-coffee"


async def stand_up(desk: Desk, sandbox: Sandbox, *, state: str = "done") -> Desk:
    """Everything that the ten steps make, ready in the ledger; the desk with the client as master has it."""
    await provision_row(desk, state)
    await desk.with_project(sandbox)
    await desk.seal("tenant_schema", "supabase", "kloof-coffee-db", Made("kloof-coffee-db"))
    await with_marked_repo(desk, sandbox)
    await with_site(desk, sandbox)
    await with_entries(desk)
    await desk.seal("onboarding_email", "mail", "welcome_mail", Made("<welcome@draggonnb.example>"))
    await desk.seal("training_materials", "github", "materials", Made("materials"))
    await with_call(desk)
    return replace(desk, client=(await ledger_of(desk.stack, SLUG)).client)


@asynccontextmanager
async def impatient(desk: Desk) -> AsyncIterator[Desk]:
    """The same, with vendors' clients that do not wait before they try again."""

    async def no_wait(seconds: float) -> None: ...

    settings = desk.stack.settings
    async with HttpDoor(user_agent="test", sleep=no_wait) as door:
        clients = {
            "supabase": build_supabase(settings, door),
            "github": build_github(settings, door),
            "vercel": build_vercel(settings, door),
            "n8n": build_n8n(settings, door),
        }
        yield replace(desk, stack=replace(desk.stack, **clients))


async def provision_row(desk: Desk, state: str) -> None:
    """The client's row in `provisionings`; one that is not done has no key to the door yet either."""
    finished = datetime.now(UTC) if state == "done" else None
    async with desk.stack.master.connection() as conn:
        await conn.execute(
            "insert into provisionings (organization_id, state, owner_name, owner_email, requested_by, finished_at)"
            " values (%s, %s, 'The owner', %s, 'test', %s)",
            (desk.client.organization.id, state, OWNER, finished),
        )


async def with_marked_repo(desk: Desk, sandbox: Sandbox, *, answered: bool = True) -> str:
    """A repository with our mark in its description; without an answer, the row only says that it was called."""
    sandbox.settings(github_copy_seconds=0.0)
    name = repo_name(SLUG)
    planned = await desk.ledger.plan("github_repo", "github", name, details={"template": TEMPLATE})
    if planned.state != "removing":  # then it is the call of before that arrives
        await desk.ledger.begin(planned)
    description = f"App of a DraggonnB client {desk.client.mark}"
    made = await desk.stack.github.create_from_template(TEMPLATE, "draggonnb", name, description=description)
    if answered:
        await desk.ledger.ready(planned, Made(str(made.id), made.url, {"full_name": made.full_name, "branch": "main"}))
    return str(made.id)


async def with_site(desk: Desk, sandbox: Sandbox) -> str:
    sandbox.settings(vercel_build_seconds=0.0)
    name = repo_name(SLUG)
    made = await desk.stack.vercel.create_project(name, f"draggonnb/{name}")
    await desk.seal("environment", "vercel", name, Made(made.id))
    await desk.stack.vercel.add_domain(made.id, f"{SLUG}.draggonnb.app")
    await desk.seal("vercel_deployment", "vercel", f"{SLUG}.draggonnb.app", Made("dpl_1"))
    return made.id


async def with_entries(desk: Desk) -> list[str]:
    """The three workflows, published, behind one credential."""
    n8n, client, made = desk.stack.n8n, desk.client, []
    await n8n.put_credential(credential_id(client), SLUG, {"name": TOKEN_HEADER, "value": "token"})
    for kind in WEBHOOKS:
        planned = await desk.ledger.plan("n8n_webhooks", "n8n", webhook_path(SLUG, kind))
        workflow = await n8n.create_workflow(entry_workflow(client, kind, api_url="http://127.0.0.1:1"))
        await n8n.publish(workflow.id)
        await desk.ledger.ready(planned, Made(workflow.id, n8n.webhook_url(planned.name)))
        made.append(workflow.id)
    return made


async def with_call(desk: Desk, *, starts_at: datetime | None = None) -> None:
    """A half hour that was taken, and to which the owner was invited."""
    starts_at = starts_at or datetime(2100, 1, 4, 9, 0, tzinfo=UTC)
    organization = desk.client.organization
    planned = await desk.ledger.plan("kickoff_call", "mail", "invitation")
    await desk.ledger.begin(planned)
    async with desk.stack.master.connection() as conn:
        await conn.execute(
            "insert into kickoff_calls (organization_id, starts_at, ends_at, uid)"
            " values (%s, %s, %s, 'call-1@x.example')",
            (organization.id, starts_at, starts_at + timedelta(minutes=30)),
        )
    event_key = f"kickoff_call:{organization.id}"
    await plan_mails(desk.stack, organization, [ClientMail(event_key, OWNER, "First call", "Soon.", "<p>Soon.")])
    await send_planned(desk.stack, organization, event_key, [OWNER])
    await desk.ledger.ready(planned, Made("call-1@x.example"))


def things_left(sandbox: Sandbox) -> dict[str, list[str]]:
    """What the vendors still hold, the template and what was put away left out."""
    return {
        "supabase": [one["name"] for one in sandbox.public("supabase")],
        "github": [one["full_name"] for one in sandbox.public("github") if one["full_name"] != TEMPLATE],
        "vercel": [one["name"] for one in sandbox.public("vercel")],
        "n8n": [one["name"] for one in sandbox.public("n8n") if not one["archived"]],
        "credentials": [one["id"] for one in sandbox.public("n8n_credential")],
    }


NOTHING: dict[str, list[str]] = {"supabase": [], "github": [], "vercel": [], "n8n": [], "credentials": []}


def writes(sandbox: Sandbox) -> list[tuple[str, str]]:
    """Every call that changed something, or meant to: method and path."""
    return [
        (entry["method"], entry["path"])
        for entry in sandbox.journal()
        if entry["method"] in ("POST", "PUT", "PATCH", "DELETE")
    ]


def cancellations(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [mail for mail in sandbox.public("mail") if "METHOD:CANCEL" in (mail["calendar"] or "")]
