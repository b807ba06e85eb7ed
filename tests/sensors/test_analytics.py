"""What asks for numbers and for the reports of weeks: once for what can be done, and not at all for what must wait."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import dagster as dg
import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.sensors.analytics import numbers_due, weeks_to_report
from tests.conftest import MASTER_KEYS
from tests.sensors.test_publishing import tick

ASKED = "insert into inbox (organization_id, topic, source, delivery_id) values (%s, 'analytics', 'api', %s)"
CLAIMED = (
    "update inbox set state = 'claimed', lease_until = %s, run_id = 'run-1', batch_id = gen_random_uuid()"
    " where state = 'received'"
)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str, agency: Organization) -> None:
    """Nothing is due, and every organization is old."""
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)
    execute(master_dsn, "update organizations set created_at = '2026-01-01'")
    now = datetime.now(UTC)
    for_all = (
        "insert into analytics_agenda (organization_id, snapshot_day, week_reported)"
        " select id, %s, %s from organizations on conflict (organization_id) do update"
        " set snapshot_day = excluded.snapshot_day, week_reported = excluded.week_reported"
    )
    execute(master_dsn, for_all, now.date(), _last_week(now) + timedelta(days=7))


def execute(dsn: str, query: str, *values: Any) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(query.encode(), values)


def _last_week(now: datetime) -> Any:
    """The Monday of the last week that is over everywhere."""
    day = (now - timedelta(hours=12)).date()
    return day - timedelta(days=day.weekday() + 7)


def at_work(instance: dg.DagsterInstance, job: str) -> str:
    """A run of the job that has not ended."""
    run = instance.create_run_for_job(
        dg.GraphDefinition(name=job, node_defs=[]).to_job(name=job), status=dg.DagsterRunStatus.STARTED
    )
    return run.run_id


def test_nothing_is_asked_for_while_nothing_is_due(instance: dg.DagsterInstance) -> None:
    assert tick(numbers_due, instance) == ([], "nothing is due")
    assert tick(weeks_to_report, instance) == ([], "every week that is over has its report")


def test_who_asks_is_served_at_once_and_again_when_a_run_has_died_over_it(
    instance: dg.DagsterInstance, master_dsn: str, agency: Organization
) -> None:
    execute(master_dsn, ASKED, agency.id, str(uuid4()))
    assert len(tick(numbers_due, instance)[0]) == 1

    execute(master_dsn, CLAIMED, datetime.now(UTC) - timedelta(seconds=1))
    assert len(tick(numbers_due, instance)[0]) == 1


def test_who_asks_again_while_a_run_has_the_first_wish_starts_no_other_run(
    instance: dg.DagsterInstance, master_dsn: str, agency: Organization
) -> None:
    execute(master_dsn, ASKED, agency.id, str(uuid4()))
    execute(master_dsn, CLAIMED, datetime.now(UTC) + timedelta(minutes=30))
    execute(master_dsn, ASKED, agency.id, str(uuid4()))

    assert tick(numbers_due, instance) == ([], "nothing is due")


def test_a_snapshot_that_failed_a_moment_ago_starts_no_run(
    instance: dg.DagsterInstance, master_dsn: str, agency: Organization
) -> None:
    yesterday = "update analytics_agenda set snapshot_day = now() - interval '2 days', figures_at = %s"

    execute(master_dsn, yesterday, datetime.now(UTC) + timedelta(hours=1))
    waiting = tick(numbers_due, instance)
    execute(master_dsn, yesterday, None)
    then = tick(numbers_due, instance)

    assert waiting == ([], "nothing is due")
    assert len(then[0]) == (1 if datetime.now(UTC).hour >= 6 else 0)


def test_a_week_has_its_report_once_all_snapshots_of_the_day_are_taken(
    instance: dg.DagsterInstance, master_dsn: str, agency: Organization
) -> None:
    execute(master_dsn, "update analytics_agenda set week_reported = null")
    run_id = at_work(instance, "collect_analytics")

    during = tick(weeks_to_report, instance)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_failed(run)
    after = tick(weeks_to_report, instance)

    due = asyncio.run(_weeks(master_dsn))
    assert during == ([], f"{due} weeks wait until the numbers that are being read are in" if due else during[1])
    assert len(after[0]) == (1 if due else 0)


def test_a_week_whose_report_failed_or_that_is_not_over_starts_no_run(
    instance: dg.DagsterInstance, master_dsn: str, agency: Organization
) -> None:
    later = datetime.now(UTC) + timedelta(hours=3)
    execute(master_dsn, "update analytics_agenda set week_reported = null, figures_at = %s", later)
    assert tick(weeks_to_report, instance) == ([], "every week that is over has its report")

    far = (
        "update analytics_agenda set figures_at = null, snapshot_day = now() + interval '400 days', week_reported = %s"
    )
    execute(master_dsn, far, _last_week(datetime.now(UTC)) + timedelta(days=7))
    assert tick(weeks_to_report, instance) == ([], "every week that is over has its report")


async def _weeks(dsn: str) -> int:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
        cursor = await conn.execute("select count(*) from app.weeks_due(now())")
        row = await cursor.fetchone()
    assert row is not None
    return row[0]
