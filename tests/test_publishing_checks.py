"""The checks over all organizations: networks that are stopped, what is due and silent."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.publishing_checks import no_network_is_stopped, punctuality_of
from draggonnb_pipelines.resources.bindings import MasterQueries
from tests.conftest import MASTER_KEYS

Execute = Any


@pytest.fixture
def execute(monkeypatch: pytest.MonkeyPatch, master_dsn: str) -> Iterator[Execute]:
    """Statements in the master that the checks ask."""
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)
    with psycopg.connect(master_dsn, autocommit=True) as conn:
        yield conn.execute


def note(execute: Execute, *organizations: Organization, minutes_ago: float) -> datetime:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    for organization in organizations:
        execute(
            "insert into publishing_agenda (organization_id, next_due_at, notes) values (%s, %s, 1)",
            [organization.id, at],
        )
    return at


@pytest.mark.parametrize(("minutes", "passed"), [(4.9, True), (5.1, False), (60 * 30, False)])
def test_what_is_due_and_silent_for_more_than_five_minutes_is_told(
    execute: Execute, agency: Organization, outsider: Organization, minutes: float, passed: bool
) -> None:
    note(execute, agency, minutes_ago=minutes)
    note(execute, outsider, minutes_ago=1)

    verdict = punctuality_of(MasterQueries(), datetime.now(UTC))

    assert verdict.passed is passed
    assert str(verdict.description).startswith(
        f"2 organizations have something due, the oldest for {int(minutes)} min."
    )
    assert ("Look at the runs of publish_due_posts" in str(verdict.description)) is not passed


def test_with_nothing_due_or_a_clock_behind_the_databases_nothing_is_late(
    execute: Execute, agency: Organization, outsider: Organization
) -> None:
    nothing = punctuality_of(MasterQueries(), datetime.now(UTC))
    note(execute, agency, minutes_ago=0.01)
    execute("update organizations set status = 'suspended' where slug = 'outsider'")
    note(execute, outsider, minutes_ago=600)

    behind = punctuality_of(MasterQueries(), datetime.now(UTC) - timedelta(minutes=10))

    assert (nothing.passed, nothing.description) == (True, "0 organizations have something due, the oldest for 0 min.")
    assert (behind.passed, behind.description) == (True, "1 organizations have something due, the oldest for 0 min.")


def test_who_is_being_moved_is_left_out_on_purpose_and_is_not_late(
    execute: Execute, agency: Organization, outsider: Organization
) -> None:
    note(execute, agency, minutes_ago=600)
    note(execute, outsider, minutes_ago=1)
    execute("update organizations set held_since = now() where id = %s", [agency.id])

    verdict = punctuality_of(MasterQueries(), datetime.now(UTC))

    assert (verdict.passed, verdict.description) == (True, "1 organizations have something due, the oldest for 1 min.")


def networks() -> dg.AssetCheckResult:
    result = no_network_is_stopped(MasterQueries())
    assert isinstance(result, dg.AssetCheckResult)
    return result


def test_a_stopped_network_is_named_with_the_command_that_resumes_it(execute: Execute) -> None:
    execute("insert into app_quotas (vendor, remaining, used_percent) values ('x', 9000, null), ('meta', null, 12)")
    all_open = networks()
    execute("insert into app_quotas (vendor, stopped_reason) values ('linkedin', 'HTTP 426 [see](http://x.example)')")

    stopped = networks()

    assert (all_open.passed, all_open.description) == (True, "all networks are open")
    assert stopped.passed is False
    assert stopped.description == "stopped: linkedin. Mend the cause, then: draggonnb publish resume linkedin"
    table = str(stopped.metadata["quotas"].value)
    assert "| x | 9000 |  |  |  |" in table
    assert r"HTTP 426 \[see\]" in table
