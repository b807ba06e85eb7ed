"""The WhatsApp webhook: Meta's verification, and statuses kept for the organization that they belong to."""

import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest

from draggonnb_pipelines.domain.inbox import parsed_context
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import Tenants
from tests.api.conftest import APP_SECRET, VERIFY_TOKEN, Api, ServeApi

PATH = "/webhooks/whatsapp"


def status(message: str, word: str, callback: str | None) -> dict[str, Any]:
    """One status as Meta sends it; since 2026 the phone number may be missing."""
    found = {"id": message, "status": word, "timestamp": "1795410000"}
    return found | ({"biz_opaque_callback_data": callback} if callback else {})


def signed(*statuses: dict[str, Any], secret: str = APP_SECRET) -> dict[str, Any]:
    body = json.dumps({"entry": [{"changes": [{"field": "messages", "value": {"statuses": list(statuses)}}]}]})
    digest = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    return {"content": body.encode(), "headers": {"x-hub-signature-256": f"sha256={digest}"}}


async def test_meta_gets_its_challenge_back_for_the_right_token_alone(http: httpx.AsyncClient) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "12345"}

    right = await http.get(PATH, params=asked | {"hub.verify_token": VERIFY_TOKEN})
    wrong = await http.get(PATH, params=asked | {"hub.verify_token": "guess"})
    none = await http.get(PATH, params=asked)

    assert (right.status_code, right.text) == (200, "12345")
    assert right.headers["content-type"].startswith("text/plain")
    assert (wrong.status_code, none.status_code) == (403, 403)


async def test_each_status_is_stored_once_for_its_organization(
    api: Api, http: httpx.AsyncClient, agency: Organization, outsider: Organization, tenants: Tenants
) -> None:
    request = signed(
        status("wamid.1", "sent", "outsider:9a2f"),
        status("wamid.1", "delivered", "outsider:9a2f"),
        status("wamid.2", "sent", None),
        status("wamid.3", "failed", "nobody-here:1"),
    )

    answers = [await http.post(PATH, **request) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    rows = {row["delivery_id"]: row for row in api.inbox()}
    assert {key: row["organization_id"] for key, row in rows.items()} == {
        "wamid.1:sent": outsider.id,
        "wamid.1:delivered": outsider.id,
        "wamid.2:sent": agency.id,
        "wamid.3:failed": agency.id,
    }
    assert {(row["topic"], row["source"]) for row in rows.values()} == {("whatsapp_status", "whatsapp")}
    sealed = rows["wamid.1:sent"]["parsed_sealed"]
    assert json.loads(tenants.key(outsider).open(sealed, parsed_context(outsider.id))) == {
        "message_id": "wamid.1",
        "status": "sent",
        "callback_data": "outsider:9a2f",
        "recipient": None,
        "timestamp": "2026-11-23T05:00:00+00:00",
        "error_code": None,
    }


@pytest.mark.parametrize("header", [None, "sha256=", "sha256=" + "0" * 64, "nonsense"])
async def test_a_body_that_meta_did_not_sign_is_401_and_not_stored(
    api: Api, http: httpx.AsyncClient, agency: Organization, header: str | None
) -> None:
    request = signed(status("wamid.1", "sent", None))
    request["headers"] = {"x-hub-signature-256": header} if header else {}

    answer = await http.post(PATH, **request)

    assert answer.status_code == 401
    assert api.inbox() == []


async def test_other_events_are_answered_and_not_kept(api: Api, http: httpx.AsyncClient, agency: Organization) -> None:
    body = json.dumps({"entry": [{"changes": [{"value": {"messages": [{"text": {"body": "hi"}}]}}]}]}).encode()
    digest = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()

    answer = await http.post(PATH, content=body, headers={"x-hub-signature-256": f"sha256={digest}"})

    assert (answer.status_code, answer.json()) == (200, {"stored": 0})
    assert api.inbox() == []


async def test_without_any_organization_meta_is_told_to_come_again(api: Api, http: httpx.AsyncClient) -> None:
    answer = await http.post(PATH, **signed(status("wamid.1", "sent", None)))

    assert answer.status_code == 503


@pytest.mark.parametrize("guess", ["", "sandbox-app-secret"])
async def test_without_an_app_secret_no_status_is_taken_whatever_signs_it(
    serve_api: ServeApi, agency: Organization, guess: str
) -> None:
    with serve_api(whatsapp_app_secret=None) as api:
        async with httpx.AsyncClient(base_url=api.url) as sender:
            answer = await sender.post(PATH, **signed(status("wamid.1", "sent", None), secret=guess))

        assert answer.status_code == 404
        assert answer.json()["detail"].startswith("WhatsApp is not configured here")
        assert api.inbox() == []


async def test_a_body_over_the_cap_is_413_before_its_signature_is_looked_at(http: httpx.AsyncClient) -> None:
    answer = await http.post(PATH, content=b" " * (256 * 1024 + 1), headers={"x-hub-signature-256": "nonsense"})

    assert answer.status_code == 413


async def test_one_address_may_not_ask_for_ever(serve_api: ServeApi) -> None:
    with serve_api(api_rate_per_minute=1) as api:
        async with httpx.AsyncClient(base_url=api.url) as sender:
            answers = [await sender.post(PATH, content=b"{}") for _ in range(11)]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_a_status_with_a_nul_does_not_keep_the_one_beside_it_out(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    answer = await http.post(PATH, **signed(status("wamid.\x00", "sent", None), status("wamid.2", "sent", None)))

    assert (answer.status_code, answer.json()) == (200, {"stored": 1})
    assert [row["delivery_id"] for row in api.inbox()] == ["wamid.2:sent"]
