"""The surface of `draggonnb person`: verbs, options and help; the work is in `persons.py`."""

from enum import StrEnum
from typing import Annotated

import typer

person_app = typer.Typer(help="What is held of a person: found, exported, forgotten (POPIA, GDPR).")

Address = Annotated[
    str,
    typer.Argument(
        metavar="EMAIL_OR_PHONE", help="One address; others of the same person are found with it.", show_default=False
    ),
]
Organization = Annotated[
    str | None, typer.Option(help="Only there; without it, in every organization.", show_default=False)
]


class Purpose(StrEnum):
    """As the column `purpose` of `consents`."""

    CONTACT = "contact"
    MARKETING = "marketing"


class Said(StrEnum):
    """What a record of consent says."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"


@person_app.command("find")
def find_verb(address: Address, organization: Organization = None) -> None:
    """Show how many rows of what name the person, and what of it would be kept. Changes nothing."""
    from draggonnb_pipelines.cli.persons import find

    find(address, organization)


@person_app.command("export")
def export_verb(address: Address, organization: Organization = None) -> None:
    """Write everything that is held of the person into one zip file, to be given to them. Deleted after 30 days."""
    from draggonnb_pipelines.cli.persons import export

    export(address, organization)


@person_app.command("erase")
def erase_verb(
    address: Address,
    organization: Organization = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the address to be typed again.")] = False,
) -> None:
    """Forget the person: rows are emptied so that figures stay right; a certificate says what went and what is kept."""
    from draggonnb_pipelines.cli.persons import erase

    erase(address, organization, yes=yes)


@person_app.command("consent")
def consent_verb(
    address: Address,
    organization: Annotated[str, typer.Option(help="Whose contact the person is.", show_default=False)],
    record: Annotated[
        Said | None, typer.Option(help="Add what the person said; without it, the ledger is shown.", show_default=False)
    ] = None,
    purpose: Annotated[Purpose, typer.Option(help="What for.")] = Purpose.MARKETING,
    wording: Annotated[str, typer.Option(help="With --record: the words, such as those of the letter.")] = "",
) -> None:
    """Show what the person agreed to and withdrew, or add to it. The newest record of a purpose counts."""
    from draggonnb_pipelines.cli import persons

    if record is None:
        persons.show_consents(address, organization)
    else:
        persons.record(address, organization, purpose.value, record.value, wording)
