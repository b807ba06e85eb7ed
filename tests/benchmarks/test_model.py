"""The model of docs/scaling.md: its arithmetic on figures that can be reckoned by hand, and what it says is missing.

Not here: the benchmarks that measure.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks import model
from benchmarks import model_figures as figures
from benchmarks.model_figures import GIB, Missing, Results, read_results
from benchmarks.model_prices import LIMITS, PRICES

MACHINE = {"at": "2026-11-24T03:00:00+00:00", "on": {"cores": 2, "machine": "x86_64", "python": "3.11.7"}}
NO_WORK = {"leads, requests, posts": 0.0, "numbers and snapshots": 0.0, "a seventh of the weekly report": 0.0}


def _tenants(**changed: Any) -> dict[str, Any]:
    """A day of 100 clients in which nothing costs anything, but for what a test changes."""
    empty = {"cpu_seconds": 0.0, "seconds": 0.0, "peak_mib": 0.0, "times_a_day": 0}
    return {
        **MACHINE,
        "clients": 100,
        "cpu_seconds_per_client_and_day": NO_WORK,
        "rounds": {"an empty run": empty},
        "standing_cpu_per_second": {"daemon": 0.0},
        "event_log": {"rows": 900, "bytes": 0},
        "connections": {"most": 60},
        "runs": {},
        **changed,
    }


def _results(**found: dict[str, Any]) -> Results:
    return Results(found)


def test_work_and_rounds_grow_with_clients_and_standing_by_does_not():
    results = _results(
        tenants=_tenants(
            cpu_seconds_per_client_and_day={**NO_WORK, "leads, requests, posts": 3.0, "numbers and snapshots": 0.5},
            rounds={
                "an empty run": {"cpu_seconds": 0.0, "times_a_day": 0},
                "checks": {"cpu_seconds": 2.0, "times_a_day": 24},
            },
            standing_cpu_per_second={"daemon": 0.01, "api": 0.02},
        )
    )

    seconds = [figures.cpu_seconds(clients, results) for clients in (1_000, 2_000)]

    # 3.5 of work and 2.0 * 24 / 100 of rounds for each client; 0.03 * 86,400 for the installation.
    assert seconds == pytest.approx([1_000 * 3.98 + 2_592, 2_000 * 3.98 + 2_592])


def test_a_round_costs_a_run_that_does_not_grow_and_a_part_for_each_client():
    rounds = {
        "an empty run": {"cpu_seconds": 2.0, "times_a_day": 0},
        "checks": {"cpu_seconds": 5.0, "times_a_day": 24},
    }
    results = _results(tenants=_tenants(rounds=rounds))

    seconds = figures.cpu_seconds(1_000, results)

    assert seconds == pytest.approx(1_000 * 3.0 * 24 / 100 + 2.0 * figures.runs_a_day(1_000, results))


def test_starts_of_the_measured_days_runs_are_not_paid_twice():
    rounds = {"an empty run": {"cpu_seconds": 2.0, "times_a_day": 0}}
    work = {**NO_WORK, "leads, requests, posts": 3.0}
    runs = {"qualify_leads": {"runs": 40}, "publish_due_posts": {"runs": 10}}
    results = _results(tenants=_tenants(rounds=rounds, cpu_seconds_per_client_and_day=work, runs=runs))

    seconds = figures.cpu_seconds(1_000, results)

    # 50 starts of 2.0 for 100 clients are 1.0 of each client's 3.0.
    assert seconds == pytest.approx(1_000 * 2.0 + 2.0 * figures.runs_a_day(1_000, results))


def test_connections_grow_with_runs_at_once():
    results = _results(tenants=_tenants())

    assert [figures.connections(clients, results) for clients in (10, 10_000, 10_001)] == [60, 60, 120]


def test_a_morning_is_a_start_and_a_part_for_each_client():
    rounds = {"an empty run": {"cpu_seconds": 0.0, "seconds": 3.0, "times_a_day": 0}}
    results = _results(tenants=_tenants(rounds=rounds, parts={"morning": {"seconds": 53.0}}))

    assert figures.seconds_of_numbers(1_000, results) == pytest.approx(500)


def test_runs_are_as_many_as_things_when_things_are_few_and_no_more_than_ticks_when_they_are_many():
    results = _results(tenants=_tenants())
    ticks = 86_400 / 5

    few, many = figures.runs_a_day(1, results), figures.runs_a_day(10_000, results)

    assert few == pytest.approx(13, rel=0.001)
    assert many == pytest.approx(ticks * sum(1 - math.exp(-10_000 * each / ticks) for each in (2, 3, 8)))
    assert many < 3 * ticks


def test_a_second_instance_begins_with_the_first_client_beyond_the_first():
    assert [figures.instances(clients) for clients in (1, 10_000, 10_001)] == [1, 1, 2]
    assert [figures.servers(clients) for clients in (2_000, 2_001, 100_000)] == [1, 2, 50]


def test_disk_is_what_clients_have_at_first_and_a_days_growth_for_every_day():
    sizes = {
        "before": {"mean tenant": 10.0 * GIB, "master": 1.0 * GIB, "dagster": 1.0 * GIB},
        "after": {"mean tenant": 11.0 * GIB, "master": 3.0 * GIB, "dagster": 2.0 * GIB},
    }
    results = _results(tenants=_tenants(database_bytes=sizes))

    gib = figures.disk_gib(100, results)

    # 11 and 364 days of 1 for each; the master grew by 2 and Dagster by 1 for a hundred clients.
    assert gib == pytest.approx(100 * (11 + 364) + 2 * 365 + 1 * 14)


def test_warm_workers_change_the_price_of_runs_and_nothing_else():
    rounds = {"an empty run": {"cpu_seconds": 2.5, "times_a_day": 0}}
    warm = {"figures": {"2 workers, Redis": {"cpu_seconds_per_run": 0.5}}}
    results = _results(tenants=_tenants(rounds=rounds), celery={**MACHINE, **warm})

    saved = figures.cpu_seconds(1_000, results) - figures.cpu_seconds(1_000, results, warm=True)

    assert saved == pytest.approx(2.0 * figures.runs_a_day(1_000, results))


def test_what_vendors_cost_follows_from_prices_and_the_day():
    usd = figures.vendor_usd()

    claude = (2 * 12_000 + 3 * 3_000) * 2.0 / 1e6 + (2 * 3_000 + 3 * 1_500) * 10.0 / 1e6
    x = 8 * 0.25 * (0.3 * 0.20 + 0.7 * 0.015) + 20 * 0.25 * 0.001
    assert usd["Claude"] == pytest.approx(claude * 30.4)
    assert usd["X"] == pytest.approx(x * 30.4)
    assert sum(usd.values()) == pytest.approx(
        (claude + x) * 30.4 + sum(PRICES[name].value for name in ("supabase", "vercel", "n8n"))
    )


def test_a_limit_is_met_with_the_last_client_that_it_holds_for():
    results = _results()

    assert model.breaks_at(model.BOUNDS["posts a day on X by one app"], results) == 5_000
    assert model.breaks_at(model.BOUNDS["partition keys of an asset"], results) == 1_098
    assert model.breaks_at(model.BOUNDS["databases in one Postgres"], results) == 2_000


def test_what_never_meets_its_limit_is_said_so():
    bound = model.Bound(lambda n, r: 1.0, lambda n, r: 2.0, "nothing")

    assert model.breaks_at(bound, _results()) is None


def test_the_slowest_tick_is_that_of_the_largest_installation_measured_and_of_idle_sensors_alone():
    cells = {
        "100x365": {"seconds": {"tick of lead_inbox": 9.0}},
        "1000x30": {"seconds": {"tick of lead_inbox": 0.1, "tick of numbers_due": 0.2, "runs page": 7.0}},
    }
    cells["1000x30"]["seconds"]["tick of lead_inbox, all clients wait"] = 8.0
    results = _results(growth={**MACHINE, "cells": cells})

    assert figures.slowest_tick(2_000, results) == pytest.approx(0.4)


def test_nothing_measured_leaves_every_table_and_names_what_is_missing():
    written = model.tables(_results())

    assert "| cores at the busiest hour | " + " | ".join(["not measured: tenants"] * 3) + " |" in written["needs"]
    assert "not measured: celery" not in written["needs"]  # tenants is asked for first
    assert written["measured"].count("not run") == len(figures.USED)
    assert "| posts a day on X by one app | 5,000 |" in written["breaks"]


def test_a_figure_that_a_json_lacks_is_missing_and_not_nothing():
    results = _results(publish={**MACHINE, "drains": {}})

    with pytest.raises(Missing, match="publish"):
        results.get("publish", "drains", "0 ms", "ours", "calls_per_post")


def test_the_page_is_written_between_its_marks_and_a_second_time_is_the_same():
    page = "words\n<!-- model:needs -->\nold\n<!-- /model -->\nmore\n<!-- model:costs -->\n<!-- /model -->\nend\n"
    written = {"needs": "| a |", "costs": "| b |"}

    once = model.fill(page, written)

    assert once == (
        "words\n<!-- model:needs -->\n| a |\n<!-- /model -->\nmore\n<!-- model:costs -->\n| b |\n<!-- /model -->\nend\n"
    )
    assert model.fill(once, written) == once


def test_a_page_without_a_tables_marks_is_refused():
    with pytest.raises(ValueError, match="needs"):
        model.fill("no marks\n", {"needs": "| a |"})


def test_the_page_of_the_project_has_a_place_for_every_table():
    page = model.PAGE.read_text()

    filled = model.fill(page, model.tables(_results()))

    assert filled.count("<!-- /model -->") == page.count("<!-- /model -->") == 5


def test_results_are_read_by_the_name_of_their_file(tmp_path: Path):
    (tmp_path / "tick.json").write_text(json.dumps({"at": "now"}))

    results = read_results(tmp_path)

    assert results.get("tick", "at") == "now"
    assert (results.has("tick"), results.has("tenants")) == (True, False)


def test_every_given_number_has_a_unit_and_a_source():
    assert [name for name, given in LIMITS.items() if not (given.unit and given.source)] == []
