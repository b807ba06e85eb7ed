"""The catalogue of events: what people may be told of, on which channels, and what they may choose about it.

Lives here: every kind of news that the system knows, as data, and what a reader's preferences make of it. Not here:
the words of a notice (the workflow that tells it), its rows (`workflows/messages/deliveries.py`), the sending
(`workflows/messages/outbox.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Channel = Literal["email", "whatsapp", "in_app"]
Mode = Literal["now", "digest", "off"]
EVERY_EVENT = "*"  # a preference for all events that have no row of their own


@dataclass(frozen=True, slots=True)
class Event:
    """A kind of news.

    Args:
        title: as the list of preferences and the unsubscribe page show it.
        category: marketing is sent only to those who agreed to it (POPIA, section 69); service needs no consent.
        channels: where it goes if the reader chose nothing.
        can_wait: quiet hours and digests may hold it; what cannot wait reaches its readers at any hour.
        can_unsubscribe: its mails may be switched off. What somebody must know or owes by contract goes out by mail
            whatever the preferences say.
        whatsapp_template: the approved template that it goes out in; WhatsApp takes nothing else from a business that
            was not written to.
    """

    name: str
    title: str
    category: Literal["service", "marketing"] = "service"
    channels: tuple[Channel, ...] = ("email", "in_app")
    can_wait: bool = True
    can_unsubscribe: bool = True
    whatsapp_template: str | None = None

    def mode(self, channel: Channel, preferences: Mapping[str, str]) -> Mode:
        """What becomes of it on a channel, for a reader with these preferences: `{"<event>:<channel>": mode}`.

        A row for this event counts before one for every event.
        """
        usual = "now" if channel in self.channels else "off"
        every = preferences.get(f"{EVERY_EVENT}:{channel}", usual)
        chosen = preferences.get(f"{self.name}:{channel}", every)
        if channel == "email" and not self.can_unsubscribe:
            return "now"
        if chosen == "digest":
            return "digest" if self.can_wait else "now"
        return "off" if chosen == "off" else "now"


_ALL_CHANNELS: tuple[Channel, ...] = ("email", "whatsapp", "in_app")


def _due(name: str, title: str) -> Event:
    """What its readers must know or owe by contract: by mail whatever they chose, but not at night."""
    return Event(name, title, can_unsubscribe=False)


def _urgent(name: str, title: str, channels: tuple[Channel, ...] = ("email", "in_app")) -> Event:
    return Event(name, title, channels=channels, can_wait=False, can_unsubscribe=False)


_CATALOGUE = (
    # --- sales
    Event(
        "new_lead_analysed",
        "A new lead is analysed",
        channels=_ALL_CHANNELS,
        can_wait=False,
        whatsapp_template="new_lead_analysed",
    ),
    Event(
        "lead_needs_review",
        "A lead needs a person",
        channels=_ALL_CHANNELS,
        can_wait=False,
        whatsapp_template="lead_needs_review",
    ),
    Event("lead_wrote_again", "A lead wrote again", can_wait=False),
    # --- content and its approval
    Event("content_refused", "A request for content was refused"),
    Event("content_needs_review", "A request for content needs a person"),
    Event("content_blocked", "A written post must not go out as it is"),
    Event("content_in_review", "A post is ready for approval"),
    Event("content_scheduled", "A post is scheduled"),
    _due("review_requested", "A post waits for your approval"),
    Event("review_reminder", "A post still waits for your approval"),
    _due("review_escalated", "A post was not approved in time"),
    Event("post_changes_requested", "Changes of a post are asked for"),
    Event("post_rejected", "A post was rejected"),
    # --- publishing and accounts
    _urgent("publish_failed", "A post could not be published"),
    _urgent("publish_needs_review", "Whether a post was published is not known"),
    _urgent("account_trouble", "An account stands still"),
    _due("account_ends", "An account must be connected again soon"),
    # --- figures
    Event("weekly_report", "The weekly report", channels=_ALL_CHANNELS, whatsapp_template="weekly_analytics_report"),
    _due("usage_alert", "A limit of the plan is near or reached"),
    # --- subscription and money
    _due("invoice_issued", "An invoice"),
    _due("subscription_past_due", "A payment did not come in"),
    _due("subscription_payment_reminder", "A payment is still open"),
    _urgent("subscription_payment_last_warning", "The account is about to be suspended"),
    _urgent("subscription_suspended", "The account is suspended"),
    _due("subscription_trial_ending", "The trial ends"),
    _due("subscription_cancelled", "The subscription is cancelled"),
    _due("subscription_expired", "The account has ended"),
    _due("subscription_paused", "The subscription is paused"),
    _due("subscription_unpaused", "The subscription goes on"),
    _due("subscription_plan_changed", "The plan changes"),
    # --- setting up and leaving
    _urgent("welcome", "The welcome with the link to sign in", ("email",)),
    _urgent("kickoff_call", "The invitation to the first call", ("email",)),
    _urgent("kickoff_cancelled", "The first call is cancelled", ("email",)),
    Event("system_ready", "A system is set up", can_wait=False),
    # --- the agency's own
    _due("payment_refused", "A payment notice was refused"),
    Event("payment_failed", "A client's payment failed"),
    _due("subscription_order", "An order at PayFast was not carried out"),
    _urgent("provisioning_stuck", "Setting up a client needs a person"),
    _urgent("something_stuck", "Something stands still"),
    _urgent("run_failed", "A run failed"),
    _urgent("check_failed", "A check fails"),
    _due("ai_budget", "A client's AI budget is near or spent"),
    Event("agency_report", "The weekly report over all clients"),
    Event("message_template_changed", "A WhatsApp template changed its state"),
    # --- messages themselves
    Event("digest", "The news of the day in one mail", channels=("email",), can_unsubscribe=False),
    Event("address_refused", "A mailbox of your people does not exist"),
    Event("client_message", "A message of the organization's own automation"),
    Event("client_campaign", "Marketing of the organization", category="marketing", channels=("email",)),
)
EVENTS: Mapping[str, Event] = {event.name: event for event in _CATALOGUE}
