"""Markup of every kind, from odd encodings to attacks on the parser."""

import time

import pytest

from draggonnb_pipelines.resources.http import PublicPage
from draggonnb_pipelines.resources.website_pages import links_worth_reading, read_page
from tests.resources.raw_server import answer
from tests.resources.test_websites import NOW, serving


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("Ons café bedien koffie".encode("latin-1"), "text/html; charset=iso-8859-1"),
        ("Ons café bedien koffie".encode(), "text/html"),
        ("Ons café bedien koffie".encode("cp1252"), "text/html"),
        (b'<meta charset="iso-8859-1">' + "Ons café bedien koffie".encode("latin-1"), "text/html"),
        ("Ons café bedien koffie".encode(), "text/html; charset=nonsense"),
        ("Ons\0 café bedien koffie".encode(), "text/html; charset=utf-8"),
    ],
)
async def test_text_is_decoded_as_the_server_the_page_or_reason_says(body: bytes, content_type: str):
    async with serving(
        **{"/": answer(200, b"<html><body><p>" + body + b"</p></body></html>", content_type=content_type)}
    ) as s:
        result = await s.research()

    assert result.status == "ok"
    assert "café bedien koffie" in result.pages[0].text


@pytest.mark.parametrize(
    "body", [b"", b"<" * 50_000, b"<a href='" * 5_000, b"<div>" * 20_000, b"\xff\xfe\x00<", b"<!--"]
)
async def test_hostile_markup_never_raises(body: bytes):
    async with serving(**{"/": answer(200, body, content_type="text/html")}) as kloof:
        result = await kloof.research()

    assert result.status in ("ok", "error")


@pytest.mark.parametrize("unit", [b"<a href='", b"<!--", b"<a xxxxxxxxx", b"</", b"<?", b"<div>", b"<!", b"&"])
async def test_two_megabytes_of_one_broken_tag_take_no_more_than_a_blink(unit: bytes):
    body = b"<html><body>" + unit * (1_900_000 // len(unit))
    fetched = PublicPage("http://a.example/", "http://a.example/", 200, "text/html", body, "utf-8", NOW)
    started = time.process_time()

    read_page(fetched)

    # A quadratic parser needs minutes; the bound only has to tell the two apart.
    assert time.process_time() - started < 5


@pytest.mark.parametrize("codec", ["punycode", "idna", "unicode_escape", "utf-7", "rot13", "hex"])
@pytest.mark.parametrize("place", ["header", "meta"])
async def test_a_codec_that_is_no_charset_of_the_web_is_passed_over_at_once(codec: str, place: str):
    meta = f'<meta charset="{codec}">' if place == "meta" else ""
    words = "Ons +AGE- \\u0061 bedien koffie"
    # After its last hyphen each letter is one insertion to punycode: a copy of the whole text, a million times.
    body = f"<html><head>{meta}</head><body><p>{words}</p><script>-{'a' * 1_000_000}".encode()
    content_type = "text/html" if place == "meta" else f"text/html; charset={codec}"

    async with serving(**{"/": answer(200, body, content_type=content_type)}) as kloof:
        started = time.process_time()
        result = await kloof.research(page_max_bytes=2_000_000)

    assert result.pages[0].text == words
    assert time.process_time() - started < 5


def test_a_meta_tag_of_spaces_takes_no_more_than_a_blink():
    body = b"<meta" * 38 + b"charset=" + b" " * 4096
    fetched = PublicPage("http://a.example/", "http://a.example/", 200, "text/html", body, None, NOW)
    started = time.process_time()

    read_page(fetched)

    assert time.process_time() - started < 2  # a second for the import; it took four


def test_one_page_of_each_kind_goes_before_a_second_of_any():
    links = [
        ("/services/a", ""),
        ("/services/b", ""),
        ("https://www.kloof.example/contact#form", "Contact"),
        ("/oor-ons", "Oor ons"),
        ("page7", "Our team"),
        ("/", "Home"),
        ("/services/brochure.pdf", "Services"),
        ("http://[bad", "Services"),
        ("https://other.example/about", "About"),
        ("javascript:alert(1)", "About"),
    ]

    assert links_worth_reading("https://kloof.example/", links, 10) == [
        "https://kloof.example/oor-ons",
        "https://kloof.example/services/a",
        "https://www.kloof.example/contact",
        "https://kloof.example/page7",
        "https://kloof.example/services/b",
    ]
    assert len(links_worth_reading("https://kloof.example/", links, 2)) == 2
    assert links_worth_reading("https://kloof.example/", links, 0) == []
