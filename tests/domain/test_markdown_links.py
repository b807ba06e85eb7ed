"""Links in the operators' reports lead to pages of the web, or are none."""

import pytest

from draggonnb_pipelines.domain.reports import markdown_link, markdown_text


@pytest.mark.parametrize(
    "url",
    ["https://www.facebook.com/1_2", "http://127.0.0.1:8000/x/i/web/status/1?a=b#c", "https://x.com/i/%28%29"],
)
def test_an_address_of_the_web_is_a_link(url: str) -> None:
    assert markdown_link("open", url) == f"[open]({url})"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "//evil.example",
        "https://a.example/)[b](javascript:c",
        "https://a.example/ b",
        "https://a.example/\nb",
        "https://a.example/<b>",
        "https://a.example/|",
    ],
)
def test_anything_else_is_none(url: str | None) -> None:
    assert markdown_link("open", url) == "open"


def test_foreign_text_makes_no_markup() -> None:
    evil = "[a](javascript:b) ![c](d) <script> `e` | f\n# g"

    assert markdown_text(evil) == ("\\[a\\]\\(javascript:b\\) \\!\\[c\\]\\(d\\) \\<script\\> \\`e\\` \\| f \\# g")
