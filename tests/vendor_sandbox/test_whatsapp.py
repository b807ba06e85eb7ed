"""The WhatsApp Cloud API of the sandbox: template rules, error bodies, signed status webhooks."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.sandbox_process import Sandbox, sandbox_process

PARAMETERS = ["Kloof Books", "82", "Let customers book online", "https://draggonnb.example/p/1"]


def body(**change: Any) -> dict[str, Any]:
    parameters = [{"type": "text", "text": text} for text in change.pop("parameters", PARAMETERS)]
    return {
        "messaging_product": "whatsapp",
        "to": "27821234567",
        "type": "template",
        "template": {
            "name": change.pop("name", "new_lead_analysed"),
            "language": {"code": change.pop("language", "en")},
            "components": [{"type": "body", "parameters": parameters}],
        },
        "biz_opaque_callback_data": "agency:delivery-1",
        **change,
    }


def send(sandbox: Sandbox, token: str = "sandbox", **change: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.post(f"{sandbox.url}/graph/v25.0/100/messages", json=body(**change), headers=headers)


def test_an_accepted_message_has_an_id_and_is_public_once(sandbox: Sandbox) -> None:
    answer = send(sandbox, to="+27821234567").json()

    (public,) = sandbox.public("whatsapp")
    assert answer["contacts"] == [{"input": "+27821234567", "wa_id": "27821234567"}]
    assert answer["messages"] == [{"id": public["id"], "message_status": "accepted"}]
    assert public["id"].startswith("wamid.")
    assert (public["to"], public["callback_data"]) == ("27821234567", "agency:delivery-1")
    assert public["text"] == (
        "New lead Kloof Books scored 82 of 100. First quick win: Let customers book online. "
        "Proposal: https://draggonnb.example/p/1"
    )


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"name": "unknown"}, 404, 132001),
        ({"language": "en_US"}, 404, 132001),
        ({"parameters": PARAMETERS[:3]}, 400, 132000),
        ({"name": "lead_needs_review"}, 400, 132000),
        ({"to": "082 123"}, 400, 100),
        ({"parameters": ["", *PARAMETERS[1:]]}, 400, 131008),
        ({"parameters": ["two\nlines", *PARAMETERS[1:]]}, 400, 100),
        ({"token": "bad-token"}, 401, 190),
        ({"token": ""}, 401, 190),
    ],
)
def test_a_wrong_message_is_refused_with_the_graph_error(
    sandbox: Sandbox, change: dict[str, Any], status: int, code: int
) -> None:
    answer = send(sandbox, **change)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert {"message", "type", "fbtrace_id"} <= set(error)
    assert sandbox.public("whatsapp") == []


class Receiver(ThreadingHTTPServer):
    """Takes webhooks; refuses the first `refusals` of them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refusals = 0
        self.received: list[tuple[str, str, bytes]] = []

    def statuses(self, count: int) -> list[dict[str, Any]]:
        """Wait for so many webhooks, and give the status inside each."""
        deadline = time.monotonic() + 5
        while len(self.received) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        bodies = [json.loads(raw) for _, _, raw in self.received]
        return [entry["entry"][0]["changes"][0]["value"]["statuses"][0] for entry in bodies]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        is_refused = self.server.refusals > 0
        self.server.refusals -= is_refused
        if not is_refused:
            self.server.received.append((self.path, self.headers["x-hub-signature-256"], raw))
        self.send_response(503 if is_refused else 200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def receiver(sandbox: Sandbox) -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sandbox.settings(
            webhook_base=f"http://127.0.0.1:{server.server_port}",
            whatsapp_status_seconds=0.02,
            whatsapp_retry_seconds=0.02,
        )
        yield server
        server.shutdown()


def test_statuses_are_signed_and_carry_our_callback_data(sandbox: Sandbox, receiver: Receiver) -> None:
    message_id = send(sandbox).json()["messages"][0]["id"]

    statuses = receiver.statuses(2)
    assert [entry["status"] for entry in statuses] == ["sent", "delivered"]
    assert {entry["id"] for entry in statuses} == {message_id}
    assert {entry["biz_opaque_callback_data"] for entry in statuses} == {"agency:delivery-1"}
    for path, signature, raw in receiver.received:
        assert path == "/webhooks/whatsapp"
        assert signature == "sha256=" + hmac.new(b"sandbox-app-secret", raw, hashlib.sha256).hexdigest()


def test_the_signing_secret_can_be_given_from_outside_and_is_never_shown(receiver: Receiver) -> None:
    base = f"http://127.0.0.1:{receiver.server_port}"
    with sandbox_process(webhook_base=base, app_secret="of-this-installation") as own:
        own.settings(whatsapp_status_seconds=0.02)
        own.reset()
        shown = httpx.get(f"{own.url}/_sandbox/settings").text
        send(own)
        receiver.statuses(2)

    _, signature, raw = receiver.received[0]
    assert signature == "sha256=" + hmac.new(b"of-this-installation", raw, hashlib.sha256).hexdigest()
    assert "secret" not in shown


def test_statuses_come_also_when_the_answer_was_lost_and_the_receiver_was_down(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    receiver.refusals = 3
    sandbox.faults("POST /graph/*", {"kind": "accept_then_drop"})

    with pytest.raises(httpx.RemoteProtocolError):
        send(sandbox)

    assert [entry["status"] for entry in receiver.statuses(2)] == ["sent", "delivered"]


def test_an_undeliverable_message_fails_later_and_a_silent_one_never_reports(
    sandbox: Sandbox, receiver: Receiver
) -> None:
    sandbox.faults("POST /graph/*", {"kind": "no_status"}, {"kind": "undeliverable"})

    assert [send(sandbox).status_code for _ in range(2)] == [200, 200]

    statuses = receiver.statuses(2)
    assert [entry["status"] for entry in statuses] == ["sent", "failed"]
    assert statuses[1]["errors"][0]["code"] == 131026
