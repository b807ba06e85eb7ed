"""WhatsApp: against the sandbox for the call, against exact bodies for the error table."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.whatsapp import MessageStatus, WhatsApp, is_signed_by_meta, parse_statuses
from tests.resources.raw_server import answer, raw_server, replies
from tests.sandbox_process import Sandbox

ROUTE = "POST /graph/v25.0/100000000000001/messages"


class Waits(list[float]):
    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
async def door() -> AsyncIterator[HttpDoor]:
    async with HttpDoor(user_agent="test", sleep=Waits()) as opened:
        yield opened


def whatsapp(door: HttpDoor, base: str, token: str = "sandbox") -> WhatsApp:
    return WhatsApp(door, base_url=base, token=token, phone_number_id="100000000000001")


async def send(client: WhatsApp, **changes: Any) -> str:
    message = {
        "to_e164": "+27821234567",
        "template": "new_lead_analysed",
        "language": "en",
        "parameters": ["Kloof Coffee", "hot\nlead\t  72", "", "https://draggonnb.example/p/1"],
        "callback_data": "kloof:0001",
    }
    return await client.send_template(**{**message, **changes})


async def refused(client: WhatsApp, **changes: Any) -> VendorError:
    with pytest.raises(VendorError) as raised:
        await send(client, **changes)
    return raised.value


async def test_a_template_is_accepted_and_public_with_our_callback_data(door: HttpDoor, sandbox: Sandbox):
    message = await send(whatsapp(door, f"{sandbox.url}/graph/v25.0"))

    assert message.startswith("wamid.")
    [entry] = sandbox.journal("whatsapp")
    assert entry["body"]["to"] == "27821234567"
    assert entry["body"]["biz_opaque_callback_data"] == "kloof:0001"
    parameters = entry["body"]["template"]["components"][0]["parameters"]
    assert [p["text"] for p in parameters] == ["Kloof Coffee", "hot lead 72", "-", "https://draggonnb.example/p/1"]
    assert "access_token" not in json.dumps(entry["body"])
    assert len(sandbox.public("whatsapp")) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"template": "unknown"}, "132001"),
        ({"language": "en_US"}, "132001"),
        ({"parameters": ["one"]}, "132000"),
        ({"to_e164": "12"}, "100"),
    ],
)
async def test_wrong_requests_are_input_and_nothing_is_sent(
    door: HttpDoor, sandbox: Sandbox, changes: dict[str, Any], code: str
):
    error = await refused(whatsapp(door, f"{sandbox.url}/graph/v25.0"), **changes)

    assert (error.error_class, error.code) == (ErrorClass.INPUT, code)
    assert error.request_id
    assert sandbox.public("whatsapp") == []


@pytest.mark.parametrize("kind", ["accept_then_drop", "drop_before_accept", "cut_body"])
async def test_a_lost_answer_is_ambiguous_and_never_sent_again(door: HttpDoor, sandbox: Sandbox, kind: str):
    sandbox.faults(ROUTE, {"kind": kind})

    error = await refused(whatsapp(door, f"{sandbox.url}/graph/v25.0"))

    assert error.error_class is ErrorClass.AMBIGUOUS
    assert len(sandbox.journal("whatsapp")) == 1


async def test_a_server_error_is_ambiguous_and_never_sent_again(door: HttpDoor, sandbox: Sandbox):
    sandbox.faults(ROUTE, {"kind": "status", "status": 500})

    error = await refused(whatsapp(door, f"{sandbox.url}/graph/v25.0"))

    assert error.error_class is ErrorClass.AMBIGUOUS
    assert len(sandbox.journal("whatsapp")) == 1


async def test_a_quota_is_waited_for(door: HttpDoor, sandbox: Sandbox):
    sandbox.faults(ROUTE, {"kind": "rate_limit", "retry_after": 2})

    assert (await send(whatsapp(door, f"{sandbox.url}/graph/v25.0"))).startswith("wamid.")
    assert len(sandbox.public("whatsapp")) == 1


async def test_nobody_listening_is_transient(door: HttpDoor):
    assert (await refused(whatsapp(door, "http://127.0.0.1:9"))).error_class is ErrorClass.RETRY


@pytest.mark.parametrize(
    ("status", "code", "error_class"),
    [
        *((400, code, ErrorClass.THROTTLED) for code in (130429, 131056, 80007, 4)),
        *((500, code, ErrorClass.AMBIGUOUS) for code in (131000, 131016, 1, 2)),
        *((403, code, ErrorClass.BLOCKED) for code in (131048, 368, 131031)),
        *((400, code, ErrorClass.INPUT) for code in (131049, 131026, 131047)),
        *((400, code, ErrorClass.INPUT) for code in (132000, 132001, 132005, 132007, 132012, 131008, 100)),
        *((400, code, ErrorClass.CONFIG) for code in (132015, 132016, 133010)),
        *((401, code, ErrorClass.AUTH) for code in (190, 0)),
        *((403, code, ErrorClass.PERMISSION) for code in (10, 200, 299)),
        (400, 999999, ErrorClass.INPUT),
        (503, 999999, ErrorClass.AMBIGUOUS),
        (401, None, ErrorClass.AUTH),
        (403, None, ErrorClass.PERMISSION),
        (404, None, ErrorClass.CONFIG),
        (429, None, ErrorClass.THROTTLED),
        (502, None, ErrorClass.AMBIGUOUS),
    ],
)
async def test_the_error_table_decides_by_code_and_else_by_status(
    door: HttpDoor, status: int, code: int | None, error_class: ErrorClass
):
    body = b"<html>bad gateway</html>" if code is None else json.dumps({"error": {"code": code}}).encode()
    async with raw_server(replies(answer(status, body))) as server:
        error = await refused(whatsapp(door, server.url))

    assert (error.error_class, error.status) == (error_class, status)
    assert error.code == (None if code is None else str(code))
    assert "gateway" not in str(error)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"not json", b'{"messages": [{}]}', b'{"messages": "x"}'])
async def test_an_acceptance_without_an_id_is_ambiguous(door: HttpDoor, body: bytes):
    async with raw_server(replies(answer(200, body))) as server:
        error = await refused(whatsapp(door, server.url))

    assert error.error_class is ErrorClass.AMBIGUOUS


async def test_the_token_travels_in_the_header_only(door: HttpDoor):
    body = json.dumps({"messages": [{"id": "wamid.1"}]}).encode()
    async with raw_server(replies(answer(200, body))) as server:
        assert await send(whatsapp(door, server.url, token="secret-token")) == "wamid.1"

    [seen] = server.seen
    assert seen.headers["authorization"] == "Bearer secret-token"
    assert b"secret-token" not in seen.body
    assert "secret-token" not in seen.target


async def test_callback_data_over_the_vendors_limit_is_refused_before_the_call(door: HttpDoor):
    assert (
        await refused(whatsapp(door, "http://127.0.0.1:9"), callback_data="x" * 513)
    ).error_class is ErrorClass.INPUT


@pytest.mark.parametrize(
    ("header", "is_right"),
    [
        ("sha256={good}", True),
        ("SHA256={good}", False),
        ("{good}", False),
        ("sha256=" + "0" * 64, False),
        ("sha256=ünïcode", False),
        ("", False),
        (None, False),
    ],
)
def test_a_webhook_is_believed_only_with_the_right_signature(header: str | None, is_right: bool):
    raw = b'{"entry": []}'
    good = hmac.new(b"sandbox-app-secret", raw, hashlib.sha256).hexdigest()
    given = header.format(good=good) if header else header

    assert is_signed_by_meta("sandbox-app-secret", raw, given) is is_right
    assert not is_signed_by_meta("sandbox-app-secret", raw + b" ", given)


def test_statuses_are_read_and_everything_else_is_passed_over():
    payload = {
        "object": "whatsapp_business_account",
        "entry": [
            "rubbish",
            {
                "changes": [
                    {"value": {"messages": [{"id": "x"}]}},
                    {
                        "value": {
                            "statuses": [
                                {
                                    "id": "wamid.1",
                                    "status": "delivered",
                                    "timestamp": "1795413600",
                                    "recipient_id": "27821234567",
                                    "biz_opaque_callback_data": "kloof:0001",
                                },
                                {"id": "wamid.2", "status": "failed", "errors": [{"code": 131026}], "timestamp": "x"},
                                {"id": 3, "status": "sent"},
                                {"id": "wamid.4"},
                            ]
                        }
                    },
                ]
            },
        ],
    }

    assert parse_statuses(payload) == [
        MessageStatus(
            "wamid.1",
            "delivered",
            "kloof:0001",
            "27821234567",
            datetime(2026, 11, 23, 6, 0, tzinfo=UTC),
            None,
        ),
        MessageStatus("wamid.2", "failed", None, None, None, 131026),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"status": "deleted"},
        {"status": "sent\x00"},
        {"id": ""},
        {"id": "w" * 251},
        {"id": "wamid.\x00"},
        {"id": "wamid.\ud800"},
        {"id": "wamid.\n1"},
        {"biz_opaque_callback_data": "x" * 513},
        {"biz_opaque_callback_data": "kloof:\x00"},
        {"biz_opaque_callback_data": ["kloof:1"]},
    ],
)
def test_a_status_that_no_database_would_take_is_passed_over_and_the_others_are_read(change: dict[str, Any]):
    good = {"id": "w" * 250, "status": "read", "biz_opaque_callback_data": "x" * 512}
    payload = {"entry": [{"changes": [{"value": {"statuses": [good | change, good]}}]}]}

    assert parse_statuses(payload) == [MessageStatus("w" * 250, "read", "x" * 512, None, None, None)]


def test_what_is_odd_about_a_good_status_is_left_out():
    odd = {"recipient_id": "2\x007", "timestamp": "9" * 40, "errors": [{"code": 10**12}]}
    payload = {"entry": [{"changes": [{"value": {"statuses": [{"id": "wamid.1", "status": "failed"} | odd]}}]}]}

    assert parse_statuses(payload) == [MessageStatus("wamid.1", "failed", None, None, None, None)]


@pytest.mark.parametrize("payload", [None, [], "x", 7, {}, {"entry": {}}, {"entry": [{"changes": [{"value": []}]}]}])
def test_no_shape_of_a_webhook_breaks_the_reading(payload: Any):
    assert parse_statuses(payload) == []
