"""Fault scripts: how they find their request, and that a drop is a drop on the wire."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.sandbox_process import Sandbox

ROUTE = "POST /graph/{version}/{phone}/messages"
HEADERS = {"authorization": "Bearer sandbox"}


def template(to: str = "27821234567") -> dict[str, object]:
    parameters = [{"type": "text", "text": text} for text in ("Kloof Books", "no site", "https://x.example")]
    return {
        "messaging_product": "whatsapp",
        "to": to,
        "type": "template",
        "template": {
            "name": "lead_needs_review",
            "language": {"code": "en"},
            "components": [{"type": "body", "parameters": parameters}],
        },
        "biz_opaque_callback_data": f"callback-{to}",
    }


def send(sandbox: Sandbox, to: str = "27821234567") -> httpx.Response:
    url = f"{sandbox.url}/graph/v25.0/100/messages"
    return httpx.post(url, json=template(to), headers=HEADERS, timeout=5)


def test_a_dropped_connection_is_a_protocol_error_and_the_work_was_done(sandbox: Sandbox) -> None:
    sandbox.faults(ROUTE, {"kind": "accept_then_drop"})

    with pytest.raises(httpx.RemoteProtocolError, match="Server disconnected without sending a response"):
        send(sandbox)

    entry = sandbox.journal("whatsapp")[0]
    assert (entry["status"], entry["accepted"], entry["fault"]) == (None, True, "accept_then_drop")
    assert [item["callback_data"] for item in sandbox.public("whatsapp")] == ["callback-27821234567"]


def test_a_drop_before_accept_leaves_nothing_behind(sandbox: Sandbox) -> None:
    sandbox.faults(ROUTE, {"kind": "drop_before_accept"})

    with pytest.raises(httpx.RemoteProtocolError, match="Server disconnected without sending a response"):
        send(sandbox)

    entry = sandbox.journal("whatsapp")[0]
    assert (entry["status"], entry["accepted"]) == (None, False)
    assert sandbox.public("whatsapp") == []


def test_a_cut_body_ends_in_the_middle(sandbox: Sandbox) -> None:
    sandbox.faults(ROUTE, {"kind": "cut_body"})

    with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection without sending complete message body"):
        send(sandbox)

    assert len(sandbox.public("whatsapp")) == 1


def test_a_late_error_hides_that_the_work_was_done(sandbox: Sandbox) -> None:
    sandbox.faults(ROUTE, {"kind": "accept_then_status"}, {"kind": "accept_then_status", "status": 502, "body": "bad"})

    answers = [send(sandbox), send(sandbox)]

    assert [answer.status_code for answer in answers] == [500, 502]
    assert (answers[0].json()["error"]["code"], answers[1].text) == (131000, "bad")
    assert [(entry["status"], entry["accepted"]) for entry in sandbox.journal()] == [(500, True), (502, True)]
    assert len(sandbox.public("whatsapp")) == 2


def test_a_hanging_connection_is_silent_and_the_work_was_done(sandbox: Sandbox) -> None:
    sandbox.faults(ROUTE, {"kind": "accept_then_hang"})

    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{sandbox.url}/graph/v25.0/100/messages", json=template(), headers=HEADERS, timeout=0.3)

    entry = sandbox.journal("whatsapp")[0]
    assert (entry["status"], entry["accepted"], entry["fault"]) == (None, True, "accept_then_hang")
    assert len(sandbox.public("whatsapp")) == 1


def test_a_disconnect_resets_what_others_have_open_and_not_the_one_who_asks(sandbox: Sandbox) -> None:
    sandbox.faults(ROUTE, {"kind": "accept_then_hang"})
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(send, sandbox)
        while not sandbox.public("whatsapp"):
            time.sleep(0.01)
        sandbox.disconnect()

        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            waiting.result(timeout=3)

    assert send(sandbox).status_code == 200
    assert len(sandbox.public("whatsapp")) == 2


def test_steps_are_used_once_each_in_order(sandbox: Sandbox) -> None:
    sandbox.faults(
        ROUTE,
        {"kind": "status", "status": 503, "body": {"busy": True}, "headers": {"x-why": "test"}},
        {"kind": "rate_limit", "retry_after": 7},
        {"kind": "expired_token"},
        {"kind": "status", "status": 500, "times": 2},
    )

    answers = [send(sandbox) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [503, 429, 401, 500, 500, 200]
    assert (answers[0].json(), answers[0].headers["x-why"]) == ({"busy": True}, "test")
    assert (answers[1].headers["retry-after"], answers[1].json()["error"]["code"]) == ("7", 130429)
    assert answers[2].json()["error"]["code"] == 190
    assert [entry["accepted"] for entry in sandbox.journal()] == [False] * 5 + [True]


def test_a_step_with_match_waits_for_its_request(sandbox: Sandbox) -> None:
    sandbox.faults(ROUTE, {"kind": "status", "status": 500, "match": "27829999999"})

    assert [send(sandbox, to).status_code for to in ("27821111111", "27829999999", "27829999999")] == [200, 500, 200]


def test_a_repeated_step_never_ends_until_the_faults_are_cleared(sandbox: Sandbox) -> None:
    sandbox.faults(ROUTE, {"kind": "status", "status": 500}, repeat=True)

    assert [send(sandbox).status_code for _ in range(3)] == [500, 500, 500]
    httpx.delete(f"{sandbox.url}/_sandbox/faults")
    assert send(sandbox).status_code == 200


def test_latency_and_a_slow_body_take_their_time(sandbox: Sandbox) -> None:
    sandbox.faults(ROUTE, {"kind": "latency", "seconds": 0.3}, {"kind": "slow_body", "bytes_per_second": 600})

    started = time.monotonic()
    assert send(sandbox).status_code == 200
    after_latency = time.monotonic()
    assert send(sandbox).json()["contacts"][0]["wa_id"] == "27821234567"

    assert 0.3 <= after_latency - started < 2
    assert 0.2 <= time.monotonic() - after_latency < 2


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ({"route": ROUTE, "steps": [{"kind": "explode"}]}, "kind 'explode' is unknown"),
        ({"route": "nowhere", "steps": []}, "give a method and a path"),
        ({"steps": "all"}, "send {"),
    ],
)
def test_a_wrong_script_is_refused_with_the_reason(sandbox: Sandbox, script: object, words: str) -> None:
    answer = httpx.post(f"{sandbox.url}/_sandbox/faults", json=script)

    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert httpx.get(f"{sandbox.url}/_sandbox/faults").json() == []


def test_a_wrong_setting_changes_nothing(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/_sandbox/settings"
    before = httpx.get(url).json()

    answers = [
        httpx.post(url, json={"claude_batch_seconds": 9, "claude_speed": 1}),
        httpx.post(url, json={"claude_batch_seconds": "soon"}),
    ]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert httpx.get(url).json() == before
