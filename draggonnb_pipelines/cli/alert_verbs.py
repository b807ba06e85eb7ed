"""The surface of `draggonnb alerts`: verbs, options and help; the work is in `alerts.py`."""

from typing import Annotated
from uuid import UUID

import typer

alert_app = typer.Typer(help="Alerts: what somebody must see to, and who does.")


@alert_app.command("list")
def list_verb(
    slug: Annotated[str | None, typer.Argument(help="One organization; without it, all.", show_default=False)] = None,
) -> None:
    """Show the alerts that nobody has answered, oldest first."""
    from draggonnb_pipelines.cli.alerts import show_open

    show_open(slug)


@alert_app.command("ack")
def ack_verb(
    slug: Annotated[str, typer.Argument(help="The organization's slug, such as kloof-coffee.", show_default=False)],
    alert_id: Annotated[UUID, typer.Argument(metavar="ID", help="As `alerts list` shows it.", show_default=False)],
) -> None:
    """Say that you see to it: nobody else is told."""
    from draggonnb_pipelines.cli.alerts import acknowledge

    acknowledge(slug, alert_id)
