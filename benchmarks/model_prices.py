"""What the model takes as given: prices, limits of others, and assumptions about a client, each with date and source.

Not here: anything that a benchmark measures (`model_figures.py` reads it), and the arithmetic.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Given:
    """A number that is not ours, and where it comes from; `estimate`: nobody's price list says it."""

    value: float
    unit: str
    source: str
    estimate: bool = False


_GUESS = "an ordinary European provider, rounded; put in your own"
_PLACES = "as vendor_plan_costs of the master begins with, until invoices are entered"
_CLAUDE = "Anthropic's price list, Sonnet 5.5, November 2026"
_X = "X's documentation, pay-per-use since 6 February 2026"
_DAY = "the day that `benchmarks tenants` lives"

PRICES: Mapping[str, Given] = {
    "core": Given(7.0, "USD a month for a shared core", _GUESS, True),
    "memory": Given(2.0, "USD a month for a GiB of memory", _GUESS, True),
    "disk": Given(0.10, "USD a month for a GiB on SSD", _GUESS, True),
    "supabase": Given(10.0, "USD a month for a project", _PLACES, True),
    "vercel": Given(0.5, "USD a client and month", _PLACES, True),
    "n8n": Given(0.2, "USD a client and month", _PLACES, True),
    "claude input": Given(2.0, "USD for a million tokens", _CLAUDE),
    "claude output": Given(10.0, "USD for a million tokens", _CLAUDE),
    "x post": Given(0.015, "USD for a post", _X),
    "x post with url": Given(0.20, "USD for a post with a link", _X),
    "x read": Given(0.001, "USD for reading a post of one's own", _X),
}
ASSUMED: Mapping[str, Given] = {
    "leads": Given(2, "a client and day", _DAY),
    "requests": Given(3, "requests for content, each one post", _DAY),
    "due posts": Given(5, "posts that are due besides", _DAY),
    "measured posts": Given(20, "posts whose numbers are read", _DAY),
    "lead input": Given(12_000, "tokens that the questions about a lead take in", "research of a few pages", True),
    "lead output": Given(3_000, "tokens that they give back", "an analysis and a proposal", True),
    "request input": Given(3_000, "tokens of a request for content", "brand, rules, examples", True),
    "request output": Given(1_500, "tokens that it gives back", "a post with its variants", True),
    "questions of a lead": Given(3, "calls of Claude", "analysis, proposal, and one that is repeated", True),
    "share of x": Given(0.25, "of posts go to X", "four networks alike, as in `benchmarks tenants`", True),
    "share of links": Given(0.3, "of posts on X have a link", "no client is known yet", True),
    "peak": Given(4, "times the mean is the busiest hour", "an office day of eight hours, doubled", True),
    "use of a core": Given(0.6, "of a core at the busiest hour", "headroom for runs that repeat", True),
    "days kept": Given(365, "days of a client's rows", "our choice"),
    "days of runs": Given(14, "days of Dagster's runs", "DRAGGONNB_RUN_KEEP_DAYS"),
    "sensor seconds": Given(5, "seconds between ticks", "DRAGGONNB_SENSOR_INTERVAL_SECONDS"),
    "databases of a server": Given(2_000, "tenants' databases in one Postgres", "files, autovacuum, restore", True),
    "clients of an instance": Given(10_000, "clients of one Dagster instance", "one daemon, one UI", True),
    "connections of five runs": Given(390, "connections of a machine at most", "the sum of its pools, operations.md"),
    "rows of a run": Given(24, "rows of log of a run that finds nothing", "counted; if the day has them, its own"),
    "partition days": Given(91, "days of an asset's partitions at most", "partitions.py: the window and its month"),
}
LIMITS: Mapping[str, Given] = {
    "keys of an asset": Given(100_000, "partition keys", "Dagster's documentation"),
    "posts of an app on X": Given(10_000, "posts in 24 h for one app", "X's documentation"),
    "round": Given(900, "seconds until the next round of publishing", "schedules.py, every 15 minutes"),
    "backup window": Given(4 * 3600, "seconds of a night", "our choice"),
    "numbers window": Given(2 * 3600, "seconds from 06:00 to 08:00 UTC", "our choice"),
    "connections": Given(400, "connections of one Postgres", "max_connections that deployment.md sets"),
    "disk of a server": Given(1_000, "GiB of one Postgres server", "what is still restored in hours", True),
}
