"""`python -m benchmarks model`: the tables of docs/scaling.md, from what the other benchmarks measured.

Lives here: what one, ten and a hundred thousand clients need and cost, and which figure meets which limit first. A
benchmark that was not run leaves its figures out, by name. Not here: arithmetic (`model_figures.py`), prices and
assumptions (`model_prices.py`), the words of the page.
"""

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import model_figures as figures
from benchmarks.model_figures import DAY, MINUTES, USED, Missing, Results, read_results
from benchmarks.model_prices import ASSUMED, LIMITS, PRICES, Given
from benchmarks.server import RESULTS, console

PAGE = Path(__file__).parent.parent / "docs" / "scaling.md"
CLIENTS = (1_000, 10_000, 100_000)
Figure = Callable[[int, Results], float]
SHARED = "things share runs and wait some seconds longer; warm workers put it off"
NEEDS: Mapping[str, Figure] = {
    "CPU of a day, hours": lambda n, r: figures.cpu_seconds(n, r) / 3600,
    "the same with warm workers": lambda n, r: figures.cpu_seconds(n, r, warm=True) / 3600,
    "cores at the busiest hour": figures.cores,
    "the same with warm workers, cores": lambda n, r: figures.cores(n, r, warm=True),
    "the same where things share runs, cores": lambda n, r: figures.cores(n, r, shared=True),
    "memory, GiB": figures.memory_gib,
    "disk after a year at most, GiB": figures.disk_gib,
    "CPU of setting all of them up once, hours": lambda n, r: figures.cpu_of_setting_up(n, r) / 3600,
    "runs a day": figures.runs_a_day,
    "rows a day in Dagster's event log": figures.event_rows,
    "webhooks a second at the busiest hour": lambda n, r: _webhooks(n),
    "connections of all Postgres servers at most": figures.connections,
    "calls a day of Claude": lambda n, r: figures.calls_a_day(n, r)["Claude"],
    "calls a day of the networks, publishing": lambda n, r: figures.calls_a_day(n, r)["networks, publishing"],
    "calls a day of the networks, numbers": lambda n, r: figures.calls_a_day(n, r)["networks, numbers"],
    "Dagster instances": lambda n, r: figures.instances(n),
    "Postgres servers of tenants": lambda n, r: figures.servers(n),
}


@dataclass(frozen=True)
class Bound:
    """A figure that grows with clients and meets a limit, and once beyond it stays there: `breaks_at` rests on that.

    Args:
        takes: what so many clients take of it, of the fullest part where it has parts. `limit`: how much there is.
        change: what is done before that.
    """

    takes: Figure
    limit: Figure
    change: str


def _given(name: str) -> Figure:
    return lambda n, r: LIMITS[name].value


def _two_cores(clients: int, results: Results) -> float:
    return 2 * ASSUMED["use of a core"].value


def _of_the_fullest(figure: Figure) -> Figure:
    """Of a Postgres server that has as many clients as one may have."""
    return lambda n, r: figure(min(n, int(ASSUMED["databases of a server"].value)), r)


BOUNDS: Mapping[str, Bound] = {
    "partition keys of an asset": Bound(
        lambda n, r: n * ASSUMED["partition days"].value, _given("keys of an asset"), "partitions of shard × day"
    ),
    "posts a day on X by one app": Bound(
        lambda n, r: figures.posts_on_x(n), _given("posts of an app on X"), "X's Enterprise plan, or more apps"
    ),
    "runs a minute of the default launcher, nearly each thing its own": Bound(
        lambda n, r: figures.runs_a_day(n, r, ASSUMED["peak"].value) / MINUTES,
        lambda n, r: r.get("celery", "figures", figures.DEFAULT, "runs_per_minute"),
        SHARED,
    ),
    "CPU of two cores, nearly each thing a run of its own": Bound(figures.busiest_cores, _two_cores, SHARED),
    "CPU of two cores, things share runs": Bound(
        lambda n, r: figures.busiest_cores(n, r, shared=True),
        _two_cores,
        "a larger machine, then workers or pods on others",
    ),
    "looking into everybody, seconds of its quarter of an hour": Bound(
        lambda n, r: figures.seconds_of_round("publishing, look into everybody", n, r), _given("round"), "more shards"
    ),
    "slowest tick of a sensor, seconds of its five": Bound(
        figures.slowest_tick, lambda n, r: ASSUMED["sensor seconds"].value, "a second Dagster instance"
    ),
    "the nightly backup, seconds of four hours": Bound(
        lambda n, r: n * r.get("drill", "backup of all, s") / r.get("drill", "databases"),
        _given("backup window"),
        "each Postgres server backs itself up (physical backups); ours only on request",
    ),
    "the morning's numbers, seconds of two hours": Bound(
        figures.seconds_of_numbers,
        _given("numbers window"),
        "more shards",
    ),
    "databases in one Postgres": Bound(
        lambda n, r: n, lambda n, r: ASSUMED["databases of a server"].value, "`draggonnb server add`, `tenant move`"
    ),
    "disk of one Postgres, GiB": Bound(
        _of_the_fullest(figures.disk_gib), _given("disk of a server"), "a larger disk, or more Postgres servers"
    ),
    "webhooks a second of one API process": Bound(
        lambda n, r: _webhooks(n), lambda n, r: r.get("ingest", "median", "ingest_1_per_s"), "`DRAGGONNB_API_WORKERS`"
    ),
    "connections of one Postgres at most": Bound(
        _of_the_fullest(figures.connections),
        _given("connections"),
        "a higher `max_connections`, a pooler in session mode, or more servers",
    ),
    "clients of one Dagster instance": Bound(
        lambda n, r: n, lambda n, r: ASSUMED["clients of an instance"].value, "a second instance, clients split"
    ),
}


