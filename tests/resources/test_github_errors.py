"""GitHub's error table, row by row, against exact bodies; how long its limits last."""

import json
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.github_wire import ERRORS
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.provisioning_clients import NOW, TEMPLATE, github
from tests.resources.raw_server import answer, hang_up, raw_server, replies

SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
INVALID = {"message": "Validation Failed", "errors": [{"resource": "Repository", "field": "name", "code": "custom"}]}
ROWS: list[tuple[int, Any, ErrorClass, str | None]] = [
    (401, {"message": "Bad credentials"}, ErrorClass.AUTH, None),
    (403, {"message": SECONDARY}, ErrorClass.THROTTLED, "secondary_limit"),
    (403, {"message": "You have triggered an abuse detection mechanism."}, ErrorClass.THROTTLED, "secondary_limit"),
    (403, {"message": "API rate limit exceeded for user ID 1."}, ErrorClass.THROTTLED, "rate_limit"),
    (403, {"message": "Repository was archived so is read-only."}, ErrorClass.PERMISSION, "archived"),
    (403, {"message": "Resource not accessible by personal access token"}, ErrorClass.PERMISSION, None),
    (404, {"message": "Not Found"}, ErrorClass.INPUT, None),
    (409, {"message": "Already exists - Variable already exists"}, ErrorClass.DUPLICATE, "exists"),
    (409, {"message": "Git Repository is empty."}, ErrorClass.RETRY, "empty"),
    (409, {"message": "Conflict"}, ErrorClass.RETRY, None),
    (422, {"message": "Could not clone: Name already exists on this account"}, ErrorClass.DUPLICATE, "exists"),
    (422, {"message": "Update is not a fast forward"}, ErrorClass.INPUT, "not_fast_forward"),
    (429, {"message": "Too many"}, ErrorClass.THROTTLED, None),
    (422, INVALID, ErrorClass.INPUT, None),
    (410, {}, ErrorClass.INPUT, None),
    (422, {"errors": [{"message": "name already exists on this account"}, 7]}, ErrorClass.DUPLICATE, "exists"),
    (422, [], ErrorClass.INPUT, None),
    (422, {"message": 7, "errors": {}}, ErrorClass.INPUT, None),
    *((status, {}, ErrorClass.RETRY, None) for status in (408, 500, 502, 503, 504)),
]


@pytest.mark.parametrize(("status", "body", "error_class", "code"), ROWS)
async def test_the_table_decides(door: HttpDoor, status: int, body: Any, error_class: ErrorClass, code: str | None):
    async with raw_server(replies(answer(status, json.dumps(body).encode(), x_github_request_id="id-1"))) as server:
        with pytest.raises(VendorError) as raised:
            await github(door, server.url).set_topics("draggonnb", "x", {"org-7"})

    error = raised.value
    assert (error.error_class, error.status, error.code, error.request_id) == (error_class, status, code, "id-1")
    assert len(server.seen) == (4 if error_class is ErrorClass.RETRY else 1)


def test_no_row_of_the_table_goes_without_a_test():
    tested = {(status, error_class, code) for status, _, error_class, code in ROWS}

    assert {(rule.status, rule.error_class, rule.code) for rule in ERRORS} <= tested


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
async def test_a_server_error_at_a_creation_is_ambiguous(door: HttpDoor, status: int, waits: list[float]):
    async with raw_server(replies(answer(status))) as server:
        with pytest.raises(VendorError) as raised:
            await github(door, server.url).create_from_template(TEMPLATE, "draggonnb", "x")

    assert (raised.value.error_class, len(server.seen), waits) == (ErrorClass.AMBIGUOUS, 1, [])


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 1}', b"<html>"])
async def test_a_creation_that_says_nothing_is_ambiguous_and_a_reading_is_not(door: HttpDoor, body: bytes):
    async with raw_server(replies(answer(201, body))) as server:
        with pytest.raises(VendorError) as created:
            await github(door, server.url).create_from_template(TEMPLATE, "draggonnb", "x")
        with pytest.raises(VendorError) as seen:
            await github(door, server.url).repo("draggonnb", "x")

    assert (created.value.error_class, seen.value.error_class) == (ErrorClass.AMBIGUOUS, ErrorClass.RETRY)


