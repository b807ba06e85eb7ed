"""The arithmetic of docs/scaling.md, on figures that can be reckoned by hand.

Not here: limits and tables (`test_model.py`), the benchmarks that measure.
"""

import json
import math
from pathlib import Path

import pytest

from benchmarks import model_figures as figures
from benchmarks.model_figures import GIB, Missing, read_results
from benchmarks.model_prices import ASSUMED, PRICES
from tests.benchmarks.measured import MACHINE, NO_WORK, results_of, tenants


def test_work_and_rounds_grow_with_clients_and_standing_by_does_not():
    results = results_of(
        tenants=tenants(
            cpu_seconds_per_client_and_day={**NO_WORK, "leads, requests, posts": 3.0, "numbers and snapshots": 0.5},
            rounds={
                "an empty run": {"cpu_seconds": 0.0, "seconds": 0.0, "times_a_day": 0},
                "checks": {"cpu_seconds": 2.0, "seconds": 0.0, "times_a_day": 24},
            },
            standing_cpu_per_second={"daemon": 0.01, "api": 0.02, "postgres": 0.0},
        )
    )

    seconds = [figures.cpu_seconds(clients, results) for clients in (1_000, 2_000)]

    # 3.5 of work and 2.0 * 24 / 100 of rounds for each client; 0.03 * 86,400 for the installation.
    assert seconds == pytest.approx([1_000 * 3.98 + 2_592, 2_000 * 3.98 + 2_592])


def test_a_round_costs_a_run_that_does_not_grow_and_a_part_for_each_client():
    rounds = {
        "an empty run": {"cpu_seconds": 2.0, "seconds": 3.0, "times_a_day": 0},
        "checks": {"cpu_seconds": 5.0, "seconds": 4.0, "times_a_day": 24},
    }
    results = results_of(tenants=tenants(rounds=rounds))

    seconds = figures.cpu_seconds(1_000, results)

    assert seconds == pytest.approx(1_000 * 3.0 * 24 / 100 + 2.0 * figures.runs_a_day(1_000, results))


def test_what_postgres_stands_by_for_during_a_round_is_paid_as_standing_by_and_not_twice():
    rounds = {
        "an empty run": {"cpu_seconds": 2.0, "seconds": 4.0, "times_a_day": 0},
        "checks": {"cpu_seconds": 6.0, "seconds": 8.0, "times_a_day": 24},
    }
    standing = {"daemon": 0.2, "postgres": 0.25}
    results = results_of(tenants=tenants(rounds=rounds, standing_cpu_per_second=standing))

    seconds = figures.cpu_seconds(1_000, results)

    # An empty run is 1.0 without 0.25 * 4, and a round 4.0 without 0.25 * 8.
    growing, runs = 1_000 * 3.0 * 24 / 100, 1.0 * figures.runs_a_day(1_000, results)
    assert seconds == pytest.approx(growing + runs + 0.45 * 86_400)


def test_starts_of_the_measured_days_runs_are_not_paid_twice():
    rounds = {"an empty run": {"cpu_seconds": 2.0, "seconds": 3.0, "times_a_day": 0}}
    work = {**NO_WORK, "leads, requests, posts": 3.0}
    runs = {"qualify_leads": {"runs": 40}, "publish_due_posts": {"runs": 10}}
    results = results_of(tenants=tenants(rounds=rounds, cpu_seconds_per_client_and_day=work, runs=runs))

    seconds = figures.cpu_seconds(1_000, results)

    # 50 starts of 2.0 for 100 clients are 1.0 of each client's 3.0.
    assert seconds == pytest.approx(1_000 * 2.0 + 2.0 * figures.runs_a_day(1_000, results))


def test_connections_are_what_a_machine_may_open_for_each_five_runs_at_once():
    results = results_of(tenants=tenants())

    assert [figures.connections(clients, results) for clients in (10, 10_000, 10_001)] == [390, 390, 780]


