"""What is older than its retention goes in bounded batches, what is younger stays, and a check knows what was left."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.retention import RULES
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.person_export import persons_folder
from draggonnb_pipelines.workflows.operations.retention import keep_retention, retention_outcome
from tests.workflows.lead_work import count, fill_inbox, master_rows, tenant_rows, variant
from tests.workflows.operations.person_work import age, with_leads

LONG_AGO = datetime.now(UTC) - timedelta(days=900)


def ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


@pytest.fixture
async def used(stack: Stack, agency: Organization, tmp_path: Path) -> AsyncIterator[Stack]:
    """An organization with two leads that went all the way."""
    await with_leads(stack, agency)
    before = stack.settings.state_dir
    stack.settings.state_dir = tmp_path
    yield stack
    stack.settings.state_dir = before


async def test_nothing_that_is_young_goes(used: Stack, agency: Organization):
    tables = sorted({rule.table for rule in RULES if rule.database == "tenant"})
    before = await count(used, agency, *tables)

    night = await keep_retention(used)

    assert (night.rows.total(), night.forgotten, night.exports, night.troubles) == (0, 0, 0, {})
    assert await count(used, agency, *tables) == before
    assert (await retention_outcome(used)).passed


async def test_texts_go_and_the_figures_stay(used: Stack, agency: Organization, outsider: Organization):
    figures = "select count(*) as n, sum(cost_usd) as cost, sum(tokens_used) as tokens from ai_generation_log"
    before = await tenant_rows(used, agency, figures)
    await age(used, agency, "ai_generation_log", "created_at", ago(181))
    await age(used, agency, "lead_events", "occurred_at", ago(401))
    await age(used, agency, "evidence", "fetched_at", ago(729))

    night = await keep_retention(used)

    by_table = {name.split(":")[0]: rows for name, rows in night.rows.items()}
    assert by_table == {"tenant.ai_generation_log": before[0]["n"], "tenant.lead_events": 2}
    assert await tenant_rows(used, agency, figures) == before
    empty = "select count(*) as n from ai_generation_log where prompt = '{}' and output is null and not usable"
    assert await tenant_rows(used, agency, empty) == [{"n": before[0]["n"]}]
    assert await tenant_rows(used, agency, "select distinct payload from lead_events") == [{"payload": {}}]
    assert (await count(used, agency, "evidence"))["evidence"] > 0
    assert (await keep_retention(used)).rows.total() == 0


async def test_deliveries_lose_their_bodies_first_and_go_later_and_what_is_open_stays(
    stack: Stack, agency: Organization
):
    await fill_inbox(stack, agency, 5, state="done")
    await fill_inbox(stack, agency, 1)
    dead = "update inbox set state = 'dead', source = 'form-dead' where state = 'done' and delivery_id in ('4', '5')"
    await master_rows(stack, dead)
    await master_rows(stack, "update inbox set parsed_sealed = 'sealed', raw_sealed = 'sealed'")
    ages = {"form-done": 91, "form-dead": 401, "form-received": 900}
    for source, days in ages.items():
        await master_rows(stack, "update inbox set received_at = %s where source = %s", ago(days), source)

    night = await keep_retention(stack)

    assert sorted(night.rows.values()) == [2, 3]
    left = (
        "select source, count(*) as n, bool_or(parsed_sealed is not null) as has_body from inbox group by 1 order by 1"
    )
    assert await master_rows(stack, left) == [
        {"source": "form-done", "n": 3, "has_body": False},
        {"source": "form-received", "n": 1, "has_body": True},
    ]


async def test_batches_are_bounded_and_all_of_them_are_done(stack: Stack, agency: Organization):
    await fill_inbox(stack, agency, 23, state="done")
    await age(stack, None, "inbox", "received_at", LONG_AGO)

    night = await keep_retention(stack, batch_rows=5)

    assert night.rows == {"master.inbox: deliveries that are done or dead": 23}
    assert await master_rows(stack, "select id from inbox") == []


async def test_every_rule_of_both_databases_runs_and_the_check_asks_the_same(stack: Stack, agency: Organization):
    far = variant(stack, now=lambda: datetime.now(UTC) + timedelta(days=3000))

    night = await keep_retention(far)

    assert night.troubles == {}
    assert (await retention_outcome(far)).passed


async def test_the_check_names_what_is_left_after_two_nights(used: Stack, agency: Organization):
    await age(used, agency, "lead_events", "occurred_at", ago(401))
    last_night = await retention_outcome(used)
    await age(used, agency, "lead_events", "occurred_at", ago(403))

    outcome = await retention_outcome(used)

    assert last_night.passed
    assert not outcome.passed
    assert "tenant.lead_events: enquiries word for word | 1" in outcome.metadata["older"].text


async def test_a_client_whose_database_is_away_is_named_and_the_others_are_done(
    stack: Stack, agency: Organization, outsider: Organization
):
    insert = (
        "insert into alerts (event_key, event, subject, acknowledged_by, acknowledged_at)"
        " values ('a', 'publish_failed', 'Late.', 'somebody', %s)"
    )
    await tenant_rows(stack, agency, insert, LONG_AGO)
    query = "update organizations set database_name = %s where id = %s"
    await master_rows(stack, query, "no_such_database", outsider.id)
    try:
        night, outcome = await keep_retention(stack), await retention_outcome(stack)
    finally:
        await master_rows(stack, query, outsider.database_name, outsider.id)

    assert list(night.troubles) == ["outsider"]
    assert night.rows == {"tenant.alerts: alerts that were answered": 1}
    assert not outcome.passed
    assert "outsider | not looked into" in outcome.metadata["older"].text


async def test_files_with_a_persons_data_go_after_thirty_days_and_certificates_stay(
    stack: Stack, agency: Organization, tmp_path: Path
):
    stack.settings.state_dir = tmp_path
    folder = persons_folder(stack)
    folder.mkdir(parents=True)
    names = ("old-person.zip", "cut.part", "kloof-person-1.md", "kloof-person-1.json")
    for name in names:
        (folder / name).write_text("x")
    (folder / "new-person.zip").write_text("x")

    night = await keep_retention(variant(stack, now=lambda: datetime.now(UTC) + timedelta(days=29)))
    later = variant(stack, now=lambda: datetime.now(UTC) + timedelta(days=31))
    later_night = await keep_retention(later)

    assert (night.exports, later_night.exports) == (0, 3)
    assert sorted(path.name for path in folder.iterdir()) == ["kloof-person-1.json", "kloof-person-1.md"]
