"""The lead workflow's story: from the webhook to the last effect, through the real daemon, code server and runs."""

from datetime import UTC
from typing import Any
from uuid import UUID

from tests.stories.system import System, proposal_path

AGENCY = "draggonnb"
OUTSIDER = "outsider"
ENQUIRY: dict[str, object] = {
    "name": "Front desk",
    "email": "info@kloof-street-coffee.example",
    "phone": "021 555 0142",
    "company": "Kloof Street Coffee",
    "website": "http://kloof-street-coffee.example",
    "message": "We roast our own beans and would like more wholesale customers, but nobody here has the time.",
    "consent": True,
    "consent_text": "You may contact me about my enquiry.",
}
ASSETS = {
    "leads",
    "company_profiles",
    "competitor_analyses",
    "business_analyses",
    "proposals",
    "sales_notifications",
}


def test_an_enquiry_becomes_an_accepted_proposal_and_the_sales_team_is_told_once_on_each_channel(
    system: System,
) -> None:
    system.create(AGENCY, OUTSIDER)
    untouched = system.table_counts(OUTSIDER)

    inbox_id = _enquire(system, "form-1")

    row = system.master("select * from inbox where id = %s", inbox_id)[0]
    assert (row["stage"], row["attempts"], row["last_error"]) == (6, 0, None)
    _check_what_is_stored(system)
    _check_messages(system)
    _check_acceptance(system)

    # The same person again: one more event of the same lead, news of its own by mail and in the app, and the run takes
    # up what WhatsApp has said meanwhile.
    system.wait_until("WhatsApp has confirmed", lambda: _statuses_received(system) == 2, seconds=20)
    _enquire(system, "form-2")

    assert system.tenant(AGENCY, "select count(*) as leads from leads") == [{"leads": 1}]
    assert system.tenant(AGENCY, "select count(*) as events from lead_events") == [{"events": 2}]
    assert _deliveries(system) == {"email": "sent", "in_app": "delivered", "whatsapp": "delivered"}
    assert len(system.sandbox.public("whatsapp")) == 1
    assert [mail["subject"].partition(" (")[0] for mail in system.sandbox.public("mail")] == [
        "New lead: Kloof Street Coffee",
        "Kloof Street Coffee wrote again",
    ]
    assert system.tenant(AGENCY, "select version, status from proposals") == [{"version": 1, "status": "accepted"}]
    _check_materializations(system, f"{row['received_at'].astimezone(UTC).date()}|{AGENCY}")
    _check_health(system)
    assert system.table_counts(OUTSIDER) == untouched
    assert {table: untouched[table] for table in ("public.leads", "public.contacts", "public.notifications")} == {
        "public.leads": 0,
        "public.contacts": 0,
        "public.notifications": 0,
    }


def _enquire(system: System, delivery_id: str) -> UUID:
    """Post it and wait until nothing of it is left to do."""
    answer = system.post_lead(AGENCY, ENQUIRY, delivery_id)
    assert (answer.status_code, answer.json()["duplicate"]) == (202, False)
    inbox_id = UUID(answer.json()["id"])
    is_done = "select state = 'done' as done from inbox where id = %s"
    system.wait_until(f"{delivery_id} is done", lambda: system.master(is_done, inbox_id)[0]["done"], seconds=60)
    return inbox_id


def _check_what_is_stored(system: System) -> None:
    lead = system.tenant(AGENCY, "select status, rule_score, model_score is not null as scored from leads")
    assert lead == [{"status": "proposed", "rule_score": 100, "scored": True}]
    profile = system.tenant(AGENCY, "select status, pages > 0 as has_pages from company_profiles")
    assert profile == [{"status": "ok", "has_pages": True}]
    analyses = system.tenant(
        AGENCY,
        "select kind, version, jsonb_array_length(content -> 'quick_wins') as wins"
        " from lead_analyses order by kind desc",
    )
    assert analyses == [
        {"kind": "competitors", "version": 1, "wins": None},
        {"kind": "business", "version": 1, "wins": 3},
    ]
    assert system.tenant(AGENCY, "select purpose, granted, wording from consents") == [
        {"purpose": "contact", "granted": True, "wording": ENQUIRY["consent_text"]}
    ]
    answers = system.tenant(AGENCY, "select purpose, usable from ai_generation_log order by created_at")
    assert answers == [
        {"purpose": purpose, "usable": True} for purpose in ("competitor analysis", "business analysis", "proposal")
    ]
    assert system.tenant(AGENCY, "select distinct state from usage_reservations") == [{"state": "committed"}]


