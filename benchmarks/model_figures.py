"""The arithmetic of docs/scaling.md: what N clients need, from what the benchmarks measured on one machine.

Lives here: reading `results/*.json`, and one function for each figure. Every function takes the number of clients and
the results; where a benchmark was not run it raises Missing with its name. Not here: prices and assumptions
(`model_prices.py`), tables and where limits are met (`model.py`).
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.model_prices import ASSUMED, PRICES

DAY, MINUTES, MONTH = 86_400, 1_440, 30.4
GIB = 1024**3
EMPTY = "an empty run"
DEFAULT, WARM = "default launcher", "2 workers, Redis"
WORK = ("leads, requests, posts", "numbers and snapshots", "a seventh of the weekly report")
USED = ("tenants", "growth", "celery", "publish", "analytics", "provision", "ingest", "drill")


class Missing(LookupError):
    """A benchmark that was not run, or whose JSON lacks the figure; says which."""


class Results:
    """What was measured, by benchmark."""

    def __init__(self, found: Mapping[str, Mapping[str, Any]]) -> None:
        self._found = found

    def get(self, benchmark: str, *path: str | int) -> Any:
        """The figure at that path. Raises Missing."""
        at: Any = self._found.get(benchmark)
        try:
            for step in path:
                at = at[step]
        except (KeyError, IndexError, TypeError):
            at = None
        if at is None:
            raise Missing(benchmark)
        return at

    def has(self, benchmark: str) -> bool:
        return benchmark in self._found


def read_results(folder: Path) -> Results:
    """Every `<name>.json` of the folder. Raises json.JSONDecodeError where one is cut off."""
    return Results({file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))})


def instances(clients: int) -> int:
    """Dagster instances, each with a daemon and a UI."""
    return math.ceil(clients / ASSUMED["clients of an instance"].value)


def servers(clients: int) -> int:
    """Postgres servers of tenants."""
    return math.ceil(clients / ASSUMED["databases of a server"].value)


def rounds_a_day(results: Results) -> float:
    """Of the clock, each a run; of one instance."""
    return sum(one["times_a_day"] for one in results.get("tenants", "rounds").values())


def runs_a_day(clients: int, results: Results, peak: float = 1.0) -> float:
    """Runs of all instances: the rounds of the clock, and a run for each tick of a sensor that finds something.

    What comes in falls on ticks at random, so that of T ticks a day T·(1 - e^(-things/T)) find something.

    Args:
        peak: so many times the mean comes in, as if all day.
    """
    ticks = DAY / ASSUMED["sensor seconds"].value
    many, posts = instances(clients), ASSUMED["due posts"].value + ASSUMED["requests"].value
    things = (ASSUMED["leads"].value, ASSUMED["requests"].value, posts)
    found = sum(ticks * -math.expm1(-peak * clients / many * each / ticks) for each in things)
    return many * (rounds_a_day(results) + found)


def cpu_of_a_run(results: Results, warm: bool) -> float:
    """CPU seconds of a run that finds nothing to do, in a process of its own or in a warm worker (Redis), with what
    Postgres does for it.

    Of one benchmark for both ways, so that like is compared with like; where that was not run, the first of the two is
    the day's empty run.
    """
    way = ("celery", "figures", WARM if warm else DEFAULT)
    try:
        return results.get(*way, "cpu_seconds_per_run_with_postgres")
    except Missing:
        if warm:
            raise
        return _cpu_of_round(EMPTY, results)


def _cpu_of_round(name: str, results: Results) -> float:
    """CPU seconds of a round of the clock, without what Postgres would have used meanwhile anyway."""
    of_round = results.get("tenants", "rounds", name)
    return max(of_round["cpu_seconds"] - _postgres_standing(of_round["seconds"], results), 0.0)


def _postgres_standing(seconds: float, results: Results) -> float:
    """CPU seconds of Postgres in so many seconds in which nothing comes in."""
    return results.get("tenants", "standing_cpu_per_second", "postgres") * seconds


def cpu_seconds(clients: int, results: Results, warm: bool = False) -> float:
    """Of a day, everything but the vendors: the clients' work, the clock's rounds, the price of runs, standing by.

    A round costs an empty run, which does not grow, and the rest, which grows with clients. The starts of the measured
    day's runs are taken out of its work, since runs are priced by their number; what Postgres stands by for is taken
    out of rounds and runs, since standing by is priced by itself.
    """
    return _cpu_seconds(clients, results, 1.0, runs_a_day(clients, results) * cpu_of_a_run(results, warm))


def _cpu_seconds(clients: int, results: Results, peak: float, of_runs: float) -> float:
    measured, parts = (results.get("tenants", name) for name in ("clients", "cpu_seconds_per_client_and_day"))
    empty, rounds = _cpu_of_round(EMPTY, results), results.get("tenants", "rounds")
    growing = sum(max(_cpu_of_round(name, results) - empty, 0) * rounds[name]["times_a_day"] for name in rounds)
    work = max(sum(parts[name] for name in WORK) - _runs_of_the_day(results) * empty / measured, 0)
    standing = sum(results.get("tenants", "standing_cpu_per_second").values()) * DAY
    return clients * (peak * work + growing / measured) + of_runs + instances(clients) * standing


def busiest_cores(clients: int, results: Results, *, warm: bool = False, shared: bool = False) -> float:
    """Cores of all machines that are at work in the busiest hour. The clock's rounds and what stands by have no peak.

    Args:
        shared: things share runs as in the measured day, instead of a run for each tick that finds something.
    """
    peak = ASSUMED["peak"].value
    runs = runs_a_day(clients, results, peak)
    if shared:
        a_client = _runs_of_the_day(results) / results.get("tenants", "clients")
        runs = instances(clients) * rounds_a_day(results) + peak * clients * a_client
    return _cpu_seconds(clients, results, peak, runs * cpu_of_a_run(results, warm)) / DAY


def cores(clients: int, results: Results, *, warm: bool = False, shared: bool = False) -> int:
    """That all machines need to have for the busiest hour, as `busiest_cores`."""
    busiest = busiest_cores(clients, results, warm=warm, shared=shared)
    return max(2, math.ceil(busiest / ASSUMED["use of a core"].value))


def run_slots(clients: int, results: Results) -> int:
    """Runs at once: five for each instance, as dagster.yaml has it, or one for each core where there are more."""
    return max(5 * instances(clients), cores(clients, results))


def _runs_of_the_day(results: Results) -> int:
    """Of the measured day in fast motion, which has few: one takes what has come in meanwhile."""
    return sum(job["runs"] for job in results.get("tenants", "runs").values())


def connections(clients: int, results: Results) -> float:
    """To all Postgres servers together at most: what a machine with five runs at once may open, for each five."""
    return ASSUMED["connections of five runs"].value * run_slots(clients, results) / 5


def cpu_of_setting_up(clients: int, results: Results) -> float:
    """CPU seconds, once, without the vendors."""
    of_all = results.get("provision", "provisioning")
    spent = sum(cost["cpu_seconds"] for kind, cost in of_all["processes"].items() if kind != "sandbox")
    return clients * spent / of_all["projects"]


def seconds_of_numbers(clients: int, results: Results) -> float:
    """Of the morning's run, without its start."""
    seconds = results.get("tenants", "parts", "morning", "seconds")
    empty = results.get("tenants", "rounds", EMPTY, "seconds")
    return clients * max(seconds - empty, 0.0) / results.get("tenants", "clients")


