"""The surface of `draggonnb server`, and of the verbs of `tenant` that move databases; the work is in `servers.py`."""

from pathlib import Path
from typing import Annotated

import typer

server_app = typer.Typer(help="Postgres servers that clients' databases are on.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The server's name, such as pg-2.", show_default=False)]
Slug = Annotated[str, typer.Argument(help="The client's slug, such as kloof-coffee.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for the slug to be typed.")]


def add_move_verbs(tenant_app: typer.Typer) -> None:
    """Register them below `tenant`."""
    tenant_app.command("move")(move_verb)
    tenant_app.command("drop-old")(drop_old_verb)


@server_app.command("add")
def add_verb(
    name: Name,
    dsn_file: Annotated[
        Path, typer.Option(help="A file with its DSN, which no process list shows; - is stdin.", show_default=False)
    ],
    note: Annotated[str, typer.Option(help="A line for people.", show_default=False)] = "",
    closed: Annotated[bool, typer.Option("--closed", help="Place no new clients on it.")] = False,
    replaced: Annotated[
        bool,
        typer.Option("--replaced", help="It was built anew or upgraded: with all its databases, or with none yet."),
    ] = False,
) -> None:
    """Take a server into the list, or give one that is in it a new DSN, such as after a change of its password."""
    from draggonnb_pipelines.cli.servers import add

    add(name, dsn_file=dsn_file, note=note, is_open=not closed, is_replaced=replaced)


@server_app.command("list")
def list_verb() -> None:
    """List all servers, with how many clients are on each."""
    from draggonnb_pipelines.cli.servers import show_all

    show_all()


@server_app.command("show")
def show_verb(name: Name) -> None:
    """Show one server: whether it answers, and who is on it."""
    from draggonnb_pipelines.cli.servers import show_one

    show_one(name)


@server_app.command("open")
def open_verb(name: Name) -> None:
    """Place new clients on this server too."""
    from draggonnb_pipelines.cli.servers import set_open

    set_open(name, is_open=True)


@server_app.command("close")
def close_verb(name: Name) -> None:
    """Place no more new clients on this server; who is there stays."""
    from draggonnb_pipelines.cli.servers import set_open

    set_open(name, is_open=False)


@server_app.command("remove")
def remove_verb(
    name: Name,
    lost: Annotated[
        bool, typer.Option("--lost", help="Its disks are gone for ever, with what moves have left on it.")
    ] = False,
) -> None:
    """Take a server out of the list, once nothing of a client is on it."""
    from draggonnb_pipelines.cli.servers import remove

    remove(name, is_lost=lost)


def move_verb(
    slug: Slug,
    to: Annotated[str, typer.Option(help="The server's name; where it is now gives up a move that was cut off.")],
    yes: Yes = False,
) -> None:
    """Move a client's database to another server: held, copied, compared, switched. Said again it goes on."""
    from draggonnb_pipelines.cli.servers import move

    move(slug, to, yes=yes)


def drop_old_verb(slug: Slug, yes: Yes = False) -> None:
    """Drop the databases that moves of this client have left behind."""
    from draggonnb_pipelines.cli.servers import drop_old

    drop_old(slug, yes=yes)
