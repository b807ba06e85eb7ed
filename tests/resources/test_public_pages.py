"""Pages that customers name, fetched from a real server that tries everything to be more than a page."""

import asyncio
import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from draggonnb_pipelines.resources.http import HttpDoor, PublicFetchError, PublicPage
from draggonnb_pipelines.resources.public_pages import WEB_CHARSETS
from tests.resources.raw_server import Behave, RawServer, Seen, answer, hang_up, raw_server, replies, stay_silent
from tests.resources.test_addresses import Names

NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


@asynccontextmanager
async def site(behave: Behave, *names: list[str]) -> AsyncIterator[tuple[HttpDoor, RawServer, Names]]:
    """A server that is every host under .example, and a door that knows it; other names resolve as given."""
    resolver = Names(*names)
    async with raw_server(behave) as server:
        connect_to = {"example": f"127.0.0.1:{server.port}"}
        async with HttpDoor(user_agent="Bot/1", connect_to=connect_to, getaddrinfo=resolver, now=lambda: NOW) as door:
            yield door, server, resolver


async def refusal(door: HttpDoor, url: str, *, max_bytes: int = 100_000, timeout_seconds: float = 5.0) -> str:
    with pytest.raises(PublicFetchError) as caught:
        await door.fetch_public(url, max_bytes=max_bytes, timeout_seconds=timeout_seconds)
    return caught.value.reason


async def test_a_page_comes_back_with_its_final_address_type_and_charset() -> None:
    page = answer(200, "café".encode("latin-1"), content_type="Text/HTML; charset=ISO-8859-1")
    async with site(replies(answer(301, location="/new?a=1#x"), page)) as (door, server, names):
        fetched = await door.fetch_public("http://Acme.example", max_bytes=100, timeout_seconds=5)

    assert fetched == PublicPage(
        requested_url="http://Acme.example",
        url="http://acme.example/new?a=1",
        status=200,
        content_type="text/html",
        body=b"caf\xe9",
        charset="iso-8859-1",
        fetched_at=NOW,
    )
    assert [(seen.target, seen.headers["host"]) for seen in server.seen] == [
        ("/", "acme.example"),
        ("/new?a=1", "acme.example"),
    ]
    assert server.seen[0].headers["user-agent"] == "Bot/1"
    assert names.asked == []


@pytest.mark.parametrize("status", [404, 503, 204, 304])
async def test_every_status_is_a_page(status: int) -> None:
    async with site(replies(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())) as (door, _, _):
        page = await door.fetch_public("http://acme.example/", max_bytes=100, timeout_seconds=5)

    assert (page.status, page.body, page.content_type, page.charset) == (status, b"", "", None)


async def test_an_empty_redirect_that_claims_to_be_compressed_is_followed() -> None:
    empty = answer(301, b"", location="/b", content_encoding="gzip")
    async with site(replies(empty, answer())) as (door, _, _):
        page = await door.fetch_public("http://acme.example/a", max_bytes=100, timeout_seconds=5)

    assert (page.url, page.status) == ("http://acme.example/b", 200)


ODD_CODECS = ["punycode", "idna", "unicode_escape", "raw_unicode_escape", "rot13", "utf-7", "mbcs", "cp037", "charmap"]


@pytest.mark.parametrize("charset", ["utf-99", "hex", "undefined", "", '"', *ODD_CODECS])
async def test_a_charset_that_cannot_decode_text_is_left_out(charset: str) -> None:
    async with site(replies(answer(200, content_type=f"text/html; charset={charset}"))) as (door, _, _):
        page = await door.fetch_public("http://acme.example/", max_bytes=100, timeout_seconds=5)

    assert (page.content_type, page.charset) == ("text/html", None)


@pytest.mark.parametrize("parameter", ["charset*=punycode''utf-8", "charset*=a%00b''x"])
async def test_a_charset_that_is_itself_encoded_is_left_out(parameter: str) -> None:
    async with site(replies(answer(200, content_type=f"text/html; {parameter}"))) as (door, _, _):
        page = await door.fetch_public("http://acme.example/", max_bytes=100, timeout_seconds=5)

    assert (page.content_type, page.charset) == ("text/html", None)


@pytest.mark.parametrize("charset", sorted(WEB_CHARSETS))
def test_every_charset_that_is_taken_decodes_megabytes_in_a_blink(charset: str) -> None:
    started = time.process_time()

    for unit in (b"a", b"\xff", b"\x1b$B", b"\x81\x30", b"-9z"):
        (unit * (2_000_000 // len(unit))).decode(charset, "replace")

    # A quadratic codec needs minutes; the bound only has to tell the two apart.
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://127.0.0.1/", "refused_address"),
        ("http://169.254.169.254/latest/meta-data/", "refused_address"),
        ("http://[::ffff:127.0.0.1]/", "refused_address"),
        ("//10.0.0.1/", "refused_address"),
        ("http://intranet.test/", "refused_address"),
        ("http://2130706433/", "bad_url"),
        ("http://acme.example:6379/", "bad_url"),
        ("file:///etc/passwd", "bad_url"),
        ("http://user:pw@acme.example/", "bad_url"),
        ("http://[::1", "bad_url"),
    ],
)
async def test_every_redirect_is_checked_like_the_first_address(location: str, reason: str) -> None:
    async with site(replies(answer(302, location=location)), ["10.1.2.3"]) as (door, server, _):
        assert await refusal(door, "http://acme.example/") == reason

    assert len(server.seen) == 1


