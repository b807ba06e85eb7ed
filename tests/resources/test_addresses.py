"""The guard in front of URLs that customers give: what it refuses, line by line."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.addresses import (
    ConnectTo,
    PublicFetchError,
    PublicResolver,
    check_public_url,
    guarded_socket_factory,
    is_public_address,
)

NOT_PUBLIC = """
    0.0.0.0 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.255.254 169.254.0.1
    169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255
    198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 168.63.129.16
    :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1
    2001:db8::1 2002:7f00:1::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1
"""
PUBLIC = "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 41.0.0.1 100.63.255.255 100.128.0.1 172.15.255.255 172.32.0.1 \
    192.167.255.255 196.25.1.1 223.255.255.255 2606:4700::1111 2001:4860:4860::8888 2c0f:f248::1"


@pytest.mark.parametrize("address", NOT_PUBLIC.split())
def test_an_address_that_is_not_of_the_public_internet_is_refused(address: str) -> None:
    assert not is_public_address(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC.split())
def test_public_addresses_and_the_neighbours_of_refused_networks_are_allowed(address: str) -> None:
    assert is_public_address(ipaddress.ip_address(address))


def test_everything_that_python_calls_private_is_refused_too() -> None:
    edges = [ipaddress.ip_address((first << 24) | (second << 16) | 1) for first in range(256) for second in range(256)]

    assert [str(edge) for edge in edges if is_public_address(edge) and not edge.is_global] == []


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("http://Acme.co.za", "http://acme.co.za/"),
        ("HTTPS://acme.co.za:443/a b".replace(" ", "%20"), "https://acme.co.za/a%20b"),
        ("http://acme.co.za.:8080/?q=1#top", "http://acme.co.za:8080/?q=1"),
        ("http://bücher.example/ä", "http://xn--bcher-kva.example/%C3%A4"),
        ("http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://[2606:4700:0::1111]/", "http://[2606:4700::1111]/"),
        ("http://my_shop.example/", "http://my_shop.example/"),
        ("http://1.example/@a:b", "http://1.example/@a:b"),
    ],
)
def test_a_good_url_comes_back_in_canonical_form(url: str, canonical: str) -> None:
    assert str(check_public_url(url)) == canonical


BAD = [
    *("", "acme.co.za", "//acme.co.za/", "http://", "http:///x", "http://./", "http://a..b/", "http://-a.example/"),
    *("ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "javascript:alert(1)", "data:text/html,x"),
    *("http://user@a.example/", "http://user:pw@a.example/", "http://:@127.0.0.1/", "http://a.example@127.0.0.1/"),
    *("http://a.example:22/", "http://a.example:6379/", "http://a.example:8190/", "http://a.example:0/"),
    *("http://a.example:99999/", "http://a.example:x/"),
    *("http://0x7f.1/", "http://127.1/", "http://2130706433/", "http://0177.0.0.1/", "http://0x7f000001/"),
    *("http://127.0.0.1.0x/", "http://1.2.3.4.5/", "http://256.1.1.1/", "http://127.0.0.01/", "http://00000000/"),
    *("http://①②⑦.0.0.1/", "http://127。1/", "http://[::1/", "http://[v1.a]/"),
    *("http://a.example\\@127.0.0.1/", "http://a.example/\r\nHost: x", "http://a .example/", "http://a.example\t/"),
    *("http://" + "a" * 64 + ".example/", "http://" + "a." * 130 + "example/", "http://a.example/" + "x" * 2048),
    *("http://a%00.example/", "http://a%2eexample/", "http://127.0.0.1%2f@a.example/"),
]


@pytest.mark.parametrize("url", BAD)
def test_a_bad_url_is_refused_before_anything_is_resolved(url: str) -> None:
    with pytest.raises(PublicFetchError) as caught:
        check_public_url(url)

    assert caught.value.reason == "bad_url"


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://127.0.0.1./", "http://127。0。0。1/", "http://169.254.169.254/latest/meta-data"),
        *("http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[64:ff9b::a00:1]/"),
        *("http://0.0.0.0/", "https://10.0.0.8:8443/", "http://[fe80::1%25eth0]/", "http://[fd00::1]:8080/"),
    ],
)
def test_a_literal_private_address_is_refused(url: str) -> None:
    with pytest.raises(PublicFetchError) as caught:
        check_public_url(url)

    assert caught.value.reason == "refused_address"


def test_connect_to_matches_whole_labels_and_prefers_the_longest_suffix() -> None:
    connect_to = ConnectTo.parse({".example": "127.0.0.1:8190", "shop.example": "[::1]:9000"})

    assert connect_to.target("acme.EXAMPLE") == ("127.0.0.1", 8190)
    assert connect_to.target("example") == ("127.0.0.1", 8190)
    assert connect_to.target("a.shop.example.") == ("::1", 9000)
    assert connect_to.target("myexample") is None
    assert connect_to.target("example.com") is None
    assert (connect_to.exempts("127.0.0.1", 8190), connect_to.exempts("127.0.0.1", 8191)) == (True, False)


@pytest.mark.parametrize("target", ["localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", ""])
def test_a_malformed_connect_to_names_the_setting(target: str) -> None:
    with pytest.raises(OperatorError, match="DRAGGONNB_RESEARCH_CONNECT_TO"):
        ConnectTo.parse({"example": target})


class Names:
    """A name server of our own: answers in turn, and remembers what it was asked."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *_: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        return [(None, None, None, "", (address, port)) for address in self.answers.pop(0)]


