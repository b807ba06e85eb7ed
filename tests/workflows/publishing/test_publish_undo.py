"""Posts are taken back once, where their network can delete, and within the time for it."""

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.publishing.publish_questions import (
    Answer,
    answer_question,
    apply_answers,
    request_undo,
)
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import master_rows, tenant_rows
from tests.workflows.publish_work import (
    approve,
    connect,
    make_due,
    posts_used,
    publish,
    publish_audit,
    published_post,
    queue,
    statuses,
)

BY = "operator:desk"
DELETE = "DELETE /x/2/tweets/{post}"
pytestmark = pytest.mark.usefixtures("untouched_outsider")


async def test_a_post_is_taken_back_once_and_stays_counted(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    row_id = await published_post(stack, agency)

    await request_undo(stack, agency, row_id, by=BY)
    asked = await master_rows(stack, "select organization_id from publishing_agenda where next_due_at <= now()")
    with pytest.raises(OperatorError, match="is undo_requested"):
        await request_undo(stack, agency, row_id, by=BY)
    client = await publish(stack, agency)
    await make_due(stack, agency)
    await publish(stack, agency)

    assert asked == [{"organization_id": agency.id}]
    [row] = await queue(stack, agency)
    assert (row["status"], row["undo_by"], client.tally.read_back) == ("undone", BY, 1)
    assert [post["deleted"] for post in sandbox.public("x")] == [True]
    assert [call["method"] for call in sandbox.journal("x") if call["method"] == "DELETE"] == ["DELETE"]
    assert await posts_used(stack, agency) == (1, 0)
    assert await publish_audit(stack, agency, row_id) == [(BY, "publish.undo_requested")]


async def test_what_was_to_follow_a_post_that_is_taken_back_is_cancelled(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    sandbox.faults("POST /x/2/tweets", {"kind": "status", "status": 500, "match": "And more"})
    row_id = await published_post(stack, agency, thread=["And more."])
    sandbox.clear_faults()

    await request_undo(stack, agency, row_id, by=BY)
    for _ in range(3):
        await publish(stack, agency)
        await make_due(stack, agency)

    assert [(row["part"], row["status"]) for row in await queue(stack, agency)] == [(0, "undone"), (1, "cancelled")]
    assert [post["deleted"] for post in sandbox.public("x")] == [True]


async def test_instagram_and_what_is_older_than_the_window_cannot_be_taken_back(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    row_id = await published_post(stack, agency, Platform.INSTAGRAM)
    with pytest.raises(OperatorError, match="Instagram lets no program delete a post"):
        await request_undo(stack, agency, row_id, by=BY)
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Long ago.", platforms=("x",))
    await publish(stack, agency)
    [old] = [row["id"] for row in await queue(stack, agency) if row["platform_id"] == "x"]
    await tenant_rows(stack, agency, "update content_queue set published_at = now() - interval '25 hours'")

    with pytest.raises(OperatorError) as refused:
        await request_undo(stack, agency, old, by=BY)

    assert refused.value.remedy == "only posts published within the last 24 hours can be taken back"
    assert statuses(await queue(stack, agency)) == {"instagram": "published", "x": "published"}
    assert await publish_audit(stack, agency, row_id) == await publish_audit(stack, agency, old) == []


async def test_a_run_that_was_cut_off_after_the_deletion_is_gone_on_with_and_asks_nobody(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    row_id = await published_post(stack, agency)
    await request_undo(stack, agency, row_id, by=BY)
    sandbox.faults(DELETE, {"kind": "accept_then_drop"}, repeat=True)

    await publish(stack, agency)
    [between] = await queue(stack, agency)
    sandbox.clear_faults()
    await make_due(stack, agency)
    await publish(stack, agency)

    assert between["status"] == "undo_requested"
    assert statuses(await queue(stack, agency)) == {"x": "undone"}
    assert [post["deleted"] for post in sandbox.public("x")] == [True]


@pytest.mark.parametrize(("answer", "status"), [("deleted", "undone"), ("published", "published")])
async def test_a_post_that_the_network_does_not_delete_becomes_a_question_that_has_two_answers(
    stack: Stack, agency: Organization, sandbox: Sandbox, answer: Answer, status: str
) -> None:
    row_id = await published_post(stack, agency)
    await request_undo(stack, agency, row_id, by=BY)
    sandbox.faults(DELETE, {"kind": "status", "status": 403})
    await publish(stack, agency)
    [asked] = await queue(stack, agency)

    with pytest.raises(OperatorError, match="'not-published' does not answer"):
        await answer_question(stack, agency, row_id, "not-published", by=BY)
    await answer_question(stack, agency, row_id, answer, by=BY)
    await publish(stack, agency)

    assert asked["status"] == "needs_review"
    assert asked["question"].startswith("The post could not be deleted (HTTP 403")
    [row] = await queue(stack, agency)
    assert (row["status"], row["platform_post_id"]) == (status, asked["platform_post_id"])
    assert len([call for call in sandbox.journal("x") if call["method"] == "DELETE"]) == 1
    assert len(sandbox.public("x")) == 1
    assert await posts_used(stack, agency) == (1, 0)


async def test_a_post_that_was_taken_back_everywhere_is_withdrawn(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    row_id = await published_post(stack, agency)
    await tenant_rows(stack, agency, "insert into publish_answers (queue_id, action) values (%s, 'undo')", row_id)

    await apply_answers(stack, agency)
    await publish(stack, agency)

    assert [post["deleted"] for post in sandbox.public("x")] == [True]
    assert await tenant_rows(stack, agency, "select status from social_posts") == [{"status": "withdrawn"}]
