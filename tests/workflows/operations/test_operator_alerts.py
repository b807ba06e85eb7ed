"""How often the operators hear of a matter: once, then daily until somebody answers, and again when it begins anew."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.messages.escalation import escalate
from draggonnb_pipelines.workflows.operations.operator_alerts import (
    CHECK_FAILED,
    RUN_FAILED,
    STUCK,
    Matter,
    raise_matter,
    repeat_matters,
    settle_matters,
)
from draggonnb_pipelines.workflows.operations.run_troubles import (
    FailedCheck,
    FailedRun,
    settle_runs,
    tell_failed_checks,
    tell_failed_run,
)
from tests.sandbox_process import Sandbox
from tests.workflows.agency_work import database_away
from tests.workflows.lead_work import tenant_rows, variant
from tests.workflows.post_reviews import OWNER, mailed

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
SUBJECT = "Stuck: 1 row, inbox: received"


def at(stack: Stack, **since: float) -> Stack:
    moment = NOW + timedelta(**since)
    return variant(stack, now=lambda: moment)


def matter(*, began: datetime = NOW, name: str = "inbox: received") -> Matter:
    return Matter(STUCK, name, began, f"Stuck: 1 row, {name}", ("The oldest waits.", "What to do: look."))


def subjects(sandbox: Sandbox) -> list[str]:
    assert {reader for reader, _ in mailed(sandbox)} <= {OWNER}
    return [subject for _, subject in mailed(sandbox)]


async def alerts(stack: Stack, agency: Organization) -> list[dict[str, Any]]:
    return await tenant_rows(
        stack, agency, "select event_key, acknowledged_by from alerts order by created_at, event_key"
    )


async def answer(stack: Stack, agency: Organization, **since: float) -> None:
    await tenant_rows(
        stack,
        agency,
        "update alerts set acknowledged_by = 'owner@draggonnb.example', acknowledged_at = %s",
        NOW + timedelta(**since),
    )


async def test_a_matter_is_told_once_however_often_it_is_found(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    keys = {await raise_matter(at(stack, hours=hours), matter()) for hours in (0, 1, 5, 30)}

    assert keys == {"something_stuck:inbox: received:2026-11-23T08:00:00"}
    assert subjects(sandbox) == [SUBJECT]


async def test_what_nobody_answers_is_told_again_each_day_and_then_no_more_once_somebody_has(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await raise_matter(at(stack), matter())

    counts = [await repeat_matters(at(stack, hours=hours)) for hours in (23, 24, 25, 47, 49)]
    await answer(stack, agency, hours=50)
    counts.append(await repeat_matters(at(stack, hours=80)))

    assert counts == [0, 1, 1, 1, 1, 0]
    assert subjects(sandbox) == sorted([SUBJECT, f"Day 1: {SUBJECT}", f"Day 2: {SUBJECT}"])


async def test_who_sees_to_it_is_not_asked_again_while_it_lasts_but_a_new_one_is_told(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await raise_matter(at(stack), matter())
    await answer(stack, agency, hours=1)

    same = await raise_matter(at(stack, hours=60), matter())
    flapping = await raise_matter(at(stack, hours=19), matter(began=NOW + timedelta(hours=18)))
    anew = await raise_matter(at(stack, hours=60), matter(began=NOW + timedelta(hours=59)))

    assert same == flapping == "something_stuck:inbox: received:2026-11-23T08:00:00"
    assert anew == "something_stuck:inbox: received:2026-11-25T20:00:00"
    assert subjects(sandbox) == [SUBJECT, SUBJECT]


async def test_what_is_over_closes_by_itself_and_comes_back_as_another_alert_after_hours(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    first = await raise_matter(at(stack), matter())
    other = await raise_matter(at(stack), matter(name="inbox: claimed"))
    assert first
    assert other

    await settle_matters(at(stack, hours=1), STUCK, [other])
    within = await raise_matter(at(stack, hours=5.9), matter())
    later = await raise_matter(at(stack, hours=6), matter())

    assert within == first
    assert later == "something_stuck:inbox: received:2026-11-23T14:00:00"
    assert {row["event_key"]: row["acknowledged_by"] for row in await alerts(stack, agency)} == {
        first: "the system: it is settled",
        other: None,
        later: None,
    }
    assert subjects(sandbox) == sorted([SUBJECT, SUBJECT, "Stuck: 1 row, inbox: claimed"])


async def test_going_up_the_ladder_and_repeating_tell_nobody_the_same_twice(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await raise_matter(at(stack), matter())

    for hours in (4, 8, 24, 24.5):
        await escalate(at(stack, hours=hours), agency)
        await repeat_matters(at(stack, hours=hours))

    assert subjects(sandbox) == sorted([SUBJECT, f"Day 1: {SUBJECT}"])


async def test_a_job_that_fails_for_one_cause_is_one_alert_and_for_another_cause_another(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    first = FailedRun("qualify_leads", "run-1", "work_through_leads/OperationalError", "it failed", NOW)
    again = FailedRun("qualify_leads", "run-2", "work_through_leads/OperationalError", "it failed", NOW)
    other = FailedRun("qualify_leads", "run-3", "work_through_leads/Failure", "it failed", NOW)

    keys = [await tell_failed_run(at(stack, hours=hours), one) for hours, one in enumerate((first, again, other))]

    assert keys[0] == keys[1] == "run_failed:qualify_leads:work_through_leads/OperationalError:2026-11-23T08:00:00"
    assert keys[2] == "run_failed:qualify_leads:work_through_leads/Failure:2026-11-23T10:00:00"
    assert subjects(sandbox) == ["A run failed: qualify_leads"] * 2
    [lines] = await tenant_rows(stack, agency, "select lines from alerts where event_key = %s", keys[0])
    assert lines["lines"][0] == "work_through_leads/OperationalError: it failed"
    assert "The run is run-1." in lines["lines"][1]


async def run_fails(stack: Stack, job: str, **since: float) -> str | None:
    failed = FailedRun(job, "run", "step/Failure", "it failed", NOW + timedelta(**since))
    return await tell_failed_run(at(stack, **since), failed)


async def test_an_hourly_job_that_recovers_and_fails_again_for_good_is_told_of_once_more(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    first = await run_fails(stack, "keep_books")
    await settle_runs(at(stack, hours=1), {"keep_books"})

    keys = [await run_fails(stack, "keep_books", hours=hours) for hours in range(2, 12)]

    assert keys == [first] * 4 + ["run_failed:keep_books:step/Failure:2026-11-23T14:00:00"] * 6
    assert subjects(sandbox) == ["A run failed: keep_books"] * 2


async def test_a_nightly_job_that_fails_on_two_nights_is_told_of_twice_though_the_first_was_answered(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    await run_fails(stack, "back_up_databases", minutes=40)
    await answer(stack, agency, hours=8)

    await run_fails(stack, "back_up_databases", hours=24, minutes=5)

    assert subjects(sandbox) == ["A run failed: back_up_databases"] * 2
    assert [row["acknowledged_by"] for row in await alerts(stack, agency)] == ["owner@draggonnb.example", None]


@pytest.mark.parametrize("is_answered", [True, False])
async def test_a_job_that_fails_every_quarter_of_an_hour_is_one_alert_answered_or_not(
    stack: Stack, sandbox: Sandbox, agency: Organization, is_answered: bool
) -> None:
    keys = [await run_fails(stack, "publish_due_posts")]
    if is_answered:
        await answer(stack, agency, minutes=5)

    keys += [await run_fails(stack, "publish_due_posts", minutes=15 * number) for number in range(1, 4 * 19)]

    assert set(keys) == {"run_failed:publish_due_posts:step/Failure:2026-11-23T08:00:00"}
    assert subjects(sandbox) == ["A run failed: publish_due_posts"]
    assert len(await alerts(stack, agency)) == 1


async def test_a_check_that_passes_and_fails_again_after_hours_is_told_of_again(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    for hours in (0, 1, 2, 6, 7):
        failed = FailedCheck("supabase_project", "no_orphans", "2 projects", NOW + timedelta(hours=hours))
        await tell_failed_checks(at(stack, hours=hours), [] if hours == 1 else [failed])

    assert subjects(sandbox) == ["A check fails: no_orphans"] * 2
    assert [row["acknowledged_by"] for row in await alerts(stack, agency)] == ["the system: it is settled", None]


async def test_only_the_jobs_that_succeed_again_have_their_alerts_closed(stack: Stack, agency: Organization) -> None:
    for job in ("qualify_leads", "keep_books"):
        await tell_failed_run(at(stack), FailedRun(job, "run-1", "step/Failure", "it failed", NOW))
    await raise_matter(at(stack), matter())

    await settle_runs(at(stack, minutes=1), {"keep_books", "collect_analytics"})

    assert {row["event_key"].rpartition(":2026")[0]: row["acknowledged_by"] for row in await alerts(stack, agency)} == {
        f"{RUN_FAILED}:qualify_leads:step/Failure": None,
        f"{RUN_FAILED}:keep_books:step/Failure": "the system: it is settled",
        "something_stuck:inbox: received": None,
    }


async def test_each_failing_check_is_one_alert_until_it_passes(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    orphans = FailedCheck("supabase_project", "no_orphans", "2 projects that nobody knows of", NOW)
    network = FailedCheck("published_posts", "no_network_is_stopped", "stopped: linkedin", NOW)

    await tell_failed_checks(at(stack), [orphans, network])
    await tell_failed_checks(at(stack, hours=1), [orphans])

    assert subjects(sandbox) == ["A check fails: no_network_is_stopped", "A check fails: no_orphans"]
    assert {row["event_key"].split(":")[1]: row["acknowledged_by"] for row in await alerts(stack, agency)} == {
        "no_orphans": None,
        "no_network_is_stopped": "the system: it is settled",
    }
    assert {row["event_key"].split(":")[0] for row in await alerts(stack, agency)} == {CHECK_FAILED}


async def test_without_the_agencys_database_whoever_raises_learns_of_it_and_nothing_is_told(
    stack: Stack, sandbox: Sandbox, agency: Organization
) -> None:
    async with database_away(stack, agency):
        with pytest.raises(TenantUnavailable):
            await raise_matter(at(stack), matter())

    assert mailed(sandbox) == []
    assert await alerts(stack, agency) == []
