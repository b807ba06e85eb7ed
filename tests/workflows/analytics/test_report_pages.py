"""The page, the mail and its text: the same words in each, strangers' text as text, nothing loaded from elsewhere."""

import re
from html import unescape
from typing import Any

import pytest

from draggonnb_pipelines.workflows.analytics.report_pages import charts, mail_html, mail_text, page_html, pdf
from tests.workflows.report_work import content, figures, samples

LINK = "https://app.example/reports/kloof.2026-11-16.proof"
REPORTS = samples()


def words_in(html: str) -> str:
    body = html.partition("<body")[2]
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


@pytest.mark.parametrize("name", REPORTS)
def test_page_mail_and_text_say_the_same(name: str) -> None:
    told = REPORTS[name]
    shown = [told["headline"], *told["glance"], *(tile["value"] for tile in told["tiles"])]
    shown += [line["text"] for line in told["missing"]] + [post["text"] for post in told["top_posts"]]
    shown += [row["engagements"] for row in told["platforms"]] + [row["after"] for row in told["changes"]]

    for written in (words_in(page_html(told)), words_in(mail_html(told, LINK)), mail_text(told, LINK)):
        plain = " ".join(written.split())
        for words in shown:
            assert " ".join(words.split()) in plain


@pytest.mark.parametrize("name", REPORTS)
def test_nothing_is_loaded_but_the_charts_that_are_made(name: str) -> None:
    told = REPORTS[name]
    made = set(charts(told))

    mail, page = mail_html(told, LINK), page_html(told)

    assert set(re.findall(r'src="([^"]*)"', mail)) == {f"cid:{chart}@reports.draggonnb.app" for chart in made}
    assert set(re.findall(r'src="([^"]*)"', page)) == {f"report-file:{chart}.png" for chart in made}
    for html in (mail, page):
        assert not re.search(r"<link|<script|<iframe|@import|url\(|srcset|background=", html)
        assert all(alt for alt in re.findall(r'<img[^>]*alt="([^"]*)"', html))
        assert html.count("<img") == html.count('alt="')


def test_the_mail_has_its_styles_in_each_element_and_rules_for_the_dark_beside_them() -> None:
    mail = mail_html(content(), LINK)

    assert re.search(r'<p class="headline" style="[^"]*font-size: 27px', mail)
    [style] = re.findall(r"<style>(.*?)</style>", mail, re.DOTALL)
    assert "prefers-color-scheme: dark" in style
    assert ".headline { font-family" not in style
    assert "<!--[if mso]>" in mail
    assert f'href="{LINK}"' in mail
    assert len(mail) < 100_000  # Gmail cuts a mail off after 102 kB


def test_the_page_needs_no_style_but_its_stylesheet_and_links_the_pdf() -> None:
    page = page_html(content())

    assert " style=" not in page
    assert page.count("<style>") == 1
    assert 'href="report-file:report.pdf"' in page
    assert LINK not in page
    assert 'name="robots" content="noindex, nofollow"' in page


def test_text_of_strangers_stays_text() -> None:
    evil: dict[str, Any] = dict(figures()["top_posts"][0], text='<script>alert(1)</script><img src="x">')
    told = content(figures(top_posts=[evil]), organization="<b>Kloof</b> {0} %s")

    for html in (page_html(told), mail_html(told, LINK)):
        assert "<script" not in html
        assert "<b>" not in html
        assert "&lt;script&gt;" in html
        assert '<img src="x"' not in html
    assert "<b>Kloof</b> {0} %s" in mail_text(told, LINK)
    assert pdf(told, {}).startswith(b"%PDF")


def test_the_same_content_is_the_same_bytes() -> None:
    told = content()
    made = charts(told)

    assert charts(told) == made
    assert pdf(told, made) == pdf(told, made)
    assert mail_html(told, LINK) == mail_html(told, LINK)
