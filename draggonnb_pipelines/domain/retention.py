"""How long each table keeps what it holds, as data: what goes after how many days.

Lives here: the rules. Not here: the tables from which nothing goes by the clock (`kept_tables.py`; a test holds both
lists against both schemas, so that a new table must be decided about), the deleting
(`workflows/operations/retention.py`), one person's wish (`workflows/operations/person_erasure.py`), a client that
leaves (`workflows/provisioning/erasure.py`), Dagster's own events (`event_retention.py`). The SQL in it is ours alone;
no value of a row ever becomes part of it.

Sources: Protection of Personal Information Act 4 of 2013, s 14; GDPR, Art. 5(1)(e).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, LiteralString

Database = Literal["master", "tenant"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What goes from a table, and when.

    Args:
        column: the moment (or day) from which on the days are counted.
        what: what goes, in a person's words.
        why: why it is kept for so long, and why no longer.
        where: a further SQL condition over the table's alias `t`; with `empties` it leaves out what is empty already.
        empties: columns that are emptied, each with the SQL that takes its place. None: the whole row is deleted.
    """

    database: Database
    table: LiteralString
    column: LiteralString
    days: int
    what: str
    why: str
    where: LiteralString = "true"
    empties: Mapping[LiteralString, LiteralString] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.database}.{self.table}: {self.what}"


RULES = (
    Rule(
        "master",
        "inbox",
        "received_at",
        90,
        "bodies of deliveries that are done",
        "a done delivery may be replayed for a quarter; what it said stands in the client's database",
        "t.state = 'done' and t.parsed_sealed is not null",
        {"raw_sealed": "null", "parsed_sealed": "null"},
    ),
    Rule(
        "master",
        "inbox",
        "received_at",
        400,
        "deliveries that are done or dead",
        "a year and a month in which a repeat is known as one, and a dead one can be replayed",
        "t.state in ('done', 'dead')",
    ),
    Rule(
        "master",
        "proposal_links",
        "expires_at",
        90,
        "links of proposals that nobody accepted",
        "an old link says for a quarter that it is over",
        "t.accepted_at is null",
    ),
    Rule(
        "master",
        "review_links",
        "expires_at",
        90,
        "links to reviews, with the reviewers' addresses",
        "an old link says for a quarter that it is over",
    ),
    Rule(
        "master",
        "message_batches",
        "created_at",
        90,
        "batches whose answers are stored, or that failed",
        "the vendor keeps the answers for 29 days; ours are in the clients' databases",
        "t.state in ('stored', 'failed')",
    ),
    Rule(
        "master",
        "reprocessings",
        "created_at",
        400,
        "requests that are done",
        "what was analysed again, and by whom, for a year and a month",
        "t.state <> 'open'",
    ),
    Rule(
        "master",
        "checkouts",
        "expires_at",
        365,
        "checkouts that were never paid, with name and address",
        "whoever comes back within a year finds the price that was named",
        "t.state <> 'paid' and t.subscription_id is null"
        " and not exists (select from subscriptions s where s.checkout_id = t.id)",
    ),
    Rule("master", "api_calls", "day", 800, "calls a day", "two years, to be compared with the year before"),
    Rule(
        "tenant",
        "ai_generation_log",
        "created_at",
        180,
        "questions to the model and its answers",
        "for half a year the same question costs nothing; tokens and costs stay, the analyses too",
        "(t.prompt <> '{}' or t.output is not null)",
        {"prompt": "'{}'", "output": "null", "usable": "false"},
    ),
    Rule(
        "tenant",
        "ai_generation_log",
        "created_at",
        0,
        "late answers about persons who were forgotten",
        "a question that was under way when they were",
        "(t.prompt <> '{}' or t.output is not null) and t.lead_id in ("
        "select l.id from leads l join contacts c on c.id = l.contact_id where c.erased_at is not null)",
        {"prompt": "'{}'", "output": "null", "usable": "false"},
    ),
    Rule(
        "tenant",
        "evidence",
        "fetched_at",
        730,
        "pages that claims quote",
        "two years, in which a claim can be looked up; the quotes stay in the analyses",
    ),
    Rule(
        "tenant",
        "lead_events",
        "occurred_at",
        400,
        "enquiries word for word",
        "the lead holds what was asked; that and when there was an enquiry stays",
        "t.payload <> '{}'",
        {"payload": "'{}'"},
    ),
    Rule(
        "tenant",
        "notification_deliveries",
        "created_at",
        90,
        "texts of messages that went out, or never will",
        "to look up what was said; whom and when stays, so that nobody is told twice and every mail can be ended",
        "t.status in ('sent', 'delivered', 'failed', 'skipped') and t.payload <> '{}'",
        {"payload": "'{}'"},
    ),
    Rule("tenant", "notifications", "created_at", 400, "messages in the app", "a year and a month of the bell"),
    Rule(
        "tenant",
        "alerts",
        "acknowledged_at",
        400,
        "alerts that were answered",
        "a year and a month of what went wrong",
        "t.acknowledged_at is not null",
    ),
    Rule(
        "tenant",
        "publish_attempts",
        "started_at",
        800,
        "calls to the networks",
        "two years of the publish log; the ledger keeps what was published",
    ),
    Rule(
        "tenant",
        "publish_answers",
        "created_at",
        800,
        "answers about posts that were carried out",
        "as long as the calls that they led to; the audit log keeps that they were given",
        "t.applied_at is not null",
    ),
    Rule(
        "tenant",
        "usage_reservations",
        "updated_at",
        800,
        "places of a plan that were used or given back",
        "two years in which the same work is not counted twice; the counters stay",
        "t.state <> 'held'",
    ),
    Rule(
        "tenant",
        "platform_metrics",
        "collected_at",
        800,
        "readings of posts and accounts",
        "two years, to be compared with the year before; snapshots keep the figures",
    ),
    Rule(
        "tenant",
        "report_files",
        "created_at",
        800,
        "charts and PDFs of reports",
        "two years of reports with pictures; their text and figures stay",
    ),
    Rule("tenant", "client_usage_metrics", "date", 800, "use a day", "two years, to be compared with the year before"),
)
