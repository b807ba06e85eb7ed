"""The template's list of events, by which people choose what they are told, says what the catalogue says."""

import json

from draggonnb_pipelines.domain.events import EVENTS
from scripts.sync_client_template import ROOT

LISTED = ROOT / "client_template" / "lib" / "notifications" / "events.json"
# Told to the agency, to strangers, or by mail alone: nobody at a client's has anything to choose about them.
NOT_CHOSEN = {
    "agency_report",
    "ai_budget",
    "check_failed",
    "client_campaign",
    "digest",
    "kickoff_call",
    "kickoff_cancelled",
    "message_template_changed",
    "payment_failed",
    "payment_refused",
    "provisioning_stuck",
    "run_failed",
    "something_stuck",
    "subscription_order",
    "system_ready",
    "welcome",
}


def listed() -> list[dict]:
    return [event for group in json.loads(LISTED.read_bytes()) for event in group["events"]]


def test_every_event_that_a_client_may_choose_about_is_listed_once():
    names = [event["name"] for event in listed()]

    assert sorted(names) == sorted(EVENTS.keys() - NOT_CHOSEN)
    assert EVENTS.keys() >= NOT_CHOSEN


def test_the_list_says_of_each_event_what_the_catalogue_says():
    catalogue = [
        {
            "name": event.name,
            "title": event.title,
            "channels": list(event.channels),
            "can_wait": event.can_wait,
            "can_unsubscribe": event.can_unsubscribe,
            "whatsapp": event.whatsapp_template is not None,
        }
        for event in (EVENTS[one["name"]] for one in listed())
    ]

    assert listed() == catalogue
