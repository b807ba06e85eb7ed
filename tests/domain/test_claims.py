"""Prices and percentages are read as people write them, and risky claims are found by their common wordings."""

from decimal import Decimal

import pytest

from draggonnb_pipelines.domain.claims import RISKY_CLAIMS, figures, is_denied


def read(folded: str) -> list[tuple[Decimal, str | None]]:
    return [(figure.value, figure.unit) for figure in figures(folded)]


def claims(folded: str) -> list[tuple[str, str]]:
    return [(match[0], claim.severity) for claim in RISKY_CLAIMS for match in claim.pattern.finditer(folded)]


@pytest.mark.parametrize(
    "spelling", ["r1500", "r 1500", "r1 500", "r1,500", "r1 500,00", "r1,500.00", "r1.500,00", "zar 1500", "1500 rand"]
)
def test_one_price_has_many_spellings(spelling: str):
    assert read(f"from {spelling}.") == [(Decimal(1500), "ZAR")]


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("r1.5k", Decimal(1500), "ZAR"),
        ("r1,5 million", Decimal(1_500_000), "ZAR"),
        ("r2 miljoen", Decimal(2_000_000), "ZAR"),
        ("r99pm", Decimal(99), "ZAR"),
        ("r19.99", Decimal("19.99"), "ZAR"),
        ("us$20", Decimal(20), "USD"),
        ("$20", Decimal(20), "USD"),
        ("20 dollars", Decimal(20), "USD"),
        ("€20,50", Decimal("20.50"), "EUR"),
        ("£5", Decimal(5), "GBP"),
        ("20%", Decimal(20), "%"),
        ("7,5 %", Decimal("7.5"), "%"),
        ("20 percent", Decimal(20), "%"),
        ("20 per cent", Decimal(20), "%"),
        ("20 persent", Decimal(20), "%"),
        ("10 000", Decimal(10_000), None),
        ("5kg", Decimal(5), None),
        ("for 20 people", Decimal(20), None),
        ("on 5 km", Decimal(5), None),
    ],
)
def test_a_figure_has_its_value_and_its_unit(text: str, value: Decimal, unit: str | None):
    assert read(text) == [(value, unit)]


def test_every_figure_of_a_text_is_read_with_its_place():
    text = "was r1 800, now r399-r499: 20% off for 3 days"

    found = [(text[figure.start : figure.end], figure.unit) for figure in figures(text)]

    assert found == [("r1 800", "ZAR"), ("r399", "ZAR"), ("r499", "ZAR"), ("20%", "%"), ("3", None)]


def test_a_letter_in_a_word_is_no_currency():
    assert read("web3 for 20 a4 covid19") == [(Decimal(20), None)]


@pytest.mark.parametrize(
    ("text", "claim", "severity"),
    [
        ("we guarantee you better results today", "guarantee you better results", "block"),
        ("success guaranteed!", "success guaranteed", "block"),
        ("gewaarborgde resultate", "gewaarborgde resultate", "block"),
        ("guaranteed returns", "guaranteed returns", "block"),
        ("earn r5 000 a day", "earn r5 000 a day", "block"),
        ("the best coffee in south africa", "best coffee in south africa", "warn"),
        ("die beste koffie in suid-afrika", "beste koffie in suid-afrika", "warn"),
        ("south africa's leading roaster", "south africa's leading", "warn"),
        ("#1 bakery in cape town", "#1 bakery in", "warn"),
        ("clinically proven", "clinically proven", "warn"),
        ("our tea cures diabetes", "cures diabetes", "block"),
        ("genees kanker", "genees kanker", "block"),
        ("a cure for baldness", "a cure for baldness", "block"),
        ("lose 10kg in 2 weeks", "lose 10kg in 2 weeks", "block"),
        ("no side-effects", "no side-effects", "block"),
        ("a risk-free trial", "risk-free", "warn"),
    ],
)
def test_a_risky_claim_is_found_in_its_common_wordings(text: str, claim: str, severity: str):
    assert claims(text) == [(claim, severity)]


@pytest.mark.parametrize(
    "text",
    [
        "a 12-month guarantee on parts",
        "guaranteed after sales service",
        "our best wishes to south africa",
        "the cured bacon is back",
        "we treat every guest as family",
        "lose yourself in the music",
        "results of the match",
        "free returns within 30 days",
    ],
)
def test_plain_words_are_no_claim(text: str):
    assert claims(text) == []


def test_a_denial_stands_shortly_before_and_in_the_same_sentence():
    assert is_denied("nobody can ")
    assert is_denied("we don't ")
    assert is_denied("ons kan nie ")
    assert not is_denied("why not? ")
    assert not is_denied("not that it matters to you or us, ")
    assert not is_denied("another ")
