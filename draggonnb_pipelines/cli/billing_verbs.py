"""The surface of `draggonnb billing`: verbs, options and help; the work is in `billing.py`, imported when one runs."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

billing_app = typer.Typer(help="The clients' subscriptions at PayFast: what they pay, and changes of it.")

Slug = Annotated[str, typer.Argument(help="The organization's slug, such as kloof-coffee.", show_default=False)]
Key = Annotated[
    str | None,
    typer.Option(help="Names the order: repeated under the same key, it is not carried out twice.", show_default=False),
]


PaymentId = Annotated[UUID, typer.Argument(help="As `billing payments` shows it.", show_default=False)]


class Way(StrEnum):
    """As `workflows.payment_answers.WAYS`."""

    REFUNDED = "refunded"
    APPLIED_BY_HAND = "applied-by-hand"


@billing_app.command("show")
def show_verb(slug: Slug) -> None:
    """Show a client's subscription: plan, state, next charge, orders and history."""
    from draggonnb_pipelines.cli.billing import show

    show(slug)


@billing_app.command("pause")
def pause_verb(
    slug: Slug,
    months: Annotated[int, typer.Option(min=1, max=12, help="How many charges are left out.")] = 1,
    key: Key = None,
) -> None:
    """Leave out the next charges. What is paid for works to its end."""
    from draggonnb_pipelines.cli.billing import order

    order(slug, "pause", key=key, cycles=months)


@billing_app.command("resume")
def resume_verb(slug: Slug, key: Key = None) -> None:
    """End a pause: the next charge is due again."""
    from draggonnb_pipelines.cli.billing import order

    order(slug, "unpause", key=key)


@billing_app.command("cancel")
def cancel_verb(
    slug: Slug,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: PayFast takes no cancellation back.")] = False,
    key: Key = None,
) -> None:
    """End a subscription for good. What is paid for works to its end."""
    from draggonnb_pipelines.cli.billing import order

    if not yes:
        typer.confirm(f"End the subscription of {slug}? It cannot be taken back", abort=True)
    order(slug, "cancel", key=key)


@billing_app.command("change-plan")
def change_plan_verb(
    slug: Slug,
    plan: Annotated[str, typer.Argument(help="The new plan's key, such as growth.", show_default=False)],
    key: Key = None,
) -> None:
    """Change the plan: a larger one begins now, its difference by the day; a smaller one with the next period."""
    from draggonnb_pipelines.cli.billing import order

    order(slug, "change_plan", key=key, plan=plan)


@billing_app.command("charge")
def charge_verb(
    slug: Slug,
    amount: Annotated[str, typer.Argument(help="In rand, VAT included, such as 150.00.", show_default=False)],
    item: Annotated[str, typer.Option(help="What it is for, as the client reads it.", show_default=False)],
    key: Key = None,
) -> None:
    """Charge a kept card once, now. A lost answer is settled by PayFast's history, never by a second charge."""
    from draggonnb_pipelines.cli.billing import charge

    charge(slug, amount, item=item, key=key)


@billing_app.command("card-link")
def card_link_verb(slug: Slug) -> None:
    """Print the address at which the client gives PayFast another card."""
    from draggonnb_pipelines.cli.billing import show_card_link

    show_card_link(slug)


@billing_app.command("payments")
def payments_verb(
    refused: Annotated[bool, typer.Option("--refused", help="Also notices refused in the last seven days.")] = False,
) -> None:
    """List the payments that wait, and what a person is asked about them."""
    from draggonnb_pipelines.cli.payments import show_payments

    show_payments(refused=refused)


@billing_app.command("settle")
def settle_verb(
    payment: PaymentId,
    way: Annotated[Way, typer.Option("--as", help="What was done at PayFast, or here.", show_default=False)],
    note: Annotated[str, typer.Option(help="What exactly, for whoever asks later.", show_default=False)],
) -> None:
    """Say that a payment that waits for a person is dealt with. Moves no money."""
    from draggonnb_pipelines.cli.payments import settle

    settle(payment, way, note=note)


@billing_app.command("recheck")
def recheck_verb(payment: PaymentId) -> None:
    """Check a refused notice again, after a wrong passphrase or network in the settings was mended."""
    from draggonnb_pipelines.cli.payments import recheck

    recheck(payment)
