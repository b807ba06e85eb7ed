"""The arithmetic of docs/scaling.md: what N clients need, from what the benchmarks measured on one machine.

Lives here: reading `results/*.json`, and one function for each figure. Every function takes the number of clients and
the results; where a benchmark was not run it raises Missing with its name. Not here: prices and assumptions
(`model_prices.py`), tables and where limits are met (`model.py`).
"""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.model_prices import ASSUMED, PRICES

DAY, MINUTES, MONTH = 86_400, 1_440, 30.4
GIB = 1024**3
EMPTY = "an empty run"
WARM = "2 workers, Redis"
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


def runs_a_day(clients: int, results: Results) -> float:
    """Runs of all instances: the rounds of the clock, and a run for each tick of a sensor that finds something.

    What comes in falls on ticks at random, so that of T ticks a day T·(1 - e^(-things/T)) find something.
    """
    rounds = sum(one["times_a_day"] for one in results.get("tenants", "rounds").values())
    ticks = DAY / ASSUMED["sensor seconds"].value
    many, posts = instances(clients), ASSUMED["due posts"].value + ASSUMED["requests"].value
    things = (ASSUMED["leads"].value, ASSUMED["requests"].value, posts)
    found = sum(ticks * -math.expm1(-clients / many * each / ticks) for each in things)
    return many * (rounds + found)


def cpu_of_a_run(results: Results, warm: bool) -> float:
    """CPU seconds of a run that finds nothing to do: in a process of its own, or in a warm worker (Redis)."""
    if warm:
        return results.get("celery", "figures", WARM, "cpu_seconds_per_run")
    return results.get("tenants", "rounds", EMPTY, "cpu_seconds")


def cpu_seconds(clients: int, results: Results, warm: bool = False) -> float:
    """Of a day, everything but the vendors: the clients' work, the clock's rounds, the price of runs, standing by.

    A round costs an empty run, which does not grow, and the rest, which grows with clients. The starts of the measured
    day's runs are taken out of its work, since runs are priced by their number.
    """
    measured = results.get("tenants", "clients")
    parts = results.get("tenants", "cpu_seconds_per_client_and_day")
    empty = cpu_of_a_run(results, False)
    rounds = results.get("tenants", "rounds").values()
    growing = sum(max(one["cpu_seconds"] - empty, 0) * one["times_a_day"] for one in rounds) / measured
    starts = sum(job["runs"] for job in results.get("tenants", "runs").values()) * empty / measured
    work = ("leads, requests, posts", "numbers and snapshots", "a seventh of the weekly report")
    each = max(sum(parts[name] for name in work) - starts, 0) + growing
    standing = sum(results.get("tenants", "standing_cpu_per_second").values()) * DAY
    return clients * each + runs_a_day(clients, results) * cpu_of_a_run(results, warm) + instances(clients) * standing


def cores(clients: int, results: Results, warm: bool = False) -> int:
    """Of all machines, for the busiest hour."""
    busiest = cpu_seconds(clients, results, warm) / DAY * ASSUMED["peak"].value
    return max(2, math.ceil(busiest / ASSUMED["use of a core"].value))


def run_slots(clients: int, results: Results) -> int:
    """Runs at once: five for each instance, as dagster.yaml has it, or one for each core where there are more."""
    return max(5 * instances(clients), cores(clients, results))


def connections(clients: int, results: Results) -> float:
    """To all Postgres servers together: those of the measured stack, which has five runs at once, for each five."""
    return results.get("tenants", "connections", "most") * run_slots(clients, results) / 5


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
    """Of the processes that stand by in each instance, of the run workers, and a quarter more for Postgres
    and the system."""
    parts = results.get("tenants", "parts")
    peaks: dict[str, float] = {}
    for part in parts.values():
        for kind, cost in part["processes"].items():
            peaks[kind] = max(peaks.get(kind, 0.0), cost["peak_mib"])
    standing = sum(mib for kind, mib in peaks.items() if kind not in ("sandbox", "run worker", "postgres"))
    workers = run_slots(clients, results) * peaks["run worker"]
    postgres = servers(clients) * peaks["postgres"]
    return 1.25 * (instances(clients) * standing + workers + postgres) / 1024


def tenant_bytes(results: Results, days: float) -> float:
    """Of one client's database after so many days: what it has on its first, and a day's growth each. Too high, as the
    first day also takes the first page of each table and index."""
    before = results.get("tenants", "database_bytes", "before", "mean tenant")
    after = results.get("tenants", "database_bytes", "after", "mean tenant")
    return after + max(after - before, 0.0) * (days - 1)


def disk_gib(clients: int, results: Results) -> float:
    """Of the clients' databases after a year, the master's growth in it, and Dagster's events of its days."""
    of_day = {}
    for name in ("master", "dagster"):
        sizes = (results.get("tenants", "database_bytes", when, name) for when in ("after", "before"))
        of_day[name] = max(next(sizes) - next(sizes), 0.0) / results.get("tenants", "clients")
    kept, runs = ASSUMED["days kept"].value, ASSUMED["days of runs"].value
    return clients * (tenant_bytes(results, kept) + of_day["master"] * kept + of_day["dagster"] * runs) / GIB


def event_rows(clients: int, results: Results) -> float:
    """Rows of Dagster's event log that a day adds."""
    return clients * results.get("tenants", "event_log", "rows") / results.get("tenants", "clients")


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
    """Seconds, nothing waiting, if ticks were to grow linearly from the largest installation that was measured."""
    cells = results.get("growth", "cells")
    largest = max(cells, key=lambda name: [int(number) for number in name.split("x")])
    ticks = [seconds for name, seconds in cells[largest]["seconds"].items() if re.fullmatch(r"tick of \w+", name)]
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
        cores(clients, results, warm) * PRICES["core"].value
        + memory_gib(clients, results) * PRICES["memory"].value
        + 2 * disk_gib(clients, results) * PRICES["disk"].value
    )
    return month / clients
