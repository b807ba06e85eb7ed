"""The model of docs/scaling.md: where limits are met, what its tables say, and what they say is missing.

Not here: the arithmetic (`test_model_figures.py`), the benchmarks that measure.
"""

import pytest

from benchmarks import model
from benchmarks import model_figures as figures
from benchmarks.model_figures import GIB, Missing, read_results
from benchmarks.model_prices import ASSUMED, LIMITS, PRICES
from benchmarks.server import RESULTS
from tests.benchmarks.measured import MACHINE, NO_WORK, results_of, tenants


def test_one_postgres_has_connections_for_five_runs_at_once_and_not_for_a_sixth():
    work = {**NO_WORK, "leads, requests, posts": 64.0}
    results = results_of(tenants=tenants(cpu_seconds_per_client_and_day=work))

    last = model.breaks_at(model.BOUNDS["connections of one Postgres at most"], results)

    # 1,012 clients take 4 * 64 * 1,012 / 86,400 / 0.6 = 4.998 cores, and a sixth core is a sixth run.
    assert last == 1_012


def test_a_limit_is_met_with_the_last_client_that_it_holds_for():
    results = results_of()

    assert model.breaks_at(model.BOUNDS["posts a day on X by one app"], results) == 5_000
    assert model.breaks_at(model.BOUNDS["partition keys of an asset"], results) == 1_098
    assert model.breaks_at(model.BOUNDS["databases in one Postgres"], results) == 2_000


def test_the_disk_of_a_postgres_is_that_of_the_fullest_and_is_met_before_it_has_all_its_clients():
    size = {"mean tenant": 0.6 * GIB, "master": 0.0, "dagster": 0.0}
    results = results_of(tenants=tenants(database_bytes={"before": size, "after": size}))

    assert model.breaks_at(model.BOUNDS["disk of one Postgres, GiB"], results) == int(1_000 / 0.6)


def test_the_disk_of_a_postgres_that_takes_all_its_clients_is_never_met():
    size = {"mean tenant": 0.49 * GIB, "master": 0.0, "dagster": 0.0}
    results = results_of(tenants=tenants(database_bytes={"before": size, "after": size}))

    assert model.breaks_at(model.BOUNDS["disk of one Postgres, GiB"], results) is None


@pytest.mark.parametrize("name", model.BOUNDS)
def test_who_is_beyond_a_limit_stays_there_with_more_clients(name: str):
    bound, results = model.BOUNDS[name], read_results(RESULTS)
    near = [step + more for step in range(2_000, 40_001, 2_000) for more in (-1, 0, 1)]
    sizes = sorted({*near, *(int(1.3**power) for power in range(60))})

    try:
        holds = [bound.takes(clients, results) <= bound.limit(clients, results) for clients in sizes]
    except Missing as missing:
        pytest.skip(f"{missing} was not measured")

    assert holds == sorted(holds, reverse=True)


def test_runs_a_minute_are_held_against_what_the_default_launcher_was_measured_to_do():
    bound = model.BOUNDS["runs a minute of the default launcher, nearly each thing its own"]
    ways = {"figures": {"default launcher": {"runs_per_minute": 24.0}}}

    assert bound.limit(1, results_of(celery={**MACHINE, **ways})) == 24.0
    with pytest.raises(Missing, match="celery"):
        bound.limit(1, results_of())


def test_what_never_meets_its_limit_is_said_so():
    bound = model.Bound(lambda n, r: 1.0, lambda n, r: 2.0, "nothing")

    assert model.breaks_at(bound, results_of()) is None


def test_nothing_measured_leaves_every_table_and_names_what_is_missing():
    written = model.tables(results_of())

    assert "| cores at the busiest hour | " + " | ".join(["not measured: tenants"] * 3) + " |" in written["needs"]
    assert "not measured: celery" not in written["needs"]  # tenants is asked for first
    assert written["measured"].count("not run") == len(figures.USED)
    assert "| posts a day on X by one app | 5,000 |" in written["breaks"]


def test_what_was_measured_is_named_with_its_sizes():
    growth = {**MACHINE, "command": "python -m benchmarks growth 10x1 100x365"}

    written = model.tables(results_of(growth=growth, ingest=MACHINE))["measured"]

    assert "| `python -m benchmarks growth 10x1 100x365` | 2026-11-24T03:00:00+00:00 | 2 cores x86_64 |" in written
    assert "| `python -m benchmarks ingest` | 2026-11-24T03:00:00+00:00 | 2 cores x86_64 |" in written
    assert "| `python -m benchmarks celery` | not run | its figures are left out |" in written


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

    filled = model.fill(page, model.tables(results_of()))

    assert filled.count("<!-- /model -->") == page.count("<!-- /model -->") == 5


def test_every_given_number_has_a_unit_and_a_source():
    given = {**PRICES, **ASSUMED, **LIMITS}

    assert len(given) == len(PRICES) + len(ASSUMED) + len(LIMITS)
    assert [name for name, one in given.items() if not (one.unit and one.source)] == []
