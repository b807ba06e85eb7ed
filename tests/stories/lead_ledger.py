"""What became of many leads, counted from the databases and from the sandbox's own journal of what went out."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.stories.system import System

PER_LEAD = """
select l.id, l.status,
       (select count(*) from lead_analyses where lead_id = l.id and kind = 'competitors') as competitors,
       (select count(*) from lead_analyses where lead_id = l.id and kind = 'business') as business,
       (select count(*) from proposals where lead_id = l.id) as proposals,
       (select count(*) from lead_events where lead_id = l.id) as events,
       (select count(*) from notifications where metadata ->> 'lead_id' = l.id::text) as in_app,
       (select string_agg(channel || ' ' || case when status in ('sent', 'delivered') then 'out' else status end, ', '
                          order by channel)
        from notification_deliveries where lead_id = l.id) as channels
from leads l
"""
WHOLE = {
    "status": "proposed",
    "competitors": 1,
    "business": 1,
    "proposals": 1,
    "events": 1,
    "in_app": 1,
    "channels": "email out, in_app out, whatsapp out",
    "whatsapp": 1,
    "mails": 1,
}


@dataclass
class Ledger:
    """`leads` counts the leads by what each of them has; whole ones have exactly `WHOLE`."""

    leads: Counter[str] = field(default_factory=Counter)
    odd: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)


def count_leads(system: System, slugs: list[str]) -> Ledger:
    """Look at every lead of these organizations, inside and outside."""
    ledger = Ledger()
    messages = Counter(item["callback_data"] for item in system.sandbox.public("whatsapp"))
    mails = {item["message_id"]: item for item in system.sandbox.public("mail")}
    answers = paid = 0
    for slug in slugs:
        outbox = system.tenant(slug, "select id, lead_id, channel, message_id from notification_deliveries")
        for lead in system.tenant(slug, PER_LEAD):
            rows = [row for row in outbox if row["lead_id"] == lead["id"]]
            callbacks = [f"{slug}:{row['id']}" for row in rows if row["channel"] == "whatsapp"]
            lead["whatsapp"] = sum(messages[callback] for callback in callbacks)
            lead["mails"] = sum(row["message_id"] in mails for row in rows if row["channel"] == "email")
            is_whole = {key: lead[key] for key in WHOLE} == WHOLE
            ledger.leads["whole" if is_whole else "odd"] += 1
            if not is_whole:
                ledger.odd.append({"slug": slug, **lead})
        [row] = system.tenant(slug, "select count(*) filter (where usable) as ok, count(*) as n from ai_generation_log")
        answers, paid = answers + row["ok"], paid + row["n"]
    calls = [entry for entry in system.sandbox.journal("claude") if entry["method"] == "POST"]
    ledger.figures = {
        "messages on WhatsApp": sum(messages.values()),
        "WhatsApp messages asked for": len(_sends(system)),
        "mails in the mailbox": len(mails),
        "transmissions of mails": sum(item["transmissions"] for item in mails.values()),
        "usable answers of Claude": answers,
        "stored answers of Claude": paid,
        "calls of Claude": len(calls),
    }
    return ledger


def inbox_states(system: System) -> dict[str, int]:
    """The leads' inbox rows by state."""
    rows = system.master("select state, count(*) as n from inbox where topic = 'leads' group by 1")
    return {row["state"]: row["n"] for row in rows}


def _sends(system: System) -> list[dict[str, Any]]:
    return [entry for entry in system.sandbox.journal("whatsapp") if entry["method"] == "POST"]
