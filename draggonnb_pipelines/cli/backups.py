"""`draggonnb backup create | list | restore | verify | drill | drop-old`.

Does not live here: what each of them does (`workflows/operations`), the surface (`backup_verbs.py`).
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from draggonnb_pipelines.cli.inbox import operator
from draggonnb_pipelines.cli.installation import open_installation
from draggonnb_pipelines.cli.screen import cell, confirm, console, table
from draggonnb_pipelines.cli.session import run_on_stack
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.workflows.operations import backups, drills, restores, server_restores
from draggonnb_pipelines.workflows.operations.backup_sources import BACKUPS, MASTER
from draggonnb_pipelines.workflows.operations.erasure_slips import ReadBack

_STYLES = {"done": "green", "failed": "red", "running": "yellow"}


class _Outcome(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def fault(self) -> str | None: ...


def create(slugs: list[str], *, everything: bool, master: bool) -> None:
    """Back up what was named.

    Raises:
        OperatorError: nothing was named, or one could not be backed up; the table says why.
    """
    if not (slugs or everything or master):
        raise OperatorError("back up what?", remedy="--all, --master, or --tenant SLUG")
    wanted = None if everything else slugs

    with _bar("backing up") as (on_start, on_done):
        done = run_on_stack(
            lambda stack: backups.back_up_all(
                stack, wanted, with_master=everything or master, by=_by(), on_start=on_start, on_done=on_done
            )
        )
    _show_files(done)
    _refuse_faults(done, "not backed up", "the files before stay; mend the cause and say it again")


def show_backups(slug: str | None, limit: int) -> None:
    """A table of backups."""

    async def rows(stack: Stack) -> list[dict[str, Any]]:
        async with stack.master.connection() as conn:
            return [row async for row in BACKUPS.list_backups(conn, slug=slug, row_limit=limit)]

    found = run_on_stack(rows)
    columns = ("database of", "taken (UTC)", "state", "rows", "bytes", "took", "file or reason")
    shown = table(*columns, unbroken=columns[:6])
    for row in found:
        took = f"{(row['ended_at'] - row['started_at']).total_seconds():.1f} s" if row["ended_at"] else ""
        shown.add_row(
            cell(row["slug"]), cell(row["started_at"]), cell(row["state"], _STYLES.get(row["state"], "dim")),
            cell(row["rows"]), cell(row["bytes"]), cell(took), cell(row["error"] or row["file_name"]),
        )  # fmt: skip
    console().print(shown)


def restore(slug: str, *, at: datetime | None, into: str | None, yes: bool) -> None:
    """Restore one client."""
    if into is None:
        confirm(slug, "what it has written since its backup is put aside; it is not served for some seconds", yes=yes)
    moment = at.replace(tzinfo=UTC) if at else None
    columns = (SpinnerColumn(), TextColumn("{task.description}"), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console()) as progress:
        task = progress.add_task(f"restoring {slug}", total=None)
        done = run_on_stack(
            lambda stack: restores.restore_tenant(
                stack, slug, by=_by(), at=moment, into=into, on_bytes=lambda size: progress.advance(task, size)
            )
        )
    _show_restored(done, is_copy=into is not None)


def restore_all() -> None:
    """Restore a lost server onto an empty one.

    Raises:
        OperatorError: the server is not empty, there is no manifest that proves itself, or a client failed.
    """
    with open_installation(load_settings()) as settings, _bar("restoring") as (on_start, on_done):
        said: list[str] = []
        done = asyncio.run(
            server_restores.restore_server(
                settings,
                by=_by(),
                on_start=on_start,
                on_done=on_done,
                on_erasures=lambda taken_at, read: said.extend(_erasure_lines(taken_at, read)),
            )
        )
    _show_files(done)
    for line in said:
        console().print(cell(line, "yellow"), soft_wrap=True)
    _refuse_faults(done, "not restored", "mend the cause and say it again: it goes on with those that are missing")


def verify(slugs: list[str] | None) -> None:
    """Prove the newest files.

    Raises:
        OperatorError: one is broken or missing.
    """
    with _bar("reading") as (_, on_done):
        done = run_on_stack(lambda stack: backups.verify(stack, slugs, on_done=on_done))
    _show_files(done)
    _refuse_faults(done, "not sound", "draggonnb backup create; older files: draggonnb backup list")


def drill(slugs: list[str] | None) -> None:
    """Restore the newest files for trial.

    Raises:
        OperatorError: one did not come back as it was.
    """
    with _bar("restoring") as (on_start, on_done):
        done = run_on_stack(lambda stack: drills.drill(stack, slugs, on_start=on_start, on_done=on_done))
    columns = ("database of", "age of the backup", "tables", "rows", "bytes", "took", "verdict")
    shown = table(*columns, unbroken=columns[:6])
    for one in done:
        shown.add_row(
            cell(one.name), cell(f"{one.age.total_seconds() / 3600:.1f} h"), cell(one.tables), cell(one.rows),
            cell(one.bytes), cell(f"{one.seconds:.1f} s"), cell(one.fault or "equal", "red" if one.fault else "green"),
        )  # fmt: skip
    console().print(shown)
    _refuse_faults(done, "did not come back", "draggonnb backup create, then drill again")


def drop_old(slug: str, *, yes: bool) -> None:
    """Drop what a restore put aside."""
    confirm(slug, "the database from before its restore is dropped for ever", yes=yes)
    name = run_on_stack(lambda stack: restores.drop_old(stack, slug, by=_by()))
    console().print(cell(f"{name} is dropped", "green"))


def _show_files(done: Sequence[backups.BackedUp]) -> None:
    columns = ("database of", "rows", "bytes", "took", "file or reason")
    shown = table(*columns, unbroken=columns[:4])
    for one in sorted(done, key=lambda one: (one.name != MASTER, one.name)):
        took = f"{one.seconds:.1f} s"
        last = cell(one.fault, "red") if one.fault else cell(one.file_name)
        shown.add_row(cell(one.name), cell(one.rows), cell(one.bytes), cell(took), last)
    console().print(shown)


def _erasure_lines(taken_at: datetime, read: ReadBack) -> list[str]:
    lines = [
        f"{read.added} erasures of persons since {taken_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC are known from the"
        " folder of backups: the next keep_retention does them again",
        "an erasure since then whose certificate is not among them must be said again: draggonnb person erase ADDRESS",
    ]
    if read.unreadable:
        lines.append(f"{read.unreadable} erasures beside the backups do not open: are the master keys all here?")
    return lines


def _show_restored(done: restores.Restored, *, is_copy: bool) -> None:
    taken = f"{done.taken_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    lines = [
        f"{done.slug} is {'copied' if is_copy else 'restored'} into {done.database}, as it was at {taken}",
        f"{done.tables} tables with {done.rows} rows, all equal to the backup, in {done.seconds:.1f} s",
    ]
    if not is_copy:
        lines += [
            f"{done.held_posts} posts may have gone out since: draggonnb publish review {done.slug}",
            f"{done.replayed_leads} leads came since and are worked off again",
        ]
    if done.other_deliveries:
        lines.append(
            f"{done.other_deliveries} other deliveries came since and are not repeated: "
            f"draggonnb inbox list --organization {done.slug}"
        )
    if done.kept_as:
        lines.append(f"the old database is {done.kept_as}; once all is well: draggonnb backup drop-old {done.slug}")
    for line in lines:
        console().print(cell(line), soft_wrap=True)


@contextlib.contextmanager
def _bar(description: str) -> Iterator[tuple[Callable[[int], None], Callable[[_Outcome], None]]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console()) as progress:
        task = progress.add_task(description, total=None)

        def on_start(total: int) -> None:
            progress.update(task, total=total)

        def on_done(outcome: _Outcome) -> None:
            progress.update(task, advance=1, description=f"{description}: {outcome.name}")

        yield on_start, on_done


def _refuse_faults(done: Sequence[_Outcome], what: str, remedy: str) -> None:
    failed = [one for one in done if one.fault]
    if failed:
        shown = "; ".join(f"{one.name}: {one.fault}" for one in failed[:3])
        raise OperatorError(f"{len(failed)} of {len(done)} {what}: {shown}", remedy=remedy)


def _by() -> str:
    return f"operator:{operator()}"
