"""What the publisher tells the operator: a table per client and day, pictures of the posts, lateness and cost."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import psycopg

from draggonnb_pipelines.domain.post_previews import preview_markdown
from draggonnb_pipelines.domain.reports import (
    CheckOutcome,
    KeyReport,
    Markdown,
    PartitionKey,
    StepReport,
    markdown_link,
    markdown_text,
)
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.inbox_batches import reason_of
from draggonnb_pipelines.workflows.publishing.publish_line import ClientRun
from draggonnb_pipelines.workflows.publishing.publish_questions import QUESTIONS

ROWS_SHOWN = 50
PICTURES_SHOWN = 4
PUNCTUAL_SECONDS = 60
REPORTS_AT_ONCE = 8
log = logging.getLogger(__name__)


async def report_published(
    stack: Stack, run_id: str, keys: Sequence[PartitionKey], clients: Sequence[ClientRun]
) -> StepReport:
    """One report per client: what went out, how late, what it cost, and what is left to a person.

    Clients that joined while the run was at work are newcomers of the day on which this is written.
    """
    today = stack.now().astimezone(UTC).date()
    newcomers = [PartitionKey(client.organization.slug, today) for client in clients if client.has_joined]
    by_slug = {client.organization.slug: client for client in clients}
    permits = asyncio.Semaphore(REPORTS_AT_ONCE)

    async def of_key(key: PartitionKey) -> tuple[PartitionKey, KeyReport | str]:
        client = by_slug[key.slug]
        if client.problem:
            return key, client.problem
        async with permits:
            try:
                return key, await _key_report(stack, run_id, key, client)
            except (DraggonnbError, psycopg.Error) as error:
                return key, reason_of(error)
            except Exception as error:  # a row that cannot be shown must not hide the other clients' reports
                log.exception("%s: the report broke", key.slug)
                return key, reason_of(error)

    served = [key for key in keys if key.slug in by_slug]
    found = await asyncio.gather(*map(of_key, [*served, *newcomers]))
    return StepReport(
        newcomers=frozenset(newcomers),
        waiting=dict.fromkeys([key for key in keys if key.slug not in by_slug], "not active, or being moved"),
        done={key: report for key, report in found if isinstance(report, KeyReport)},
        failed={key: reason for key, reason in found if isinstance(reason, str)},
    )


async def _key_report(stack: Stack, run_id: str, key: PartitionKey, client: ClientRun) -> KeyReport:
    async with stack.tenants.open(client.organization) as tenant:
        rows = [row async for row in QUESTIONS.run_rows(tenant.conn, run_id=run_id, row_limit=ROWS_SHOWN)]
        counts = await QUESTIONS.day_counts(tenant.conn, day=key.day)
        asked = [row async for row in QUESTIONS.questions(tenant.conn, row_limit=ROWS_SHOWN)]
    tally = client.tally
    metadata: dict[str, Any] = {
        "posts": Markdown(_table(rows)),
        "published in this run": tally.published,
        "lateness (median, s)": counts["median_seconds"],
        "lateness (most, s)": counts["latest_seconds"],
        "cost (USD)": float(counts["cost_usd"]),
    }
    for name, count in (
        ("refused", tally.refused),
        ("not known yet", tally.unknown),
        ("to be tried again", tally.rescheduled),
        ("read back", tally.read_back),
        ("needs review", counts["needs_review"]),
    ):
        if count:
            metadata[name] = count
    if tally.errors:
        metadata["errors"] = {markdown_text(text, max_chars=200): count for text, count in tally.errors.items()}
    pictures = [preview_markdown(row) for row in rows if row["status"] == "published" and row["part_kind"] == "post"]
    if pictures:
        metadata["as they appear"] = Markdown("\n\n".join(pictures[:PICTURES_SHOWN]))
    return KeyReport(
        rows=counts["published"],
        metadata={name: value for name, value in metadata.items() if value is not None},
        checks=[_questions(key.slug, asked), _punctuality(rows)],
    )


def _questions(slug: str, asked: Sequence[Mapping[str, Any]]) -> CheckOutcome:
    lines = ["| id | network | due (UTC) | question |", "|---|---|---|---|"]
    for row in asked:
        question = markdown_text(row["question"], max_chars=300)
        lines.append(f"| `{row['id']}` | {row['platform_id']} | {row['publish_at']:%Y-%m-%d %H:%M} | {question} |")
    lines.append(f"\nAnswer with the job `act_on_post`, or: draggonnb publish answer {slug} ID ANSWER")
    return CheckOutcome(
        "no_open_questions",
        passed=not asked,
        description=f"{len(asked)} posts wait for a person" if asked else "nothing waits for a person",
        severity="warn",
        metadata={"questions": Markdown("\n".join(lines))} if asked else {},
    )


def _punctuality(rows: Sequence[Mapping[str, Any]]) -> CheckOutcome:
    late = [row["lateness_seconds"] for row in rows if (row["lateness_seconds"] or 0) > PUNCTUAL_SECONDS]
    return CheckOutcome(
        "out_on_time",
        passed=not late,
        description=f"{len(late)} of {len(rows)} were out more than {PUNCTUAL_SECONDS} s after their time, "
        f"the latest {max(late)} s"
        if late
        else f"all within {PUNCTUAL_SECONDS} s of their time",
        severity="warn",
    )


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "nothing was due"
    lines = ["| platform | account | part | status | late | post |", "|---|---|---|---|---|---|"]
    for row in rows:
        late = "" if row["lateness_seconds"] is None else f"{row['lateness_seconds']}\u00a0s"
        link = markdown_link("open", row["platform_url"]) if row["platform_url"] else ""
        what = link or markdown_text(row["question"] or row["last_error"] or "", max_chars=160)
        account = markdown_text(row["account"], max_chars=40)
        lines.append(f"| {row['platform_id']} | {account} | {row['part_kind']} | {row['status']} | {late} | {what} |")
    return "\n".join(lines)
