"""A proposal's content as the workflow would store it, for tests of the page and of its public address."""

from datetime import UTC, date, datetime
from typing import Any

from draggonnb_pipelines.domain.proposals import ProposalContent

READ = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def quote(text: str, url: str, is_supported: bool = True) -> dict[str, Any]:
    """One quote behind a claim; an unsupported one has no stored page."""
    return {
        "quote": text,
        "url": url,
        "fetched_at": READ if is_supported else None,
        "sha256": "ab12" * 16 if is_supported else None,
        "supported": is_supported,
    }


def proposal_content(**changes: Any) -> ProposalContent:
    """The proposal for a fictional coffee roaster."""
    return ProposalContent(**(_values() | changes))


def _values() -> dict[str, Any]:
    return {
        "organization_name": "DraggonnB",
        "client_company": "Kloof Street Coffee Roasters",
        "contact_name": "Front Desk",
        "headline": "Turn the people who love your coffee into subscribers who come back every month",
        "problem": (
            "You told us that online orders “come and go”, and that you have no time to post while the "
            "roaster is running. Your shop is full on Saturdays, yet the web site does not ask a single "
            "visitor to come back."
        ),
        "summary": (
            "Three changes bring repeat orders without new staff: a subscription offer on the pages "
            "people already visit, a weekly rhythm of posts made from your roast log, and an answer "
            "within minutes to every wholesale enquiry."
        ),
        "quick_wins": [
            {
                "title": "Put a coffee subscription on the home page",
                "why": (
                    "Visitors already compare your single origins, and a subscription turns one order "
                    "into twelve. Your delivery promise is the strongest argument for it, and today it "
                    "stands at the bottom of the contact page."
                ),
                "first_steps": [
                    "Offer two sizes, monthly, with free delivery in the city",
                    "Move the delivery promise beside the first button",
                    "Send a three-mail welcome series to every buyer",
                ],
                "effort": "low",
                "impact": "high",
                "evidence": [
                    quote(
                        "We roast every Tuesday and Thursday and deliver within the city bowl on the same day.",
                        "https://www.kloof-coffee.example/about",
                    )
                ],
            },
            {
                "title": "Publish the roast log as a weekly series",
                "why": (
                    "You write down every roast anyway. A photo and two lines from the log are content "
                    "that no competitor can copy."
                ),
                "first_steps": [
                    "Agree on a five-line template for the roaster",
                    "Schedule a month of posts in one sitting",
                    "Answer comments from one inbox",
                ],
                "effort": "medium",
                "impact": "medium",
                "evidence": [
                    quote(
                        "Every batch is logged by hand: origin, weather, first crack.",
                        "https://www.kloof-coffee.example/services/roasting",
                    ),
                    quote(
                        "Over two thousand followers wait for the next batch.",
                        "https://www.kloof-coffee.example/",
                        False,
                    ),
                ],
            },
            {
                "title": "Answer wholesale enquiries within ten minutes",
                "why": (
                    "Restaurants ask several roasters at once, and the first who answers usually gets the tasting."
                ),
                "first_steps": [
                    "One form for wholesale with four questions",
                    "WhatsApp message to the person on duty",
                    "A tasting slot that can be booked online",
                ],
                "effort": "low",
                "impact": "high",
                "evidence": [
                    quote(
                        "For wholesale, please mail us and we will get back to you.",
                        "https://www.kloof-coffee.example/contact",
                    )
                ],
            },
        ],
        "approach": [
            {
                "title": "We start with what you have",
                "text": (
                    "No new tools for your team in the first month: we work with your shop, your mailbox "
                    "and your phone."
                ),
            },
            {
                "title": "You approve what is published",
                "text": "Every post and mail waits for your yes, on the phone, in under a minute.",
            },
            {
                "title": "We report in numbers",
                "text": "On the first Monday of each month: repeat orders, subscribers, enquiries answered in time.",
            },
        ],
        "timeline": [
            {"when": "Week 1", "what": "Kick-off call, access, subscription offer drafted"},
            {"when": "Week 2", "what": "Home page and welcome series live"},
            {"when": "Weeks 3 to 4", "what": "Roast log series, wholesale form and alerts"},
            {"when": "Day 45", "what": "First report and decision on the next step"},
        ],
        "plan": {
            "key": "growth",
            "name": "Growth",
            "price_cents": 350000,
            "includes": [
                "120 posts a month on up to 8 accounts",
                "500 AI drafts, all approved by you",
                "Lead alerts by WhatsApp and e-mail",
                "Up to 10 team members",
                "Monthly report",
            ],
        },
        "next_step": (
            "Accept the proposal below and we call you within one working day to set the date of the "
            "kick-off. Nothing is billed before that call."
        ),
        "version": 1,
        "created_at": datetime(2026, 11, 23, 7, 30, tzinfo=UTC),
        "valid_until": date(2026, 12, 23),
    }
