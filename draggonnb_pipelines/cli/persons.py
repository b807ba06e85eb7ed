"""`draggonnb person find | export | erase | consent`.

Does not live here: what each of them does (`workflows/operations/person_*.py`, `consents.py`), the surface
(`person_verbs.py`).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import typer

from draggonnb_pipelines.cli.inbox import operator
from draggonnb_pipelines.cli.screen import cell, console, table
from draggonnb_pipelines.cli.session import run_on_stack
from draggonnb_pipelines.domain.contact_details import Unusable
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.persons import Identity, identity_of
from draggonnb_pipelines.domain.submissions import ConsentPurpose
from draggonnb_pipelines.errors import OperatorError, TenantUnavailable
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.consents import ORGANIZATIONS, Said, consents_of, record_consent
from draggonnb_pipelines.workflows.operations.person_certificate import as_markdown, write_certificate
from draggonnb_pipelines.workflows.operations.person_erasure import Survey, erase_person, survey
from draggonnb_pipelines.workflows.operations.person_export import Exported, export_person, persons_folder
from draggonnb_pipelines.workflows.operations.person_inbox import NAME as INBOX
from draggonnb_pipelines.workflows.operations.person_rows import organizations_known

T = TypeVar("T")


def find(address: str, slug: str | None) -> None:
    """A table over one organization or all.

    Raises:
        OperatorError: no address, no such organization, or a database that does not answer.
    """
    identity = _identity(address)

    async def look(stack: Stack) -> list[tuple[Organization, Survey]]:
        return await _each(stack, slug, lambda one: survey(stack, one, identity))

    _show([(one, seen) for one, seen in run_on_stack(look) if seen.erasable or seen.kept])


def export(address: str, slug: str | None) -> None:
    """Write the zip file, and say where it is.

    Raises:
        OperatorError: as `find`; a database that does not answer is named, and the file is there without it.
    """
    identity = _identity(address)

    async def write(stack: Stack) -> Exported:
        written = await export_person(stack, await organizations_known(stack, slug), identity)
        metadata = {"sha256": written.sha256, "files": len(written.files)}
        async with stack.master.connection() as conn:
            await ORGANIZATIONS.audit(
                conn, actor=_by(), action="person.exported", resource=f"person_export:{written.path.name}",
                metadata=json.dumps(metadata),
            )  # fmt: skip
        return written

    written = run_on_stack(write)
    shown = table("file", "rows", unbroken=("file",))
    for one in written.files:
        shown.add_row(cell(one["file"]), cell(one["rows"]))
    console().print(shown if written.files else cell("nothing is held of this person"))
    for line in (f"file     {written.path}", f"sha256   {written.sha256}", "deleted  after 30 days"):
        console().print(cell(line), soft_wrap=True)
    _refuse_missing(written.missing)


def erase(address: str, slug: str | None, *, yes: bool) -> None:
    """Forget the person in one organization or all, and show the certificates.

    Raises:
        OperatorError: as `find`; something else was typed; or an organization could not be done, while others were.
    """
    identity = _identity(address)
    _confirm(address, slug, yes=yes)

    async def forget(stack: Stack) -> tuple[list[dict[str, Any]], dict[str, str]]:
        certificates, missing = [], {}
        for organization in await organizations_known(stack, slug):
            try:
                if certificate := await erase_person(stack, organization, identity, by=_by()):
                    await asyncio.to_thread(write_certificate, persons_folder(stack), certificate)
                    certificates.append(certificate)
            except (OperatorError, TenantUnavailable) as error:
                if slug is not None:
                    raise
                missing[organization.slug] = error.message if isinstance(error, OperatorError) else error.reason
        return certificates, missing

    certificates, missing = run_on_stack(forget)
    if not certificates and not missing:
        console().print(cell("nothing is held of this person", "green"))
    for certificate in certificates:
        for line in as_markdown(certificate).splitlines():
            console().print(cell(line), soft_wrap=True)
    _refuse_missing(missing)


def show_consents(address: str, slug: str) -> None:
    """The ledger of one contact.

    Raises:
        OperatorError: as `find`, or no contact of this address.
    """
    identity = _identity(address)

    async def read(stack: Stack) -> list[dict[str, Any]]:
        [organization] = await organizations_known(stack, slug)
        return await consents_of(stack, organization, identity)

    rows = run_on_stack(read)
    if not rows:
        console().print(cell("nothing was agreed to and nothing withdrawn", "yellow"))
        return
    shown = table("when (UTC)", "purpose", "said", "by", "words", unbroken=("when (UTC)", "purpose", "said"))
    for row in rows:
        said = cell("granted", "green") if row["granted"] else cell("withdrawn", "red")
        shown.add_row(cell(row["recorded_at"]), cell(row["purpose"]), said, cell(row["source"]), cell(row["wording"]))
    console().print(shown)


def record(address: str, slug: str, purpose: ConsentPurpose, said: Said, wording: str) -> None:
    """Add one record.

    Raises:
        OperatorError: as `show_consents`, or no words.
    """
    identity = _identity(address)

    async def write(stack: Stack) -> bool:
        [organization] = await organizations_known(stack, slug)
        return await record_consent(stack, organization, identity, purpose, said, wording=wording, by=_by())

    is_new = run_on_stack(write)
    console().print(cell(f"{purpose}: {said}" if is_new else f"{purpose}: was {said} already", "green"))


def _identity(address: str) -> Identity:
    try:
        return identity_of(address)
    except Unusable as error:
        raise OperatorError(
            f"what was typed {error}", remedy="one address, such as name@company.co.za or +27821234567"
        ) from error


async def _each(
    stack: Stack, slug: str | None, look: Callable[[Organization], Awaitable[T]]
) -> list[tuple[Organization, T]]:
    return [(one, await look(one)) for one in await organizations_known(stack, slug)]


def _show(seen: Sequence[tuple[Organization, Survey]]) -> None:
    if not seen:
        console().print(cell("nothing is held of this person", "green"))
        return
    shown = table("organization", "what", "rows", "an erasure", unbroken=("organization", "what", "rows"))
    for organization, one in seen:
        for found in one.found:
            does = f"keeps it: {found.place.kept}" if found.place.kept else "empties it"
            shown.add_row(cell(organization.slug), cell(found.place.name), cell(found.rows), cell(does))
        if one.deliveries.ids:
            shown.add_row(cell(organization.slug), cell(INBOX), cell(len(one.deliveries.ids)), cell("empties it"))
    console().print(shown)
    addresses = {address for _, one in seen for address in one.subject.identity.emails | one.subject.identity.phones}
    console().print(cell(f"known by: {', '.join(sorted(addresses))}"), soft_wrap=True)


def _confirm(address: str, slug: str | None, *, yes: bool) -> None:
    """The address is typed by a person, who so reads it once more.

    Raises:
        OperatorError: something else was typed.
    """
    if yes:
        return
    where = slug or "every organization"
    console().print(
        cell(f"{where} forgets this person for ever; `draggonnb person find` shows what there is", "yellow")
    )
    typed = typer.prompt("type the address again to go on", default="", show_default=False)
    if typed.strip() != address.strip():
        raise OperatorError("that is not the address", remedy="nothing was done")


def _refuse_missing(missing: dict[str, str]) -> None:
    """Raises OperatorError where an organization is left."""
    if missing:
        words = "; ".join(f"{slug}: {reason}" for slug, reason in sorted(missing.items()))
        raise OperatorError(f"{len(missing)} organizations are left: {words}", remedy="say it again for these")


def _by() -> str:
    return f"operator:{operator()}"
