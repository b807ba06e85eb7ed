"""From a company's name to a slug that is free."""

import pytest

from draggonnb_pipelines.domain.organizations import check_slug
from draggonnb_pipelines.domain.slugs import free_slug


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Example Business Ltd", "example-business"),
        ("Example Business (Pty) Ltd", "example-business"),
        ("Example Business PTY. LTD.", "example-business"),
        ("Voorbeeld Besigheid (Edms) Bpk", "voorbeeld-besigheid"),
        ("Kloof Coffee CC", "kloof-coffee"),
        ("Duin B.V.", "duin"),
        ("Limited Edition Prints", "limited-edition-prints"),
        ("Joe\u2019s Diner & Sons", "joes-diner-sons"),
        ("J. R. Motors", "j-r-motors"),
        ("A.B.C. Tyres Inc.", "abc-tyres"),
        ("24/7 Locksmiths", "24-7-locksmiths"),
        ("  --Kloof__Coffee--  ", "kloof-coffee"),
    ],
)
def test_a_slug_is_the_name_without_its_legal_form(name: str, slug: str):
    assert free_slug(name, []) == slug


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Café Zoë", "cafe-zoe"),
        ("Cafe\u0301 Zoe\u0308", "cafe-zoe"),
        ("Straße & Söhne GmbH", "strasse-sohne"),
        ("Кофе и чай", "kofe-i-chay"),
        ("北京 烤鸭", "beijing-kaoya"),
        ("コーヒー", "kohi"),
        ("קפה", "kfh"),
        ("\uff2b\uff4c\uff4f\uff4f\uff46", "kloof"),
    ],
)
def test_a_name_of_any_script_becomes_plain_letters(name: str, slug: str):
    assert free_slug(name, []) == slug


@pytest.mark.parametrize(
    ("name", "slug"), [("", "client"), ("!?", "client"), ("\ud800\x00", "client"), ("X", "x-client"), ("Ltd", "ltd")]
)
def test_a_name_with_nothing_in_it_still_gets_a_slug(name: str, slug: str):
    assert free_slug(name, []) == slug


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Webhook", "webhook-2"),
        ("API Ltd", "api-2"),
        ("DraggonnB", "draggonnb-2"),
        ("Master (Pty) Ltd", "master-2"),  # the names under which the master is backed up and drills are locked
        ("Drill", "drill-2"),
    ],
)
def test_a_reserved_word_and_the_agencys_own_slug_are_never_given_away(name: str, slug: str):
    assert free_slug(name, []) == slug


def test_a_taken_slug_gets_the_next_free_number():
    assert free_slug("Kloof Ltd", {"kloof"}) == "kloof-2"
    assert free_slug("Kloof", {"kloof", "kloof-2", "kloof-4"}) == "kloof-3"
    assert free_slug("Kloof", {"kloof-2"}) == "kloof"
    assert free_slug("Kloof 2", {"kloof-2"}) == "kloof-2-2"
    assert free_slug("!!!", {"client"}) == "client-2"


def test_a_long_name_ends_at_a_word_and_leaves_room_for_the_number():
    name = "Pietermaritzburg Municipal Swimming Pool Supplies"
    first = free_slug(name, [])
    second = free_slug(name, [first])
    tenth = free_slug(name, [first, *(f"{first}-{number}" for number in range(2, 10))])

    assert (first, second, tenth) == (
        "pietermaritzburg-municipal-swimming-pool",
        "pietermaritzburg-municipal-swimming-2",
        "pietermaritzburg-municipal-swimming-2",
    )
    assert free_slug("x" * 1000, []) == "x" * 40
    assert free_slug("x" * 1000, ["x" * 40]) == "x" * 38 + "-2"


@pytest.mark.parametrize("name", ["Ünïcødé Tráding (Pty) Ltd", "☕☕☕", "-" * 600 + "late", "a\n\tb", "١٢٣", "ऊ"])
def test_whatever_the_name_the_slug_is_a_valid_one(name: str):
    taken: list[str] = []
    for _ in range(12):
        taken.append(check_slug(free_slug(name, taken)))

    assert len(set(taken)) == 12
