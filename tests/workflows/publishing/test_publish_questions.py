"""Questions to a person: each answer does what it says and fits its question, and posts are taken back."""

from collections.abc import AsyncIterator
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
from tests.workflows.publish_work import approve, connect, make_due, posts_used, publish, queue, statuses

BY = "operator:desk"
FEED = "POST /graph/{version}/{page}/feed"
DELETE = "DELETE /x/2/tweets/{post}"


@pytest.fixture(autouse=True)
async def untouched(stack: Stack, outsider: Organization) -> AsyncIterator[None]:
    """Whatever is asked and answered, the outsider has nothing and hears nothing."""
    yield
    assert await queue(stack, outsider) == []
    assert (
        await tenant_rows(stack, outsider, "select 1 as n from audit_log where starts_with(action, 'publish.')") == []
    )


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


async def published_post(
    stack: Stack, organization: Organization, platform: Platform = Platform.X, **more: Any
) -> UUID:
    await connect(stack, organization, platform)
    await approve(stack, organization, "Out it goes.", platforms=(str(platform),), **more)
    await publish(stack, organization)
    return await first_row(stack, organization)


async def first_row(stack: Stack, organization: Organization) -> UUID:
    return next(row["id"] for row in await queue(stack, organization) if row["part"] == 0)


async def audit(stack: Stack, organization: Organization, row_id: UUID) -> list[tuple[str, str]]:
    rows = await tenant_rows(
        stack, organization, "select actor, action from audit_log where resource = %s", f"content_queue:{row_id}"
    )
    return [(row["actor"], row["action"]) for row in rows]


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
    assert await audit(stack, agency, row_id) == [(BY, "publish.answered.publish")]


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
    assert await audit(stack, agency, row_id) == []


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
    assert await audit(stack, agency, row_id) == [(BY, "publish.answered.drop")]


async def test_the_row_of_another_client_is_not_there(
    stack: Stack, agency: Organization, outsider: Organization
) -> None:
    row_id = await late_post(stack, agency)

    with pytest.raises(OperatorError, match="there is no row"):
        await answer_question(stack, outsider, row_id, "drop", by=BY)
    with pytest.raises(OperatorError, match="there is no row"):
        await request_undo(stack, outsider, row_id, by=BY)

    assert statuses(await queue(stack, agency)) == {"x": "needs_review"}


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
    assert await audit(stack, agency, row_id) == [(BY, "publish.undo_requested")]


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
    assert await audit(stack, agency, row_id) == await audit(stack, agency, old) == []


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
    assert await audit(stack, agency, row_id) == [("app:somebody who left", "publish.answered.publish")]


async def test_a_post_that_was_taken_back_everywhere_is_withdrawn(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    row_id = await published_post(stack, agency)
    await tenant_rows(stack, agency, "insert into publish_answers (queue_id, action) values (%s, 'undo')", row_id)

    await apply_answers(stack, agency)
    await publish(stack, agency)

    assert [post["deleted"] for post in sandbox.public("x")] == [True]
    assert await tenant_rows(stack, agency, "select status from social_posts") == [{"status": "withdrawn"}]
