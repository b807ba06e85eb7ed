"""What the door makes of answers that get lost: repeated where that is harmless, never where it is not."""

import asyncio
import gzip
import socket
from collections.abc import Callable

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.raw_server import Seen, answer, by_status, hang_up, raw_server, replies, stay_silent


async def test_no_connection_is_repeated_even_for_a_call_that_is_not_idempotent(
    door: HttpDoor, waits: list[float]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: the connection is refused
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/x"
        with pytest.raises(VendorError) as caught:
            await door.call("acme", "POST", url, idempotent=False, sort=by_status, attempts=3)

    assert caught.value.error_class is ErrorClass.RETRY
    assert len(waits) == 2


async def half_a_body(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{")


async def half_a_chunked_body(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")


async def half_a_gzip(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(200, gzip.compress(b"x" * 1000)[:-9], content_encoding="gzip"))


async def not_http(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def reset(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


FAULTS = [hang_up, reset, half_a_body, half_a_chunked_body, half_a_gzip, not_http]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
async def test_an_answer_lost_on_the_way_is_ambiguous_and_sent_once_when_not_idempotent(
    door: HttpDoor, waits: list[float], fault: Callable[..., object], method: str
) -> None:
    async with raw_server(fault) as server:  # pyright: ignore[reportArgumentType]
        with pytest.raises(VendorError) as caught:
            await door.call("acme", method, server.url, idempotent=False, sort=by_status)

    assert caught.value.error_class is ErrorClass.AMBIGUOUS
    assert (len(server.seen), server.connections, waits) == (1, 1, [])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_an_answer_lost_on_the_way_is_asked_for_again_when_idempotent(
    door: HttpDoor, waits: list[float], fault: Callable[..., object]
) -> None:
    async with raw_server(fault) as server:  # pyright: ignore[reportArgumentType]
        with pytest.raises(VendorError) as caught:
            await door.call("acme", "GET", server.url, idempotent=True, sort=by_status, attempts=3)

    assert caught.value.error_class is ErrorClass.RETRY
    assert (len(server.seen), len(waits)) == (3, 2)


@pytest.mark.parametrize(("idempotent", "expected"), [(True, ErrorClass.RETRY), (False, ErrorClass.AMBIGUOUS)])
async def test_silence_ends_at_the_read_timeout(door: HttpDoor, idempotent: bool, expected: ErrorClass) -> None:
    async with raw_server(stay_silent) as server:
        with pytest.raises(VendorError) as caught:
            await door.call(
                "acme",
                "POST",
                server.url,
                idempotent=idempotent,
                sort=by_status,
                read_timeout_seconds=0.05,
                attempts=1,
            )

    assert caught.value.error_class is expected


async def test_a_connection_that_the_server_closed_while_idle_is_not_used_for_the_next_post(door: HttpDoor) -> None:
    async def answer_then_die(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")  # keeps the connection alive, and then hangs up
        await writer.drain()
        await asyncio.sleep(0.02)

    async with raw_server(answer_then_die) as server:
        for _ in range(2):
            await door.call("acme", "POST", server.url, idempotent=False, sort=by_status)
            await asyncio.sleep(0.05)  # the hang-up is noticed before the next call, which gets a connection of its own

    assert (len(server.seen), server.connections) == (2, 2)


@pytest.mark.parametrize(("idempotent", "expected"), [(True, ErrorClass.INPUT), (False, ErrorClass.AMBIGUOUS)])
@pytest.mark.parametrize("announced", [True, False])
async def test_an_answer_larger_than_the_cap_is_refused_without_a_second_try(
    door: HttpDoor, idempotent: bool, expected: ErrorClass, announced: bool
) -> None:
    whole = answer(200, b"x" * 2001)
    unannounced = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"x" * 2001
    async with raw_server(replies(whole if announced else unannounced)) as server:
        with pytest.raises(VendorError) as caught:
            await door.call("acme", "GET", server.url, idempotent=idempotent, sort=by_status, max_bytes=2000)

    assert caught.value.error_class is expected
    assert len(server.seen) == 1


async def test_a_cancelled_call_leaves_no_connection_behind(door: HttpDoor) -> None:
    gone = asyncio.Event()

    async def wait_for_the_client_to_leave(seen: Seen, _: asyncio.StreamWriter) -> None:
        await seen.client_left()
        gone.set()

    async with raw_server(wait_for_the_client_to_leave) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await door.call("acme", "GET", server.url, idempotent=True, sort=by_status)
        await asyncio.wait_for(gone.wait(), 2)

    assert len(server.seen) == 1
