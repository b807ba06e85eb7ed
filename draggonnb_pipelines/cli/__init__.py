"""The operator's command line, `draggonnb`: the verbs, their options and their help.

Lives here: only the surface. Each verb's work is in a module of its own, imported when the verb runs, so that
`--help` and the light verbs start quickly and never import Dagster.
Does not live here: what becomes of an error (`faults.py`), and any output (`screen.py`).
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from draggonnb_pipelines.cli.account_verbs import account_app
from draggonnb_pipelines.cli.alert_verbs import alert_app
from draggonnb_pipelines.cli.backup_verbs import backup_app
from draggonnb_pipelines.cli.billing_verbs import billing_app
from draggonnb_pipelines.cli.faults import VerbGroup
from draggonnb_pipelines.cli.key_verbs import key_app
from draggonnb_pipelines.cli.person_verbs import person_app
from draggonnb_pipelines.cli.publish_verbs import publish_app
from draggonnb_pipelines.cli.serve_verbs import add_serve_verbs
from draggonnb_pipelines.cli.server_verbs import add_move_verbs, server_app
from draggonnb_pipelines.cli.stack_verbs import add_stack_verbs

app = typer.Typer(
    cls=VerbGroup,
    help="DraggonnB CRMM: the back office of a marketing agency.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its frames would show secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)
tenant_app = typer.Typer(help="Organizations: the agency's clients, each with a database of its own.")
lead_app = typer.Typer(help="Leads.")
inbox_app = typer.Typer(help="What webhooks brought, and what became of it.")
audit_app = typer.Typer(help="The hash-chained audit logs.")
for name, group in (("tenant", tenant_app), ("lead", lead_app), ("inbox", inbox_app), ("audit", audit_app)):
    app.add_typer(group, name=name, no_args_is_help=True)
app.add_typer(account_app, name="account", no_args_is_help=True)
app.add_typer(publish_app, name="publish", no_args_is_help=True)
app.add_typer(billing_app, name="billing", no_args_is_help=True)
app.add_typer(alert_app, name="alerts", no_args_is_help=True)
app.add_typer(backup_app, name="backup", no_args_is_help=True)
app.add_typer(key_app, name="keys", no_args_is_help=True)
app.add_typer(person_app, name="person", no_args_is_help=True)
app.add_typer(server_app, name="server", no_args_is_help=True)

Slug = Annotated[str, typer.Argument(help="The organization's slug, such as kloof-coffee.", show_default=False)]
Day = ["%Y-%m-%d"]


class InboxState(StrEnum):
    """As the inbox's column `state`."""

    RECEIVED = "received"
    CLAIMED = "claimed"
    DONE = "done"
    DEAD = "dead"


@app.callback()
def main(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more; show tracebacks.")] = False,
) -> None:
    from draggonnb_pipelines.cli.faults import set_up_logging

    set_up_logging(verbose=verbose)


@app.command("up")
def up_verb() -> None:
    """Run everything on this machine until Ctrl-C: database, API, Dagster, and the sandbox of missing vendors."""
    from draggonnb_pipelines.cli.up import up

    up()


@app.command("demo")
def demo_verb() -> None:
    """Send one lead and one post through everything, show what happened, and stop."""
    from draggonnb_pipelines.cli.demo import demo

    demo()


@app.command("client")
def client_verb() -> None:
    """Show a client's app in the sandbox until Ctrl-C: sets a client up, builds its app and serves it. Needs npm."""
    from draggonnb_pipelines.cli.client import client

    client()


@app.command("migrate")
def migrate_verb() -> None:
    """Bring the master database, the tenant templates and every tenant on our servers up to date."""
    from draggonnb_pipelines.cli.migrate import migrate_all

    migrate_all()


@app.command("doctor")
def doctor_verb() -> None:
    """Check everything that has to be right, and say what to do where it is not. Exit code 1 if anything is wrong."""
    from draggonnb_pipelines.cli.doctor import doctor

    doctor()


@app.command("watch")
def watch_verb() -> None:
    """Look once whether API, database and daemon live, and mail the agency's owners when that changes. For a timer."""
    from draggonnb_pipelines.cli.watch import watch

    watch()


@app.command("mcp")
def mcp_verb(
    http: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, metavar="PORT", help="By HTTP on this port of 127.0.0.1; else by stdin, stdout."
        ),
    ] = None,
    allow_writes: Annotated[
        bool, typer.Option("--allow-writes", help="Offer also what changes something; each is confirmed and audited.")
    ] = False,
) -> None:
    """Serve the operator's readings to a program that speaks the Model Context Protocol, until it ends."""
    from draggonnb_pipelines.cli.mcp import serve

    serve(port=http, allow_writes=allow_writes)