def seconds_of_round(name: str, clients: int, results: Results) -> float:
    """Of a round of the clock, without its start."""
    of_round, empty = (results.get("tenants", "rounds", one, "seconds") for one in (name, EMPTY))
    return clients * max(of_round - empty, 0.0) / results.get("tenants", "clients")


def memory_gib(clients: int, results: Results) -> float:
    """Of the processes that stand by in each instance, of the run workers, of all of Postgres' processes together in
    each server, and a quarter more for the system."""
    parts = results.get("tenants", "parts")
    peaks: dict[str, float] = {}
    for part in parts.values():
        for kind, cost in part["processes"].items():
            peaks[kind] = max(peaks.get(kind, 0.0), cost["peak_mib"])
    standing = sum(mib for kind, mib in peaks.items() if kind not in ("sandbox", "run worker", "postgres"))
    workers = run_slots(clients, results) * peaks["run worker"]
    postgres = servers(clients) * results.get("tenants", "memory_mib_at_most", "postgres")
    return 1.25 * (instances(clients) * standing + workers + postgres) / 1024


def tenant_bytes(results: Results, days: float) -> float:
    """Of one client's database after so many days: what it has on its first, and a day's growth each. Too high, as the
    first day also takes the first page of each table and index."""
    before = results.get("tenants", "database_bytes", "before", "mean tenant")
    after = results.get("tenants", "database_bytes", "after", "mean tenant")
    return after + max(after - before, 0.0) * (days - 1)


