"""A Monday's runs in a process of its own that may be killed: reading, snapshots, reports, messages.

What Dagster's runs do with the same functions, without the seconds that Dagster takes to start one. Not here: who
starts and kills it (`report_world.py`).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from typing import Any
from uuid import uuid4

from draggonnb_pipelines.domain.organizations import AGENCY_SLUG
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources import report_charts, report_pdf
from draggonnb_pipelines.resources.stack import Stack, open_stack, utc_now
from draggonnb_pipelines.workflows.analytics.agency_report import report_on_agency
from draggonnb_pipelines.workflows.analytics.analytics_agenda import clients_to_measure, weeks_to_report
from draggonnb_pipelines.workflows.analytics.collection import collect_metrics
from draggonnb_pipelines.workflows.analytics.snapshots import parts_of, take_snapshots
from draggonnb_pipelines.workflows.analytics.weekly_reports import write_week_reports
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_slug
from draggonnb_pipelines.workflows.messages.message_statuses import apply_all_statuses
from draggonnb_pipelines.workflows.messages.notices import send_waiting
from tests.stories.publish_worker import settings_of

PRELOADED = (report_charts, report_pdf)  # imported late otherwise; a process that is forked has them already
MAIL_LEASE_SECONDS = 1  # less than settings allow: what a killed run was sending is taken back when it ends


def work_off(values: Mapping[str, Any], ahead: timedelta) -> None:
    """Everything that is to be done at this moment, by a clock that is so much ahead of the real one."""
    logging.disable(logging.ERROR)
    asyncio.run(_work_off(values, ahead))


@asynccontextmanager
async def opened(values: Mapping[str, Any], ahead: timedelta) -> AsyncIterator[Stack]:
    settings = settings_of(values).model_copy(update={"notification_lease_seconds": MAIL_LEASE_SECONDS})
    async with open_stack(settings, now=lambda: utc_now() + ahead) as stack:
        yield stack


async def _work_off(values: Mapping[str, Any], ahead: timedelta) -> None:
    async with opened(values, ahead) as stack:
        await _measure(stack, f"measuring-{uuid4()}")
        await _report(stack, f"reporting-{uuid4()}")
        await _tend(stack)


async def _measure(stack: Stack, run_id: str) -> None:
    """The chain `measure_posts`."""
    today, due = stack.now().astimezone(UTC).date(), await clients_to_measure(stack, everyone=True)
    async with asyncio.timeout(30):
        # A client whose posts another run has in hand goes no further and is asked for again. A killed run passes for a
        # living one until Postgres lets its lock go.
        while True:
            report = await collect_metrics(stack, run_id, [PartitionKey(one.slug, today) for one in due])
            if not report.waiting:
                break
            await asyncio.sleep(0.05)
    for part in parts_of([PartitionKey(one.slug, day) for one in due for day in one.days]):
        await take_snapshots(stack, run_id, part)


async def _report(stack: Stack, run_id: str) -> None:
    """The chain `report_on_weeks`."""
    due = await weeks_to_report(stack)
    await write_week_reports(stack, run_id, [PartitionKey(one.slug, one.week_start) for one in due])
    weeks = sorted({one.week_start for one in due})
    await report_on_agency(stack, run_id, [PartitionKey(AGENCY_SLUG, week_start) for week_start in weeks])


async def _tend(stack: Stack) -> None:
    """What is left in the outboxes, as the quarter-hourly run finds it."""
    slugs = [one.slug for one in await clients_to_measure(stack, everyone=True)]
    await apply_all_statuses(stack)
    for organization in (await organizations_by_slug(stack, slugs)).values():
        await send_waiting(stack, organization)
