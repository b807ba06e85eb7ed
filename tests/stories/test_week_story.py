"""The week's story: posts on four networks are read on some mornings, and on Monday each client is told of its week;
through the real daemon, sensors, code server and runs."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

import psycopg
import pytest
import requests
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.partitions import key, organization_day
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.workflows.publishing.agenda import note_due
from tests.stories.system import System, opened
from tests.stories.week_ledger import (
    AGENCY,
    ALL,
    CLIENT,
    EARLY,
    LATE,
    OUTSIDER,
    READINGS,
    TEXT,
    TOLD,
    check_figures,
    check_messages,
    check_outsider,
    check_pages,
    check_partitions,
    check_readings,
    everything_said,
)
from tests.workflows.collection_work import make_public
from tests.workflows.publish_work import PLATFORM_IDS, account_id_of, approve, connect

AWAY = "karoo-cycles"


@pytest.mark.timeout(480)
def test_posts_of_a_week_are_read_and_the_client_is_told_of_them_once_on_each_channel(system: System) -> None:
    _begin(system, *ALL)
    posts = _publish(system)
    _ask_for_fresh_numbers(system)
    _send_a_message(system)
    untouched = system.table_counts(OUTSIDER)

    *early, monday = _mornings(datetime.now(UTC))
    for morning in early[:1]:
        _collect(system, morning, posts, EARLY)
    _collect(system, monday, posts, LATE)
    _report(system, monday)

    week_start = (monday - timedelta(days=7)).date()
    check_readings(system, [*early[:1], monday])
    check_figures(system, week_start)
    check_messages(system, week_start)
    check_pages(system)
    check_partitions(system, [*early[:1], monday], week_start)
    check_outsider(system, untouched, [*early[:1], monday])

    said = everything_said(system)
    _collect(system, monday, posts, LATE)

    assert everything_said(system) == said
    system.launch("apply_message_statuses", {})
    assert {row["status"] for row in system.tenant(CLIENT, TOLD)} == {"sent", "delivered"}
    assert {row["status"] for row in system.tenant(CLIENT, TOLD) if row["channel"] == "whatsapp"} == {"delivered"}
    assert system.dagster("select pipeline_name, status from runs where status <> 'SUCCESS'") == []


@pytest.mark.timeout(300)
def test_an_organization_whose_database_is_away_fails_alone_and_is_executed_again_alone(system: System) -> None:
    _begin(system, AGENCY, OUTSIDER, AWAY)
    _stand_on_facebook(system, AWAY)
    today = datetime.now(UTC).date()
    keys = {slug: key(slug, today) for slug in (AGENCY, OUTSIDER, AWAY)}
    known = "select count(*) as n from dynamic_partitions where partition = %s"
    system.wait_until("Dagster knows it", lambda: system.dagster(known, AWAY) == [{"n": 1}], seconds=60)
    config = {"ops": {"measure_posts": {"config": {"everyone": True}}}}

    with _away(system, AWAY):
        failed = system.launch("collect_analytics", config, ends="FAILURE")

    assert system.colours("platform_metrics", list(keys.values()), organization_day) == {
        keys[AGENCY]: "MATERIALIZED",
        keys[OUTSIDER]: "MATERIALIZED",
        keys[AWAY]: "FAILED",
    }
    assert _made_by(system, failed) & {("platform_metrics", one) for one in keys.values()} == {
        ("platform_metrics", keys[AGENCY]),
        ("platform_metrics", keys[OUTSIDER]),
    }
    assert system.tenant(AWAY, READINGS) == []

    again = system.launch_again(failed)

    assert {partition for _, partition in _made_by(system, again)} == {keys[AWAY]}
    assert system.colours("platform_metrics", [keys[AWAY]], organization_day) == {keys[AWAY]: "MATERIALIZED"}
    [reading] = system.tenant(AWAY, READINGS)
    assert (reading["platform_id"], reading["is_gone"]) == ("facebook", False)
    assert reading["counts"]["views"] > 0


def _begin(system: System, *slugs: str) -> None:
    """Organizations that are not there yet; the stories of this module share them."""
    system.create(*(slug for slug in slugs if slug not in system.clients))


def _with_stack(system: System, work: Any) -> None:
    async def run() -> None:
        async with open_stack(system.settings) as stack:
            await work(stack)

    asyncio.run(run())


def _publish(system: System) -> dict[str, str]:
    """A post that everybody has agreed to, until it is public on four networks; its id on each."""
    client = opened(system, CLIENT)

    async def agree(stack: Stack) -> None:
        await connect(stack, client)
        await approve(stack, client, TEXT)
        await note_due(stack.master, client.id, stack.now())

    _with_stack(system, agree)
    query = "select platform_id, platform_post_id, status from content_queue where part_kind = 'post'"

    def is_public() -> bool:
        return [row["status"] for row in system.tenant(CLIENT, query)] == ["published"] * 4

    system.wait_until("the post is public on four networks", is_public, seconds=120)
    return {row["platform_id"]: row["platform_post_id"] for row in system.tenant(CLIENT, query)}


def _ask_for_fresh_numbers(system: System) -> None:
    """They come by the sensor; what is asked again within the hour waits for its turn."""
    asked_at = datetime.now(UTC)
    first = _ask(system, "analytics", {}, "numbers-1")
    assert first["numbers_from"] <= datetime.now(UTC).isoformat(timespec="seconds")
    wishes = "select state from inbox where topic = 'analytics' order by received_at"
    system.wait_until("the wish is served", lambda: system.master(wishes) == [{"state": "done"}], seconds=60)
    assert [row["platform_id"] for row in system.tenant(CLIENT, READINGS)] == sorted(PLATFORM_IDS)

    second = _ask(system, "analytics", {}, "numbers-2")
    assert datetime.fromisoformat(second["numbers_from"]) > asked_at + timedelta(minutes=59)
    assert system.master(wishes) == [{"state": "done"}, {"state": "received"}]


def _send_a_message(system: System) -> None:
    """One of the client's own, to its owner; sent twice by the automation, it arrives once."""
    owner = f"sales@{CLIENT}.example"
    body = {
        "event": "stock_low",
        "title": "Only two bags of Yirgacheffe left",
        "message": "Order today and they come on Thursday.",
        "to": {"roles": ["owner"]},
    }
    answers = [_ask(system, "notifications", body, "message-1") for _ in range(2)]
    assert [answer["duplicate"] for answer in answers] == [False, True]
    query = "select state from inbox where topic = 'notifications'"
    system.wait_until("it is told", lambda: system.master(query) == [{"state": "done"}], seconds=60)
    [mail] = [mail for mail in system.sandbox.public("mail") if body["title"] in mail["subject"]]
    assert (mail["recipient"], mail["transmissions"]) == (owner, 1)
    assert body["message"] in mail["text"]
    shown = "select message from notifications where type = 'client_message'"
    assert system.tenant(CLIENT, shown) == [{"message": body["title"]}]


