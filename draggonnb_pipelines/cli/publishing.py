"""`draggonnb publish queue | review | answer | undo | resume`.

Does not live here: what an answer means (`workflows/publishing/publish_questions.py`), the surface
(`publish_verbs.py`).
"""

import asyncio
from typing import Any
from uuid import UUID

from draggonnb_pipelines.cli.inbox import operator
from draggonnb_pipelines.cli.screen import cell, console, table
from draggonnb_pipelines.cli.session import ORGANIZATIONS, installation, session
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import open_stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.publishing.agenda import AGENDA
from draggonnb_pipelines.workflows.publishing.publish_questions import QUESTIONS, act_on_row

VENDORS = ("meta", "linkedin", "x")
_STYLES = {"published": "green", "refused": "red", "needs_review": "yellow", "unknown": "yellow", "calling": "cyan"}
_WORDS_SHOWN = 60


def show_queue(slug: str, *, status: str | None, limit: int) -> None:
    """A table of the ledger's rows, newest first."""

    async def read(settings: Settings) -> list[dict[str, Any]]:
        async with session(settings) as opened, opened.tenants.open(await opened.organization(slug)) as tenant:
            return [row async for row in QUESTIONS.queue_rows(tenant.conn, status=status, row_limit=limit)]

    with installation() as settings:
        rows = asyncio.run(read(settings))
    if not rows:
        console().print("nothing is on the queue")
        return
    columns = ("id", "network", "account", "status", "due (UTC)", "late", "words", "link or reason")
    shown = table(*columns, unbroken=("id", "network", "status", "due (UTC)"))
    for row in rows:
        late = "" if row["lateness_seconds"] is None else f"{row['lateness_seconds']} s"
        shown.add_row(
            cell(row["id"]), cell(row["platform_id"]), cell(row["account"]),
            cell(row["status"], _STYLES.get(row["status"], "")), cell(row["publish_at"]), cell(late),
            cell(row["payload"]["text"][:_WORDS_SHOWN]),
            cell(row["platform_url"] or row["question"] or row["last_error"]),
        )  # fmt: skip
    console().print(shown)


def show_questions(slug: str | None) -> None:
    """What waits for a person, over one organization or all."""

    async def read(settings: Settings) -> list[tuple[str, dict[str, Any]]]:
        async with session(settings) as opened:
            if slug is not None:
                chosen = [await opened.organization(slug)]
            else:
                async with opened.master.connection() as conn:
                    rows = [row async for row in AGENDA.agenda_of(conn, slugs=None, shards=1, shard=0)]
                chosen = [Organization(**{key: row[key] for key in row if key != "notes"}) for row in rows]
            found = []
            for organization in chosen:
                async with opened.tenants.open(organization) as tenant:
                    async for row in QUESTIONS.questions(tenant.conn, row_limit=100):
                        found.append((organization.slug, row))
            return found

    with installation() as settings:
        questions = asyncio.run(read(settings))
    if not questions:
        console().print(cell("nothing waits for a person", "green"))
        return
    for owner, row in questions:
        console().print(cell(f"{owner}  {row['id']}  {row['platform_id']} {row['account']}", "bold"))
        console().print(cell(f"  due {row['publish_at']:%Y-%m-%d %H:%M} UTC: {row['payload']['text'][:100]!r}"))
        console().print(cell(f"  {row['question']}", "yellow"))
    console().print("Answer with: draggonnb publish answer SLUG ID published|not-published|publish|drop|deleted")


def act(slug: str, row_id: UUID, action: str, *, url: str | None = None) -> None:
    """Apply an answer, or ask for a post to be taken back, and say what follows."""

    async def apply(settings: Settings) -> str:
        async with open_stack(settings) as stack:
            return await act_on_row(stack, slug, row_id, action, by=f"operator:{operator()}", url=url)

    with installation() as settings:
        said = asyncio.run(apply(settings))
    console().print(cell(said, "green"))


def resume(vendor: str) -> None:
    """Lift a stop of a whole network.

    Raises:
        OperatorError: there is no such vendor.
    """
    if vendor not in VENDORS:
        raise OperatorError(f"{vendor!r} is no network's vendor", remedy=f"one of {', '.join(VENDORS)}")

    async def lift(settings: Settings) -> None:
        async with session(settings) as opened, opened.master.connection() as conn, conn.transaction():
            await AGENDA.resume_vendor(conn, vendor=vendor)
            by = f"operator:{operator()}"
            await ORGANIZATIONS.audit(
                conn, actor=by, action="vendor.resumed", resource=f"vendor:{vendor}", metadata="{}"
            )

    with installation() as settings:
        asyncio.run(lift(settings))
    console().print(cell(f"{vendor} goes on with the next run", "green"))
