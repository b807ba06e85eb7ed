"""A quote counts only if it stands, word for word, in a stored text."""

from datetime import UTC, datetime

import pytest

from draggonnb_pipelines.domain.evidence import Source, Support, check_quote, normalize

FETCHED = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
HOME = Source(
    url="https://kloof.example/",
    sha256="aa" * 32,
    text="We roast small batches – every Tuesday.\nOur customers say: “the best flat white in Kloof”.",
    fetched_at=FETCHED,
)
ABOUT = Source(
    url="https://kloof.example/about",
    sha256="bb" * 32,
    text="Kloof Coffee was founded in 2014 and has a team of 9 people.",
    fetched_at=FETCHED,
)


def test_a_verbatim_quote_is_supported_by_the_page_that_it_names():
    support = check_quote("founded in 2014 and has a team of 9 people", ABOUT.url, [HOME, ABOUT])

    assert support == Support(True, ABOUT.url, "bb" * 32, FETCHED, "found")


@pytest.mark.parametrize(
    "quote",
    [
        "We roast small batches - every Tuesday.",
        "we ROAST small\u00a0batches — every\nTuesday",
        '"We roast small batches – every Tuesday…"',
        "...the best flat white in Kloof'",
        "We roast small ba\u00adtches – every Tuesday",
        "Ｗe roast small batches",
    ],
)
def test_typography_makes_no_difference(quote: str):
    assert check_quote(quote, HOME.url, [HOME, ABOUT]) == Support(True, HOME.url, "aa" * 32, FETCHED, "found")


def test_a_quote_from_another_stored_page_is_supported_with_the_true_url():
    support = check_quote("founded in 2014 and has a team", HOME.url, [HOME, ABOUT])

    assert support == Support(True, ABOUT.url, "bb" * 32, FETCHED, "found_at_other_url")


def test_an_invented_url_does_not_hide_a_true_quote():
    support = check_quote("founded in 2014 and has a team", "https://elsewhere.example/", [HOME, ABOUT])

    assert (support.supported, support.url, support.reason) == (True, ABOUT.url, "found_at_other_url")


@pytest.mark.parametrize(
    ("quote", "url", "reason"),
    [
        ("We roast large batches every Tuesday", HOME.url, "not_in_sources"),
        ("We roast small batches … the best flat white", HOME.url, "not_in_sources"),
        ("We roast large batches every Tuesday", "https://elsewhere.example/", "unknown_source"),
        ("We roast large batches every Tuesday", None, "unknown_source"),
        ("in Kloof", HOME.url, "too_short"),
        ("Kloof Coffee", ABOUT.url, "too_short"),
        ("“ … ”", HOME.url, "too_short"),
        ("", None, "too_short"),
    ],
)
def test_what_is_not_there_is_not_supported(quote: str, url: str | None, reason: str):
    assert check_quote(quote, url, [HOME, ABOUT]) == Support(False, None, None, None, reason)  # pyright: ignore[reportArgumentType]


def test_a_quote_must_begin_and_end_at_whole_words():
    assert not check_quote("ounded in 2014 and has a tea", ABOUT.url, [ABOUT]).supported
    assert check_quote("founded in 2014 and has a", ABOUT.url, [ABOUT]).supported


@pytest.mark.parametrize("url", ["http://kloof.example", "https://KLOOF.example/#top", "https://kloof.example:443/"])
def test_scheme_fragment_port_and_last_slash_do_not_make_another_page(url: str):
    assert check_quote("We roast small batches", url, [HOME, ABOUT]).reason == "found"


def test_regex_signs_in_a_quote_are_plain_text():
    source = Source("https://a.example/", "cc", "Price (incl. VAT): R1,500.00 + 10% [monthly]", FETCHED)

    assert check_quote("Price (incl. VAT): R1,500.00 + 10% [monthly]", source.url, [source]).supported
    assert not check_quote("Price .incl. VAT.: R1,500.00", source.url, [source]).supported


def test_without_any_source_nothing_is_supported():
    assert check_quote("founded in 2014 and has a team", ABOUT.url, []).reason == "unknown_source"


def test_normalize_is_idempotent():
    once = normalize("“Ünï”  —  ﬁne\u200b…")

    assert once == '"ünï" - fine...'
    assert normalize(once) == once
