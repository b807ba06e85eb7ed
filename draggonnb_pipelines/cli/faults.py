"""What becomes of an error at the command line: two lines and exit code 1, in one place for every verb.

Does not live here: the errors themselves (`errors.py`). An error that nobody foresaw keeps its traceback.
"""

import contextlib
import logging
import sys
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from draggonnb_pipelines.errors import DraggonnbError, OperatorError, TenantUnavailable, VendorError


class VerbGroup(TyperGroup):
    """The root of all verbs. Errors of any verb below come through here."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            fault = explained(error)
            if fault is None:
                raise
            show(fault, error if ctx.params.get("verbose") else None)
            raise typer.Exit(1) from error


def explained(error: Exception) -> OperatorError | None:
    """The error as something to put right, or None for one that is a fault of ours."""
    if isinstance(error, OperatorError):
        return error
    if isinstance(error, TenantUnavailable):
        return OperatorError(str(error), remedy="`draggonnb doctor` tells more; its rows wait, nothing is lost")
    if isinstance(error, VendorError):
        return OperatorError(str(error), remedy="`draggonnb doctor` checks the vendors and their credentials")
    if isinstance(error, DraggonnbError):
        return OperatorError(str(error), remedy="`draggonnb doctor` looks for the cause")
    if type(error).__module__.partition(".")[0] not in ("psycopg", "psycopg_pool"):
        return None
    return _database_fault(error)


def _database_fault(error: Exception) -> OperatorError | None:
    import psycopg
    from psycopg_pool import PoolTimeout

    if isinstance(error, psycopg.errors.UndefinedTable):
        return OperatorError(f"the master database is not migrated: {_one_line(error)}", remedy="draggonnb migrate")
    if isinstance(error, psycopg.OperationalError | PoolTimeout):
        return OperatorError(
            f"the database does not answer: {_one_line(error)}",
            remedy="`draggonnb doctor` tells which one; is DRAGGONNB_MASTER_DSN right?",
        )
    return None


def show(fault: OperatorError, traceback_of: BaseException | None = None) -> None:
    """Two red lines on stderr: what is wrong, and what to do; after the traceback if that is asked for."""
    from rich.console import Console
    from rich.text import Text

    from draggonnb_pipelines.resources.redaction import redact

    if traceback_of is not None:
        sys.stderr.write(redact("".join(traceback.format_exception(traceback_of))))
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text(f"error: {redact(fault.message)}", style="bold red"))
    console.print(Text(f"  -> {redact(fault.remedy)}", style="red"))


def set_up_logging(*, verbose: bool) -> None:
    """Warnings on stderr (everything with --verbose), without secrets."""
    from draggonnb_pipelines.resources.redaction import redact_handlers

    level = logging.DEBUG if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    redact_handlers(logging.getLogger())
    # Answers 200 are no news, and a broken pool says so once, through the error.
    for chatty in ("httpx", "httpcore", "asyncio", "psycopg.pool"):
        logging.getLogger(chatty).setLevel(logging.WARNING if verbose else logging.ERROR)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
