"""What only a person can settle: questions about rows of the publish ledger, their answers, and taking a post back.

Not here: where questions come from (`publish_calls.py`, `publish_recovery.py`), the deleting (`publish_recovery.py`).
"""

import json
from collections.abc import Mapping
from typing import Any, Literal, get_args
from uuid import UUID

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.reports import is_web_address
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.analytics.analytics_agenda import note_measuring
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_slug
from draggonnb_pipelines.workflows.publishing.agenda import announced
from draggonnb_pipelines.workflows.publishing.publish_records import settle_usage

QUESTIONS = load_queries("publish_questions")
SEEN = "seen:"
ANSWERS_AT_ONCE = 50
Answer = Literal["published", "not-published", "publish", "drop", "deleted"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)
_STATUS: Mapping[Answer, str] = {
    "published": "published",
    "not-published": "scheduled",
    "publish": "scheduled",
    "drop": "dropped",
    "deleted": "undone",
}


async def answer_question(
    stack: Stack,
    organization: Organization,
    queue_id: UUID,
    answer: Answer,
    *,
    by: str,
    url: str | None = None,
) -> str:
    """Apply a person's answer to a row that needs review; returns the row's new status.

    Args:
        answer: `published` (it is there; with `url` if known), `not-published` (it is not there: send it again),
            `publish` (late, or failed often: try all the same), `drop`, `deleted` (a post to be taken back is gone).
        by: who answers, for the audit log.

    Raises:
        OperatorError: the row does not wait for an answer, this answer does not fit its question, or `url` is none.
    """
    if url is not None and not is_web_address(url):  # it becomes a link for operators and clients
        raise OperatorError("the url is no web address", remedy="give it as the browser shows it: https://...")
    async with stack.tenants.open(organization) as tenant:
        row = await _row(tenant, queue_id)
        if row["status"] != "needs_review":
            raise OperatorError(f"{queue_id} is {row['status']} and asks nothing", remedy=_list(organization))
        refuse_misfit(row, answer)
        status = _STATUS[answer]
        if status == "published":
            await note_measuring(stack.master, [organization.id], row["db_now"])
        async with announced(stack.master, organization.id, row["db_now"]), tenant.conn.transaction():
            done = await QUESTIONS.answer(
                tenant.conn,
                id=queue_id,
                status=status,
                note=f"answered: {answer}",
                late_ok=answer == "publish",
                # The id is the platform's; where a person saw the post but not its id, the row stands for itself.
                platform_post_id=(row["platform_post_id"] or f"{SEEN}{queue_id}") if answer == "published" else None,
                platform_url=url,
            )
            if done is None:
                raise OperatorError(f"{queue_id} was answered meanwhile", remedy=_list(organization))
            await settle_usage(tenant, {queue_id: status} if row["part_kind"] == "post" else {})
            await _audit(tenant, by, f"publish.answered.{answer}", queue_id)
    return status


async def request_undo(stack: Stack, organization: Organization, queue_id: UUID, *, by: str) -> None:
    """Have a published post deleted at its platform by the next run.

    Raises:
        OperatorError: it is not published, the time for it is over, or the platform cannot delete.
    """
    async with stack.tenants.open(organization) as tenant:
        row = await _row(tenant, queue_id)
        if row["platform_id"] == Platform.INSTAGRAM:
            raise OperatorError("Instagram lets no program delete a post", remedy="delete it in the Instagram app")
        if (row["platform_post_id"] or "").startswith(SEEN):
            raise OperatorError(
                "a person saw this post, and its address at the platform is not known",
                remedy="delete it in the platform's app",
            )
        async with announced(stack.master, organization.id, row["db_now"]), tenant.conn.transaction():
            if await QUESTIONS.ask_undo(tenant.conn, id=queue_id, by=by) is None:
                raise OperatorError(
                    f"{queue_id} is {row['status']}"
                    + (f", since {row['published_at']:%Y-%m-%d %H:%M} UTC" if row["published_at"] else ""),
                    remedy=f"only posts published within the last {row['undo_hours']} hours can be taken back",
                )
            await _audit(tenant, by, "publish.undo_requested", queue_id)


async def apply_answers(stack: Stack, organization: Organization) -> int:
    """Apply what people said in the dashboard, each once; one that does not fit any more is told so. How many."""
    async with stack.tenants.open(organization) as tenant:
        rows = [row async for row in QUESTIONS.open_answers(tenant.conn, row_limit=ANSWERS_AT_ONCE)]
    for row in rows:
        try:
            outcome = await _act(
                stack, organization, row["queue_id"], row["action"], by=f"app:{row['asked_by']}", url=row["url"]
            )
        except OperatorError as error:
            outcome = error.message
        async with stack.tenants.open(organization) as tenant:
            await QUESTIONS.close_answer(tenant.conn, id=row["id"], outcome=outcome)
    return len(rows)


async def act_on_row(stack: Stack, slug: str, queue_id: UUID, action: str, *, by: str, url: str | None = None) -> str:
    """An answer or `undo`, as an operator gives it; returns what follows in words.

    Raises:
        OperatorError: no such organization, action or row, or the action does not fit it.
    """
    organization = (await organizations_by_slug(stack, [slug])).get(slug)
    if organization is None:
        raise OperatorError(f"no organization has the slug {slug!r}", remedy="`draggonnb tenant list` shows all")
    return await _act(stack, organization, queue_id, action, by=by, url=url)


async def _act(
    stack: Stack, organization: Organization, queue_id: UUID, action: str, *, by: str, url: str | None
) -> str:
    if action == "undo":
        await request_undo(stack, organization, queue_id, by=by)
        return f"{queue_id} will be deleted within a minute"
    if action not in ANSWERS:
        raise OperatorError(f"{action!r} is no action", remedy=f"one of {', '.join((*ANSWERS, 'undo'))}")
    status = await answer_question(stack, organization, queue_id, action, by=by, url=url)
    return f"{queue_id} is {status} now"


def refuse_misfit(row: Mapping[str, Any], answer: Answer) -> None:
    is_undo = row["undo_requested_at"] is not None
    was_called = row["attempts"] > 0
    fitting = ("deleted", "published") if is_undo else ("published", "not-published", "drop", "publish")
    if not is_undo and not was_called:
        fitting = ("publish", "drop")
    if answer not in fitting:
        raise OperatorError(f"{answer!r} does not answer: {row['question']}", remedy=f"answer {' or '.join(fitting)}")


async def _row(tenant: TenantDb, queue_id: UUID) -> dict[str, Any]:
    row = await QUESTIONS.one_row(tenant.conn, id=queue_id)
    if row is None:
        raise OperatorError(f"there is no row {queue_id}", remedy=_list(tenant.organization))
    return row


def _list(organization: Organization) -> str:
    return f"`draggonnb publish review {organization.slug}` shows what asks"


async def _audit(tenant: TenantDb, by: str, action: str, queue_id: UUID) -> None:
    resource = f"content_queue:{queue_id}"
    await QUESTIONS.audit(tenant.conn, actor=by, action=action, resource=resource, metadata=json.dumps({}))
