"""Vendor calls against a real server on loopback that misbehaves on purpose."""

import asyncio
import gzip
import logging
import zlib
from datetime import UTC, datetime

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor, retry_after_seconds
from tests.resources.raw_server import Seen, answer, by_status, raw_server, replies

NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


async def test_a_call_sends_json_and_returns_the_whole_answer(door: HttpDoor) -> None:
    async with raw_server(replies(answer(201, b'{"id": "x"}', x_extra="yes"))) as server:
        response = await door.call(
            "acme",
            "POST",
            f"{server.url}/v1/things",
            idempotent=False,
            sort=by_status,
            headers={"user-agent": "special/2", "Authorization": "Bearer secret"},
            params={"a": "b c"},
            json={"name": "Zoë"},
        )

    assert (response.status_code, response.json(), response.headers["x-extra"]) == (201, {"id": "x"}, "yes")
    [seen] = server.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/v1/things?a=b+c", '{"name":"Zoë"}'.encode())
    assert seen.headers["user-agent"] == "special/2"
    assert seen.headers["authorization"] == "Bearer secret"
    assert seen.headers["accept-encoding"] == "gzip, deflate"


async def test_what_the_caller_percent_encoded_arrives_as_it_was(door: HttpDoor) -> None:
    path = "/rest/posts?q=author&ids=List(urn%3Ali%3Ashare%3A1,urn%3Ali%3Ashare%3A2)"
    async with raw_server(replies(answer())) as server:
        await door.call("linkedin", "GET", server.url + path, idempotent=True, sort=by_status)

    assert server.seen[0].target == path


async def test_a_form_is_sent_as_a_form(door: HttpDoor) -> None:
    async with raw_server(replies(answer())) as server:
        await door.call("x", "POST", server.url, idempotent=False, sort=by_status, data={"a": "1", "b": "ü"})

    assert server.seen[0].headers["content-type"] == "application/x-www-form-urlencoded"
    assert server.seen[0].body == b"a=1&b=%C3%BC"


async def test_no_cookie_is_kept_and_no_redirect_is_followed(door: HttpDoor) -> None:
    async with raw_server(replies(answer(302, location="/elsewhere", set_cookie="session=1"))) as server:
        answers = [await door.call("acme", "GET", server.url, idempotent=True, sort=by_status) for _ in range(2)]

    assert [response.status_code for response in answers] == [302, 302]
    assert [(seen.target, seen.headers.get("cookie")) for seen in server.seen] == [("/", None), ("/", None)]


async def test_a_500_is_repeated_with_growing_jittered_waits_until_it_succeeds(
    door: HttpDoor, waits: list[float]
) -> None:
    broken = answer(500)
    async with raw_server(replies(broken, broken, broken, answer(200))) as server:
        response = await door.call("acme", "GET", server.url, idempotent=True, sort=by_status)

    assert response.status_code == 200
    assert waits == [0.25, 0.5, 1.0]  # half of 0.5, 1 and 2 s, since the dice always show one half


async def test_attempts_are_bounded_and_the_last_error_is_raised(door: HttpDoor, waits: list[float]) -> None:
    async with raw_server(replies(answer(503, request_id="req_9"))) as server:
        with pytest.raises(VendorError) as caught:
            await door.call("acme", "GET", server.url, idempotent=True, sort=by_status, attempts=2)

    assert (caught.value.error_class, caught.value.status) == (ErrorClass.RETRY, 503)
    assert caught.value.request_id == "req_9"
    assert (len(server.seen), len(waits)) == (2, 1)


async def test_a_permanent_error_is_not_repeated(door: HttpDoor, waits: list[float]) -> None:
    async with raw_server(replies(answer(422))) as server:
        with pytest.raises(VendorError) as caught:
            await door.call("acme", "GET", server.url, idempotent=True, sort=by_status)

    assert caught.value.error_class is ErrorClass.INPUT
    assert (len(server.seen), waits) == (1, [])


@pytest.mark.parametrize("header", ["7", "Mon, 23 Nov 2026 10:00:07 GMT"])
async def test_retry_after_is_honoured_as_seconds_and_as_a_date(
    door: HttpDoor, waits: list[float], header: str
) -> None:
    async with raw_server(replies(answer(429, retry_after=header), answer(200))) as server:
        await door.call("acme", "POST", server.url, idempotent=False, sort=by_status)

    assert waits == [7.5]  # what was asked, and half a second of jitter
    assert len(server.seen) == 2


async def test_a_retry_after_beyond_the_limit_is_handed_to_the_caller_at_once(
    door: HttpDoor, waits: list[float]
) -> None:
    async with raw_server(replies(answer(429, retry_after="3600"))) as server:
        with pytest.raises(VendorError) as caught:
            await door.call("acme", "GET", server.url, idempotent=True, sort=by_status, max_wait_seconds=30)

    assert caught.value.error_class is ErrorClass.THROTTLED
    assert caught.value.retry_after_seconds == 3600
    assert (len(server.seen), waits) == (1, [])


