"""Messages that wait for a person, over all clients: their days are over, or nobody knows whether they went out.

Lives here: the check and its words. Not here: the outbox (`outbox.py`), alerts (`open_alerts.py`).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from draggonnb_pipelines.domain.reports import CheckOutcome, Markdown, markdown_text
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.messages.open_alerts import SHOWN, look_into_clients

NOTIFICATIONS = load_queries("notifications")
SHOWN_FOR = timedelta(days=7)  # after a week a message is no news any more


async def messages_outcome(stack: Stack) -> CheckOutcome:
    """Whether all that people were to be told of late has gone out, or was refused for good."""
    since = stack.now() - SHOWN_FOR
    found, away = await look_into_clients(
        stack.master, stack.tenants, None, lambda tenant: NOTIFICATIONS.unsent(tenant.conn, since=since)
    )
    parts = [f"{sum(row['messages'] for _, row in found)} messages wait for a person"] if found else []
    parts += [f"the databases of {', '.join(away)} are away"] if away else []
    return CheckOutcome(
        "messages_go_out",
        passed=not parts,
        description="; ".join(parts) or "nothing waits for a person",
        severity="warn",
        metadata={"messages": Markdown(_table(sorted(found, key=str)[:SHOWN]))} if found else {},
    )


def _table(found: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Without addresses: what is shown here is kept."""
    lines = ["| client | channel | event | messages | reason |", "|---|---|---|---:|---|"]
    for slug, row in found:
        reason = markdown_text(row["reason"] or "", max_chars=160)
        lines.append(f"| {slug} | {row['channel']} | {row['event'] or ''} | {row['messages']} | {reason} |")
    lines.append("\nMail: look into the server's log and mend the cause. WhatsApp: look into WhatsApp Manager.")
    return "\n".join(lines)
