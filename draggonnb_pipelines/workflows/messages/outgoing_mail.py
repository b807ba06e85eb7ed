"""A mail of the outbox on its way out: the files that it names, and how its reader ends such mails.

Lives here: what is known only when it is sent. Not here: its words (`notices.py`), SMTP (`resources/mail.py`), what
the link does (`unsubscribing.py`).
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from draggonnb_pipelines.domain.events import EVENTS
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.mail_message import Mail, MailFile
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.messages.unsubscribing import unsubscribe_url

NOTIFICATIONS = load_queries("notifications")
# RFC 3463, 3.2: no such mailbox, no such system, bad syntax, moved away, no mail at this domain.
NO_SUCH_MAILBOX = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})


async def read_files(tenant: TenantDb, rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The files that these rows name, by id; each is read once, however many mails carry it."""
    ids = list({named["id"] for row in rows for named in row["payload"].get("files", ())})
    if not ids:
        return {}
    return {str(row["id"]): row async for row in NOTIFICATIONS.mail_files(tenant.conn, ids=ids)}


def outgoing_mail(
    stack: Stack, organization: Organization, row: Mapping[str, Any], files: Mapping[str, Mapping[str, Any]]
) -> Mail:
    """The mail of a row; one that can be ended says how, in a header for mail programs and at its foot for people."""
    payload = row["payload"]
    text, html, headers = payload["text"], payload["html"], {}
    if _can_be_ended(row):
        url = unsubscribe_url(stack, organization, row["id"])
        # RFC 8058: without the second header a mail program opens the page in place of ending it in one click.
        headers = {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
        text, html = f"{text.rstrip()}\n\nNo more such mails: {url}\n", _with_foot(html, url)
    return Mail(
        message_id=row["message_id"],
        to=row["recipient"],
        subject=payload["subject"],
        text=text,
        html=html,
        calendar=payload.get("calendar"),
        headers=headers,
        files=tuple(_file(files[named["id"]], named["cid"]) for named in payload.get("files", ())),
    )


def _can_be_ended(row: Mapping[str, Any]) -> bool:
    """People have preferences, contacts their consent to marketing; service messages to contacts have neither."""
    event = EVENTS.get(row["event"] or "")
    if event is None or not event.can_unsubscribe:
        return False
    return bool(row["contact_id"] if event.category == "marketing" else row["user_id"])


def _file(row: Mapping[str, Any], cid: str | None) -> MailFile:
    return MailFile(row["name"], row["content_type"], bytes(row["content"]), cid)


def _with_foot(html: str, url: str) -> str:
    foot = f'<p style="font-size:12px;opacity:.7;text-align:center"><a href="{escape(url)}">No more such mails</a></p>'
    before, body, after = html.rpartition("</body>")
    return f"{before}{foot}{body}{after}" if body else html + foot
