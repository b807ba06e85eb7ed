"""Where a run that measures, reports and tells is killed: around every call, and between any two of its commits.

Not here: how it is hit there (`report_world.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.stories.provisioning_points import FAULTS, MAIL_FAULTS, Moment

AGENCY, CLIENT, OTHER, OUTSIDER = "draggonnb", "kloof-coffee", "karoo-cycles", "outsider"
GRAPH_BATCH, LINKEDIN, X = (
    "POST /graph/{version}/",
    "GET /linkedin/rest/organizationalEntityShareStatistics*",
    "GET /x/2/tweets*",
)
WHATSAPP, MAIL = "POST /graph/{version}/{phone}/messages", "SMTP DATA"


@dataclass(frozen=True)
class Hold:
    """A table in a transaction that stays open: who comes to write into it waits. `database`: master or a slug."""

    database: str
    table: str


@dataclass(frozen=True)
class Point:
    """Where and when.

    Args:
        route, words: the call, known by its route and a word in it; "" where no vendor is asked.
        number: how many of these calls there are up to this one.
        holds: places that the run comes to one after the other; it is killed where it waits for the last.
    """

    name: str
    moment: Moment | Literal["between"]
    route: str = ""
    words: str = ""
    number: int = 1
    holds: tuple[Hold, ...] = ()

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The fault script: calls before this one pass."""
        assert self.moment != "between"
        faults = MAIL_FAULTS if self.route == MAIL else FAULTS
        match = {"match": self.words} if self.words else {}
        passing = [{"kind": "latency", "seconds": 0, "times": self.number - 1, **match}] * (self.number > 1)
        return [*passing, {**faults[self.moment], **match}]


@dataclass(frozen=True)
class Plan:
    """One Monday: runs that are killed one after the other at these points, or at `random_kills` moments by chance."""

    points: tuple[Point, ...] = ()
    random_kills: int = 0

    @property
    def name(self) -> str:
        return "; ".join(f"{point.name} {point.moment}" for point in self.points) or f"{self.random_kills} by chance"

    @property
    def kills(self) -> int:
        return sum(point.moment != "error" for point in self.points) + self.random_kills


def between(name: str, *holds: tuple[str, str]) -> Point:
    return Point(name, "between", holds=tuple(Hold(*hold) for hold in holds))


def around(
    name: str, route: str, words: str, moments: Sequence[Moment], table: str = "", number: int = 1
) -> list[Point]:
    held = (Hold(CLIENT, table),) if table else ()
    return [Point(name, moment, route, words, number, held if moment == "unwritten" else ()) for moment in moments]


SNAPSHOTS, OUTBOX, AGENDA = (
    (CLIENT, "analytics_snapshots"),
    (CLIENT, "notification_deliveries"),
    ("master", "analytics_agenda"),
)
COSTS, AGENCYS = ("master", "client_weeks"), ("master", "agency_reports")
BETWEEN = (
    between("before posts are claimed", (CLIENT, "content_queue")),
    between("numbers heard, not stored", (CLIENT, "platform_metrics")),
    between("numbers stored, next look not noted", AGENDA),
    between("figures of the day made, not stored", SNAPSHOTS),
    between("day stored, not in the ledger", SNAPSHOTS, ("master", "asset_ledger")),
    between("day stored, not noted", SNAPSHOTS, AGENDA),
    between("figures of the week made, not stored", SNAPSHOTS, AGENDA, SNAPSHOTS),
    between("report written, not stored", (CLIENT, "weekly_reports")),
    between("report stored, its files not", (CLIENT, "report_files")),
    between("report stored, no message planned", OUTBOX),
    between("messages planned, not shown in the app", (CLIENT, "notifications")),
    between("told, costs not kept", COSTS),
    between("reported, not in the ledger", COSTS, ("master", "asset_ledger")),
    between("reported, week not noted", COSTS, AGENDA),
    between("clients reported, the agency's report not stored", AGENCYS),
    between("the agency's report stored, its mail not planned", AGENCYS, (AGENCY, "notification_deliveries")),
    between("the agency told, its week not noted", AGENCYS, AGENDA),
)
OWNER, BOSS = f"sales@{CLIENT}.example", f"sales@{AGENCY}.example"
READS = (
    *around("Meta's numbers", GRAPH_BATCH, "", ("before", "unheard")),
    *around("LinkedIn's numbers", LINKEDIN, "", ("late", "unheard")),
    *around("X's numbers", X, "", ("before", "unheard", "unwritten"), "platform_metrics"),
)
SENDS = (
    *around("mail", MAIL, OWNER, ("before", "unheard", "unwritten", "error"), OUTBOX[1]),
    *around("WhatsApp", WHATSAPP, CLIENT, ("before", "late", "unheard", "unwritten", "error"), OUTBOX[1]),
    *around("the agency's mail", MAIL, BOSS, ("before", "unheard"), number=2),
)
BY_NAME = {(point.name, point.moment): point for point in (*BETWEEN, *READS, *SENDS)}
TWICE = (
    (("mail", "unheard"), ("mail", "unheard")),
    (("WhatsApp", "unheard"), ("clients reported, the agency's report not stored", "between")),
    (("WhatsApp", "late"), ("told, costs not kept", "between")),
    (("report stored, no message planned", "between"), ("WhatsApp", "unwritten")),
    (("numbers heard, not stored", "between"), ("report stored, its files not", "between"), ("mail", "unwritten")),
)
PLANS = (
    *(Plan((point,)) for point in (*BETWEEN, *READS, *SENDS)),
    *(Plan(tuple(BY_NAME[one] for one in sequence)) for sequence in TWICE),
    *(Plan(random_kills=3) for _ in range(6)),
)
SMALL = tuple(
    Plan(tuple(BY_NAME[one] for one in sequence))
    for sequence in (
        (("numbers heard, not stored", "between"), ("report stored, no message planned", "between")),
        (("mail", "unheard"), ("clients reported, the agency's report not stored", "between")),
        (("WhatsApp", "late"),),
        (("WhatsApp", "before"),),
    )
)
