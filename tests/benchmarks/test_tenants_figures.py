"""The arithmetic of the day in fast motion. Not here: the day itself, which `make bench-tenants` lives."""

from typing import Any, cast

import pytest

from benchmarks.tenants_count import Public, total, wrong
from benchmarks.tenants_figures import Lived, Part, cpu_of_a_day
from benchmarks.tenants_rounds import EMPTY, Round
from benchmarks.tenants_seed import times_of


def test_what_happens_to_all_clients_lies_evenly_over_the_day() -> None:
    times = sorted(time for place in range(4) for time in times_of(place, 4, 5, 100.0))

    assert times == [5.0 * number for number in range(20)]


def test_a_client_with_one_too_few_or_one_too_many_is_named_and_nobody_else() -> None:
    found = {"whole": [{"leads": 2}], "short": [{"leads": 1}], "doubled": [{"leads": 3}]}

    misses = wrong(found, {"leads": 2})

    assert misses == ["short: leads 1 for 2", "doubled: leads 3 for 2"]
    assert total(found, "leads") == 6


def test_a_day_costs_its_work_without_the_sandbox_its_rounds_and_what_stands_by() -> None:
    processes = {
        "run worker": {"cpu_seconds": 30.0},
        "postgres": {"cpu_seconds": 20.0},
        "sandbox": {"cpu_seconds": 99.0},
    }
    part = Part(seconds=100.0, processes=processes, jobs={})
    rounds = {EMPTY: Round(2.0, 3.2, 100.0, 0, 24), "tending": Round(4.0, 5.4, 100.0, 96, 24)}

    cpu = cpu_of_a_day(
        Lived(
            misses=[],
            counts={},
            system=cast(Any, None),
            slugs=["a", "b"],
            seconds=90.0,
            created_seconds=1.0,
            public=Public(),
            parts={"day": part, "morning": part, "week": part},
            rounds=rounds,
            standing={"daemon": 0.0, "postgres": 0.1},
            runs={"qualify_leads": {"runs": 6}},
            events={},
            database_bytes={},
            connections={},
            memory_mib={},
        )
    )

    assert cpu == pytest.approx(
        {
            "leads, requests, posts": 20.0,  # 50 s without the 10 s that would have been used anyway
            "numbers and snapshots": 20.0,
            "a seventh of the weekly report": 20.0 / 7,
            "rounds by the clock": 240.0,  # 5.4 without the 0.4 that Postgres would have used anyway
            "processes that stand by": 4320.0,
            "all of it": 4602.857142857143,
            "at most, for runs of their own": 30.0,  # 13 things each; six of the 26 had a run
        }
    )
