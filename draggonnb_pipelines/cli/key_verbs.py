"""The surface of `draggonnb keys`: verbs, options and help; the work is in `keys.py`, imported when one runs.

No option takes a key: command lines are seen by every process of the machine and kept by shells.
"""

from typing import Annotated

import typer

key_app = typer.Typer(help="The master keys: which there are, what rests on each, and putting a new one in place.")


@key_app.command("list")
def list_verb() -> None:
    """Show the keys by their ids and fingerprints, and how much rests on each."""
    from draggonnb_pipelines.cli.keys import show_keys

    show_keys()


@key_app.command("add")
def add_verb() -> None:
    """Make a new master key that seals from the next start on. Only where this machine's own key file is used."""
    from draggonnb_pipelines.cli.keys import add

    add()


@key_app.command("rotate")
def rotate_verb() -> None:
    """Seal everything again under the first key. Safe while all runs; interrupted, say it again."""
    from draggonnb_pipelines.cli.keys import rotate

    rotate()


@key_app.command("retire")
def retire_verb(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="As `keys list` shows it.", show_default=False)],
    lose_backups: Annotated[
        bool, typer.Option("--lose-backups", help="Also where kept backups open with it alone: they never will again.")
    ] = False,
) -> None:
    """Give a key up. Refused while anything rests on it."""
    from draggonnb_pipelines.cli.keys import retire

    retire(key_id, lose_backups=lose_backups)
