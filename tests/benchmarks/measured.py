"""Results as the benchmarks write them, in figures that can be reckoned by hand: what the model's tests begin with.

Not here: what the model makes of them.
"""

from typing import Any

from benchmarks.model_figures import Results

MACHINE = {"at": "2026-11-24T03:00:00+00:00", "on": {"cores": 2, "machine": "x86_64", "python": "3.11.7"}}
NO_WORK = {"leads, requests, posts": 0.0, "numbers and snapshots": 0.0, "a seventh of the weekly report": 0.0}


def tenants(**changed: Any) -> dict[str, Any]:
    """A day of 100 clients in which nothing costs anything, but for what a test changes."""
    empty = {"cpu_seconds": 0.0, "seconds": 0.0, "peak_mib": 0.0, "times_a_day": 0, "rows": 0}
    return {
        **MACHINE,
        "clients": 100,
        "cpu_seconds_per_client_and_day": NO_WORK,
        "rounds": {"an empty run": empty},
        "standing_cpu_per_second": {"daemon": 0.0, "postgres": 0.0},
        "event_log": {"rows": 900, "bytes": 0},
        "runs": {},
        **changed,
    }


def results_of(**found: dict[str, Any]) -> Results:
    return Results(found)
