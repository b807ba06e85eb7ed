"""Addresses by which somebody wants our own network: tried through the door that fetches what strangers name.

A server on loopback stands for everything inside; each case must end without a connection to it. The list of refused
networks and the parts of the guard have their own tests (`tests/resources/test_addresses.py`).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from draggonnb_pipelines.resources.http import HttpDoor, PublicFetchError
from tests.resources.raw_server import RawServer, answer, raw_server, replies
from tests.resources.test_addresses import Names

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
REFUSED = {"bad_url", "refused_address"}

# `{port}` is the port of the server inside; the guard lets no such port through, so each is tried on 80 and 8080 too.
HOSTS = {
    "loopback": [
        "127.0.0.1",
        "127.1.2.3",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "localhost.localdomain",
        "ip6-localhost",
    ],
    "short and numeric": ["127.1", "127.0.1", "2130706433", "0", "0.0.0.0", "4294967295"],
    "octal": ["0177.0.0.1", "0177.1", "017700000001", "00000177.0.0.1", "127.0.0.01"],
    "hexadecimal": ["0x7f.0.0.1", "0x7f000001", "0X7F000001", "0x7f.1", "0x7f.0.0.0x1"],
    "IPv6": [
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::1%25lo]",
    ],
    "translated": ["[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[64:ff9b:1::7f00:1]"],
    "link-local and cloud": ["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "168.63.129.16"],
    "metadata names": ["metadata.google.internal", "metadata", "instance-data"],
    "trailing dots": ["127.0.0.1.", "[::1].", "127.0.0.1..", "0x7f.1."],
    "IDNA": ["①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.０.０.１", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "loc\u00adalhost", "𝟏𝟐𝟕.𝟎.𝟎.𝟏"],
    "userinfo": [
        "good.test@127.0.0.1",
        "good.test:80@127.0.0.1",
        "127.0.0.1#@good.test",
        "good.test\\@127.0.0.1",
        "@127.0.0.1",
    ],
    "smuggled": [
        "127.0.0.1%00.good.test",
        "127.0.0.1%2f.good.test",
        "127.0.0.1\t.good.test",
        "127.0.0.1\r\nHost: good.test",
    ],
    "private": ["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "224.0.0.1", "255.255.255.255"],
}
URLS = [
    f"{scheme}://{host}{port}/"
    for hosts in HOSTS.values()
    for host in hosts
    for scheme, port in (("http", ""), ("http", ":8080"), ("https", ""), ("http", ":{port}"))
]
OTHER_SCHEMES = [
    *(
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/_x",
        "dict://127.0.0.1:{port}/",
        "ftp://127.0.0.1/",
        "jar:http://127.0.0.1!/",
    ),
    *(
        "unix:///run/docker.sock",
        "http+unix://%2frun%2fdocker.sock/",
        "//127.0.0.1/",
        "http:127.0.0.1",
        "http:/127.0.0.1/",
    ),
]


@asynccontextmanager
async def inside() -> AsyncIterator[RawServer]:
    async with raw_server(replies(*[answer(200, b"secret")] * 500)) as server:
        yield server


class Inside(Names):
    """A name server that gives every name the address of something inside."""

    def __call__(self, host: str, port: int, *_: object) -> list[tuple[object, ...]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.asked.append(host)
        return [(None, None, None, "", (address, port)) for address in ("127.0.0.1", "::1", "10.0.0.1")]


async def outcome(door: HttpDoor, url: str, *, timeout_seconds: float = 3.0) -> str:
    try:
        page = await door.fetch_public(url, max_bytes=1000, timeout_seconds=timeout_seconds)
    except PublicFetchError as error:
        return error.reason
    return f"fetched {page.status}"


async def test_no_way_of_writing_an_inner_address_reaches_it() -> None:
    async with inside() as server, HttpDoor(user_agent="Bot/1", getaddrinfo=Inside(), now=lambda: NOW) as door:
        urls = [url.replace("{port}", str(server.port)) for url in (*URLS, *OTHER_SCHEMES)]
        outcomes = {url: await outcome(door, url) for url in urls}

        assert {url: said for url, said in outcomes.items() if said not in REFUSED} == {}
        assert server.connections == 0
    assert len(outcomes) > 220


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_leads_inside(status: int) -> None:
    """The first hop is a good site, served by a server that the door may reach; the second is the trap."""
    async with inside() as trap:
        hops = [url.replace("{port}", str(trap.port)) for url in (*URLS, *OTHER_SCHEMES) if url.isascii()]
        # A header cannot hold line breaks, and what has no host of its own stays on the good site.
        hops = [hop for hop in hops if not set(hop) & set("\r\n\t") and "//" in hop]
        async with raw_server(replies(*[answer(status, location=hop) for hop in hops])) as site:
            connect_to = {"good.example": f"127.0.0.1:{site.port}"}
            async with HttpDoor(
                user_agent="Bot/1", connect_to=connect_to, getaddrinfo=Inside(), now=lambda: NOW
            ) as door:
                outcomes = {hop: await outcome(door, f"http://good.example/{n}") for n, hop in enumerate(hops)}

        assert {hop: said for hop, said in outcomes.items() if said not in REFUSED} == {}
        assert (trap.connections, len(site.seen)) == (0, len(hops))


async def test_a_chain_of_good_redirects_that_ends_inside_is_not_followed_to_its_end() -> None:
    async with inside() as trap:
        chain = [answer(302, location=f"http://good.example/{n}") for n in (1, 2, 3)]
        end = answer(302, location=f"http://127.0.0.1:{trap.port}/latest/meta-data/")
        async with raw_server(replies(*chain, end)) as site:
            connect_to = {"good.example": f"127.0.0.1:{site.port}"}
            async with HttpDoor(user_agent="Bot/1", connect_to=connect_to, now=lambda: NOW) as door:
                assert await outcome(door, "http://good.example/0") in REFUSED

        assert (trap.connections, len(site.seen)) == (0, 4)


@pytest.mark.parametrize("header", ["refresh", "link", "content-location", "alt-svc"])
async def test_no_other_header_moves_the_fetch(header: str) -> None:
    async with inside() as trap:
        target = f"http://127.0.0.1:{trap.port}/"
        value = {
            "refresh": f"0; url={target}",
            "link": f"<{target}>; rel=preload",
            "alt-svc": f'h2="127.0.0.1:{trap.port}"',
        }
        page = answer(
            200,
            f'<meta http-equiv="refresh" content="0;url={target}">'.encode(),
            **{header.replace("-", "_"): value.get(header, target)},
        )
        async with raw_server(replies(page)) as site:
            connect_to = {"good.example": f"127.0.0.1:{site.port}"}
            async with HttpDoor(user_agent="Bot/1", connect_to=connect_to, now=lambda: NOW) as door:
                assert await outcome(door, "http://good.example/") == "fetched 200"

        assert (trap.connections, len(site.seen)) == (0, 1)


async def test_a_name_that_turns_inward_between_the_look_up_and_the_call_is_not_followed() -> None:
    """Rebinding: public when it is checked, ours when it is dialled; and the other way about, and both at once."""
    flips = ["3ffe::1"], ["127.0.0.1"], ["127.0.0.1", "3ffe::1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"]
    async with inside() as server:
        names = Names(*map(list, flips))
        async with HttpDoor(user_agent="Bot/1", getaddrinfo=names, now=lambda: NOW) as door:
            said = [await outcome(door, f"http://rebind{n}.test/", timeout_seconds=0.2) for n in range(len(flips))]

        # 3ffe::/16 counts as public and is routed nowhere: the door dials it, and nobody answers.
        assert [reason in ("unreachable", "timeout") for reason in said] == [True, False, True, False, False]
        assert [said[1], said[3], said[4]] == ["refused_address"] * 3
        assert (server.connections, len(names.asked)) == (0, len(flips))