async def test_a_hung_up_creation_is_sent_once_and_a_reading_four_times(door: HttpDoor):
    async with raw_server(hang_up) as server:
        with pytest.raises(VendorError) as created:
            await github(door, server.url).create_from_template(TEMPLATE, "draggonnb", "x")
        with pytest.raises(VendorError) as seen:
            await github(door, server.url).repo("draggonnb", "x")

    assert (created.value.error_class, seen.value.error_class) == (ErrorClass.AMBIGUOUS, ErrorClass.RETRY)
    assert [one.method for one in server.seen] == ["POST", "GET", "GET", "GET", "GET"]


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (403, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(NOW.timestamp()) + 900)}, 900.0),
        (403, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "soon"}, 60.0),
        (403, {"retry_after": "45"}, 45.0),
        (429, {}, 60.0),
    ],
)
async def test_a_limit_is_told_by_headers_whatever_the_words(
    door: HttpDoor, waits: list[float], status: int, headers: dict[str, str], seconds: float
):
    async with raw_server(replies(answer(status, b'{"message": "Forbidden"}', **headers))) as server:
        with pytest.raises(VendorError) as raised:
            await github(door, server.url).repo("draggonnb", "x")

    assert (raised.value.error_class, raised.value.retry_after_seconds) == (ErrorClass.THROTTLED, seconds)
    assert (len(server.seen), waits) == (1, [])


async def test_a_limit_that_has_ended_is_no_reason_to_give_up(door: HttpDoor, waits: list[float]):
    ended = str(int(NOW.timestamp()) - 5)
    async with raw_server(
        replies(answer(403, x_ratelimit_remaining="0", x_ratelimit_reset=ended), answer(404))
    ) as server:
        assert await github(door, server.url).repo("draggonnb", "x") is None

    assert (len(server.seen), waits) == (2, [0.5])


async def test_a_refusal_is_not_taken_for_something_that_is_there(door: HttpDoor):
    async with raw_server(replies(answer(403, b'{"message": "Resource not accessible"}'))) as server:
        client = github(door, server.url)
        calls = (
            client.put_variable("draggonnb", "x", "A", "1"),
            client.archive("draggonnb", "x"),
            client.delete("draggonnb", "x"),
            client.branch("draggonnb", "x", "main"),
        )
        for call in calls:
            with pytest.raises(VendorError) as raised:
                await call
            assert raised.value.error_class is ErrorClass.PERMISSION

    assert [seen.method for seen in server.seen] == ["POST", "PATCH", "DELETE", "GET"]


async def test_a_message_names_the_field_and_never_what_was_sent(door: HttpDoor):
    body = {
        "message": "secret sandbox is wrong",
        "errors": [{"resource": "Repository", "field": "na\nme", "code": "x"}],
    }
    async with raw_server(replies(answer(422, json.dumps(body).encode()))) as server:
        with pytest.raises(VendorError) as raised:
            await github(door, server.url).set_topics("draggonnb", "x", {"org-7"})

    assert raised.value.message == "HTTP 422, Repository na me x"


async def test_the_token_goes_nowhere_else(door: HttpDoor):
    async with raw_server(replies(answer(200))) as elsewhere:
        moved = answer(301, location=f"{elsewhere.url}/repositories/1")
        async with raw_server(replies(moved)) as server:
            with pytest.raises(VendorError) as raised:
                await github(door, server.url).repo("draggonnb", "x")

    assert (raised.value.error_class, raised.value.status) == (ErrorClass.INPUT, 301)
    assert (len(server.seen), elsewhere.seen) == (1, [])
    assert server.seen[0].headers["authorization"] == "Bearer sandbox"
    assert server.seen[0].headers["x-github-api-version"] == "2022-11-28"
    assert server.seen[0].headers["user-agent"] == "test/1"
