"""The picture of a post: whatever was written, it is one well-formed card that says what goes out where."""

import base64
import re
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from draggonnb_pipelines.domain.post_previews import WIDTH, preview_markdown, preview_svg

AT = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
PICTURE = {"path": "cup.jpg", "alt": "A cup on a counter", "content_type": "image/jpeg"}
HOSTILE = (
    '</text></svg><script>alert(1)</script><image href="http://evil.example/a.png"/>',
    "&lt;b&gt; &amp; \"quoted\" 'single' ]]> <!-- -->",
    "a\x00b\x01c\x0bd\ufffee\x7f",
    "![x](http://evil.example) [y](javascript:alert(1)) | cell |",
)


def row(platform: str = "x", text: str = "Fresh beans.", **more: Any) -> dict[str, Any]:
    payload = {"text": text, "media": more.pop("media", [])}
    return {"platform_id": platform, "account": "@kloof", "payload": payload, "publish_at": AT} | more


def card(of: dict[str, Any]) -> ElementTree.Element:
    return ElementTree.fromstring(preview_svg(of))


def texts(of: dict[str, Any]) -> list[str]:
    return [element.text or "" for element in card(of).iter() if element.tag.endswith("}text")]


def height(of: dict[str, Any]) -> int:
    return int(card(of).attrib["height"])


@pytest.mark.parametrize(
    ("platform", "name", "letter"),
    [("facebook", "Facebook", "F"), ("instagram", "Instagram", "I"), ("linkedin", "LinkedIn", "L"), ("x", "X", "X")],
)
def test_a_card_names_network_account_time_words_and_media(platform: str, name: str, letter: str) -> None:
    shown = texts(row(platform, "Fresh beans.\n\nCome in.", media=[PICTURE]))

    words = ["Fresh beans.", "", "Come in."]
    about = [letter, "@kloof", f"{name} · 2026-12-01 09:30 UTC"]
    assert sorted(shown) == sorted([*about, *words, "image/jpeg", "A cup on a counter"])


def test_what_is_out_shows_when_it_went_out() -> None:
    assert "X · 2026-12-01 09:31 UTC" in texts(row(published_at=AT.replace(minute=31)))


def test_instagram_shows_its_picture_above_the_words_and_the_others_below() -> None:
    assert texts(row("instagram", media=[PICTURE])).index("Fresh beans.") == 3

    def top_of_box(platform: str) -> int:
        boxes = [element for element in card(row(platform, media=[PICTURE])).iter() if element.tag.endswith("}rect")]
        return int(boxes[1].attrib["y"])

    assert top_of_box("instagram") == 66
    assert top_of_box("facebook") == 98


def test_several_files_are_counted() -> None:
    assert texts(row(media=[PICTURE, PICTURE]))[-2:] == ["2 files", "A cup on a counter"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_words_stay_words(text: str) -> None:
    of = row(text=text, account=text, media=[{"path": text, "alt": text, "content_type": text}])

    tags = {element.tag.rpartition("}")[2] for element in card(of).iter()}

    assert tags <= {"svg", "rect", "circle", "text"}
    assert not [
        name for element in card(of).iter() for name in element.attrib if "href" in name or name.startswith("on")
    ]


def test_a_character_that_no_picture_may_hold_is_left_out_and_the_rest_shown() -> None:
    assert "abcdef" in texts(row(text="ab\x00c\x01d\x1fe\ufffff"))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a" * 52, ["a" * 52]),
        ("a" * 53, ["a" * 52, "a"]),
        ("W" * 30, ["W" * 26, "WWWW"]),
        ("早" * 30, ["早" * 26, "早" * 4]),
        (f"Come: {'u' * 60}", ["Come:", "u" * 52, "u" * 8]),
        ("one big " * 7, ["one big " * 6 + "one", "big"]),
    ],
)
def test_lines_are_broken_where_the_card_ends(text: str, lines: list[str]) -> None:
    assert texts(row(text=text))[3:] == lines


def test_a_long_text_ends_with_a_sign_that_there_is_more_and_the_card_stays_small() -> None:
    long = row("linkedin", "\n".join(str(number) for number in range(100)), media=[PICTURE])

    assert texts(long)[3:17] == [*(str(number) for number in range(13)), "…"]
    assert height(long) == 78 + 14 * 20 + 132 + 8
    assert int(card(long).attrib["width"]) == WIDTH == 420


def test_a_short_text_makes_a_small_card() -> None:
    assert height(row()) == 78 + 20 + 8
    assert height(row(text="")) == 78 + 8


def test_markdown_links_the_picture_to_the_post_and_its_words_make_no_markdown() -> None:
    shown = preview_markdown(row(text=HOSTILE[3], platform_url="https://x.example/i/web/status/1"))

    found = re.fullmatch(
        r"\[!\[(?P<alt>.*)\]\(data:image/svg\+xml;base64,(?P<picture>[A-Za-z0-9+/=]+)\)\]\(https://x\.example/i/web/status/1\)",
        shown,
    )
    assert found is not None
    assert r"\!\[x\]" in found["alt"]
    assert ElementTree.fromstring(base64.b64decode(found["picture"])).attrib["width"] == "420"


@pytest.mark.parametrize("url", [None, "", "javascript:alert(1)", "https://x.example/a) [b](https://evil.example"])
def test_without_an_address_of_the_web_the_picture_links_nowhere(url: str | None) -> None:
    assert re.fullmatch(r"!\[X: Fresh beans\.?\\?\.?\]\(data:[^()\s]+\)", preview_markdown(row(platform_url=url)))
