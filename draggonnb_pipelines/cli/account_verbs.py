"""The surface of `draggonnb account`: verbs, options and help; the work is in `accounts.py`, imported when one runs.

No option takes a token: command lines are seen by every process of the machine and kept by shells.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

account_app = typer.Typer(help="The clients' accounts at Facebook, Instagram, LinkedIn and X.")

Slug = Annotated[str, typer.Argument(help="The organization's slug, such as kloof-coffee.", show_default=False)]
AccountId = Annotated[
    UUID, typer.Argument(metavar="ID", help="As `draggonnb account list` shows it.", show_default=False)
]


class Network(StrEnum):
    """As the ids of `social_platforms`."""

    FACEBOOK = "facebook"
    INSTAGRAM = "instagram"
    LINKEDIN = "linkedin"
    X = "x"


@account_app.command("connect")
def connect_verb(
    slug: Slug,
    platform: Annotated[Network, typer.Argument(help="The network.", show_default=False)],
    external_id: Annotated[
        str, typer.Argument(help="The network's id of the page, account, organization or user.", show_default=False)
    ],
    handle: Annotated[str | None, typer.Option(help="As people know it, such as @kloofcoffee.")] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="Holds the access token on the first line and, where there is one, the refresh token on the second; "
            "- is stdin. Without it the tokens are asked for.",
            allow_dash=True,
            show_default=False,
        ),
    ] = None,
    expires_in: Annotated[
        int | None, typer.Option(min=1, help="Seconds until the access token ends, if the network said so.")
    ] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Use the vendor sandbox's own tokens for this account.")
    ] = False,
) -> None:
    """Connect an account, or connect it again with new tokens. Posts that waited for it go on."""
    from draggonnb_pipelines.cli.accounts import connect

    connect(
        slug,
        platform.value,
        external_id,
        handle=handle,
        token_file=token_file,
        expires_in=expires_in,
        from_sandbox=sandbox,
    )


@account_app.command("list")
def list_verb(
    slug: Annotated[str | None, typer.Argument(help="The organization's slug.", show_default=False)] = None,
    everyone: Annotated[bool, typer.Option("--all", help="The accounts of every organization.")] = False,
) -> None:
    """List accounts with their state, when they end, and how many posts wait for them."""
    from draggonnb_pipelines.cli.accounts import show_accounts

    show_accounts(slug, everyone=everyone)


@account_app.command("refresh")
def refresh_verb(slug: Slug, account_id: AccountId) -> None:
    """Renew an account's access token now. Exit code 1 if it could not be."""
    from draggonnb_pipelines.cli.accounts import refresh

    refresh(slug, account_id)


@account_app.command("disconnect")
def disconnect_verb(slug: Slug, account_id: AccountId) -> None:
    """Forget an account's tokens, and name the posts that then wait for nobody."""
    from draggonnb_pipelines.cli.accounts import disconnect

    disconnect(slug, account_id)
