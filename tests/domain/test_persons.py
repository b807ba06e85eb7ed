"""Whom a typed address means, and in which texts it stands."""

import pytest

from draggonnb_pipelines.domain.contact_details import Unusable
from draggonnb_pipelines.domain.persons import Identity, identity_of, is_in_body

JAN = identity_of("Jan@X.example")
NUMBER = identity_of("082 123 4567")


@pytest.mark.parametrize(
    "text",
    [
        "jan@x.example",
        "Write to JAN@x.example.",
        '{"to": "jan@x.example"}',
        '"e-mail:\\njan@x.example\\nphone"',
        "<jan@x.example>,other@x.example",
    ],
)
def test_an_address_is_found_as_a_whole_whatever_stands_around_it(text: str):
    assert JAN.is_in(text)


@pytest.mark.parametrize(
    "text",
    ["an@x.example", "mjan@x.example", "jan@x.example.org", "jan@x.examples", "j.jan@x.example", "jan@xxexample"],
)
def test_another_address_that_looks_alike_is_not_found(text: str):
    assert not JAN.is_in(text)


@pytest.mark.parametrize(
    "text",
    [
        "+27821234567",
        "27821234567",
        "0821234567",
        "082 123-4567",
        "+27 (0)82 123 4567",
        "0027 82 123 4567",
        "82.123.4567",
    ],
)
def test_a_number_is_found_however_it_is_divided(text: str):
    assert NUMBER.is_in(f"call {text} today")


@pytest.mark.parametrize("text", ["08212345678", "1082123456", "082 123 456", "0831234567", "5821234567"])
def test_another_number_is_not_found(text: str):
    assert not NUMBER.is_in(f"call {text} today")


def test_a_body_is_looked_into_as_json_and_as_a_form():
    assert is_in_body(JAN, b'{"e": "\\u006aan@x.example"}')
    assert is_in_body(JAN, b"email=jan%40x.example&name=J")
    assert not is_in_body(JAN, b"email=other%40x.example")
    assert not is_in_body(JAN, b"\xff\xfe")


@pytest.mark.parametrize("typed", ["", "jan", "jan@", "12", "jan@x", "0821234567 or 0831234567"])
def test_what_is_no_address_is_refused_with_advice(typed: str):
    with pytest.raises(Unusable):
        identity_of(typed)


def test_addresses_are_those_that_columns_hold():
    assert (JAN | NUMBER).addresses == ["+27821234567", "27821234567", "jan@x.example"]
    assert identity_of("+1 650 253 0000").only_address == "+16502530000"


def test_nobody_is_found_nowhere_rather_than_everywhere():
    with pytest.raises(AssertionError):
        Identity().is_in("anything")
