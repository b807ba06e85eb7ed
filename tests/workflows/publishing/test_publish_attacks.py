"""Attacks on the publishing promise: two runs at once, equal words, edits at the worst moment, endless loops."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.content.scheduling import enqueue_ready
from draggonnb_pipelines.workflows.publishing.publish_questions import request_undo
from draggonnb_pipelines.workflows.publishing.publish_quotas import AGENDA, load_quotas
from draggonnb_pipelines.workflows.publishing.publish_recovery import settle_unknown
from tests.sandbox_process import Sandbox
from tests.workflows.publish_work import approve, connect, make_due, publish, queue


async def change(stack: Stack, organization: Organization, statement: str, *values: Any) -> None:
    async with stack.tenants.open(organization) as tenant:
        await tenant.conn.execute(statement, values)  # pyright: ignore[reportArgumentType]


async def post_row(stack: Stack, organization: Organization, post_id: UUID) -> dict[str, Any]:
    async with stack.tenants.open(organization) as tenant:
        found = await tenant.conn.execute("select * from social_posts where id = %s", (post_id,))
        [row] = await found.fetchall()
        return row


async def test_a_refused_repetition_of_another_posts_words_is_not_taken_for_that_post(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    """Adopting the other's id would break on its owner's row, and with it the records of the whole chunk."""
    await connect(stack, agency, Platform.LINKEDIN)
    await approve(stack, agency, "We are open.", platforms=("linkedin",))
    await publish(stack, agency)
    sandbox.faults("POST /linkedin/rest/posts", {"kind": "drop_before_accept"})
    again = await approve(stack, agency, "We are open.", platforms=("linkedin",))
    await publish(stack, agency)
    neighbour = await approve(stack, agency, "And somebody else's words.", platforms=("linkedin",))
    problems = []
    for _ in range(4):
        await make_due(stack, agency)
        problems.append((await publish(stack, agency)).problem)

    rows = {row["post_id"]: row for row in await queue(stack, agency)}
    assert problems == [None] * 4
    assert (rows[neighbour]["status"], rows[neighbour]["attempts"]) == ("published", 1)
    assert (rows[again]["status"], rows[again]["attempts"]) == ("refused", 2)
    assert [post["text"] for post in sandbox.public("linkedin")] == ["We are open.", "And somebody else's words."]


async def test_an_id_that_another_post_has_is_a_question_about_one_row_and_not_the_end_of_its_chunk(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.FACEBOOK)
    first = await approve(stack, agency, "We are open.", platforms=("facebook",))
    await publish(stack, agency)
    [row] = await queue(stack, agency)
    page, _, number = row["platform_post_id"].partition("_")
    taken = f"{page}_{int(number) + 1}"
    await change(stack, agency, "update content_queue set platform_post_id = %s where post_id = %s", taken, first)
    posts = [await approve(stack, agency, f"News no. {number}.", platforms=("facebook",)) for number in range(3)]

    run = await publish(stack, agency)

    rows = {row["post_id"]: row for row in await queue(stack, agency)}
    assert run.problem is None
    assert sorted(rows[post]["status"] for post in posts) == ["needs_review", "published", "published"]
    [asked] = [rows[post] for post in posts if rows[post]["status"] == "needs_review"]
    assert asked["question"] == f"The network gave the id of another post ({taken}). Is this one there?"
    assert asked["platform_post_id"] is None
    assert rows[first]["platform_post_id"] == taken
    assert len(sandbox.public("facebook")) == 4


async def test_two_lookers_who_find_the_same_post_for_equal_words_lose_neither_row(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.FACEBOOK)
    sandbox.settings(social_refuses_duplicates=False, social_latency_seconds=0.3)
    for kind in ("accept_then_drop", "drop_before_accept"):
        sandbox.faults("POST /graph/{version}/{page}/feed", {"kind": kind})
        await approve(stack, agency, "Twice on purpose.", platforms=("facebook",))
        await publish(stack, agency)
    first, second = await queue(stack, agency)

    async def look(hidden: UUID) -> int:
        await change(stack, agency, "update content_queue set due_at = now() + interval '1 hour' where id = %s", hidden)
        await change(stack, agency, "update content_queue set due_at = now() where id <> %s", hidden)
        return await settle_unknown(stack, agency)

    await asyncio.gather(
        asyncio.create_task(look(first["id"])), _later(0.1, look, second["id"]), return_exceptions=True
    )
    for _ in range(4):
        await make_due(stack, agency)
        await publish(stack, agency)

    rows = await queue(stack, agency)
    assert [row["status"] for row in rows] == ["published", "published"]
    assert {row["platform_post_id"] for row in rows} == {post["id"] for post in sandbox.public("facebook")}
    assert len(sandbox.public("facebook")) == 2


async def _later(seconds: float, work: Any, *arguments: Any) -> Any:
    await asyncio.sleep(seconds)
    return await work(*arguments)


async def test_a_vendor_that_was_resumed_stays_so_when_an_older_run_ends(stack: Stack) -> None:
    async with stack.master.connection() as conn:
        await AGENDA.stop_vendor(conn, vendor="linkedin", reason="the version has ended")
    run = await load_quotas(stack.master, clients=1)
    async with stack.master.connection() as conn:
        await AGENDA.resume_vendor(conn, vendor="linkedin")

    await run.save(stack.master)

    assert (await load_quotas(stack.master, clients=1)).stopped == {}


async def test_a_vendor_that_a_run_stopped_stays_stopped_for_the_next(stack: Stack) -> None:
    run = await load_quotas(stack.master, clients=1)
    run.stop(Platform.LINKEDIN, VendorError("linkedin", ErrorClass.CONFIG, "HTTP 426"))

    await run.save(stack.master)

    assert set((await load_quotas(stack.master, clients=1)).stopped) == {"linkedin"}


async def test_an_edit_during_a_lost_call_waits_for_its_fate_and_then_goes_out_where_the_old_words_did_not(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.FACEBOOK, Platform.X)
    post_id = await approve(stack, agency, "The old words.", platforms=("facebook", "x"))
    sandbox.faults("POST /x/2/tweets", {"kind": "drop_before_accept"})
    sandbox.faults("POST /graph/{version}/{page}/feed", {"kind": "accept_then_drop"})
    await publish(stack, agency)
    new = '{"x": {"text": "The new words."}, "facebook": {"text": "The new words."}}'
    await change(stack, agency, "update social_posts set variants = %s where id = %s", new, post_id)
    await change(
        stack,
        agency,
        "update social_posts set status = 'approved', approved_hash = content_hash, approved_at = now() where id = %s",
        post_id,
    )

    await publish(stack, agency)
    for _ in range(4):
        await make_due(stack, agency)
        await publish(stack, agency)

    assert [post["text"] for post in sandbox.public("facebook")] == ["The old words."]
    assert [post["text"] for post in sandbox.public("x")] == ["The new words."]
    rows = [(row["platform_id"], row["revision"], row["status"]) for row in await queue(stack, agency)]
    assert sorted(rows) == [("facebook", 1, "published"), ("x", 1, "cancelled"), ("x", 2, "published")]
    assert (await post_row(stack, agency, post_id))["status"] == "published"


async def test_a_network_without_an_account_is_named_although_the_others_go_out(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    post_id = await approve(stack, agency, "For two networks.", platforms=("facebook", "x"))

    [enqueued] = await enqueue_ready(stack, agency)

    assert (enqueued.rows, enqueued.reason) == (1, "no account is connected for facebook")
    assert (await post_row(stack, agency, post_id))["last_error"] == "no account is connected for facebook"


async def test_more_approved_posts_than_one_look_takes_are_all_on_the_queue_at_once(
    stack: Stack, agency: Organization, monkeypatch: Any
) -> None:
    monkeypatch.setattr("draggonnb_pipelines.workflows.content.scheduling.POSTS_AT_ONCE", 2)
    await connect(stack, agency, Platform.X)
    for number in range(5):
        await approve(stack, agency, f"Post {number}.", platforms=("x",), late=timedelta(hours=-1))

    enqueued = await enqueue_ready(stack, agency)

    assert len(enqueued) == 5
    assert len(await queue(stack, agency)) == 5


async def test_four_runs_at_once_on_one_client_publish_each_post_once(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    for number in range(30):
        await approve(stack, agency, f"Post {number}.", platforms=("x",))
    sandbox.settings(social_latency_seconds=0.05, social_refuses_duplicates=False)

    clients = await asyncio.gather(*(publish(stack, agency, str(uuid4())) for _ in range(4)))

    assert [client.problem for client in clients] == [None] * 4
    assert sum(client.tally.published for client in clients) == 30
    texts = [post["text"] for post in sandbox.public("x")]
    assert sorted(texts) == sorted(f"Post {number}." for number in range(30))
    async with stack.tenants.open(agency) as tenant:
        found = await tenant.conn.execute("select used, reserved from usage_counters where metric = 'posts_monthly'")
        assert [dict(row) for row in await found.fetchall()] == [{"used": 30, "reserved": 0}]


async def test_a_row_that_breaks_our_own_code_stops_neither_its_neighbours_nor_itself_for_ever(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    broken = await approve(stack, agency, "Broken.", platforms=("x",), late=timedelta(minutes=2))
    sound = await approve(stack, agency, "Sound.", platforms=("x",))
    await enqueue_ready(stack, agency)
    payload = '{"text": "Broken.", "media": [{}]}'
    await change(stack, agency, "update content_queue set payload = %s where post_id = %s", payload, broken)
    for _ in range(10):
        await make_due(stack, agency)
        client = await publish(stack, agency)
        assert client.problem is None

    rows = {row["post_id"]: row for row in await queue(stack, agency)}
    assert (rows[sound]["status"], rows[sound]["attempts"]) == ("published", 1)
    assert (rows[broken]["status"], rows[broken]["attempts"]) == ("needs_review", 0)
    assert [post["text"] for post in sandbox.public("x")] == ["Sound."]


async def test_a_scheduled_post_that_is_moved_in_the_dashboard_goes_out_at_its_new_time(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    later = await approve(stack, agency, "Moved away.", platforms=("x",), late=timedelta(seconds=-1))
    sooner = await approve(stack, agency, "Moved here.", platforms=("x",), late=timedelta(days=-1))
    await enqueue_ready(stack, agency)
    move = "update social_posts set scheduled_for = now() + make_interval(hours => %s) where id = %s"
    await change(stack, agency, move, 24, later)
    await change(stack, agency, move, 0, sooner)

    await asyncio.sleep(1.0)
    await publish(stack, agency)

    rows = {row["post_id"]: row for row in await queue(stack, agency)}
    assert [rows[later]["status"], rows[sooner]["status"]] == ["scheduled", "published"]
    assert rows[later]["due_at"] - rows[later]["db_now"] > timedelta(hours=23)
    assert [post["text"] for post in sandbox.public("x")] == ["Moved here."]


@pytest.fixture
async def three_a_month(stack: Stack, agency: Organization) -> AsyncIterator[None]:
    """A plan that allows three posts a month; the master database is shared, so it goes again."""
    key = "attacked"
    async with stack.master.connection() as conn:
        await conn.execute("insert into plans (key, name, position) values (%s, 'Attacked', 98)", (key,))
        await conn.execute("insert into plan_limits values (%s, 'posts_monthly', '2026-01-01', 3)", (key,))
        await conn.execute("update organizations set plan_key = %s where id = %s", (key, agency.id))
    yield
    async with stack.master.connection() as conn:
        await conn.execute("update organizations set plan_key = null where id = %s", (agency.id,))
        await conn.execute("delete from plan_limits where plan_key = %s", (key,))
        await conn.execute("delete from plans where key = %s", (key,))


@pytest.mark.usefixtures("three_a_month")
async def test_runs_that_compete_for_the_last_places_of_the_month_give_each_away_once(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    for number in range(6):
        await approve(stack, agency, f"Post {number}.", platforms=("x",))

    clients = await asyncio.gather(*(publish(stack, agency) for _ in range(4)))

    assert [client.problem for client in clients] == [None] * 4
    assert [row["status"] for row in await queue(stack, agency)] == ["published"] * 3
    async with stack.tenants.open(agency) as tenant:
        found = await tenant.conn.execute("select status, count(*) from social_posts group by 1 order by 1")
        assert [tuple(row.values()) for row in await found.fetchall()] == [("blocked", 3), ("published", 3)]
        found = await tenant.conn.execute("select used, reserved from usage_counters where metric = 'posts_monthly'")
        assert [tuple(row.values()) for row in await found.fetchall()] == [(3, 0)]
    assert len(sandbox.public("x")) == 3


async def test_the_first_comment_of_a_post_that_is_taken_back_meanwhile_never_appears(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.FACEBOOK)
    await approve(stack, agency, "Come in.", platforms=("facebook",), first_comment="We are open until noon.")
    sandbox.faults("POST /graph/{version}/{post}/comments", {"kind": "rate_limit", "retry_after": 600})
    await publish(stack, agency)
    root, comment = await queue(stack, agency)
    assert (root["status"], comment["status"]) == ("published", "scheduled")

    await request_undo(stack, agency, root["id"], by="ann")
    await change(stack, agency, "update social_accounts set paused_until = null")
    await make_due(stack, agency)
    await publish(stack, agency)

    assert [row["status"] for row in await queue(stack, agency)] == ["undone", "cancelled"]
    assert [(post["text"], post["deleted"]) for post in sandbox.public("facebook")] == [("Come in.", True)]
