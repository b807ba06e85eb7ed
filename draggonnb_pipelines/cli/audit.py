"""`draggonnb audit verify`: proof that the audit logs of master and of the tenants are as they were written.

Does not live here: the chain and its check, which the databases do themselves (`verify_audit()`).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from draggonnb_pipelines.cli.screen import cell, console, table
from draggonnb_pipelines.cli.session import Session, installation, session
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError, TenantUnavailable
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.vault import SealBroken
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries

INSTALLATION = load_queries("installation")


@dataclass(frozen=True)
class Verified:
    """One log: how many entries, the broken ones with the reason, or why it could not be read."""

    log: str
    entries: int = 0
    broken: tuple[tuple[int, str], ...] = ()
    unread: str | None = None

    @property
    def is_intact(self) -> bool:
        return not self.broken and self.unread is None


def verify(slug: str | None) -> None:
    """Check one organization's log, or master's and everybody's.

    Raises:
        OperatorError: a log is broken, or could not be read; the table names the entries.
    """
    with installation() as settings:
        logs = asyncio.run(_verify_all(settings, slug))
    intact = [log for log in logs if log.is_intact]
    console().print(
        cell(f"{len(intact)} of {len(logs)} audit logs intact, {sum(log.entries for log in intact)} entries")
    )
    if len(intact) < len(logs):
        _report([log for log in logs if not log.is_intact])


async def _verify_all(settings: Settings, slug: str | None) -> list[Verified]:
    async with session(settings) as opened:
        if slug is not None:
            return [await _of_tenant(opened, await opened.organization(slug))]
        async with opened.master.connection() as conn:
            master = await _of("master", conn)
            organizations = [Organization(**row) async for row in INSTALLATION.organizations_with_keys(conn)]
        return [master, *await asyncio.gather(*(_of_tenant(opened, one) for one in organizations))]


async def _of_tenant(opened: Session, organization: Organization) -> Verified:
    try:
        async with opened.tenants.open(organization) as tenant:
            return await _of(organization.slug, tenant.conn)
    except TenantUnavailable as error:
        return Verified(organization.slug, unread=error.reason)
    except SealBroken as error:
        return Verified(organization.slug, unread=str(error))


async def _of(log: str, conn: Connection) -> Verified:
    broken = tuple([(row["id"], row["reason"]) async for row in INSTALLATION.verify_audit(conn)])
    return Verified(log, await INSTALLATION.audit_length(conn), broken)


def _report(logs: Sequence[Verified]) -> None:
    shown = table("log", "entry", "what", unbroken=("log", "entry"))
    for log in logs:
        if log.unread is not None:
            shown.add_row(cell(log.log), cell("-"), cell(f"not read: {log.unread}", "red"))
        for entry, reason in log.broken:
            shown.add_row(cell(log.log), cell(entry), cell(reason, "red"))
    console().print(shown)
    tampered = [log for log in logs if log.broken]
    if tampered:
        entry, reason = tampered[0].broken[0]
        raise OperatorError(
            f"the audit log of {tampered[0].log} is not as it was written: entry {entry}, {reason}",
            remedy="keep the database as it is, and compare the entries with a backup from before",
        )
    raise OperatorError(
        f"{len(logs)} audit logs could not be read: {', '.join(log.log for log in logs[:5])}",
        remedy="`draggonnb doctor` tells why; verify again when they answer",
    )
