"""Supabase's error tables, row by row, against exact answers."""

import json
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.supabase_auth import SupabaseAuth
from tests.resources.raw_server import answer, raw_server, replies
from tests.resources.supabase_client import ORGANIZATION, PASSWORD, supabase

REF = "a" * 20
LIMITS = (
    "members have reached their maximum limits for the number of active free projects: jo@x.example (2 project limit)"
)
SQL = "Failed to run sql query: ERROR:  {}: something with a value"


@pytest.mark.parametrize(
    ("status", "message", "error_class", "code"),
    [
        (400, "db_pass: Required", ErrorClass.INPUT, None),
        (400, LIMITS, ErrorClass.CONFIG, "quota"),
        (401, "Unauthorized", ErrorClass.CONFIG, None),
        (402, "Payment required", ErrorClass.PERMISSION, None),
        (403, "necessary privileges", ErrorClass.PERMISSION, None),
        (404, "Organization not found", ErrorClass.INPUT, None),
        (408, "", ErrorClass.AMBIGUOUS, None),
        (429, "ThrottlerException", ErrorClass.THROTTLED, None),
        *((status, "", ErrorClass.AMBIGUOUS, None) for status in (500, 502, 503, 504, 544)),
    ],
)
async def test_making_a_project_is_sorted_and_not_repeated(
    door: HttpDoor, status: int, message: str, error_class: ErrorClass, code: str | None, waits: list[float]
):
    body = json.dumps({"message": message}).encode()
    async with raw_server(replies(answer(status, body, sb_request_id="id-1"))) as server:
        with pytest.raises(VendorError) as raised:
            await supabase(door, server.url).create_project("a-db", ORGANIZATION, PASSWORD, "eu-west-1")

    error = raised.value
    assert (error.error_class, error.status, error.code, error.request_id) == (error_class, status, code, "id-1")
    assert "jo@x.example" not in str(error)
    assert (len(server.seen), waits) == (1, [])
    sent = json.loads(server.seen[0].body)
    assert "desired_instance_size" not in sent
    assert sent["region_selection"] == {"type": "specific", "code": "eu-west-1"}


@pytest.mark.parametrize(
    ("status", "state", "error_class"),
    [
        (400, "42601", ErrorClass.INPUT),
        (500, "23505", ErrorClass.INPUT),
        (400, "25006", ErrorClass.INPUT),
        (400, "40001", ErrorClass.RETRY),
        (500, "40P01", ErrorClass.RETRY),
        (400, "55P03", ErrorClass.RETRY),
        (400, "53300", ErrorClass.RETRY),
        (400, "57P03", ErrorClass.RETRY),
    ],
)
async def test_sql_is_sorted_by_its_state_whatever_the_status(
    door: HttpDoor, status: int, state: str, error_class: ErrorClass
):
    body = json.dumps({"message": SQL.format(state)}).encode()
    async with raw_server(replies(answer(status, body))) as server:
        with pytest.raises(VendorError) as raised:
            await supabase(door, server.url).run_query(REF, "select 1")

    assert (raised.value.error_class, raised.value.code) == (error_class, state)
    assert len(server.seen) == 1


async def test_a_429_waits_until_the_window_ends(door: HttpDoor, waits: list[float]):
    refused = answer(429, b'{"message":"slow"}', x_ratelimit_reset="17", x_ratelimit_remaining="0")
    async with raw_server(replies(refused, answer(200, b"[]"))) as server:
        assert await supabase(door, server.url).organizations() == []

    assert (waits, len(server.seen)) == ([17.5], 2)


async def test_a_long_window_is_left_to_the_caller(door: HttpDoor, waits: list[float]):
    async with raw_server(replies(answer(429, b"{}", x_ratelimit_reset="58"))) as server:
        with pytest.raises(VendorError) as raised:
            await supabase(door, server.url).organizations()

    assert (raised.value.error_class, raised.value.retry_after_seconds) == (ErrorClass.THROTTLED, 58.0)
    assert (waits, len(server.seen)) == ([], 1)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"ref":"short"}', b"[" * 100_000, b'{"ref": {}}'])
async def test_a_project_that_cannot_be_read_may_be_there(door: HttpDoor, body: bytes):
    async with raw_server(replies(answer(201, body))) as server:
        with pytest.raises(VendorError) as raised:
            await supabase(door, server.url).create_project("a-db", ORGANIZATION, PASSWORD, "eu-west-1")

    assert raised.value.error_class is ErrorClass.AMBIGUOUS
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"projects": []}',
        b'{"projects": [{"ref": 1}], "pagination": {"count": 1}}',
        b'{"projects": [], "pagination": {"count": 3, "limit": 100, "offset": 0}}',
    ],
)
async def test_a_list_that_cannot_be_read_is_not_an_empty_list(door: HttpDoor, body: bytes):
    async with raw_server(replies(answer(200, body))) as server:
        with pytest.raises(VendorError) as raised:
            await supabase(door, server.url).find_projects(ORGANIZATION, "a-db")

    assert raised.value.error_class is ErrorClass.RETRY


@pytest.mark.parametrize(
    ("status", "body", "error_class", "code"),
    [
        (400, {"code": 400, "error_code": "validation_failed", "msg": "x"}, ErrorClass.INPUT, "validation_failed"),
        (400, {"error_code": "email_address_not_authorized"}, ErrorClass.CONFIG, "email_address_not_authorized"),
        (401, {"message": "Invalid API key"}, ErrorClass.AUTH, None),
        (403, {"code": "not_admin", "message": "x"}, ErrorClass.PERMISSION, "not_admin"),
        (403, {"code": 403, "error_code": "bad_jwt"}, ErrorClass.AUTH, "bad_jwt"),
        (404, {"error_code": "user_not_found"}, ErrorClass.INPUT, "user_not_found"),
        (422, {"error_code": "weak_password", "weak_password": {"reasons": []}}, ErrorClass.INPUT, "weak_password"),
        (422, {"error_code": "email_exists"}, ErrorClass.DUPLICATE, "email_exists"),
        (429, {"error_code": "over_email_send_rate_limit"}, ErrorClass.THROTTLED, "over_email_send_rate_limit"),
        (500, {"error_code": "unexpected_failure"}, ErrorClass.RETRY, "unexpected_failure"),
        (503, {"message": "name resolution failed"}, ErrorClass.RETRY, None),
        (504, [], ErrorClass.RETRY, None),
        (540, {"message": "Project paused"}, ErrorClass.CONFIG, None),
    ],
)
async def test_the_table_of_auth_decides(
    door: HttpDoor, status: int, body: Any, error_class: ErrorClass, code: str | None
):
    async with raw_server(replies(answer(status, json.dumps(body).encode()))) as server:
        client = SupabaseAuth(door, project_url=server.url, key="sb_secret_x")
        with pytest.raises(VendorError) as raised:
            await client.generate_link("recovery", "jo@x.example", redirect_to="https://x.example")

    error = raised.value
    assert (error.error_class, error.status, error.code) == (error_class, status, code)
    assert "jo@x.example" not in str(error)
    assert len(server.seen) == (4 if error.is_transient else 1)
