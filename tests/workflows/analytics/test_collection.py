"""Collecting: what is due is read once, in the platforms' own batches, and what was read is never changed."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.reports import KeyReport, PartitionKey
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.analytics import collection
from draggonnb_pipelines.workflows.analytics.collection import collect_metrics
from draggonnb_pipelines.workflows.publishing.agenda import showing_life
from tests.sandbox_process import Sandbox
from tests.workflows.collection_work import (
    SIX,
    TODAY,
    at,
    ids_of,
    key,
    lookups,
    make_public,
    next_times,
    readings,
)
from tests.workflows.lead_work import count, master_rows, tenant_rows
from tests.workflows.publish_work import connect

TOMORROW = SIX + timedelta(days=1)
EMPTY = {"platform_metrics": 0, "content_queue": 0, "notifications": 0}


async def test_posts_of_all_platforms_are_read_once_each_and_noted_for_the_next_day(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    accounts = await connect(stack, agency)
    for platform, account_id in accounts.items():
        await make_public(stack, sandbox, agency, account_id, platform, *ids_of(platform, agency, 2))
    x_ids = ids_of(Platform.X, agency, 2)
    sandbox.social_numbers(x_ids[0], views=1000, reactions=12, comments=3, shares=0, saves=2, quotes=1)

    report = await collect_metrics(at(stack, SIX), "run-1", [key(agency), key(outsider)])

    assert (report.failed, report.waiting) == ({}, {})
    metadata = report.done[key(agency)].metadata
    assert report.done[key(agency)].rows == 8
    assert (metadata["posts measured"], metadata["readings"], metadata["X calls"]) == (8, 8, 1)
    assert (metadata["cost (USD)"], metadata["next measuring"]) == (0.002, "2026-12-02 06:00 UTC")
    assert "| x | 2 | 0 | 0 | 2 | 1 | 0.002 |" in metadata["platforms"].text
    stored = await readings(stack, agency)
    assert len(stored) == len({row["post"] for row in stored}) == 8
    assert {(row["collected_at"], row["run_id"], row["is_gone"]) for row in stored} == {(SIX, "run-1", False)}
    [of_x] = [row for row in stored if row["post"] == x_ids[0]]
    assert of_x["counts"] == {"views": 1000, "reactions": 12, "comments": 3, "shares": 0, "saves": 2, "quotes": 1}
    assert set((await next_times(stack, agency)).values()) == {TOMORROW}
    assert report.done[key(outsider)].rows == 0
    assert report.done[key(outsider)].metadata["platforms"].text == "no posts of the last 90 days"
    assert await count(stack, outsider, *EMPTY) == EMPTY


async def test_what_was_read_is_not_asked_for_again_before_its_time_and_then_added_to(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    accounts = await connect(stack, agency, Platform.X)
    [post] = ids_of(Platform.X, agency, 1)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, post)
    sandbox.social_numbers(post, views=10)

    await collect_metrics(at(stack, SIX), "run-1", [key(agency)])
    again = await collect_metrics(at(stack, SIX + timedelta(hours=23)), "run-2", [key(agency, 1)])
    sandbox.social_numbers(post, views=8)  # the platform has corrected itself
    later = await collect_metrics(at(stack, TOMORROW), "run-3", [key(agency, 1)])

    assert again.done[key(agency, 1)].metadata["posts measured"] == 0
    assert later.done[key(agency, 1)].metadata["posts measured"] == 1
    stored = [(row["collected_at"], row["counts"]["views"]) for row in await readings(stack, agency)]
    assert stored == [(SIX, 10), (TOMORROW, 8)]
    assert lookups(sandbox) == 2


async def test_a_young_post_is_read_on_request_unless_it_was_read_just_now(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    accounts = await connect(stack, agency, Platform.X)
    young, old = ids_of(Platform.X, agency, 2)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, young)
    long_ago = SIX - timedelta(days=8)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, old, published_at=long_ago)
    await collect_metrics(at(stack, SIX), "run-1", [key(agency)])

    for minutes, measured in ((14, 0), (16, 1), (20, 0)):
        moment = at(stack, SIX + timedelta(minutes=minutes))
        report = await collect_metrics(moment, f"run at {minutes}", [key(agency)], fresh=True)
        assert report.done[key(agency)].metadata["posts measured"] == measured

    assert [row["post"] for row in await readings(stack, agency)] == [young, young, old]
    assert lookups(sandbox) == 2
    assert await next_times(stack, agency) == {young: TOMORROW, old: SIX + timedelta(days=6)}


async def test_two_runs_at_once_measure_no_post_twice(
    stack: Stack, sandbox: Sandbox, agency: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection, "CLAIM_POSTS", 1)
    sandbox.settings(social_latency_seconds=0.05)
    accounts = await connect(stack, agency, Platform.X)
    ids = ids_of(Platform.X, agency, 12)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, *ids)

    runs = (collect_metrics(at(stack, SIX), f"run-{number}", [key(agency)]) for number in range(4))
    reports = await asyncio.gather(*runs)

    assert lookups(sandbox) == 12
    assert [row["post"] for row in await readings(stack, agency)] == ids
    assert [report.failed for report in reports] == [{}, {}, {}, {}]
    assert any(report.done for report in reports)
    last = await collect_metrics(at(stack, SIX), "run-5", [key(agency)])
    assert last.done[key(agency)].rows == 12


async def test_a_post_whose_row_is_locked_is_left_to_whoever_holds_it(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    accounts = await connect(stack, agency, Platform.X)
    locked, free = ids_of(Platform.X, agency, 2)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, locked, free)

    async with stack.tenants.open(agency) as tenant, tenant.conn.transaction():
        await tenant.conn.execute("select from content_queue where platform_post_id = %s for update", (locked,))
        await collect_metrics(at(stack, SIX), "run-1", [key(agency)])
        assert [row["post"] for row in await readings(stack, agency)] == [free]
    await collect_metrics(at(stack, SIX), "run-2", [key(agency)])

    stored = [(row["post"], row["run_id"]) for row in await readings(stack, agency)]
    assert stored == [(locked, "run-2"), (free, "run-1")]


async def test_a_key_waits_while_a_living_run_has_its_posts_in_hand(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    accounts = await connect(stack, agency, Platform.X)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, *ids_of(Platform.X, agency, 1))
    other = str(uuid4())
    await tenant_rows(
        stack, agency, "update content_queue set measuring_run = %s, measure_at = %s", other, SIX + timedelta(minutes=9)
    )

    async with showing_life(stack.master, other):
        report = await collect_metrics(at(stack, SIX), "run-1", [key(agency)])

    assert report.waiting == {key(agency): f"another run has posts of it in hand: {other}"}
    assert (report.done, report.failed, lookups(sandbox)) == ({}, {}, 0)


async def test_a_thousand_posts_of_one_client_go_in_full_batches(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    accounts = await connect(stack, agency, Platform.X)
    ids = ids_of(Platform.X, agency, 1000)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, *ids)

    report = await collect_metrics(at(stack, SIX), "run-1", [key(agency)])

    assert report.done[key(agency)].rows == 1000
    assert report.done[key(agency)].metadata["X calls"] == 10
    assert lookups(sandbox) == 10
    assert [row["post"] for row in await readings(stack, agency)] == ids


async def test_a_past_day_is_not_asked_for_and_says_what_is_stored(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    accounts = await connect(stack, agency, Platform.X)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, *ids_of(Platform.X, agency, 3))
    await collect_metrics(at(stack, SIX), "run-1", [key(agency)])
    keys = [key(agency, -1), key(agency), key(agency, 40)]

    report = await collect_metrics(at(stack, SIX + timedelta(days=30)), "run-2", keys)

    assert lookups(sandbox) == 1
    assert report.done[key(agency, -1)].metadata["stored"].text == "nothing"
    of_day = report.done[key(agency)]
    assert (of_day.rows, of_day.metadata["posts measured"]) == (3, 3)
    assert of_day.metadata["stored"].text.splitlines()[-1] == "| x | 3 | 3 |"
    assert of_day.metadata["note"] == (
        "No platform was asked: what was not read from 2026-12-01 06:00 to 2026-12-02 06:00 UTC cannot be had again."
    )
    assert report.waiting == {key(agency, 40): "the day has not begun"}
    after_midnight = await collect_metrics(at(stack, SIX + timedelta(hours=19)), "run-3", [key(agency)])
    assert after_midnight.done[key(agency)].metadata["note"] == (
        "No platform was asked: what is read until 2026-12-02 06:00 UTC is still of this day."
    )
    assert lookups(sandbox) == 1


async def test_posts_that_are_no_longer_public_and_those_of_a_quarter_ago_are_left_alone(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    accounts = await connect(stack, agency, Platform.X)
    undone, old = ids_of(Platform.X, agency, 2)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, undone)
    last_time = SIX - timedelta(days=85)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, old, published_at=last_time)
    await tenant_rows(
        stack,
        agency,
        "update content_queue set status = 'undone', undone_at = now() where platform_post_id = %s returning id",
        undone,
    )

    await collect_metrics(at(stack, SIX), "run-1", [key(agency)])

    assert [row["post"] for row in await readings(stack, agency)] == [old]
    assert await next_times(stack, agency) == {undone: None, old: None}


async def test_the_ledger_has_how_much_was_read_of_each_day(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    accounts = await connect(stack, agency, Platform.X)
    await make_public(stack, sandbox, agency, accounts[Platform.X], Platform.X, *ids_of(Platform.X, agency, 2))

    await collect_metrics(at(stack, SIX), "run-1", [key(agency)])

    rows = await master_rows(stack, "select asset, day, rows, run_id from asset_ledger")
    assert rows == [{"asset": "platform_metrics", "day": TODAY, "rows": 2, "run_id": "run-1"}]


async def test_who_is_not_known_fails_and_who_is_suspended_is_left_alone(
    stack: Stack, sandbox: Sandbox, agency: Organization, outsider: Organization
) -> None:
    accounts = await connect(stack, outsider, Platform.X)
    await make_public(stack, sandbox, outsider, accounts[Platform.X], Platform.X, *ids_of(Platform.X, outsider, 1))
    await master_rows(stack, "update organizations set status = 'suspended' where slug = 'outsider' returning id")
    nobody = PartitionKey("nobody", TODAY)
    try:
        report = await collect_metrics(at(stack, SIX), "run-1", [nobody, key(outsider), key(agency)])
    finally:
        await master_rows(stack, "update organizations set status = 'active' where slug = 'outsider' returning id")

    assert report.failed == {nobody: "there is no such organization"}
    assert report.goes_on == frozenset()
    assert report.done[key(outsider)] == KeyReport(0, {"organization": "suspended"})
    assert report.done[key(agency)].rows == 0
    assert lookups(sandbox) == 0
