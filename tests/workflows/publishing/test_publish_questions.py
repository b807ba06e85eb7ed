"""Questions to a person: each answer does what it says and fits its question. Taking back: `test_publish_undo.py`."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

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
    first_row,
    make_due,
    posts_used,
    publish,
    publish_audit,
    queue,
    statuses,
)

BY = "operator:desk"
FEED = "POST /graph/{version}/{page}/feed"
pytestmark = pytest.mark.usefixtures("untouched_outsider")


async def late_post(stack: Stack, organization: Organization, text: str = "Yesterday's news.", **more: Any) -> UUID:
    """A post whose time has long passed: nothing was called, and a person is asked."""
    await connect(stack, organization, Platform.X)
    await approve(stack, organization, text, platforms=("x",), late=timedelta(hours=5), **more)
    await publish(stack, organization)
    return await first_row(stack, organization)


async def unreadable_post(stack: Stack, organization: Organization, sandbox: Sandbox) -> UUID:
    """A call whose answer was lost at a network that cannot be read back: it may be public."""
    await connect(stack, organization, Platform.FACEBOOK)
    await approve(stack, organization, "Is it out?", platforms=("facebook",))
    sandbox.faults(FEED, {"kind": "accept_then_drop"})
    await publish(stack, organization)
    sandbox.faults("GET /graph/{version}/{page}/published_posts", {"kind": "graph_error", "code": 10, "status": 403})
    await make_due(stack, organization)
    await publish(stack, organization)
    return await first_row(stack, organization)


async def test_a_late_post_that_may_go_out_goes_out(stack: Stack, agency: Organization, sandbox: Sandbox) -> None:
    row_id = await late_post(stack, agency)
    [asked] = await queue(stack, agency)
    await master_rows(stack, "update publishing_agenda set next_due_at = 'infinity'")

    status = await answer_question(stack, agency, row_id, "publish", by=BY)
    due = await master_rows(stack, "select organization_id from publishing_agenda where next_due_at <= now()")
    await publish(stack, agency)

    assert (asked["status"], asked["attempts"]) == ("needs_review", 0)
    assert asked["question"].endswith("Publish it all the same, or drop it?")
    assert status == "scheduled"
    assert due == [{"organization_id": agency.id}]
    [row] = await queue(stack, agency)
    assert (row["status"], row["question"], row["late_ok"]) == ("published", None, True)
    assert [post["text"] for post in sandbox.public("x")] == ["Yesterday's news."]
    assert await posts_used(stack, agency) == (1, 0)
    assert await publish_audit(stack, agency, row_id) == [(BY, "publish.answered.publish")]


async def test_a_late_post_that_is_dropped_gives_its_place_back_and_takes_its_thread_with_it(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    row_id = await late_post(stack, agency, thread=["And more."])
    assert await posts_used(stack, agency) == (0, 1)

    status = await answer_question(stack, agency, row_id, "drop", by=BY)
    await publish(stack, agency)

    assert status == "dropped"
    assert [(row["part"], row["status"]) for row in await queue(stack, agency)] == [(0, "dropped"), (1, "cancelled")]
    assert await posts_used(stack, agency) == (0, 0)
    assert sandbox.public("x") == []
    assert await tenant_rows(stack, agency, "select status from social_posts") == [{"status": "failed"}]


async def test_a_post_that_a_person_found_is_published_with_the_address_that_was_given(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    row_id = await unreadable_post(stack, agency, sandbox)
    [asked] = await queue(stack, agency)

    url = "https://facebook.example/posts/1"
    status = await answer_question(stack, agency, row_id, "published", by=BY, url=url)
    again = await publish(stack, agency)

    assert asked["question"].endswith("Look at the account: is the post there?")
    [row] = await queue(stack, agency)
    assert (status, row["status"], row["platform_url"], row["attempts"]) == ("published", "published", url, 1)
    assert row["published_at"] is not None
    assert again.tally.published == 0
    assert len(sandbox.public("facebook")) == 1
    assert await posts_used(stack, agency) == (1, 0)


async def test_a_post_that_a_person_did_not_find_is_sent_again(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    sandbox.settings(social_refuses_duplicates=False)
    row_id = await unreadable_post(stack, agency, sandbox)

    await answer_question(stack, agency, row_id, "not-published", by=BY)
    await publish(stack, agency)

    [row] = await queue(stack, agency)
    assert (row["status"], row["attempts"]) == ("published", 2)
    assert await posts_used(stack, agency) == (1, 0)


@pytest.mark.parametrize("answer", ["published", "not-published", "deleted"])
async def test_what_was_never_called_cannot_have_been_published(
    stack: Stack, agency: Organization, answer: Answer
) -> None:
    row_id = await late_post(stack, agency)
    before = await queue(stack, agency)

    with pytest.raises(OperatorError, match=f"'{answer}' does not answer: It is 5 hours late") as refused:
        await answer_question(stack, agency, row_id, answer, by=BY)

    assert refused.value.remedy == "answer publish or drop"
    assert [row["updated_at"] for row in await queue(stack, agency)] == [row["updated_at"] for row in before]
    assert await publish_audit(stack, agency, row_id) == []


async def test_a_row_that_asks_nothing_a_strange_row_and_a_second_answer_are_refused(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    row_id = await late_post(stack, agency)
    await answer_question(stack, agency, row_id, "drop", by=BY)

    with pytest.raises(OperatorError, match=f"{row_id} is dropped and asks nothing"):
        await answer_question(stack, agency, row_id, "publish", by=BY)
    with pytest.raises(OperatorError, match="there is no row"):
        await answer_question(stack, agency, uuid4(), "publish", by=BY)

    assert statuses(await queue(stack, agency)) == {"x": "dropped"}
    assert await publish_audit(stack, agency, row_id) == [(BY, "publish.answered.drop")]


async def test_the_row_of_another_client_is_not_there(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    row_id = await late_post(stack, agency)

    with pytest.raises(OperatorError, match="there is no row"):
        await answer_question(stack, outsider, row_id, "drop", by=BY)
    with pytest.raises(OperatorError, match="there is no row"):
        await request_undo(stack, outsider, row_id, by=BY)

    assert statuses(await queue(stack, agency)) == {"x": "needs_review"}


async def test_what_people_say_in_the_dashboard_is_applied_once_and_answered(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    row_id = await late_post(stack, agency)
    say = "insert into publish_answers (queue_id, action) values (%s, %s)"
    await tenant_rows(stack, agency, say, row_id, "deleted")

    assert await apply_answers(stack, agency) == 1
    await tenant_rows(stack, agency, say, row_id, "publish")
    assert await apply_answers(stack, agency) == 1
    assert await apply_answers(stack, agency) == 0
    await publish(stack, agency)

    told = await tenant_rows(stack, agency, "select action, outcome from publish_answers order by created_at")
    assert [row["action"] for row in told] == ["deleted", "publish"]
    assert told[0]["outcome"].startswith("'deleted' does not answer: ")
    assert told[1]["outcome"] == f"{row_id} is scheduled now"
    assert [row["status"] for row in await queue(stack, agency)] == ["published"]
    assert len(sandbox.public("x")) == 1
    assert await publish_audit(stack, agency, row_id) == [("app:somebody who left", "publish.answered.publish")]