async def test_the_resolver_keeps_the_public_addresses_of_a_mixed_answer() -> None:
    names = Names(["10.0.0.1", "8.8.8.8", "8.8.8.8", "::1", "2606:4700::1111"])
    resolver = PublicResolver(ConnectTo({}), names)

    found = await resolver.resolve("acme.test", 443)
    await resolver.close()

    assert [(result["host"], result["port"]) for result in found] == [("8.8.8.8", 443), ("2606:4700::1111", 443)]
    assert [result["family"] for result in found] == [socket.AF_INET, socket.AF_INET6]
    assert names.asked == ["acme.test."]  # absolute: no search domain of ours is tried


async def test_the_resolver_refuses_a_name_without_a_public_address() -> None:
    resolver = PublicResolver(ConnectTo.parse({"example": "127.0.0.1:8190"}), Names(["127.0.0.1"], ["fe80::1%eth0"]))

    for host in ("localtest.me", "linklocal.test"):
        with pytest.raises(PublicFetchError) as caught:
            await resolver.resolve(host, 8190)
        assert caught.value.reason == "refused_address"
    await resolver.close()


class StuckNames(Names):
    """Answers 8.8.8.8, for names under `stuck.` only once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def __call__(self, host: str, port: int, *_: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        if host.startswith("stuck"):
            self.release.wait(10)
        return [(None, None, None, "", ("8.8.8.8", port))]


@pytest.fixture
async def stuck() -> AsyncIterator[tuple[StuckNames, PublicResolver]]:
    names = StuckNames()
    resolver = PublicResolver(ConnectTo({}), names)
    yield names, resolver
    names.release.set()
    await resolver.close()


async def test_thirty_names_that_never_answer_do_not_hold_up_an_honest_one(
    stuck: tuple[StuckNames, PublicResolver],
) -> None:
    names, resolver = stuck
    waiting = [asyncio.create_task(resolver.resolve(f"stuck{n}.test", 443)) for n in range(30)]
    await asyncio.sleep(0)  # each has asked for its place before the honest one does

    async with asyncio.timeout(2):
        [found] = await resolver.resolve("acme.test", 443)

    assert found["host"] == "8.8.8.8"
    assert not any(task.done() for task in waiting)
    names.release.set()
    await asyncio.gather(*waiting)


async def test_one_name_that_never_answers_is_asked_once_however_many_ask_and_give_up(
    stuck: tuple[StuckNames, PublicResolver],
) -> None:
    names, resolver = stuck

    for port in (80, 443):
        impatient = [asyncio.wait_for(resolver.resolve("stuck.test", port), 0.05) for _ in range(100)]
        gone = await asyncio.gather(*impatient, return_exceptions=True)
        assert {type(error) for error in gone} == {TimeoutError}
    patient = asyncio.create_task(resolver.resolve("stuck.test", 8443))
    await asyncio.sleep(0)
    names.release.set()

    assert [(found["host"], found["port"]) for found in await patient] == [("8.8.8.8", 8443)]
    assert names.asked == ["stuck.test."]


async def test_a_name_is_asked_anew_once_its_look_up_is_over(stuck: tuple[StuckNames, PublicResolver]) -> None:
    names, resolver = stuck

    await asyncio.gather(resolver.resolve("acme.test", 443), resolver.resolve("acme.test", 443))
    await resolver.resolve("acme.test", 443)

    assert names.asked == ["acme.test.", "acme.test."]


@pytest.mark.parametrize(
    ("address", "port"), [("127.0.0.1", 80), ("127.0.0.1", 8191), ("8.8.8.8", 25), ("8.8.8.8", 8190), ("::1", 8190)]
)
def test_the_socket_factory_dials_nothing_but_public_web_ports_and_exempt_pairs(address: str, port: int) -> None:
    make = guarded_socket_factory(ConnectTo.parse({"example": "127.0.0.1:8190"}))
    make((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 8190))).close()

    with pytest.raises(OSError, match="not a public address"):
        make((socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port)))