def test_a_days_rows_are_those_of_its_runs_and_those_of_the_clients_work():
    empty = {"cpu_seconds": 0.0, "seconds": 0.0, "times_a_day": 0, "rows": 20}
    rounds = {"an empty run": empty, "checks": {**empty, "times_a_day": 24, "rows": 30}}
    results = results_of(tenants=tenants(rounds=rounds, runs={"qualify_leads": {"runs": 25}}))

    rows = figures.event_rows(1_000, results)

    # 400 of the 900 rows are not those of the 25 runs as such.
    assert rows == pytest.approx(1_000 * 4 + 20 * figures.runs_a_day(1_000, results))


def test_a_day_that_did_not_count_the_rows_of_a_run_takes_those_that_are_given():
    empty = {"cpu_seconds": 0.0, "seconds": 0.0, "times_a_day": 0}
    results = results_of(tenants=tenants(rounds={"an empty run": empty}))

    rows = figures.event_rows(1_000, results)

    given = ASSUMED["rows of a run"].value
    assert rows == pytest.approx(1_000 * 9 + given * figures.runs_a_day(1_000, results))


def test_postgres_takes_the_memory_of_all_its_processes_together_once_for_each_server():
    peaks = {"daemon": {"peak_mib": 100.0}, "run worker": {"peak_mib": 0.0}, "postgres": {"peak_mib": 300.0}}
    parts = {"day": {"processes": peaks}}
    results = results_of(tenants=tenants(parts=parts, memory_mib_at_most={"postgres": 924.0}))

    one, two = (figures.memory_gib(clients, results) for clients in (2_000, 2_001))

    assert (one, two) == pytest.approx((1.25 * 1024 / 1024, 1.25 * 1948 / 1024))


def test_a_morning_is_a_start_and_a_part_for_each_client():
    rounds = {"an empty run": {"cpu_seconds": 0.0, "seconds": 3.0, "times_a_day": 0}}
    results = results_of(tenants=tenants(rounds=rounds, parts={"morning": {"seconds": 53.0}}))

    assert figures.seconds_of_numbers(1_000, results) == pytest.approx(500)


def test_runs_are_as_many_as_things_when_things_are_few_and_no_more_than_ticks_when_they_are_many():
    results = results_of(tenants=tenants())
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
    results = results_of(tenants=tenants(database_bytes=sizes))

    gib = figures.disk_gib(100, results)

    # 11 and 364 days of 1 for each; the master grew by 2 and Dagster by 1 for a hundred clients.
    assert gib == pytest.approx(100 * (11 + 364) + 2 * 365 + 1 * 14)


def test_dagsters_disk_grows_as_its_event_log_does():
    sizes = {
        "before": {"mean tenant": 0.0, "master": 0.0, "dagster": 1.0 * GIB},
        "after": {"mean tenant": 0.0, "master": 0.0, "dagster": 2.0 * GIB},
    }
    empty = {"cpu_seconds": 0.0, "seconds": 0.0, "times_a_day": 0, "rows": 20}
    results = results_of(tenants=tenants(database_bytes=sizes, rounds={"an empty run": empty}))

    gib = figures.disk_gib(100, results)

    # The measured day has 900 rows in its GiB; a real one has as many of its clients, and 20 for each run.
    assert gib == pytest.approx(14 * (900 + 20 * figures.runs_a_day(100, results)) / 900)


def test_the_busiest_hour_has_more_work_and_not_more_rounds_or_standing_by():
    work = {**NO_WORK, "leads, requests, posts": 10.0}
    rounds = {"an empty run": {"cpu_seconds": 0.0, "seconds": 1.0, "times_a_day": 0}}
    rounds["care"] = {"cpu_seconds": 2.0, "seconds": 1.0, "times_a_day": 24}
    standing = {"daemon": 0.1, "postgres": 0.0}
    changed = {"cpu_seconds_per_client_and_day": work, "rounds": rounds, "standing_cpu_per_second": standing}
    results = results_of(tenants=tenants(**changed))

    busiest = figures.busiest_cores(1_000, results)

    assert busiest == pytest.approx((1_000 * (4 * 10.0 + 2.0 * 24 / 100)) / 86_400 + 0.1)