def _ask(system: System, kind: str, body: Mapping[str, Any], delivery_id: str) -> dict[str, Any]:
    url = f"{system.settings.base_url}/webhook/{CLIENT}/{kind}"
    headers = {"X-Webhook-Token": system.clients[CLIENT].webhook_token, "X-Delivery-Id": delivery_id}
    strange = headers | {"X-Webhook-Token": system.clients[OUTSIDER].webhook_token}
    assert requests.post(url, json=body, headers=strange, timeout=20).status_code == 401
    answer = requests.post(url, json=body, headers=headers, timeout=20)
    assert answer.status_code == 202
    return answer.json()


def _mornings(now: datetime) -> list[datetime]:
    """06:00 UTC of each day from tomorrow to the Monday that ends this week."""
    days = [now.date() + timedelta(days=ahead) for ahead in range(1, 8 - now.weekday())]
    return [datetime.combine(day, time(6, tzinfo=UTC)) for day in days]


def _collect(system: System, at: datetime, posts: Mapping[str, str], numbers: Mapping[str, int]) -> None:
    """The daily run as at a morning, on which the networks have counted so much of each post."""
    system.sandbox.settings(social_clock_ahead_seconds=(at - datetime.now(UTC)).total_seconds())
    for post_id in posts.values():
        system.sandbox.social_numbers(post_id, **numbers)
    config = {"everyone": True, "at": at.isoformat()}
    system.launch("collect_analytics", {"ops": {"measure_posts": {"config": config}}})


def _report(system: System, at: datetime) -> None:
    system.launch("report_weeks", {"ops": {"report_on_weeks": {"config": {"at": at.isoformat()}}}})


def _stand_on_facebook(system: System, slug: str) -> None:
    """A post that has been public for two hours."""
    organization, platform = opened(system, slug), Platform.FACEBOOK
    at = datetime.now(UTC) - timedelta(hours=2)

    async def work(stack: Stack) -> None:
        accounts = await connect(stack, organization, platform)
        post_id = f"{account_id_of(organization, platform)}_1"
        await make_public(stack, system.sandbox, organization, accounts[platform], platform, post_id, published_at=at)

    _with_stack(system, work)


@contextlib.contextmanager
def _away(system: System, slug: str) -> Iterator[None]:
    """Nobody reaches the database of an organization."""
    name = opened(system, slug).database_name
    assert name is not None
    with psycopg.connect(system.settings.dsn, autocommit=True) as conn:
        conn.execute(SQL("alter database {} allow_connections false").format(Identifier(name)))
        conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        try:
            yield
        finally:
            conn.execute(SQL("alter database {} allow_connections true").format(Identifier(name)))


def _made_by(system: System, run_id: str) -> set[tuple[str, str]]:
    """Asset and partition of what a run has materialized."""
    events = system.dagster(
        "select asset_key, partition from event_logs where run_id = %s"
        " and dagster_event_type = 'ASSET_MATERIALIZATION'",
        run_id,
    )
    return {(event["asset_key"].strip('[]"'), event["partition"]) for event in events}
