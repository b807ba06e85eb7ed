"""The catalogue of events: complete, and what a reader's preferences make of an event."""

import ast
import re
from pathlib import Path

import pytest

import draggonnb_pipelines
from draggonnb_pipelines.domain.events import EVENTS
from draggonnb_pipelines.workflows.billing.subscription_notices import WORDS
from draggonnb_pipelines.workflows.messages.notices import Notice

ROOM = Path(draggonnb_pipelines.__file__).parent


def told_types() -> dict[str, str]:
    """Every type of a notice that stands as text in the code, as a pattern, and the file where it stands."""
    found: dict[str, str] = {}
    for path in sorted(ROOM.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Notice":
                named = [keyword.value for keyword in node.keywords if keyword.arg == "type"]
                [value, *_] = [*named, *node.args[1:2]]
                for pattern in patterns(value):
                    found[pattern] = path.name
    return found


def patterns(value: ast.expr) -> list[str]:
    if isinstance(value, ast.IfExp):
        return [*patterns(value.body), *patterns(value.orelse)]
    if isinstance(value, ast.Constant):
        return [re.escape(str(value.value))]
    if isinstance(value, ast.JoinedStr):
        return [
            "".join(
                re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z_]+" for part in value.values
            )
        ]
    return []


def test_every_event_that_the_code_tells_is_in_the_catalogue():
    types = told_types()

    assert len(types) > 10
    assert {pattern: name for pattern, name in types.items() if not any(re.fullmatch(pattern, e) for e in EVENTS)} == {}
    assert {f"subscription_{kind}" for kind in WORDS} <= EVENTS.keys()
    assert {
        f"content_{turn}" for turn in ("refused", "needs_review", "blocked", "in_review", "scheduled")
    } <= EVENTS.keys()


def test_every_event_of_the_catalogue_is_told_by_some_code():
    made = {f"subscription_{kind}" for kind in WORDS}
    made |= {f"content_{turn}" for turn in ("refused", "needs_review", "blocked", "in_review", "scheduled")}
    texts = {
        node.value
        for path in ROOM.rglob("*.py")
        if path.name != "events.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    patterns_told = told_types()

    untold = {
        name
        for name in EVENTS
        if not {name, f"{name}:"} & (made | texts) and not any(re.fullmatch(pattern, name) for pattern in patterns_told)
    }

    assert untold == set()


def test_the_catalogue_has_the_events_of_the_architecture():
    assert {
        "usage_alert",
        "weekly_report",
        "publish_failed",
        "publish_needs_review",
        "review_requested",
        "account_trouble",
        "system_ready",
        "invoice_issued",
        "payment_failed",
        "new_lead_analysed",
    } <= EVENTS.keys()


def test_a_notice_of_an_event_that_is_not_in_the_catalogue_cannot_be_made():
    with pytest.raises(ValueError, match="'made_up' is not in the catalogue"):
        Notice("key", "made_up", "subject", ())


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.name)
def test_names_fit_the_database_and_marketing_can_be_ended(event):
    assert re.fullmatch(r"[a-z_]{2,60}", event.name)
    assert event.title
    assert event.category == "service" or event.can_unsubscribe
    assert ("whatsapp" in event.channels) == (event.whatsapp_template is not None)


@pytest.mark.parametrize(
    ("event", "channel", "preferences", "mode"),
    [
        ("weekly_report", "email", {}, "now"),
        ("content_scheduled", "whatsapp", {}, "off"),
        ("weekly_report", "email", {"*:email": "off"}, "off"),
        ("weekly_report", "email", {"*:email": "off", "weekly_report:email": "now"}, "now"),
        ("weekly_report", "email", {"*:email": "digest"}, "digest"),
        ("weekly_report", "whatsapp", {"weekly_report:whatsapp": "off"}, "off"),
        ("weekly_report", "whatsapp", {"weekly_report:email": "off"}, "now"),
        ("lead_wrote_again", "email", {"*:email": "digest"}, "now"),
        ("invoice_issued", "email", {"*:email": "off", "invoice_issued:email": "off"}, "now"),
        ("invoice_issued", "email", {"invoice_issued:email": "digest"}, "now"),
        ("invoice_issued", "in_app", {"invoice_issued:in_app": "off"}, "off"),
    ],
)
def test_the_reader_chooses_where_the_event_leaves_a_choice(event, channel, preferences, mode):
    assert EVENTS[event].mode(channel, preferences) == mode
