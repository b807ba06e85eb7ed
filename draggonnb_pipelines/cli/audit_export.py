"""`draggonnb audit export`: the audit logs as JSON lines, to be kept elsewhere and verified without us.

Lives here: the lines. Each entry has the very text that was hashed (`entry`), so whoever has the file can compute the
chain again; each log ends with its head. Not here: the chain (`append_audit()` in SQL), checking it in place
(`audit.py`). docs/keys_and_audit.md has the script that checks a file.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from draggonnb_pipelines.cli.audit import INSTALLATION
from draggonnb_pipelines.cli.screen import cell, console
from draggonnb_pipelines.cli.session import Session, installation, session
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError, TenantUnavailable
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.vault import SealBroken
from draggonnb_pipelines.resources.whole_files import whole_file
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries

AUDIT_LOGS = load_queries("audit_logs")
PAGE_ROWS = 5000


def export(path: Path, slug: str | None) -> None:
    """Write one organization's log, or master's and everybody's. A file appears whole or not at all.

    Raises:
        OperatorError: the file cannot be written, or a log could not be read; the others are in the file.
    """
    with installation() as settings:
        if str(path) == "-":
            unread = asyncio.run(_write(settings, slug, sys.stdout))
        else:
            unread = _into_file(settings, slug, path)
            console().print(cell(f"written to {path}", "green"))
    if unread:
        raise OperatorError(
            f"{len(unread)} audit logs could not be read: {', '.join(unread[:5])}",
            remedy="`draggonnb doctor` tells why; export again when they answer",
        )


def _into_file(settings: Settings, slug: str | None, path: Path) -> list[str]:
    try:
        with whole_file(path) as file:
            out = TextIOWrapper(file, encoding="utf-8")
            unread = asyncio.run(_write(settings, slug, out))
            out.detach()  # which flushes; whoever opened the file closes it
    except OSError as error:
        raise OperatorError(f"{path} cannot be written: {error.strerror}", remedy="name another file") from error
    return unread


async def _write(settings: Settings, slug: str | None, out: TextIO) -> list[str]:
    """All lines; returns the logs that could not be read."""
    unread: list[str] = []
    async with session(settings) as opened:
        async for organization in _chosen(opened, slug):
            log = organization.slug if organization else "master"
            try:
                async for line in _lines(opened, organization):
                    print(json.dumps({"log": log, **line}, ensure_ascii=False), file=out)
            except (TenantUnavailable, SealBroken) as error:
                unread.append(log)
                print(json.dumps({"log": log, "unread": str(error)}, ensure_ascii=False), file=out)
    return unread


async def _chosen(opened: Session, slug: str | None) -> AsyncIterator[Organization | None]:
    """None stands for master."""
    if slug is not None:
        yield await opened.organization(slug)
        return
    yield None
    async with opened.master.connection() as conn:
        rows = [row async for row in INSTALLATION.organizations_with_keys(conn)]
    for row in rows:
        yield Organization(**row)


async def _lines(opened: Session, organization: Organization | None) -> AsyncIterator[dict[str, Any]]:
    if organization is None:
        async with opened.master.connection() as conn:
            async for line in _of(conn, AUDIT_LOGS.master_entries):
                yield line
        return
    async with opened.tenants.open(organization) as tenant:
        async for line in _of(tenant.conn, AUDIT_LOGS.tenant_entries):
            yield line


async def _of(conn: Connection, entries: Any) -> AsyncIterator[dict[str, Any]]:
    async with conn.transaction():
        await AUDIT_LOGS.one_moment(conn)
        after, is_more = 0, True
        while is_more:
            rows = [row async for row in entries(conn, after=after, row_limit=PAGE_ROWS)]
            for row in rows:
                yield row
            is_more = len(rows) == PAGE_ROWS
            after = rows[-1]["id"] if rows else after
        yield {"head": await AUDIT_LOGS.head(conn)}
