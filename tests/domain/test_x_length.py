"""X's weighted length, held against the official conformance vectors and more of the reference implementation."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from draggonnb_pipelines.domain.x_length import valid_range_end, weighted_length, x_fault
from draggonnb_pipelines.domain.x_urls import find_urls

VECTORS = json.loads((Path(__file__).parent / "vectors" / "x_length.json").read_text(encoding="utf-8"))
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
THUMB = "\U0001f44d"


def _name(vector: dict[str, Any]) -> str:
    return vector["description"]


@pytest.mark.parametrize("vector", VECTORS["conformance_v3"], ids=_name)
def test_length_validity_and_range_are_those_of_the_official_vectors(vector: dict[str, Any]):
    text, expected = vector["text"], vector["expected"]

    assert weighted_length(text) == expected["weightedLength"]
    assert (x_fault(text) is None) == expected["valid"]
    assert valid_range_end(text) == expected["validRangeEnd"]


@pytest.mark.parametrize("vector", VECTORS["extra"], ids=_name)
def test_length_and_validity_are_those_of_the_reference_implementation(vector: dict[str, Any]):
    assert weighted_length(vector["text"]) == vector["weightedLength"]
    assert (x_fault(vector["text"]) is None) == vector["valid"]


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("Menu: kloof.co.za/menu?day=1, today.", ["kloof.co.za/menu?day=1"]),
        ("HTTPS://Kloof.Africa:8080/a_(b)!", ["HTTPS://Kloof.Africa:8080/a_(b)"]),
        ("Write to info@kloof.co.za", []),
        ("#kloof.com @kloof.com $kloof.com", []),
        ("v1.2, 3.50, e.g. and node.js", []),
        ("No space after it.So it is one", ["it.So"]),
        ("a-.com -a.com b_c.com", []),
        ("http://b_c.com http://b_c.kloof.com", ["http://b_c.kloof.com"]),
        ("\u65e5\u672ckloof.com\u65e5\u672c", ["kloof.com"]),
        ("kloof.com?q=1 kloof.com/?q=1", ["kloof.com", "kloof.com/?q=1"]),
        ("https://t.co/abc/def https://t.co/" + "a" * 41, ["https://t.co/abc"]),
        (
            "kloof.xn--p1ai kloof.\u307f\u3093\u306a http://kloof.\u307f\u3093\u306a",
            ["kloof.xn--p1ai", "kloof.\u307f\u3093\u306a", "http://kloof.\u307f\u3093\u306a"],
        ),
        ("http://" + "a" * 64 + ".com", []),
        ("http://kloof.com/" + "a" * 4080, []),
        ("kloof.com.notatld", ["kloof.com"]),
    ],
)
def test_urls_are_found_where_x_finds_them(text: str, urls: list[str]):
    assert [text[start:end] for start, end in find_urls(text)] == urls


@pytest.mark.parametrize(
    ("text", "length"),
    [
        (FAMILY, 2),
        ("\u2764\ufe0f\u200d\U0001f525", 2),
        ("1\ufe0f\u20e3#\u20e3", 4),
        ("\U0001f1ff\U0001f1e6\U0001f1ec\U0001f1e7", 4),
        (f"{THUMB}\U0001f3fd", 2),
        ("\u00a9 \u00a9\ufe0f \u2615\ufe0f", 7),
        ("\u200d\ufe0f", 3),
        ("\U0001f469\u200d\u2764\u200d\U0001f468", 8),
        ("e\u0301", 1),
    ],
)
def test_a_sequence_of_emoji_counts_two_and_its_stray_parts_count_for_themselves(text: str, length: int):
    assert weighted_length(text) == length


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        ("a" * 280, None),
        ("a" * 281, "281 of at most 280 (weighted)"),
        ("\u306e" * 140, None),
        ("\u306e" * 140 + "a", "281 of at most 280 (weighted)"),
        ("a" * 257 + " kloof.co.za", "281 of at most 280 (weighted)"),
        ("a" * 256 + " kloof.co.za", None),
        ("a\ufeff", "holds U+FEFF, which X refuses"),
        ("\uffff", "holds U+FFFF, which X refuses"),
    ],
)
def test_the_fault_says_the_length_and_the_limit(text: str, fault: str | None):
    assert x_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("", 0),
        ("abc", 2),
        ("a" * 279 + THUMB, 278),
        ("a" * 278 + THUMB + "b", 279),
        ("a" * 257 + " kloof.co.za", 257),
        ("cafe\u0301", 4),
    ],
)
def test_the_valid_range_ends_before_what_does_not_fit_as_a_whole(text: str, end: int):
    assert valid_range_end(text) == end


def test_ten_thousand_texts_are_measured_within_a_second_and_hostile_ones_at_once():
    text = "Fresh bread at kloof.co.za/menu \u2615\ufe0f, every day from six. #CapeTown " * 2
    weighted_length(text)

    start = time.process_time()
    assert sum(weighted_length(f"{text}{i}") for i in range(10_000)) > 1_000_000
    assert time.process_time() - start < 1.0

    start = time.process_time()
    for hostile in ("a." * 5_000, "\u65e5" * 3_000 + ".zz x.com", "x.com/" + "(a" * 5_000, "a_b." * 2_500 + "com"):
        weighted_length(hostile)
    assert time.process_time() - start < 1.0
