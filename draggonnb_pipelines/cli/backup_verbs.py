"""The surface of `draggonnb backup`: verbs, options and help; the work is in `backups.py`."""

from datetime import datetime
from typing import Annotated

import typer

backup_app = typer.Typer(help="Backups: taking, proving and restoring them.")
Client = Annotated[
    str, typer.Argument(metavar="TENANT", help="The client's slug, such as kloof-coffee.", show_default=False)
]
OnlyTenant = Annotated[
    list[str] | None, typer.Option("--tenant", help="Only this client; may be given several times.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for the slug to be typed.")]
MOMENTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]


@backup_app.command("create")
def create_verb(
    tenant: OnlyTenant = None,
    everything: Annotated[bool, typer.Option("--all", help="The master and every client.")] = False,
    master: Annotated[bool, typer.Option("--master", help="The master.")] = False,
) -> None:
    """Back up now. Exit code 1 if one could not be."""
    from draggonnb_pipelines.cli.backups import create

    create(tenant or [], everything=everything, master=master)


@backup_app.command("list")
def list_verb(
    tenant: Annotated[str | None, typer.Option(help="Only this client, or `master`.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 50,
) -> None:
    """List backups, newest first, with the reason where one failed."""
    from draggonnb_pipelines.cli.backups import show_backups

    show_backups(tenant, limit)


@backup_app.command("restore")
def restore_verb(
    slug: Annotated[
        str | None, typer.Argument(metavar="[TENANT]", help="The client's slug.", show_default=False)
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(formats=MOMENTS, help="The newest backup not after this moment (UTC).", show_default=False),
    ] = None,
    into: Annotated[
        str | None, typer.Option(help="Only make a database of this name; the client serves on.", show_default=False)
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="The server is lost: master and clients from the files, onto an empty server.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Put a client back to its backup. The database that it replaces is kept until `drop-old`."""
    from draggonnb_pipelines.cli.backups import restore, restore_all

    if everything == (slug is not None) or (everything and (at or into)):
        raise typer.BadParameter("give a TENANT (with --at and --into), or --all")
    if slug is None:
        restore_all()
    else:
        restore(slug, at=at, into=into, yes=yes)


@backup_app.command("verify")
def verify_verb(tenant: OnlyTenant = None) -> None:
    """Read the newest files to their end and prove them, without restoring. Exit code 1 if one is broken."""
    from draggonnb_pipelines.cli.backups import verify

    verify(tenant or None)


@backup_app.command("drill")
def drill_verb(tenant: OnlyTenant = None) -> None:
    """Restore the newest backups beside everything else, compare, time and drop them. Exit code 1 if one is bad."""
    from draggonnb_pipelines.cli.backups import drill

    drill(tenant or None)


@backup_app.command("drop-old")
def drop_old_verb(slug: Client, yes: Yes = False) -> None:
    """Drop the database that a restore of this client put aside."""
    from draggonnb_pipelines.cli.backups import drop_old

    drop_old(slug, yes=yes)
