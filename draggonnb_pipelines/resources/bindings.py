"""Dagster's door to our resources: the only module of this room that imports Dagster.

`RunStack` opens one `Stack` on one event loop for the whole run; `MasterQueries` lets a sensor ask the master
database one cheap thing.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import dagster as dg
import psycopg
import uvloop
from psycopg.rows import DictRow, dict_row
from pydantic import PrivateAttr

from draggonnb_pipelines.logs import logging_run
from draggonnb_pipelines.resources.postgres import CONNECT_TIMEOUT_SECONDS, Connection
from draggonnb_pipelines.resources.redaction import RedactingFilter
from draggonnb_pipelines.resources.stack import Stack, open_stack, utc_now
from draggonnb_pipelines.settings import load_settings

T = TypeVar("T")


class RunStack(dg.ConfigurableResource):
    """The databases and vendors' clients of one run. Its event loop lives in a thread of its own, so that leases are
    extended while a step works and connections outlive the steps."""

    _loop: asyncio.AbstractEventLoop = PrivateAttr()
    _stack: Stack = PrivateAttr()
    _is_moved: bool = PrivateAttr(default=False)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["RunStack"]:
        loop = uvloop.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="workflows", daemon=True)
        thread.start()
        settings = load_settings()
        opened = open_stack(settings)
        self._loop = loop
        try:
            self._stack = self._wait(opened.__aenter__())
            try:
                with logging_run(settings.log_format, context.run.run_id if context.run else "", RedactingFilter()):
                    yield self
            finally:
                self._wait(opened.__aexit__(None, None, None))
        finally:
            self._wait(_cancel_the_rest())
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    @property
    def stack(self) -> Stack:
        return self._stack

    def move_clock(self, at: str | None) -> None:
        """From here on it is that moment (ISO 8601 with offset), and time goes on from it; None leaves it alone.

        Raises:
            ValueError: no moment, or one without its offset.
        """
        if at is None or self._is_moved:
            return
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError(f"{at!r} has no offset from UTC; write it like 2026-11-30T06:00:00+00:00")
        ahead = moment - utc_now()
        self._stack = replace(self._stack, now=lambda: utc_now() + ahead)
        self._is_moved = True

    def run(self, work: Callable[..., Coroutine[Any, Any, T]], *arguments: Any, **named: Any) -> T:
        """Run `work(stack, ...)` on the loop and wait for it. Terminating the run cancels it."""
        return self._wait(work(self._stack, *arguments, **named))

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on beside the steps, until the run ends."""
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


class MasterQueries(dg.ConfigurableResource):
    """The master database, for sensors, schedules and checks: one connection for one question."""

    def ask(self, question: Callable[[Connection], Awaitable[T]]) -> T:
        """Open a connection, run `question(conn)`, close it."""

        async def once() -> T:
            async with await psycopg.AsyncConnection[DictRow].connect(
                load_settings().dsn, autocommit=True, row_factory=dict_row, connect_timeout=CONNECT_TIMEOUT_SECONDS
            ) as conn:
                return await question(conn)

        return asyncio.run(once())


async def _cancel_the_rest() -> None:
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
