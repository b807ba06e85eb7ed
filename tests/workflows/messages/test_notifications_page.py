"""docs/workflows/notifications.md: its table of events is the catalogue's, and its requests are taken as they stand."""

import json
import re
from pathlib import Path

from draggonnb_pipelines.domain.events import EVENTS, Event
from draggonnb_pipelines.domain.fresh_numbers import read_numbers_request
from draggonnb_pipelines.domain.message_requests import read_message
from draggonnb_pipelines.domain.submissions import SubmissionRefused
from draggonnb_pipelines.workflows.messages.outgoing_mail import NO_SUCH_MAILBOX

PAGE = (Path(__file__).resolve().parents[3] / "docs/workflows/notifications.md").read_text(encoding="utf-8")


def test_the_table_of_events_is_the_catalogue():
    written = re.findall(r"^\| `\w+` \| .*\|$", section("Events"), re.MULTILINE)

    assert written == [row_of(event) for event in EVENTS.values()]


def test_the_templates_of_the_page_are_those_that_are_sent():
    named = re.findall(r"^\| `(\w+)` \|", section("WhatsApp"), re.MULTILINE)

    assert named == [event.whatsapp_template for event in EVENTS.values() if event.whatsapp_template]


def test_the_codes_after_which_a_mailbox_is_left_alone_are_those_of_the_page():
    [row] = re.findall(r"^\| (5\.1\..*?) \|", section("Mail"), re.MULTILINE)

    assert set(row.split(", ")) == NO_SUCH_MAILBOX


def test_the_requests_of_the_page_are_taken_and_the_wrong_one_is_refused_as_it_says():
    bodies = [json.loads(body) for body in re.findall(r"-d '(\{.*?\})'", section("Webhooks"), re.DOTALL)]
    good, wrong, wish = bodies

    assert read_message(good).to.roles == ("owner",)
    assert read_numbers_request(wish).delivery_id is None
    try:
        read_message(wrong)
    except SubmissionRefused as refused:
        for fault in refused.faults:
            assert fault.field in PAGE
            assert fault.detail in PAGE
    else:
        raise AssertionError("the wrong request was taken")


def section(title: str) -> str:
    """From this heading to the next one of its rank."""
    [text] = re.findall(rf"^## {title}\b[^\n]*\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return text


def row_of(event: Event) -> str:
    """An event's row in the page's table."""
    name = f"`{event.name}`"
    kind = f"{event.title} (marketing: with consent alone)" if event.category == "marketing" else event.title
    channels = ", ".join({"email": "mail", "whatsapp": "WhatsApp", "in_app": "app"}[one] for one in event.channels)
    yes = {True: "yes", False: "no"}
    return f"| {name} | {kind} | {channels} | {yes[event.can_wait]} | {yes[event.can_unsubscribe]} |"