def _check_messages(system: System) -> None:
    assert _deliveries(system)["email"] == "sent"
    [message] = system.sandbox.public("whatsapp")
    [delivery] = system.tenant(AGENCY, "select id from notification_deliveries where channel = 'whatsapp'")
    assert (message["template"], message["to"]) == ("new_lead_analysed", "27821234567")
    assert message["callback_data"] == f"{AGENCY}:{delivery['id']}"
    [mail] = system.sandbox.public("mail")
    assert (mail["recipient"], mail["transmissions"]) == (f"sales@{AGENCY}.example", 1)
    assert mail["subject"].startswith("New lead: Kloof Street Coffee (")
    [shown] = system.tenant(AGENCY, "select type, read_at from notifications")
    assert shown == {"type": "new_lead_analysed", "read_at": None}


def _check_acceptance(system: System) -> None:
    """The page that the sales team's link leads to, and the prospect's yes."""
    [proposal] = system.tenant(AGENCY, "select id, title from proposals")
    path = proposal_path(system, AGENCY, proposal["id"])
    assert path in system.sandbox.public("mail")[0]["text"]
    page = system.http.get(path)
    assert (page.status_code, "Kloof Street Coffee" in page.text) == (200, True)
    form = {"name": "Front desk", "email": "info@kloof-street-coffee.example", "agree": "yes"}
    accepted = system.http.post(f"{path}/accept", data=form)
    assert accepted.status_code == 303
    links = system.master("select accepted_at is not null as accepted, accepted_by_email from proposal_links")
    assert links == [{"accepted": True, "accepted_by_email": "info@kloof-street-coffee.example"}]


def _check_materializations(system: System, partition: str) -> None:
    """Each asset of exactly this partition; two runs, so twice; nothing of any other organization or day."""
    events = system.dagster(
        "select asset_key, partition, dagster_event_type as kind, count(*) as times from event_logs"
        " where dagster_event_type in ('ASSET_MATERIALIZATION', 'ASSET_MATERIALIZATION_PLANNED')"
        " and partition is not null group by 1, 2, 3"
    )
    seen = {(row["asset_key"], row["partition"], row["kind"], row["times"]) for row in events}
    assert seen == {
        (f'["{asset}"]', partition, kind, 2)
        for asset in ASSETS
        for kind in ("ASSET_MATERIALIZATION", "ASSET_MATERIALIZATION_PLANNED")
    }
    # A run ends a moment after its last event.
    done = [{"status": "SUCCESS"}] * 2
    query = "select status from runs where pipeline_name = 'qualify_leads'"
    system.wait_until("both runs have ended well", lambda: system.dagster(query) == done, seconds=15)


def _check_health(system: System) -> None:
    system.wait_until("health has seen it", lambda: _health(system)["status"] == "healthy", seconds=15)
    body = _health(system)
    assert body["services"]["database"] == "connected"
    assert body["metrics"]["active_clients"] == 2


def _health(system: System) -> dict[str, Any]:
    return system.http.get("/api/health").json()


def _deliveries(system: System) -> dict[str, str]:
    rows = system.tenant(
        AGENCY, "select channel, status from notification_deliveries where starts_with(event_key, 'new_lead_analysed')"
    )
    assert len(rows) == 3
    return {row["channel"]: row["status"] for row in rows}


def _statuses_received(system: System) -> int:
    return system.master("select count(*) as n from inbox where topic = 'whatsapp_status'")[0]["n"]
