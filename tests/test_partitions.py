"""Partition keys and the registration of organizations, on a real Dagster instance."""

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from draggonnb_pipelines.domain.reports import NO_DAY, KeyReport, PartitionKey, StepReport
from draggonnb_pipelines.partitions import day, key, organization_day, parse, register_organizations, window_start

MONDAY = date(2026, 11, 23)


def test_the_window_is_sixty_days_snapped_to_the_first_of_the_month():
    assert window_start(date(2026, 11, 23)) == date(2026, 9, 1)
    assert window_start(date(2026, 11, 29)) == date(2026, 9, 1)
    assert window_start(date(2026, 11, 30)) == date(2026, 10, 1)
    assert window_start(date(2027, 1, 15)) == date(2026, 11, 1)


def test_today_is_a_partition_while_it_lasts():
    assert day.get_partition_keys()[-1] == datetime.now(UTC).date().isoformat()


def test_a_key_reads_day_then_organization_and_parses_back():
    text = key("kloof-coffee", MONDAY)

    assert text == "2026-11-23|kloof-coffee"
    assert parse(text) == PartitionKey("kloof-coffee", MONDAY)


@pytest.mark.parametrize("slug", ["", "a|b", "a,b"])
def test_a_slug_that_would_break_the_key_is_refused(slug: str):
    with pytest.raises(ValueError, match="not an organization's slug"):
        key(slug, MONDAY)


def test_the_key_of_what_has_no_days_is_the_organization_alone():
    assert key("kloof-coffee") == "kloof-coffee"
    assert parse("kloof-coffee") == PartitionKey("kloof-coffee", NO_DAY)


@pytest.mark.parametrize("text", ["", "2026-11-23|", "2026-11-23|a|b", "a|2026-11-23"])
def test_a_text_that_is_no_key_is_refused(text: str):
    with pytest.raises(ValueError, match=r"not a partition key|Invalid isoformat"):
        parse(text)


def test_new_organizations_are_registered_once_and_none_is_ever_removed():
    with dg.DagsterInstance.ephemeral() as instance:
        assert register_organizations(instance, ["b-org", "a-org", "b-org"]) == ["b-org", "a-org"]
        assert register_organizations(instance, ["a-org", "c-org"]) == ["c-org"]
        assert register_organizations(instance, []) == []

        assert set(instance.get_dynamic_partitions("organizations")) == {"a-org", "b-org", "c-org"}
        with dg.partition_loading_context(dynamic_partitions_store=instance):
            assert organization_day.has_partition_key(key("a-org", datetime.now(UTC).date()))
            assert not organization_day.has_partition_key(key("outsider", datetime.now(UTC).date()))


def test_one_bad_slug_registers_nothing():
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(ValueError, match="not an organization's slug"):
            register_organizations(instance, ["good", "bad|slug"])

        assert instance.get_dynamic_partitions("organizations") == []


def test_a_report_cannot_call_one_key_done_and_failed():
    both = PartitionKey("a-org", MONDAY)

    with pytest.raises(ValueError, match="reported twice, with different ends"):
        StepReport(done={both: KeyReport(rows=1)}, failed={both: "no"})


def test_reports_are_joined_with_all_that_they_say():
    done, failed, half, waiting = (PartitionKey(slug, MONDAY) for slug in ("done", "failed", "half", "waiting"))
    parts = [
        StepReport(done={done: KeyReport(rows=2)}, failed={half: "a platform is silent"}, goes_on=frozenset({half})),
        StepReport(failed={failed: "no"}, waiting={waiting: "later"}),
    ]

    report = StepReport.joined(parts)

    assert report == StepReport(
        done={done: KeyReport(rows=2)},
        failed={half: "a platform is silent", failed: "no"},
        waiting={waiting: "later"},
        goes_on=frozenset({half}),
    )
    assert StepReport.joined([]) == StepReport()


def test_idle_keys_are_done_with_no_rows_and_failures_stay():
    done, failed, idle = (PartitionKey(slug, MONDAY) for slug in ("done", "failed", "idle"))

    report = StepReport(done={done: KeyReport(rows=2)}, failed={failed: "no"}).with_idle([done, failed, idle])

    assert report.done == {idle: KeyReport(rows=0), done: KeyReport(rows=2)}
    assert report.failed == {failed: "no"}
