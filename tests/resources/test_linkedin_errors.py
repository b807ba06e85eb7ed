"""LinkedIn's error table, row by row, against exact bodies."""

import json
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.linkedin_client import ACCOUNT, linkedin, post
from tests.resources.raw_server import answer, raw_server, replies


def fault(code: str, message: str = "", field: str | None = None) -> dict[str, Any]:
    where = {"inputPath": {"fieldPath": field}} if field else {}
    return {"message": message, "errorDetails": {"inputErrors": [{"code": code, "input": where, "description": "x"}]}}


DUPLICATE = "com.linkedin.content.common.exception.BadRequestResponseException: Content is a duplicate of "


@pytest.mark.parametrize(
    ("status", "body", "error_class", "code"),
    [
        (400, {"serviceErrorCode": 100, "message": "wrong"}, ErrorClass.INPUT, "100"),
        (401, {"serviceErrorCode": 65600, "code": "INVALID_ACCESS_TOKEN"}, ErrorClass.AUTH, "INVALID_ACCESS_TOKEN"),
        (401, {"serviceErrorCode": 65601}, ErrorClass.AUTH, "65601"),
        (401, {"serviceErrorCode": 65602}, ErrorClass.AUTH, "65602"),
        (403, {"serviceErrorCode": 100, "code": "ACCESS_DENIED"}, ErrorClass.PERMISSION, "ACCESS_DENIED"),
        (404, {}, ErrorClass.INPUT, None),
        (408, {}, ErrorClass.AMBIGUOUS, None),
        (422, fault("DUPLICATE_POST", f"{DUPLICATE}urn:li:share:71"), ErrorClass.DUPLICATE, "DUPLICATE_POST"),
        (422, fault("MISSING_FIELD"), ErrorClass.INPUT, "MISSING_FIELD"),
        (426, {"code": "NONEXISTENT_VERSION"}, ErrorClass.CONFIG, "NONEXISTENT_VERSION"),
        (429, {"code": "TOO_MANY_REQUESTS"}, ErrorClass.THROTTLED, "TOO_MANY_REQUESTS"),
        *((status, {}, ErrorClass.AMBIGUOUS, None) for status in (500, 502, 503, 504, 529)),
        (302, {}, ErrorClass.INPUT, None),
        (422, [], ErrorClass.INPUT, None),
        (422, {"errorDetails": {"inputErrors": [{"code": 7, "input": []}, 3]}, "code": {}}, ErrorClass.INPUT, None),
    ],
)
async def test_the_table_decides(
    door: HttpDoor, status: int, body: Any, error_class: ErrorClass, code: str | None, waits: list[float]
):
    async with raw_server(replies(answer(status, json.dumps(body).encode(), x_li_uuid="uuid-1"))) as server:
        with pytest.raises(VendorError) as raised:
            await linkedin(door, server.url).publish(ACCOUNT, post(), {})

    error = raised.value
    assert (error.error_class, error.status, error.code, error.request_id) == (error_class, status, code, "uuid-1")
    assert (len(server.seen), waits) == (1, [])


@pytest.mark.parametrize(
    ("said", "urn"),
    [
        ("urn:li:share:7141138937766391808", "urn:li:share:7141138937766391808"),
        ("urn:li:ugcPost:7141", "urn:li:ugcPost:7141"),
        ("something else", None),
    ],
)
async def test_a_duplicate_carries_the_urn_that_is_named(door: HttpDoor, said: str, urn: str | None):
    body = json.dumps(fault("DUPLICATE_POST", DUPLICATE + said)).encode()
    async with raw_server(replies(answer(422, body))) as server:
        with pytest.raises(VendorError) as raised:
            await linkedin(door, server.url).publish(ACCOUNT, post(), {})

    assert (raised.value.error_class, raised.value.existing_id) == (ErrorClass.DUPLICATE, urn)


async def test_a_message_names_the_field_and_never_the_text_or_the_token(door: HttpDoor):
    body = fault("FIELD_LENGTH_TOO_LONG", "Fresh coffee from A. Person, sandbox-5551", "/commentary\nx")
    async with raw_server(replies(answer(422, json.dumps(body).encode()))) as server:
        with pytest.raises(VendorError) as raised:
            await linkedin(door, server.url).publish(ACCOUNT, post(), {})

    assert raised.value.message == "HTTP 422, FIELD_LENGTH_TOO_LONG, field /commentary x"


async def test_a_retry_after_is_handed_on_and_only_the_ledger_repeats_a_post(door: HttpDoor, waits: list[float]):
    async with raw_server(replies(answer(429, retry_after="2"))) as server:
        with pytest.raises(VendorError) as raised:
            await linkedin(door, server.url).publish(ACCOUNT, post(), {})

    assert (raised.value.retry_after_seconds, raised.value.limits) == (2.0, None)
    assert (len(server.seen), waits) == (1, [])


async def test_nobody_listening_is_transient(door: HttpDoor, waits: list[float]):
    with pytest.raises(VendorError) as raised:
        await linkedin(door, "http://127.0.0.1:9").publish(ACCOUNT, post(), {})

    assert (raised.value.error_class, waits) == (ErrorClass.RETRY, [])
