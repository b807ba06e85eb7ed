"""What the stand-in for Claude writes when it is asked for training materials: two guides and a list of questions.

The words are the client's own facts and checklist between sentences that hold for every client.
"""

from typing import Any

from vendor_sandbox.claude_brief import Brief

NAMES = frozenset({"getting_started", "content_guide", "faq"})


def is_asked_for(names: set[str]) -> bool:
    """Whether the schema of a request wants training materials."""
    return names >= NAMES


def write_training(brief: Brief) -> dict[str, Any]:
    client = brief.client
    name, app = str(client.get("name") or "your business"), str(client.get("app") or "the app")
    zone, form = client.get("time_zone") or "your time zone", client.get("address_for_the_lead_form") or "the form"
    steps = [step for step in brief.checklist if isinstance(step, dict) and step.get("title")]
    return {
        "getting_started": [
            {
                "heading": "Where it is",
                "text": f"The system of {name} answers at {app}. Open the link in the welcome mail first.",
            },
            *(
                {"heading": str(step["title"]), "text": f"{step.get('description') or 'Tick it when it is done.'}"}
                for step in steps
            ),
            {"heading": "When you are stuck", "text": "Note what you did and what you saw, and answer our mail."},
        ],
        "content_guide": [
            {
                "heading": "What belongs into a brief",
                "text": f"- what is new at {name}\n- for whom it is\n- what the reader is to do next",
            },
            {
                "heading": "Reading a draft",
                "text": f"Read it aloud. If {brief.sector.customers} would not say it like that, ask for changes.",
            },
            {"heading": "When it goes out", "text": f"Times are meant in {zone}. Nothing goes out unapproved."},
        ],
        "faq": [
            {
                "question": "Who can see our data?",
                "answer": f"The people whom {name} has given a role, and nobody else.",
            },
            {"question": "Does anything go out by itself?", "answer": "Only what a person of yours has approved."},
            {"question": "Where does our lead form send to?", "answer": f"To {form}."},
            {"question": "Can we change a template?", "answer": "Yes. The next post is written with it."},
        ],
    }
