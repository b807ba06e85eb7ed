"""Names, addresses and numbers as people type them."""

import pytest

from draggonnb_pipelines.domain.contact_details import (
    Unusable,
    email_address,
    one_line,
    phone_e164,
    region_of,
    website_address,
    without_contact_details,
    yes_or_no,
)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        (" Info@Kloof.EXAMPLE ", "info@kloof.example"),
        ("jose\u0301@cafe.example", "jos\u00e9@cafe.example"),
        ("a+b@xn--bcher-kva.example", "a+b@b\u00fccher.example"),
    ],
)
def test_an_address_has_one_key_however_it_is_typed(given: str, key: str) -> None:
    address = email_address(given)

    assert address is not None
    assert address.key == key


@pytest.mark.parametrize("given", ["", "  ", "n/a", "None", "-"])
def test_a_placeholder_is_nothing(given: str) -> None:
    assert (email_address(given), phone_e164(given, "ZA"), website_address(given)) == (None, None, None)


@pytest.mark.parametrize("given", ["a", "a@b", "a@b@c.example", "a b@c.example", "@c.example", "a@-c.example"])
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(Unusable, match=r"name@company\.co\.za"):
        email_address(given)


@pytest.mark.parametrize(
    ("given", "region", "e164"),
    [
        ("082 123 4567", "ZA", "+27821234567"),
        ("+27 (0)82 123-4567", "ZA", "+27821234567"),
        ("0027821234567", "ZA", "+27821234567"),
        ("27821234567", "ZA", "+27821234567"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("+44 20 7946 0018", "ZA", "+442079460018"),
    ],
)
def test_a_number_gets_its_international_form(given: str, region: str, e164: str) -> None:
    assert phone_e164(given, region) == e164


@pytest.mark.parametrize("given", ["12", "call me", "+999 123456", "082 123 456 789 000"])
def test_what_is_no_number_is_refused(given: str) -> None:
    with pytest.raises(Unusable, match="country code"):
        phone_e164(given, "ZA")


def test_the_locale_says_which_country_a_bare_number_belongs_to() -> None:
    assert [region_of(locale) for locale in ("en-ZA", "en_GB", "de", "", "zh-Hant")] == ["ZA", "GB", "ZA", "ZA", "ZA"]


@pytest.mark.parametrize(
    "given", ["kloof.example", "https://www.kloof.co.za/a?b=1", "HTTP://KLOOF.EXAMPLE:80/", "bücher.de"]
)
def test_a_web_address_is_taken_as_given(given: str) -> None:
    assert website_address(given) == given


@pytest.mark.parametrize(
    "given",
    [
        "ftp://a.example",
        "javascript:alert(1)",
        "http://u:p@a.example",
        "//a.example",
        "localhost",
        "10.0.0.1",
        "a b.example",
    ],
)
def test_what_is_no_web_address_is_refused(given: str) -> None:
    with pytest.raises(Unusable, match="web address"):
        website_address(given)


@pytest.mark.parametrize("given", ["a\nb", "a\x00b", "a\u202eb", "a\ud800b", "a\u2028b"])
def test_a_line_with_something_hidden_in_it_is_refused(given: str) -> None:
    with pytest.raises(Unusable):
        one_line(given, 100)


def test_consent_is_read_but_never_guessed() -> None:
    assert [yes_or_no(value) for value in (True, "on", "YES", "1", 1, "ja")] == [True] * 6
    assert [yes_or_no(value) for value in (False, "off", "", 0, "nee")] == [False] * 5
    for unclear in ("maybe", 2, None, [], {}):
        with pytest.raises(Unusable):
            yes_or_no(unclear)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Mail me at front.desk@bokaap-beans.example, please", "Mail me at [e-mail], please"),
        ("Call 082 123 4567 or +27 (0)21 555-0142", "Call [number] or [number]"),
        ("We have 12 rooms since 1998 and 3 500 guests", "We have 12 rooms since 1998 and 3 500 guests"),
        ("ID 8001015009087", "ID [number]"),
    ],
)
def test_contact_details_in_a_text_are_masked_and_other_numbers_stay(text: str, masked: str):
    assert without_contact_details(text) == masked
    assert without_contact_details({"a": [text, 7, None]}) == {"a": [masked, 7, None]}
