"""The watch over WhatsApp's templates: what the vendor says of them today, and whom a change concerns.

Lives here: the look, its record in master, the agency's notices of changes, and whether all that we send can be sent.
Not here: what goes out in place of a template that cannot (the outbox reads the record).
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from draggonnb_pipelines.domain.events import EVENTS
from draggonnb_pipelines.domain.reports import CheckOutcome, Markdown, markdown_text
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.whatsapp import VENDOR
from draggonnb_pipelines.resources.whatsapp_templates import MessageTemplate
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.billing.payment_alerts import OWNERS, agency_of
from draggonnb_pipelines.workflows.messages.notices import Notice, tell

TEMPLATES = load_queries("message_templates")
APPROVED, MISSING = "APPROVED", "MISSING"
SANDBOX_ACCOUNT = "sandbox"
STALE_AFTER = timedelta(hours=36)
_NEXT_STEP = {
    "PAUSED": "WhatsApp pauses what readers block or report. It comes back by itself, the third time not at all: look "
    "at its quality in WhatsApp Manager.",
    "DISABLED": "It does not come back. Write another one in WhatsApp Manager under this name.",
    "REJECTED": "Edit it in WhatsApp Manager and submit it again, or appeal.",
    "PENDING": "WhatsApp is reviewing it, which takes up to a day.",
    MISSING: "Submit it in WhatsApp Manager under this name.",
}
log = logging.getLogger(__name__)


@dataclass
class Watched:
    """What a look found: how many templates there are, and those that changed, in words."""

    templates: int = 0
    changes: list[str] = field(default_factory=list)


def used_templates() -> tuple[str, ...]:
    """The templates that we send."""
    return tuple(sorted({event.whatsapp_template for event in EVENTS.values() if event.whatsapp_template}))


async def watch_templates(stack: Stack) -> Watched:
    """Read the templates, tell the agency's owners of each change once, and record what stands now.

    Told first and recorded after: what is cut off in between is found again as the same change, under the same key.

    Raises:
        VendorError: the list cannot be read, and nothing is recorded; or the account's id is not set (CONFIG).
        TenantUnavailable: the agency's database is away; the change is told by the next look.
    """
    settings, now = stack.settings, stack.now()
    account = settings.whatsapp_business_account_id
    if account is None and "whatsapp" not in settings.sandboxed_vendors:
        raise VendorError(VENDOR, ErrorClass.CONFIG, "DRAGGONNB_WHATSAPP_BUSINESS_ACCOUNT_ID is not set")
    found = await stack.whatsapp.list_templates(account or SANDBOX_ACCOUNT)
    async with stack.master.connection() as conn:
        known = {(row["name"], row["language"]): row async for row in TEMPLATES.known_templates(conn)}
    templates = _with_missing(found, known, settings.whatsapp_language)
    changes = [(one, known.get((one.name, one.language))) for one in templates]
    news = [_notice(one, before) for one, before in changes if _is_news(one, before)]
    agency = await agency_of(stack) if news else None
    if agency is not None:
        await tell(stack, agency, news)
    elif news:
        log.warning("%d templates changed, and there is no agency to tell", len(news))
    async with stack.master.connection() as conn:
        await TEMPLATES.put_templates(conn, templates=json.dumps([asdict(one) for one in templates]), now=now)
    return Watched(len(found), [notice.subject for notice in news])


def _with_missing(
    found: Sequence[MessageTemplate], known: Mapping[tuple[str, str], Mapping[str, Any]], language: str
) -> list[MessageTemplate]:
    """The list, and what is not in it and should be: what was there before, and what we send."""
    templates = {(one.name, one.language): one for one in found}
    expected = [*known, *((name, language) for name in used_templates())]
    for name, spoken in expected:
        templates.setdefault((name, spoken), MessageTemplate(name, spoken, MISSING, None, None, None))
    return list(templates.values())


def _is_news(now: MessageTemplate, before: Mapping[str, Any] | None) -> bool:
    """A state that changed; at the first look, one that keeps us from sending."""
    if before is None:
        return now.status != APPROVED and now.name in used_templates()
    return now.status != before["status"]


def _notice(now: MessageTemplate, before: Mapping[str, Any] | None) -> Notice:
    was, since = (before["status"], f"{before['changed_at']:%Y-%m-%dT%H:%M:%S.%f}") if before else ("unknown", "ever")
    lines = [f"Before, it was {was}." if before else "It was not looked at before."]
    lines += [f"WhatsApp's reason: {now.rejected_reason}."] if now.rejected_reason else []
    if now.status == APPROVED:
        lines.append("It is sent again by itself.")
    else:
        lines += [_NEXT_STEP.get(now.status, "Look at it in WhatsApp Manager.")]
        lines += ["Until then its news goes out by e-mail."] if now.name in used_templates() else []
    return Notice(
        # By the state that it leaves, and since when it had that: one change, whoever finds it and however often.
        event_key=f"template:{now.name}:{now.language}:{was}:{since}:{now.status}"[:300],
        type="message_template_changed",
        subject=f"The WhatsApp template {now.name} ({now.language}) is {now.status}",
        lines=tuple(lines),
        roles=OWNERS,
    )


async def templates_outcome(conn: Connection, language: str, now: datetime) -> CheckOutcome:
    """Whether every template that we send is approved, by the last look, and how old that look is."""
    rows = {row["name"]: row async for row in TEMPLATES.known_templates(conn) if row["language"] == language}
    lines, wrong = ["| template | state | since | last look |", "|---|---|---|---|"], []
    for name in used_templates():
        row = rows.get(name)
        if row is None:
            lines.append(f"| {name} | never looked at | | |")
            wrong.append(f"{name}: never looked at")
            continue
        reason = f" ({markdown_text(row['rejected_reason'], max_chars=80)})" if row["rejected_reason"] else ""
        lines.append(
            f"| {name} | {row['status']}{reason} | {_minute(row['changed_at'])} | {_minute(row['checked_at'])} |"
        )
        if row["status"] != APPROVED:
            wrong.append(f"{name}: {row['status']}")
        elif now - row["checked_at"] > STALE_AFTER:
            wrong.append(f"{name}: last looked at {_minute(row['checked_at'])}")
    return CheckOutcome(
        "templates_are_usable",
        passed=not wrong,
        description=f"{'; '.join(wrong)}. E-mail goes out in their place" if wrong else "all templates are approved",
        severity="warn",
        metadata={"templates": Markdown("\n".join(lines))},
    )


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
