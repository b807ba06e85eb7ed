"""What goes on the wire is what httpx would send, address by address."""

import httpx
import pytest

from draggonnb_pipelines.resources.outgoing import HeaderBreak, Outgoing

ADDRESSES = (
    "https://graph.facebook.com/v25.0/1/feed",
    "http://127.0.0.1:8190/supabase/storage/v1/object/sign/media/a%20b.jpg?token=ab.c-d_e%3D",
    "https://api.linkedin.com/rest/posts?q=author&ids=List(urn%3Ali%3Ashare%3A1,urn%3Ali%3Ashare%3A2)",
    "https://api.x.com:443/2/tweets",
    "http://api.x.com:443/2/tweets",
    "http://api.x.com:80/2/tweets",
    "https://API.X.com/2/tweets",
    "https://bücher.example/straße?q=ü",
    "https://a.example/one/../two/./three",
    "https://a.example/.hidden",
    "https://a.example/a b?c d#e",
    'https://a.example/a%zz?b=%zz&c="d"',
    "https://a.example/[x]?y=[z]|{w}",
    "https://a.example",
    "https://a.example?x=1",
    "https://a.example//b///c",
    "https://[::1]:8080/x",
)


@pytest.mark.parametrize("url", ADDRESSES)
def test_an_address_goes_out_as_httpx_would_send_it(url: str) -> None:
    assert Outgoing.encode("GET", url, {}).url == str(httpx.URL(url))


def test_parameters_replace_the_query() -> None:
    url, params = "https://a.example/b?c=1", {"d": "e f", "g": True, "h": 2, "i": "ü,&", "j": None}

    assert Outgoing.encode("GET", url, {}, params=params).url == str(httpx.URL(url, params=params))


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"name": "Zoë", "none": None, "list": [1, 2.5, True]}},
        {"data": {"a": "1 2", "b": "ü&="}},
        {"content": "text"},
        {"content": b"\x00\xff"},
        {},
    ],
)
def test_a_body_goes_out_as_httpx_would_send_it(body: dict[str, object]) -> None:
    wanted = httpx.Request("POST", "https://a.example/", **body)  # pyright: ignore[reportArgumentType]

    made = Outgoing.encode("POST", "https://a.example/", {}, **body)  # pyright: ignore[reportArgumentType]

    assert made.content == wanted.content
    assert made.headers.get("content-type") == wanted.headers.get("content-type")


def test_the_callers_content_type_stands() -> None:
    made = Outgoing.encode("POST", "https://a.example/", {"content-type": "application/ld+json"}, json={})

    assert made.headers == {"content-type": "application/ld+json"}


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b"])
def test_a_header_with_a_line_break_is_refused(value: str) -> None:
    with pytest.raises(HeaderBreak):
        Outgoing.encode("GET", "https://a.example/", {"x": value})


def test_a_header_that_is_not_ascii_is_refused() -> None:
    with pytest.raises(UnicodeError):
        Outgoing.encode("GET", "https://a.example/", {"x": "ü"})


def test_an_address_that_cannot_be_sent_is_refused() -> None:
    with pytest.raises(httpx.InvalidURL):
        Outgoing.encode("GET", "https://a.example:port/", {})
