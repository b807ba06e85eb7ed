"""The vendors against the ledger, both ways: what is there and nobody knows of, what should be there and is gone.

Lives here: reading each vendor's whole list and comparing it. Not here: removing or making anything; a person decides.

A list is read between two readings of the ledger, since clients are set up and taken down meanwhile: what either
reading knows is known, and what is missing must have been ready in both. A vendor that cannot be read gives no finding,
but is named: silence is no agreement.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID, uuid5

from draggonnb_pipelines.domain.provisioning import WEBHOOKS, project_name, repo_name
from draggonnb_pipelines.domain.reports import CheckOutcome, Markdown, markdown_text
from draggonnb_pipelines.errors import VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.inbox_batches import reason_of

REMOVAL = load_queries("removal")
CHECK = "no_orphans"
# The rows that stand for a thing of its own at a vendor.
STEPS_OF = {"supabase": "supabase_project", "github": "github_repo", "vercel": "environment", "n8n": "n8n_webhooks"}
_MARK = re.compile(r"\borg-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")


@dataclass(frozen=True)
class Thing:
    """What a vendor holds that looks like ours. `is_on`: whether it answers, where that can be told."""

    id: str
    name: str
    is_on: bool | None = None


@dataclass(frozen=True)
class Finding:
    """One difference.

    `unknown`: at the vendor under our mark, but not in the ledger. `gone`: ready in the ledger, but not at the vendor.
    `standing`: an entry that answers for a client that is not served, or does not for one that is.
    """

    kind: Literal["unknown", "gone", "standing"]
    vendor: str
    name: str
    vendor_id: str | None
    why: str
    slug: str | None = None


@dataclass(frozen=True)
class Comparison:
    """All differences, how many things were seen at each vendor, and which vendors could not be read, and why."""

    findings: tuple[Finding, ...]
    seen: Mapping[str, int]
    unread: Mapping[str, str]


@dataclass(frozen=True)
class _Ledger:
    """One reading: the rows by vendor, and all organizations ever."""

    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    organizations: Mapping[UUID, str]


async def compare_with_vendors(stack: Stack) -> Comparison:
    """Read every vendor and compare. Changes nothing."""
    before = await _read_ledger(stack)
    readers: Mapping[str, Callable[[], Awaitable[list[Thing]]]] = {
        "supabase": lambda: _projects(stack, before.organizations.values()),
        "github": lambda: _repos(stack),
        "vercel": lambda: _sites(stack, before.organizations.values()),
        "n8n": lambda: _entries(stack, before.organizations),
    }
    lists = await asyncio.gather(*(read() for read in readers.values()), return_exceptions=True)
    after = await _read_ledger(stack)
    findings: list[Finding] = []
    seen, unread = {}, {}
    for vendor, things in zip(readers, lists, strict=True):
        if isinstance(things, VendorError):
            unread[vendor] = reason_of(things)
        elif isinstance(things, BaseException):
            raise things
        else:
            seen[vendor] = len(things)
            findings += _differences(vendor, things, before.rows[vendor], after.rows[vendor])
    return Comparison(tuple(findings), seen, unread)


def as_check(comparison: Comparison) -> CheckOutcome:
    """The comparison as an asset check: passed only if every vendor was read and nothing differs."""
    lines = ["| finding | vendor | name | id | client | why |", "|---|---|---|---|---|---|"]
    for one in comparison.findings:
        cells = (one.kind, one.vendor, one.name, one.vendor_id or "", one.slug or "", one.why)
        lines.append("| " + " | ".join(markdown_text(cell) for cell in cells) + " |")
    unread = "; ".join(f"{vendor} could not be read: {why}" for vendor, why in comparison.unread.items())
    count = len(comparison.findings)
    return CheckOutcome(
        CHECK,
        passed=not comparison.findings and not comparison.unread,
        description="; ".join(filter(None, (f"{count} differences" if count else "", unread))) or "all agree",
        severity="warn",
        metadata={"seen": dict(comparison.seen)} | ({"findings": Markdown("\n".join(lines))} if count else {}),
    )


def _differences(
    vendor: str, things: Sequence[Thing], before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> list[Finding]:
    known = [*before, *after]
    known_ids = {row["vendor_id"] for row in known}
    # A call whose answer nobody has seen: its row has the name already, and the next run finds the thing.
    open_names = {row["name"] for row in known if row["vendor_id"] is None and row["state"] != "intent"}
    found = {thing.id: thing for thing in things}
    findings = [
        Finding(
            "unknown",
            vendor,
            thing.name,
            thing.id,
            "it carries a client's mark or name, and the ledger has no row of it",
        )
        for thing in things
        if thing.id not in known_ids and thing.name not in open_names
    ]
    was_ready = {row["vendor_id"] for row in before if row["state"] == "ready"}
    for row in after:
        if row["state"] != "ready" or row["vendor_id"] not in was_ready:
            continue
        thing = found.get(row["vendor_id"])
        of_row = {"vendor": vendor, "name": row["name"], "vendor_id": row["vendor_id"], "slug": row["slug"]}
        if thing is None:
            findings.append(Finding("gone", **of_row, why="ready in the ledger, and not there any more"))
        elif thing.is_on is not None and thing.is_on != (row["status"] in ("active", "provisioning")):
            answers = "answers" if thing.is_on else "does not answer"
            findings.append(Finding("standing", **of_row, why=f"it {answers}, though the client is {row['status']}"))
    return findings


async def _read_ledger(stack: Stack) -> _Ledger:
    async with stack.master.connection() as conn:
        rows = [row async for row in REMOVAL.all_resources(conn, steps=list(STEPS_OF.values()))]
        organizations = {row["id"]: row["slug"] async for row in REMOVAL.every_organization(conn)}
    return _Ledger({vendor: [row for row in rows if _stands_for(vendor, row)] for vendor in STEPS_OF}, organizations)


def _stands_for(vendor: str, row: Mapping[str, Any]) -> bool:
    names = {"supabase": project_name(row["slug"]), "n8n": row["name"]}
    return row["step"] == STEPS_OF[vendor] and row["name"] == names.get(vendor, repo_name(row["slug"]))


async def _projects(stack: Stack, slugs: Collection[str]) -> list[Thing]:
    """Those that are called as a client's is: a project carries no mark."""
    found = await stack.supabase.list_projects(stack.settings.supabase_organization)
    names = {project_name(slug) for slug in slugs}
    return [Thing(one.ref, one.name) for one in found if one.name in names]


async def _repos(stack: Stack) -> list[Thing]:
    found = await stack.github.list_repos(stack.settings.github_owner)
    return [
        Thing(str(one.id), one.full_name.partition("/")[2])
        for one in found
        if any(_MARK.search(text) for text in (one.description or "", *one.topics))
    ]


async def _sites(stack: Stack, slugs: Collection[str]) -> list[Thing]:
    """Those that are called as a client's is: the repository that would prove it may be gone already."""
    names = {repo_name(slug) for slug in slugs}
    return [Thing(one.id, one.name) for one in await stack.vercel.list_projects() if one.name in names]


async def _entries(stack: Stack, organizations: Mapping[UUID, str]) -> list[Thing]:
    """Those with a webhook id that only we can have given."""
    own_ids = {str(uuid5(id, f"n8n:{kind}")) for id in organizations for kind in WEBHOOKS}
    found = await stack.n8n.list_workflows()
    return [Thing(one.id, one.name, is_on=one.is_active) for one in found if own_ids & one.webhook_ids]