def _webhooks(clients: int) -> float:
    things = ASSUMED["leads"].value + ASSUMED["requests"].value
    return ASSUMED["peak"].value * clients * things / DAY


def breaks_at(bound: Bound, results: Results, most: int = 10_000_000) -> int | None:
    """The most clients with which it and all fewer still hold; None: with `most` too. Raises Missing."""

    def holds(clients: int) -> bool:
        return bound.takes(clients, results) <= bound.limit(clients, results)

    if holds(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def tables(results: Results) -> dict[str, str]:
    """The page's tables, as Markdown, by the name of their marks."""
    return {
        "measured": _measured(results),
        "needs": _table(["clients", *map(_number, CLIENTS)], _needs(results)),
        "costs": _table(["USD for a client and month", *map(_number, CLIENTS)], _costs(results)),
        "breaks": _table(["what", "holds up to, clients", "then"], _breaks(results)),
        "given": _table(["", "value", "unit", "source"], _all_given()),
    }


def _measured(results: Results) -> str:
    rows: list[Sequence[str]] = []
    for name in USED:
        command = f"`python -m benchmarks {name}`"
        with contextlib.suppress(Missing):  # a benchmark with sizes says which
            command = f"`{results.get(name, 'command')}`"
        try:
            at, cores = results.get(name, "at"), results.get(name, "on", "cores")
            rows.append([command, at, f"{cores} cores {results.get(name, 'on', 'machine')}"])
        except Missing:
            rows.append([command, "not run", "its figures are left out"])
    return _table(["benchmark", "when", "on"], rows)


def _needs(results: Results) -> list[Sequence[str]]:
    return [[name, *(_cell(figure, clients, results) for clients in CLIENTS)] for name, figure in NEEDS.items()]


def _costs(results: Results) -> list[Sequence[str]]:
    vendors = figures.vendor_usd()
    rows: list[Sequence[str]] = [[name, *[f"{usd:.2f}"] * len(CLIENTS)] for name, usd in vendors.items()]
    own: Mapping[str, Figure] = {
        "machines, default launcher": figures.infrastructure_usd,
        "machines, warm workers": lambda n, r: figures.infrastructure_usd(n, r, warm=True),
        "all of it, default launcher": lambda n, r: figures.infrastructure_usd(n, r) + sum(vendors.values()),
    }
    for name, figure in own.items():
        rows.append([name, *(_cell(figure, clients, results, "{:.2f}".format) for clients in CLIENTS)])
    return rows


def _breaks(results: Results) -> list[Sequence[str]]:
    """The nearest first; what was not measured stands last."""
    found: list[tuple[float, Sequence[str]]] = []
    for name, bound in BOUNDS.items():
        try:
            last = breaks_at(bound, results)
            shown = "more than 10,000,000" if last is None else _number(last)
            found.append((float("inf") if last is None else last, [name, shown, bound.change]))
        except Missing as missing:
            found.append((float("inf"), [name, f"not measured: {missing}", bound.change]))
    return [row for _, row in sorted(found, key=lambda one: one[0])]


def _all_given() -> list[Sequence[str]]:
    def row(name: str, given: Given) -> Sequence[str]:
        return [name, f"{given.value:,g}", given.unit, f"{given.source}{' (estimate)' if given.estimate else ''}"]

    return [row(name, given) for group in (PRICES, ASSUMED, LIMITS) for name, given in group.items()]


def _cell(figure: Figure, clients: int, results: Results, shown: Callable[[float], str] | None = None) -> str:
    try:
        return (shown or _number)(figure(clients, results))
    except Missing as missing:
        return f"not measured: {missing}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2f}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def fill(page: str, written: Mapping[str, str]) -> str:
    """The page with each table between its marks. Raises ValueError where a table has no marks, or marks no table."""
    marks = re.findall(r"<!-- model:(\w+) -->", page)
    if sorted(marks) != sorted(written):
        raise ValueError(f"the page has marks for {sorted(marks)}, and the tables are {sorted(written)}")
    for name, table in written.items():
        mark = re.compile(rf"(<!-- model:{name} -->\n).*?(<!-- /model -->)", re.DOTALL)
        page = mark.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", page)
    return page


def main(arguments: Sequence[str] = ()) -> None:
    """Write the tables into docs/scaling.md, and say which benchmarks are missing."""
    results = read_results(RESULTS)
    PAGE.write_text(fill(PAGE.read_text(), tables(results)))
    missing = [name for name in USED if not results.has(name)]
    console.print(f"{PAGE.name} is written" + (f"; not run, and left out: {', '.join(missing)}" if missing else ""))
