"""LinkedIn's little text: nothing that LinkedIn would cut at, nothing lost on the way back."""

import random
import re

import pytest

from draggonnb_pipelines.domain.little_text import RESERVED, escape, unescape

PIECES = [*RESERVED, "#", "#", "\\", "{hashtag|", "|", "}", "@[", "](", "a", "Z", "é", "9", " ", "\n", "＃", "🎉", "क"]


@pytest.mark.parametrize(
    ("text", "little"),
    [
        ("Plain words, 100% & more.", "Plain words, 100% & more."),
        ("Coffee (fresh) [today]", "Coffee \\(fresh\\) \\[today\\]"),
        ("a\\b|c{d}e@f<g>h*i_j~k", "a\\\\b\\|c\\{d\\}e\\@f\\<g\\>h\\*i\\_j\\~k"),
        ("#Coffee in #kaapstad", "{hashtag|\\#|Coffee} in {hashtag|\\#|kaapstad}"),
        ("(#Coffee)", "\\({hashtag|\\#|Coffee}\\)"),
        ("#South_Africa2026!", "{hashtag|\\#|South\\_Africa2026}!"),
        ("We are #1, C# and ##x", "We are \\#1, C\\# and \\#\\#x"),
        ("https://kloof.example/a_b#menu", "https://kloof.example/a\\_b\\#menu"),
        ("", ""),
    ],
)
def test_reserved_characters_are_escaped_and_hashtags_stay_hashtags(text: str, little: str):
    assert escape(text) == little
    assert unescape(little) == text


def test_every_text_comes_back_and_nothing_reserved_stands_alone():
    dice = random.Random(11)
    template = re.compile(r"\{hashtag\|\\#\|(?:\\_|\w)+\}")
    escaped = re.compile(r"\\[\\|{}@\[\]()<>#*_~]")

    for _ in range(5000):
        text = "".join(dice.choices(PIECES, k=dice.randrange(14)))
        little = escape(text)
        rest = escaped.sub("", template.sub("", little))

        assert unescape(little) == text
        assert not RESERVED & set(rest), (text, little)


@pytest.mark.parametrize(
    ("little", "text"),
    [
        ("Thanks @[Kloof Books \\(Pty\\)](urn:li:organization:42)!", "Thanks Kloof Books (Pty)!"),
        ("{hashtag|#|Coffee} and {hashtag|\\＃|thee}", "#Coffee and ＃thee"),
        ("#bare stays, so does (this) and \\n", "#bare stays, so does (this) and \\n"),
        ("half {hashtag|\\#|open", "half {hashtag|#|open"),
    ],
)
def test_what_linkedin_writes_is_read_as_people_read_it(little: str, text: str):
    assert unescape(little) == text


def test_hostile_text_is_quick():
    text = "{hashtag|\\#|" * 5000 + "@[" * 5000 + "\\" * 5000

    assert unescape(escape(text)) == text
    assert unescape(text)
