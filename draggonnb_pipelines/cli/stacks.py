"""`draggonnb tenant show` (the stack below the organization) `| abort | suspend | resume | offboard | erase`.

Does not live here: what each of them does (`workflows/provisioning/removal.py`, `standing.py`, `offboarding.py`,
`erasure.py`), the surface (`stack_verbs.py`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from draggonnb_pipelines.cli.inbox import operator
from draggonnb_pipelines.cli.screen import cell, confirm, console, table
from draggonnb_pipelines.cli.session import Session, installation
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.provisioning import Resource
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.sql import load_queries

REMOVAL = load_queries("removal")
# So long does a verb wait for a vendor; repeated, it goes on.
PATIENCE_SECONDS = 300.0
_STYLES = {"ready": "green", "removed": "dim", "failed": "red", "needs_review": "red"}

T = TypeVar("T")


async def resources_of(opened: Session, organization: Organization) -> list[dict[str, Any]]:
    """The rows of the stack ledger, the oldest first."""
    async with opened.master.connection() as conn:
        return [row async for row in REMOVAL.stack_of(conn, organization_id=organization.id)]


def show_resources(rows: Sequence[Mapping[str, Any]]) -> None:
    """A table of everything that was made for a client: where it is, how old, our mark, what it costs."""
    if not rows:
        return
    now = datetime.now(UTC)
    columns = ("step", "name", "vendor", "state", "age", "a month", "mark", "link or reason")
    shown = table(*columns, unbroken=("step", "vendor", "state", "age", "a month"))
    for row in rows:
        cost = f"USD {row['monthly_cents'] / 100:.2f}" if row["monthly_cents"] and row["state"] != "removed" else "-"
        shown.add_row(
            cell(row["step"]), cell(row["name"]), cell(row["vendor"]),
            cell(row["state"], _STYLES.get(row["state"], "yellow")), cell(_age(now, row)), cell(cost),
            cell(row["mark"]), cell(row["last_error"] or row["url"] or row["vendor_id"]),
        )  # fmt: skip
    console().print(shown)
    total = sum(row["monthly_cents"] for row in rows if row["state"] != "removed")
    console().print(cell(f"together USD {total / 100:.2f} a month"))


def abort(slug: str, *, yes: bool) -> None:
    """Give up setting a client up."""
    from draggonnb_pipelines.workflows.provisioning import removal

    confirm(slug, "everything that was made for it is removed; payments, invoices and the audit log stay", yes=yes)
    rows = _run(lambda stack: removal.abort(stack, slug, by=_by()))
    _show_removed(rows)
    console().print(cell(f"{slug} is aborted. A subscription goes on at PayFast: draggonnb billing cancel {slug}"))


def change_standing(slug: str, *, serve: bool, reason: str, yes: bool) -> None:
    """Suspend a client, or serve it again."""
    from draggonnb_pipelines.workflows.billing import standing

    if not serve:
        confirm(slug, "its webhooks refuse, and nothing is published; what waits stays", yes=yes)
    change = standing.resume if serve else standing.suspend
    is_new = _run(lambda stack: change(stack, slug, by=_by(), reason=reason))
    words = "active" if serve else "suspended"
    console().print(cell(f"{slug} is {words}" if is_new else f"{slug} was {words} already", "green"))


def offboard(slug: str, *, reason: str, yes: bool) -> None:
    """Begin the end, or go on after an interruption."""
    from draggonnb_pipelines.workflows.provisioning import offboarding

    confirm(slug, "it is not served any more, and erased in 30 days unless that is withdrawn", yes=yes)
    row = _run(lambda stack: offboarding.offboard(stack, slug, by=_by(), reason=reason))
    digest = bytes(row["export_sha256"]).hex()
    for line in (
        f"bundle   {row['export_path']}",
        f"sha256   {digest}",
        f"erasable {row['erase_after']:%Y-%m-%d} (UTC)",
    ):
        console().print(cell(line), soft_wrap=True)


def withdraw(slug: str) -> None:
    """The client stays."""
    from draggonnb_pipelines.workflows.provisioning import offboarding

    is_new = _run(lambda stack: offboarding.withdraw(stack, slug, by=_by()))
    console().print(cell(f"{slug} stays" if is_new else f"{slug} stayed already", "green"))


def erase(slug: str, *, yes: bool) -> None:
    """Erase a client whose days of grace are over, and show the certificate."""
    from draggonnb_pipelines.workflows.provisioning import erasure
    from draggonnb_pipelines.workflows.provisioning.erasure_certificate import as_markdown

    confirm(slug, "everything of it is erased for ever, and its key destroyed", yes=yes)
    certificate = _run(lambda stack: erasure.erase(stack, slug, by=_by()))
    console().print(cell_lines(as_markdown(certificate)), soft_wrap=True)


def cell_lines(text: str) -> Any:
    """Several lines as plain text."""
    from rich.text import Text

    return Text("\n").join(cell(line) for line in text.splitlines())


def _run(work: Callable[[Stack], Awaitable[T]]) -> T:
    """Do it, and wait for a vendor that needs a moment.

    Raises:
        OperatorError: the moment took longer than our patience; nothing is lost.
    """
    from draggonnb_pipelines.workflows.provisioning.stack_ledger import NotYet

    async def attempts(stack: Stack) -> T:
        ends = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await work(stack)
            except NotYet as wait:
                pause = min(wait.seconds, stack.settings.provision_poll_seconds)
                if time.monotonic() + pause > ends:
                    raise OperatorError(wait.reason, remedy="say it again in a while: it goes on there") from wait
                console().print(cell(f"waiting: {wait.reason}", "yellow"))
                await asyncio.sleep(pause)

    async def opened() -> T:
        async with open_stack(settings) as stack:
            return await attempts(stack)

    with installation() as settings:
        return asyncio.run(opened())


def _show_removed(rows: Sequence[Resource]) -> None:
    for row in rows:
        console().print(cell(f"{row.state:9} {row.vendor:14} {row.name}: {row.details.get('removal', '')}"))


def _age(now: datetime, row: Mapping[str, Any]) -> str:
    seconds = int((now - (row["ready_at"] or row["created_at"])).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(0, seconds)} s"


def _by() -> str:
    return f"operator:{operator()}"
