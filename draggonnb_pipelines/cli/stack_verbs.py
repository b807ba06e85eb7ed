"""The verbs of `draggonnb tenant` that act on a client's stack: options and help; the work is in `stacks.py`."""

from typing import Annotated

import typer

Slug = Annotated[str, typer.Argument(help="The client's slug, such as kloof-coffee.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for the slug to be typed.")]
Reason = Annotated[str, typer.Option(help="For the audit log.")]


def add_stack_verbs(tenant_app: typer.Typer) -> None:
    """Register them below `tenant`."""
    for name, verb in (
        ("abort", abort_verb),
        ("suspend", suspend_verb),
        ("resume", resume_verb),
        ("offboard", offboard_verb),
        ("erase", erase_verb),
    ):
        tenant_app.command(name)(verb)


def abort_verb(slug: Slug, yes: Yes = False) -> None:
    """Give up setting a client up: remove at every vendor what was made for it, the last thing first."""
    from draggonnb_pipelines.cli.stacks import abort

    abort(slug, yes=yes)


def suspend_verb(slug: Slug, reason: Reason = "asked by the operator", yes: Yes = False) -> None:
    """Stop serving a client, such as one that does not pay. Nothing of it is lost."""
    from draggonnb_pipelines.cli.stacks import change_standing

    change_standing(slug, serve=False, reason=reason, yes=yes)


def resume_verb(slug: Slug, reason: Reason = "asked by the operator") -> None:
    """Serve a suspended client again; what waited goes on."""
    from draggonnb_pipelines.cli.stacks import change_standing

    change_standing(slug, serve=True, reason=reason, yes=True)


def offboard_verb(
    slug: Slug,
    reason: Reason = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="The client stays after all.")] = False,
    yes: Yes = False,
) -> None:
    """A client leaves: its data as one zip file, then 30 days in which it may stay after all."""
    from draggonnb_pipelines.cli import stacks

    if withdraw:
        stacks.withdraw(slug)
    else:
        stacks.offboard(slug, reason=reason, yes=yes)


def erase_verb(slug: Slug, yes: Yes = False) -> None:
    """Erase a client whose 30 days are over, everywhere, and show the certificate."""
    from draggonnb_pipelines.cli.stacks import erase

    erase(slug, yes=yes)