async def test_the_exempt_port_is_closed_to_hosts_outside_the_suffix() -> None:
    async with site(replies(answer()), ["127.0.0.1"], ["127.0.0.1"]) as (door, server, names):
        assert await refusal(door, f"http://127.0.0.1:{server.port}/") in ("bad_url", "refused_address")
        assert await refusal(door, "http://rebind.test:8080/") == "refused_address"

    assert (server.connections, names.asked) == (0, ["rebind.test."])


async def test_a_name_that_turns_private_after_the_check_is_not_looked_up_again() -> None:
    # 3ffe::/16 counts as public and is routed nowhere (returned in 2006), so nothing leaves this machine.
    async with site(replies(answer()), ["3ffe::1"], ["127.0.0.1"]) as (door, server, names):
        assert await refusal(door, "http://rebind.test/", timeout_seconds=0.2) in ("unreachable", "timeout")
        assert names.asked == ["rebind.test."]
        assert await refusal(door, "http://rebind.test/") == "refused_address"

    assert server.connections == 0


async def test_redirects_end_after_five_and_a_loop_ends_at_once() -> None:
    hops = [answer(302, location=f"/{n}") for n in range(1, 7)]
    async with site(replies(*hops, answer())) as (door, server, _):
        assert await refusal(door, "http://acme.example/0") == "too_many_redirects"
        assert [seen.target for seen in server.seen] == ["/0", "/1", "/2", "/3", "/4", "/5"]
    async with site(replies(answer(302, location="/b"), answer(302, location="/a"))) as (door, server, _):
        assert await refusal(door, "http://acme.example/a") == "too_many_redirects"
        assert [seen.target for seen in server.seen] == ["/a", "/b"]


async def test_cookies_of_one_hop_do_not_reach_the_next() -> None:
    async with site(replies(answer(302, location="/b", set_cookie="id=1; Path=/"), answer())) as (door, server, _):
        await door.fetch_public("http://acme.example/a", max_bytes=100, timeout_seconds=5)

    assert [seen.headers.get("cookie") for seen in server.seen] == [None, None]


async def test_a_page_that_announces_too_much_is_left_unread() -> None:
    async def announce(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100001\r\n\r\n")
        await seen.client_left()

    async with site(announce) as (door, _, _):
        assert await refusal(door, "http://acme.example/") == "too_large"


async def test_a_page_that_never_ends_is_cut_at_the_cap() -> None:
    sent = 0

    async def pour(_: Seen, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536

    async with site(pour) as (door, _, _):
        assert await refusal(door, "http://acme.example/", max_bytes=1_000_000) == "too_large"

    assert sent < 12_000_000  # the cap, and what the kernel's buffers on both sides take


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_stops_at_the_cap_in_bounded_memory(encoding: str) -> None:
    packer = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    zeros = bytes(1_000_000)
    bomb = b"".join(packer.compress(zeros) for _ in range(64)) + packer.flush()

    async with site(replies(answer(200, bomb, content_encoding=encoding))) as (door, _, _):
        tracemalloc.start()
        try:
            reason = await refusal(door, "http://acme.example/", max_bytes=1_000_000)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert len(bomb) < 70_000  # far below the cap as sent, 64 MB as decoded
    assert reason == "too_large"
    assert peak < 3_000_000


async def test_a_bomb_inside_a_bomb_is_refused_as_an_encoding() -> None:
    nested = gzip.compress(gzip.compress(bytes(1_000_000)))
    async with site(replies(answer(200, nested, content_encoding="gzip, gzip"))) as (door, _, _):
        assert await refusal(door, "http://acme.example/") == "unreachable"


async def test_endless_empty_members_end_at_the_cap_of_what_is_sent() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n"
    async with site(replies(head + gzip.compress(b"") * 10_000)) as (door, _, _):
        assert await refusal(door, "http://acme.example/", max_bytes=50_000) == "too_large"


async def test_a_drip_ends_at_the_total_time() -> None:
    async def drip(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with site(drip) as (door, _, _):
        assert await refusal(door, "http://acme.example/", timeout_seconds=0.1) == "timeout"


async def test_dripping_headers_and_silence_end_at_the_total_time_too() -> None:
    async def drip(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    for behave in (drip, stay_silent):
        async with site(behave) as (door, _, _):
            assert await refusal(door, "http://acme.example/", timeout_seconds=0.1) == "timeout"


async def test_a_dead_name_server_ends_at_the_total_time() -> None:
    release = threading.Event()

    def hang(*_: object) -> list[tuple[object, ...]]:
        release.wait(5)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    async with HttpDoor(user_agent="Bot/1", getaddrinfo=hang) as door:
        try:
            assert await refusal(door, "http://acme.test/", timeout_seconds=0.1) == "timeout"
        finally:
            release.set()


async def test_names_that_do_not_exist_and_servers_that_hang_up_are_unreachable() -> None:
    def no_such_name(*_: object) -> list[tuple[object, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    async with HttpDoor(user_agent="Bot/1", getaddrinfo=no_such_name) as door:
        assert await refusal(door, "http://acme.test/") == "unreachable"
    async with site(hang_up) as (door, server, _):
        assert await refusal(door, "http://acme.example/") == "unreachable"

    assert server.connections == 1


async def test_two_hundred_pages_are_fetched_at_once() -> None:
    async with site(replies(answer(200, b"<p>hello</p>"))) as (door, server, _):
        fetches = [
            door.fetch_public(f"http://shop-{n}.example/", max_bytes=100, timeout_seconds=10) for n in range(200)
        ]
        pages = await asyncio.gather(*fetches)

    assert {page.body for page in pages} == {b"<p>hello</p>"}
    assert len({seen.headers["host"] for seen in server.seen}) == 200