def disk_gib(clients: int, results: Results) -> float:
    """Of the clients' databases after a year, the master's growth in it, and what Dagster keeps of its days, which
    grows as its event log does."""
    grown = {}
    for name in ("master", "dagster"):
        sizes = (results.get("tenants", "database_bytes", when, name) for when in ("after", "before"))
        grown[name] = max(next(sizes) - next(sizes), 0.0)
    kept, master = ASSUMED["days kept"].value, grown["master"] / results.get("tenants", "clients")
    days_of_dagster = event_rows(clients, results) / results.get("tenants", "event_log", "rows")
    dagster = grown["dagster"] * days_of_dagster * ASSUMED["days of runs"].value
    return (clients * (tenant_bytes(results, kept) + master * kept) + dagster) / GIB


def event_rows(clients: int, results: Results) -> float:
    """Rows of Dagster's event log that a day adds: those that each run has as such, and those of the clients' work.

    The measured day in fast motion has few runs and none of the clock's, so that its rows are parted likewise.
    """
    of_a_run = _rows_of_a_run(results)
    of_work = max(results.get("tenants", "event_log", "rows") - _runs_of_the_day(results) * of_a_run, 0)
    return clients * of_work / results.get("tenants", "clients") + runs_a_day(clients, results) * of_a_run


def _rows_of_a_run(results: Results) -> float:
    """Of one that finds nothing to do, where the day has counted them."""
    try:
        return results.get("tenants", "rounds", EMPTY, "rows")
    except Missing:
        return ASSUMED["rows of a run"].value


def calls_a_day(clients: int, results: Results) -> dict[str, float]:
    """Of the vendors: Claude, and the networks for posts and for numbers."""
    posts = ASSUMED["due posts"].value + ASSUMED["requests"].value
    daily = results.get("analytics", "daily")[-1]["figures"]["calls per post"][1]
    questions = ASSUMED["leads"].value * ASSUMED["questions of a lead"].value + ASSUMED["requests"].value
    return {
        "Claude": clients * questions,
        "networks, publishing": clients * posts * results.get("publish", "drains", "0 ms", "ours", "calls_per_post"),
        "networks, numbers": clients * ASSUMED["measured posts"].value * daily,
    }


def slowest_tick(clients: int, results: Results) -> float:
    """Seconds, whether nothing waits or something of every client, if ticks were to grow linearly from the largest
    installation that was measured."""
    cells = results.get("growth", "cells")
    largest = max(cells, key=lambda name: [int(number) for number in name.split("x")])
    ticks = [seconds for name, seconds in cells[largest]["seconds"].items() if name.startswith("tick of ")]
    if not ticks:
        raise Missing("growth")
    return clients / int(largest.split("x")[0]) * max(ticks)


def posts_on_x(clients: int) -> float:
    """A day."""
    return clients * (ASSUMED["due posts"].value + ASSUMED["requests"].value) * ASSUMED["share of x"].value


def vendor_usd() -> dict[str, float]:
    """A client and month, whatever the number of clients."""
    tokens = {
        way: ASSUMED["leads"].value * ASSUMED[f"lead {way}"].value
        + ASSUMED["requests"].value * ASSUMED[f"request {way}"].value
        for way in ("input", "output")
    }
    claude = sum(tokens[way] * PRICES[f"claude {way}"].value / 1e6 for way in tokens)
    links = ASSUMED["share of links"].value
    a_post = links * PRICES["x post with url"].value + (1 - links) * PRICES["x post"].value
    reads = ASSUMED["measured posts"].value * ASSUMED["share of x"].value * PRICES["x read"].value
    return {
        "Claude": claude * MONTH,
        "X": (posts_on_x(1) * a_post + reads) * MONTH,
        **{title: PRICES[title.lower()].value for title in ("Supabase", "Vercel", "n8n")},
    }


def infrastructure_usd(clients: int, results: Results, warm: bool = False) -> float:
    """A client and month: cores, memory and disk of all machines, the disk twice for the backups."""
    month = (
        cores(clients, results, warm=warm) * PRICES["core"].value
        + memory_gib(clients, results) * PRICES["memory"].value
        + 2 * disk_gib(clients, results) * PRICES["disk"].value
    )
    return month / clients
