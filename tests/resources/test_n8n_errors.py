"""n8n's error table, row by row, against exact bodies."""

import json
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.n8n_wire import ERRORS
from tests.resources.provisioning_clients import entry_workflow, n8n
from tests.resources.raw_server import answer, hang_up, raw_server, replies

CONFLICT = {"message": "There is a conflict with one of the webhooks.", "hint": "[{}]"}
BLOCKED = "Publishing is blocked by an open workflow review"
ROWS: list[tuple[int, Any, ErrorClass, str | None]] = [
    (400, {"message": "request/body/active is read-only"}, ErrorClass.INPUT, None),
    (401, {"message": "unauthorized"}, ErrorClass.AUTH, None),
    (403, {"message": "Forbidden"}, ErrorClass.PERMISSION, None),
    (404, {"message": "Not Found"}, ErrorClass.INPUT, None),
    (409, CONFLICT, ErrorClass.DUPLICATE, "webhook_path"),
    (409, {"message": BLOCKED, "reason": "review_pending"}, ErrorClass.PERMISSION, "review_pending"),
    (409, {"message": BLOCKED, "reason": "changes_requested"}, ErrorClass.PERMISSION, "changes_requested"),
    (409, {"message": "Credential exists"}, ErrorClass.DUPLICATE, "exists"),
    (415, {"message": "unsupported media type"}, ErrorClass.INPUT, None),
    (422, {}, ErrorClass.INPUT, None),
    (429, {}, ErrorClass.THROTTLED, None),
    *((status, {}, ErrorClass.AMBIGUOUS, None) for status in (408, 500, 502, 503, 504)),
    (302, {}, ErrorClass.INPUT, None),
    (409, [], ErrorClass.DUPLICATE, "exists"),
    (400, {"message": {}}, ErrorClass.INPUT, None),
]


@pytest.mark.parametrize(("status", "body", "error_class", "code"), ROWS)
async def test_the_table_decides(
    door: HttpDoor, waits: list[float], status: int, body: Any, error_class: ErrorClass, code: str | None
):
    async with raw_server(replies(answer(status, json.dumps(body).encode()))) as server:
        with pytest.raises(VendorError) as raised:
            await n8n(door, server.url).create_workflow(entry_workflow())

    error = raised.value
    assert (error.error_class, error.status, error.code) == (error_class, status, code)
    assert (len(server.seen), waits) == (1, [])


def test_no_row_of_the_table_goes_without_a_test():
    tested = {(status, error_class, code) for status, _, error_class, code in ROWS}

    assert {(rule.status, rule.error_class, rule.code) for rule in ERRORS} <= tested


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 1}', b"<html>sign in</html>"])
async def test_a_creation_that_says_nothing_is_ambiguous_and_a_reading_is_not(door: HttpDoor, body: bytes):
    async with raw_server(replies(answer(200, body))) as server:
        client = n8n(door, server.url)
        with pytest.raises(VendorError) as created:
            await client.create_workflow(entry_workflow())
        with pytest.raises(VendorError) as found:
            await client.find_workflows("x")

    assert (created.value.error_class, found.value.error_class) == (ErrorClass.AMBIGUOUS, ErrorClass.RETRY)


async def test_a_hung_up_creation_is_sent_once_and_a_publication_four_times(door: HttpDoor):
    async with raw_server(hang_up) as server:
        client = n8n(door, server.url)
        with pytest.raises(VendorError) as created:
            await client.create_workflow(entry_workflow())
        with pytest.raises(VendorError) as published:
            await client.publish("w1")

    assert (created.value.error_class, published.value.error_class) == (ErrorClass.AMBIGUOUS, ErrorClass.RETRY)
    assert [one.target for one in server.seen] == ["/n8n/api/v1/workflows", *["/n8n/api/v1/workflows/w1/publish"] * 4]
    assert server.seen[0].headers["x-n8n-api-key"] == "sandbox"


async def test_a_refusal_is_not_taken_for_something_that_is_there(door: HttpDoor):
    async with raw_server(replies(answer(403, b'{"message": "Forbidden"}'))) as server:
        client = n8n(door, server.url)
        for call in (client.put_credential("crmm1", "kloof", {"name": "X", "value": "t"}), client.archive("w1")):
            with pytest.raises(VendorError) as raised:
                await call
            assert raised.value.error_class is ErrorClass.PERMISSION

    assert [seen.method for seen in server.seen] == ["POST", "POST"]


async def test_a_limit_of_a_proxy_is_obeyed(door: HttpDoor, waits: list[float]):
    workflow = b'{"id": "w1", "name": "x", "active": true}'
    async with raw_server(replies(answer(429, retry_after="2"), answer(200, workflow))) as server:
        published = await n8n(door, server.url).publish("w1")

    assert (published.is_active, len(server.seen), waits) == (True, 2, [2.5])


async def test_a_list_that_leads_to_itself_is_no_list(door: HttpDoor):
    page = b'{"data": [], "nextCursor": "again"}'
    async with raw_server(replies(answer(200, page))) as server:
        with pytest.raises(VendorError) as raised:
            await n8n(door, server.url).find_workflows("x")

    assert (raised.value.error_class, len(server.seen)) == (ErrorClass.RETRY, 2)


async def test_an_n8n_that_chooses_ids_itself_is_too_old(door: HttpDoor):
    async with raw_server(replies(answer(200, b'{"id": "ownChoice", "name": "kloof"}'))) as server:
        with pytest.raises(VendorError) as raised:
            await n8n(door, server.url).put_credential("crmm000000000001", "kloof", {"name": "X", "value": "secret"})

    assert (raised.value.error_class, len(server.seen)) == (ErrorClass.CONFIG, 1)
    assert "secret" not in str(raised.value)