def test_where_things_share_runs_there_are_as_many_as_in_the_measured_day_and_the_rounds():
    rounds = {"an empty run": {"cpu_seconds": 3.0, "seconds": 0.0, "times_a_day": 96}}
    results = results_of(tenants=tenants(rounds=rounds, runs={"leads": {"runs": 20, "seconds": 1.0}}))

    shared, apart = (figures.busiest_cores(1_000, results, shared=one) for one in (True, False))

    assert shared == pytest.approx(3.0 * (96 + 4 * 1_000 * 20 / 100) / 86_400)
    assert apart == pytest.approx(3.0 * figures.runs_a_day(1_000, results, 4.0) / 86_400)


def test_warm_workers_change_the_price_of_runs_and_nothing_else():
    rounds = {"an empty run": {"cpu_seconds": 9.0, "seconds": 4.0, "times_a_day": 0}}
    default = {"cpu_seconds_per_run": 2.0, "cpu_seconds_per_run_with_postgres": 2.5}
    warm = {"cpu_seconds_per_run": 0.1, "cpu_seconds_per_run_with_postgres": 0.4}
    ways = {"figures": {"default launcher": default, "2 workers, Redis": warm}}
    standing = {"daemon": 0.0, "postgres": 0.1}
    results = results_of(tenants=tenants(rounds=rounds, standing_cpu_per_second=standing), celery={**MACHINE, **ways})

    saved = figures.cpu_seconds(1_000, results) - figures.cpu_seconds(1_000, results, warm=True)

    # Both with Postgres, and of one benchmark.
    assert saved == pytest.approx((2.5 - 0.4) * figures.runs_a_day(1_000, results))


def test_warm_workers_without_a_figure_that_has_postgres_in_it_are_missing():
    without = {"figures": {"2 workers, Redis": {"cpu_seconds_per_run": 0.5}}}
    results = results_of(tenants=tenants(), celery={**MACHINE, **without})

    with pytest.raises(Missing, match="celery"):
        figures.cpu_seconds(1_000, results, warm=True)


def test_what_vendors_cost_follows_from_prices_and_the_day():
    usd = figures.vendor_usd()

    claude = (2 * 12_000 + 3 * 3_000) * 2.0 / 1e6 + (2 * 3_000 + 3 * 1_500) * 10.0 / 1e6
    x = 8 * 0.25 * (0.3 * 0.20 + 0.7 * 0.015) + 20 * 0.25 * 0.001
    assert usd["Claude"] == pytest.approx(claude * 30.4)
    assert usd["X"] == pytest.approx(x * 30.4)
    assert sum(usd.values()) == pytest.approx(
        (claude + x) * 30.4 + sum(PRICES[name].value for name in ("supabase", "vercel", "n8n"))
    )


def test_the_slowest_tick_is_that_of_the_largest_installation_measured_whatever_waits():
    cells = {
        "100x365": {"seconds": {"tick of lead_inbox": 9.0}},
        "1000x30": {"seconds": {"tick of lead_inbox": 0.1, "tick of numbers_due": 0.2, "runs page": 7.0}},
    }
    cells["1000x30"]["seconds"]["tick of lead_inbox, all clients wait"] = 0.5
    results = results_of(growth={**MACHINE, "cells": cells})

    assert figures.slowest_tick(2_000, results) == pytest.approx(1.0)


def test_a_figure_that_a_json_lacks_is_missing_and_not_nothing():
    results = results_of(publish={**MACHINE, "drains": {}})

    with pytest.raises(Missing, match="publish"):
        results.get("publish", "drains", "0 ms", "ours", "calls_per_post")


def test_results_are_read_by_the_name_of_their_file(tmp_path: Path):
    (tmp_path / "tick.json").write_text(json.dumps({"at": "now"}))

    results = read_results(tmp_path)

    assert results.get("tick", "at") == "now"
    assert (results.has("tick"), results.has("tenants")) == (True, False)
