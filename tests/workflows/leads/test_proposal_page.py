"""The proposal as one HTML document: safe with hostile text, the same bytes each time."""

import pytest
from pydantic import ValidationError

from draggonnb_pipelines.workflows.leads.proposal_page import (
    DECISION_MARK,
    host,
    money,
    render_proposal,
    style_of,
    stylesheet,
)
from tests.proposal_content import proposal_content, quote


def test_the_page_says_what_the_content_says() -> None:
    html = render_proposal(proposal_content())

    for text in (
        "Proposal for Kloof Street Coffee Roasters",
        "Publish the roast log as a weekly series",
        "Every batch is logged by hand: origin, weather, first crack.",
        "kloof-coffee.example/services/roasting",
        "read 22 November 2026",
        "R\u00a03\u00a0500",
        "all taxes included",
        "23 December 2026",
        "Version 1",
    ):
        assert text in html
    assert html.count('class="win"') == 3
    assert html.count("Not yet verified") == 1
    assert html.count(DECISION_MARK) == 1


def test_the_same_content_gives_the_same_bytes() -> None:
    assert render_proposal(proposal_content()) == render_proposal(proposal_content())


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    html = render_proposal(proposal_content())

    for loader in ("<script", "<link", "<img", "<iframe", "@import", "url(", " style=", " onclick="):
        assert loader not in html
    assert style_of(html) == stylesheet()


def test_text_from_strangers_stays_text() -> None:
    evil = "</style><script>alert(1)</script><!-- decision -->"
    content = proposal_content(headline=evil, problem=evil, client_company=evil, summary=evil, next_step=evil)

    html = render_proposal(content)

    assert "<script" not in html
    assert html.count(DECISION_MARK) == 1
    assert style_of(html) == stylesheet()


def test_an_address_that_is_not_http_is_never_a_link() -> None:
    win = proposal_content().quick_wins[0].model_copy(update={"evidence": []}).model_dump()
    win["evidence"] = [quote("Some words of a page", "javascript:alert(1)")]
    content = proposal_content(quick_wins=[win, win, win])

    html = render_proposal(content)

    assert "javascript:" not in html
    assert content.sources == []


def test_a_proposal_has_exactly_three_quick_wins() -> None:
    wins = proposal_content().quick_wins

    for wrong in (wins[:2], [*wins, wins[0]]):
        with pytest.raises(ValidationError, match="quick_wins"):
            proposal_content(quick_wins=wrong)


def test_sources_are_the_pages_behind_verified_quotes_once_each() -> None:
    content = proposal_content()

    assert [source.url for source in content.sources] == [
        "https://www.kloof-coffee.example/about",
        "https://www.kloof-coffee.example/services/roasting",
        "https://www.kloof-coffee.example/contact",
    ]
    assert content.unsupported_quotes == 1


def test_money_and_addresses_are_written_for_people() -> None:
    assert money(150000, "ZAR") == "R\u00a01\u00a0500"
    assert money(99950, "ZAR") == "R\u00a0999,50"
    assert money(100000000, "USD") == "USD\u00a01\u00a0000\u00a0000"
    assert host("https://www.kloof.example/about/?x=1#y") == "kloof.example/about"
