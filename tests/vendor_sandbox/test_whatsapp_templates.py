"""The templates of the sandbox's WhatsApp: their list in pages, their states, and what a send needs."""

import httpx
import pytest

from tests.sandbox_process import Sandbox

HEADERS = {"authorization": "Bearer sandbox"}
REPORT = "weekly_analytics_report"


def listed(sandbox: Sandbox, **query: str) -> dict:
    url = f"{sandbox.url}/graph/v25.0/200/message_templates"
    return httpx.get(url, headers=HEADERS, params=query).json()


def set_status(sandbox: Sandbox, name: str, status: str) -> httpx.Response:
    return httpx.post(f"{sandbox.url}/_sandbox/whatsapp_templates", json={"name": name, "status": status})


def send(sandbox: Sandbox, name: str = REPORT, parameters: int = 6) -> httpx.Response:
    body = {
        "messaging_product": "whatsapp",
        "to": "27821234567",
        "type": "template",
        "template": {
            "name": name,
            "language": {"code": "en"},
            "components": [{"type": "body", "parameters": [{"type": "text", "text": "x"}] * parameters}],
        },
    }
    return httpx.post(f"{sandbox.url}/graph/v25.0/100/messages", json=body, headers=HEADERS)


def test_all_templates_of_the_code_are_listed_with_their_bodies(sandbox: Sandbox) -> None:
    found = {one["name"]: one for one in listed(sandbox)["data"]}

    assert found.keys() >= {"new_lead_analysed", "lead_needs_review", REPORT}
    assert {one["status"] for one in found.values()} == {"APPROVED"}
    assert "{{6}}" in found[REPORT]["components"][0]["text"]


def test_the_list_comes_in_pages(sandbox: Sandbox) -> None:
    first = listed(sandbox, limit="2")
    second = listed(sandbox, limit="2", after=first["paging"]["cursors"]["after"])

    assert len(first["data"]) == 2
    assert "next" in first["paging"]
    assert {one["name"] for one in first["data"]}.isdisjoint(one["name"] for one in second["data"])


@pytest.mark.parametrize(
    ("status", "code"),
    [("PAUSED", 132015), ("DISABLED", 132016), ("REJECTED", 132001), ("PENDING", 132001), ("MISSING", 132001)],
)
def test_what_is_not_approved_is_shown_as_such_and_not_sent(sandbox: Sandbox, status: str, code: int) -> None:
    set_status(sandbox, REPORT, status).raise_for_status()

    answer = send(sandbox)

    statuses = {one["name"]: one["status"] for one in listed(sandbox)["data"]}
    assert statuses.get(REPORT, "MISSING") == status
    assert answer.json()["error"]["code"] == code
    assert sandbox.public("whatsapp") == []


def test_an_approved_one_is_sent_with_all_its_parameters_and_not_with_fewer(sandbox: Sandbox) -> None:
    whole, short = send(sandbox), send(sandbox, parameters=5)

    assert whole.status_code == 200
    assert short.json()["error"]["code"] == 132000
    assert len(sandbox.public("whatsapp")) == 1


def test_an_unknown_name_or_state_is_refused_and_a_reset_approves_again(sandbox: Sandbox) -> None:
    set_status(sandbox, REPORT, "PAUSED").raise_for_status()

    assert set_status(sandbox, "nobody", "PAUSED").status_code == 400
    assert set_status(sandbox, REPORT, "SLEEPY").status_code == 400
    sandbox.reset()
    assert send(sandbox).status_code == 200