async def test_the_sum_of_waits_never_exceeds_the_limit(door: HttpDoor, waits: list[float]) -> None:
    async with raw_server(replies(answer(429, retry_after="4"))) as server:
        with pytest.raises(VendorError):
            await door.call("acme", "GET", server.url, idempotent=True, sort=by_status, attempts=9, max_wait_seconds=10)

    assert waits == [4.5, 4.5]
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("12", 12.0),
        (" 0 ", 0.0),
        ("-1", None),
        ("soon", None),
        ("1.5", None),
        ("Mon, 23 Nov 2026 09:59:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 12:00:30 +0200", 30.0),
        ("Mon, 23 Nov 99999999999999999999 10:00:00 GMT", None),
        ("9" * 400, float("inf")),
    ],
)
def test_retry_after_reads_what_is_usable(header: str | None, expected: float | None) -> None:
    assert retry_after_seconds(header, NOW) == expected


def _raw_deflate(plain: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(plain) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"hello " * 30_000)),
        ("GZIP", gzip.compress(b"hello " * 10_000) + gzip.compress(b"hello " * 20_000)),
        ("gzip", gzip.compress(b"hello " * 30_000) + b"\0\0\0"),
        ("deflate", zlib.compress(b"hello " * 30_000)),
        ("deflate", _raw_deflate(b"hello " * 30_000)),
        ("identity", b"hello " * 30_000),
    ],
    ids=["gzip", "two gzip members", "gzip with padding", "deflate", "bare deflate", "identity"],
)
async def test_compressed_answers_arrive_decoded(door: HttpDoor, encoding: str, packed: bytes) -> None:
    async with raw_server(replies(answer(200, packed, content_encoding=encoding))) as server:
        response = await door.call("acme", "GET", server.url, idempotent=True, sort=by_status)

    assert response.content == b"hello " * 30_000
    assert "content-encoding" not in response.headers


async def test_an_encoding_that_was_not_asked_for_is_a_broken_answer(door: HttpDoor) -> None:
    async with raw_server(replies(answer(200, b"\x8b\x03", content_encoding="br"))) as server:
        with pytest.raises(VendorError) as caught:
            await door.call("acme", "GET", server.url, idempotent=True, sort=by_status, attempts=1)

    assert caught.value.message == "the answer is encoded in a way that was not asked for"


@pytest.mark.parametrize("url", ["http://[::1/x", "nonsense", "ftp://example.com/", "http:///x"])
async def test_a_base_url_that_cannot_be_called_is_a_fault_of_the_configuration(door: HttpDoor, url: str) -> None:
    with pytest.raises(VendorError) as caught:
        await door.call("acme", "GET", url, idempotent=True, sort=by_status)

    assert caught.value.error_class is ErrorClass.CONFIG


async def test_a_header_cannot_smuggle_a_second_one(door: HttpDoor) -> None:
    async with raw_server(replies(answer())) as server:
        with pytest.raises(VendorError) as caught:
            await door.call("a", "GET", server.url, idempotent=True, sort=by_status, headers={"x": "1\r\nhost: evil"})

    assert caught.value.error_class is ErrorClass.CONFIG
    assert server.seen == []


async def test_the_log_line_names_the_call_and_nothing_secret(door: HttpDoor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with raw_server(replies(answer(500, b"PRIVATE", request_id="req_1"), answer(200, b"PRIVATE"))) as server:
        await door.call(
            "acme",
            "POST",
            f"{server.url}/v1/x?access_token=HIDDEN",
            idempotent=True,
            sort=by_status,
            headers={"Authorization": "Bearer HIDDEN"},
            json={"secret": "HIDDEN"},
        )

    lines = [record.getMessage() for record in caplog.records if record.name.startswith("draggonnb")]
    assert [line.split(" ms=")[0] for line in lines] == [
        "vendor_call vendor=acme method=POST url=127.0.0.1/v1/x status=500 class=retry",
        "vendor_call vendor=acme method=POST url=127.0.0.1/v1/x status=200 class=ok",
    ]
    assert lines[0].endswith("request_id=req_1 attempt=1")
    assert "HIDDEN" not in caplog.text
    assert "PRIVATE" not in caplog.text


async def test_two_hundred_calls_run_at_once(door: HttpDoor) -> None:
    together = asyncio.Barrier(200)

    async def all_or_none(_: Seen, writer: asyncio.StreamWriter) -> None:
        await together.wait()
        writer.write(answer())

    async with raw_server(all_or_none) as server:
        calls = [
            door.call("acme", "POST", server.url, idempotent=False, sort=by_status, json={"n": n}) for n in range(200)
        ]
        responses = await asyncio.wait_for(asyncio.gather(*calls), 10)

    assert {response.status_code for response in responses} == {200}
    assert len({seen.body for seen in server.seen}) == 200


async def test_a_door_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await HttpDoor(user_agent="t").call("a", "GET", "http://127.0.0.1", idempotent=True, sort=by_status)
    with pytest.raises(RuntimeError, match="not open"):
        await HttpDoor(user_agent="t").fetch_public("http://a.example", max_bytes=1, timeout_seconds=1)
