"""A variant becomes a draft without a change of meaning."""

import pytest

from draggonnb_pipelines.domain.post_formatting import Variant, clean, format_post
from draggonnb_pipelines.domain.post_rules import Draft, check_post
from draggonnb_pipelines.domain.publishing import Media, Platform

JPEG = Media("u", "image/jpeg", 1_000, 1080, 1080)


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("cafe\u0301", "caf\u00e9"),
        (" a  b\t c \r\n d\re\u2028f ", "a b c\nd\ne\nf"),
        ("a\n\n\n \n\nb", "a\n\nb"),
        ("a\x00b\ufeffc\u0085d\ud800", "abc\nd"),
        ("R1\u00a0500 \U0001f468\u200d\U0001f469", "R1\u00a0500 \U0001f468\u200d\U0001f469"),
        (" \n ", ""),
    ],
)
def test_white_space_and_forbidden_characters_are_put_right(given: str, cleaned: str):
    assert clean(given) == cleaned
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "added", "formatted"),
    [
        ("Fresh bread.", ("#Food", "Cape Town"), "Fresh bread.\n\n#Food #CapeTown"),
        ("Bread in #CapeTown.", ("capetown", "Food", "FOOD"), "Bread in #CapeTown.\n\n#Food"),
        ("Bread.\n#food #FOOD #bread", ("Bread", "new"), "Bread.\n\n#food #bread #new"),
        ("We love #bread.\n#bread", (), "We love #bread."),
        ("#Bread and #bread twice in a sentence", (), "#Bread and #bread twice in a sentence"),
        ("We are #1", ("1", "", "#", "!"), "We are #1"),
        ("#food", (), "#food"),
        ("Bread", ("\u0628\u0646", "stra\u00dfe", "STRASSE"), "Bread\n\n#\u0628\u0646 #stra\u00dfe"),
    ],
)
def test_hashtags_stand_once_on_a_last_line_and_those_in_sentences_stay(
    text: str, added: tuple[str, ...], formatted: str
):
    draft = format_post(Platform.FACEBOOK, Variant(text, added))

    assert draft == Draft(formatted)
    assert format_post(Platform.FACEBOOK, Variant(draft.text)) == draft


def test_hashtags_are_added_only_up_to_what_the_platform_takes():
    variant = Variant("Bread in #Kloof", tuple(f"tag{i}" for i in range(40)))

    draft = format_post(Platform.INSTAGRAM, variant, (JPEG,))

    assert draft.text == "Bread in #Kloof\n\n" + " ".join(f"#tag{i}" for i in range(29))
    assert check_post(Platform.INSTAGRAM, draft) == []


@pytest.mark.parametrize(
    ("variant", "draft"),
    [
        (Variant("Bread\n\nFirst comment:\nkloof.co.za"), Draft("Bread", first_comment="kloof.co.za")),
        (Variant("Bread", ("new",), first_comment=" More \n"), Draft("Bread\n\n#new", first_comment="More")),
        (Variant("Bread\nfirst comment: a", first_comment="b"), Draft("Bread", first_comment="b")),
        (Variant("My first comment: good", first_comment=" "), Draft("My first comment: good")),
        (Variant("a", thread=(" b ", " ", "c")), Draft("a", thread=("b", "c"))),
    ],
)
def test_the_first_comment_is_split_off_and_empty_parts_fall_away(variant: Variant, draft: Draft):
    assert format_post(Platform.X, variant) == draft


def test_a_text_that_is_too_long_is_never_cut():
    draft = format_post(Platform.X, Variant("a" * 280, ("new",)))

    assert draft.text == "a" * 280 + "\n\n#new"
    assert [fault.message for fault in check_post(Platform.X, draft)] == ["x.text: 286 of at most 280 (weighted)"]