@app.command("reprocess")
def reprocess_verb(
    from_day: Annotated[datetime, typer.Option("--from", formats=Day, help="First day (UTC).", show_default=False)],
    to_day: Annotated[datetime, typer.Option("--to", formats=Day, help="Last day (UTC).", show_default=False)],
    organization: Annotated[
        list[str] | None, typer.Option(help="Whose leads; may be given several times.", show_default=False)
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="The leads of every organization.")] = False,
) -> None:
    """Analyse the stored leads of these days again with the current prompts. Nobody is notified."""
    from draggonnb_pipelines.cli.reprocess import reprocess

    reprocess(organization or [], everyone=everyone, from_day=from_day.date(), to_day=to_day.date())


@tenant_app.command("create")
def tenant_create_verb(
    slug: Slug,
    name: Annotated[str, typer.Option(help="As clients write it, such as 'Kloof Coffee'.", show_default=False)],
    owner_email: Annotated[str, typer.Option(help="Who is told about leads.", show_default=False)],
    owner_phone: Annotated[
        str | None, typer.Option(help="For WhatsApp, with country code, such as +27821234567.", show_default=False)
    ] = None,
    timezone: Annotated[str, typer.Option(help="An IANA zone.")] = "Africa/Johannesburg",
    locale: Annotated[str, typer.Option(help="Language and country.")] = "en-ZA",
    server: Annotated[
        str | None, typer.Option(help="Where its database is to be; else the open server with the fewest clients.")
    ] = None,
) -> None:
    """Create an organization with its own database. Safe to repeat, also after a crash."""
    from draggonnb_pipelines.cli.tenants import create

    create(
        slug,
        name=name,
        owner_email=owner_email,
        owner_phone=owner_phone,
        timezone=timezone,
        locale=locale,
        server=server,
    )


@tenant_app.command("list")
def tenant_list_verb() -> None:
    """List all organizations."""
    from draggonnb_pipelines.cli.tenants import show_all

    show_all()


@tenant_app.command("show")
def tenant_show_verb(
    slug: Slug,
    token: Annotated[bool, typer.Option("--token", help="Show the webhook token, a secret, too.")] = False,
) -> None:
    """Show one organization: its webhook, its database, what waits for it, and everything that was made for it."""
    from draggonnb_pipelines.cli.tenants import show_one

    show_one(slug, with_token=token)


add_stack_verbs(tenant_app)
add_move_verbs(tenant_app)
add_serve_verbs(app)


@lead_app.command("send")
def lead_send_verb(
    slug: Slug,
    name: Annotated[str | None, typer.Option(help="The person's name.")] = None,
    email: Annotated[str | None, typer.Option(help="E-mail address; this or --phone is needed.")] = None,
    phone: Annotated[str | None, typer.Option(help="Phone number, as people type it.")] = None,
    company: Annotated[str | None, typer.Option(help="The company's name.")] = None,
    website: Annotated[str | None, typer.Option(help="The company's web site.")] = None,
    message: Annotated[str | None, typer.Option(help="What the person wrote.")] = None,
    delivery_id: Annotated[str | None, typer.Option(help="Repeat it, and the lead is not taken twice.")] = None,
) -> None:
    """Send a lead to the running API, as the organization's own web form would."""
    from draggonnb_pipelines.cli.leads import send

    fields = {"name": name, "email": email, "phone": phone, "company": company, "website": website, "message": message}
    send(slug, {key: value for key, value in fields.items() if value is not None}, delivery_id=delivery_id)


@inbox_app.command("list")
def inbox_list_verb(
    state: Annotated[InboxState | None, typer.Option(help="Only rows in this state.")] = None,
    organization: Annotated[str | None, typer.Option(help="Only this organization's rows.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
) -> None:
    """List deliveries, newest first, with the reason where one failed."""
    from draggonnb_pipelines.cli.inbox import show_rows

    show_rows(state=state.value if state else None, slug=organization, limit=limit)


@inbox_app.command("replay")
def inbox_replay_verb(
    ids: Annotated[list[UUID] | None, typer.Argument(help="Rows that are dead or done.", show_default=False)] = None,
    organization: Annotated[str | None, typer.Option(help="All dead rows of this organization.")] = None,
) -> None:
    """Put dead rows (or any finished ones by id) back to the start of the queue. Their effects do not repeat."""
    from draggonnb_pipelines.cli.inbox import replay

    replay(ids or [], slug=organization)


@audit_app.command("verify")
def audit_verify_verb(
    organization: Annotated[str | None, typer.Option(help="Only this organization's log.")] = None,
) -> None:
    """Prove that the audit logs are as they were written. Exit code 1, and the broken entries, if one is not."""
    from draggonnb_pipelines.cli.audit import verify

    verify(organization)


@audit_app.command("export")
def audit_export_verb(
    path: Annotated[Path, typer.Argument(help="The file to write; - is stdout.", allow_dash=True, show_default=False)],
    organization: Annotated[str | None, typer.Option(help="Only this organization's log.")] = None,
) -> None:
    """Write the audit logs as JSON lines that can be verified without this program. Keep it off this machine."""
    from draggonnb_pipelines.cli.audit_export import export

    export(path, organization)
