"""What a brand does not say is found however it is written, with the reason; so is what it has said before."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from draggonnb_pipelines.domain.brand_rules import BrandFinding, BrandRules, check_brand, near_duplicates, same_slot

NO_CHEAP = BrandRules(banned_words=("cheap",))
POST = "Our Monday special is a flat white and a croissant for R55. See you at the counter in Kloof Street!"
DUE = datetime(2026, 12, 1, 7, 0, tzinfo=UTC)


def excerpts(text: str, rules: BrandRules = NO_CHEAP) -> list[str]:
    return [finding.excerpt for finding in check_brand(text, rules)]


def test_a_banned_word_blocks_with_the_words_of_the_text_and_the_reason():
    assert check_brand("Dirt-CHEAP beans", NO_CHEAP) == [
        BrandFinding("banned_word", "block", "CHEAP", 'the brand does not say "cheap"')
    ]


@pytest.mark.parametrize(
    "spelling",
    [
        "Cheap",
        "chéap",
        "che\u0301ap",
        "ch\u200beap",
        "c\u00adheap",
        "ch.eap",
        "c-h-e-a-p",
        "c_h_e_a_p",
        "ch*eap",
        "ch..eap",
        "ｃｈｅａｐ",
        "_cheap_",
        "#cheap",
        "#cheap_beans",
    ],
)
def test_a_banned_word_is_found_however_it_is_written(spelling: str):
    found = excerpts(f"So {spelling} now")

    assert found == [spelling.strip("#_").removesuffix("_beans")]


@pytest.mark.parametrize("word", ["cheapest", "cheaper", "che ap", "cheddar", "escheap", "ch...eap", "2cheap"])
def test_a_banned_word_counts_whole(word: str):
    assert excerpts(f"So {word} now") == []


def test_a_hashtag_is_read_as_its_words():
    rules = BrandRules(banned_words=("cheap", "best price"))

    assert excerpts("#CheapDeals #BestPrice2026 #Cheapskate", rules) == ["#CheapDeals", "#BestPrice2026"]


def test_banned_words_with_marks_accents_and_pictures_are_taken_as_they_stand():
    rules = BrandRules(banned_words=("24/7", "C++", "best price", "café", "🔥"))

    assert excerpts("Open 24/7: C++, best-price, CAFE\u0301, 🔥", rules) == [
        "24/7",
        "C++",
        "best-price",
        "CAFE\u0301",
        "🔥",
    ]
    assert excerpts("Open 247 and 2.47 of R2.47, c, best of price, cafés", rules) == []


def test_accents_make_no_difference_on_either_side():
    assert excerpts("Visit our cafe", BrandRules(banned_words=("café",))) == ["cafe"]
    assert excerpts("Visit our CAFÉ", BrandRules(banned_words=("cafe",))) == ["CAFÉ"]


def test_the_same_words_are_named_once_and_other_spellings_each():
    assert excerpts("cheap cheap CHEAP") == ["cheap", "CHEAP"]


def test_a_banned_claim_of_the_brand_is_found_over_line_ends():
    rules = BrandRules(banned_claims=("we never close",))

    assert check_brand("And we\n  never\tclose!", rules) == [
        BrandFinding("banned_claim", "block", "we\n  never\tclose", 'the brand does not say "we never close"')
    ]


def test_a_risky_claim_blocks_and_a_denied_one_asks_for_a_look():
    promise = "promises a result that nobody can promise (Consumer Protection Act, s 41)"

    assert check_brand("Guaranteed   results for you", BrandRules()) == [
        BrandFinding("risky_claim", "block", "Guaranteed   results", promise)
    ]
    assert check_brand("Nobody can guarantee results", BrandRules()) == [
        BrandFinding("risky_claim", "warn", "guarantee results", promise)
    ]


def test_prices_and_percentages_must_come_from_the_sources():
    text = "Now R1 500, was R1 800: 20% off for 3 weeks, 50% for members, 100% local"
    sources = ["New price: 1500.00", "50 years old; members save R50. Everybody saves 20 percent."]

    assert check_brand(text, BrandRules(), sources=sources) == [
        BrandFinding("figure_without_source", "block", "R1 800", "this price is in none of the sources"),
        BrandFinding("figure_without_source", "block", "50%", "this percentage is in none of the sources"),
        BrandFinding("figure_without_source", "warn", "100%", "this percentage is in none of the sources"),
    ]


def test_a_price_in_another_currency_is_another_price():
    assert [f.excerpt for f in check_brand("Only $20", BrandRules(), sources=["R20"])] == ["$20"]


def test_without_sources_figures_are_left_alone_and_with_empty_ones_none_is_allowed():
    assert check_brand("Only R20", BrandRules()) == []
    assert [f.excerpt for f in check_brand("Only R20", BrandRules(), sources=())] == ["R20"]


def test_a_missing_disclaimer_blocks():
    rules = BrandRules(required_disclaimer="T's & C's apply. Save up to 5%.")

    assert check_brand("Beans!", rules) == [
        BrandFinding("missing_disclaimer", "block", "", "the text must hold: \"T's & C's apply. Save up to 5%.\"")
    ]
    assert check_brand("Beans! T’s & C’s apply - save up to 5%", rules, sources=()) == []
    assert [f.rule for f in check_brand("T's & C's apply. Save up to 50%.", rules)] == ["missing_disclaimer"]


def test_a_text_without_fault_has_no_findings():
    rules = BrandRules(banned_words=("cheap",), banned_claims=("we never close",), hashtags=("#KloofCoffee",))

    assert check_brand(POST, rules, sources=["Monday special R55"]) == []
    assert check_brand("", BrandRules(), sources=()) == []


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"banned_words": ["x" * 81]}, "banned_words"),
        ({"banned_words": ["  "]}, "banned_words"),
        ({"banned_words": ["\u200b"]}, "banned_words"),
        ({"banned_words": [f"word{number}" for number in range(201)]}, "banned_words"),
        ({"banned_claims": [f"claim {number}" for number in range(101)]}, "banned_claims"),
        ({"voice": "x" * 2001}, "voice"),
        ({"required_disclaimer": "x" * 501}, "required_disclaimer"),
        ({"hashtags": ["Kloof"]}, "hashtags"),
        ({"hashtags": ["#two words"]}, "hashtags"),
        ({"language": "English"}, "language"),
        ({"banned": ["cheap"]}, "banned"),
    ],
)
def test_rules_beyond_their_limits_are_refused_by_field(rules: dict, field: str):
    with pytest.raises(ValidationError) as refused:
        BrandRules.model_validate(rules)

    assert [error["loc"][0] for error in refused.value.errors()] == [field]


def test_near_duplicates_come_with_their_similarity_the_nearest_first():
    earlier = [
        ("other news", "We are closed on Heritage Day and back on Friday at seven."),
        ("retold", "Start the week with a croissant and a flat white, R55 together, at our counter in Kloof Street."),
        ("next day", POST.replace("Monday", "Tuesday").replace("R55", "R59")),
        ("turned round", " ".join(reversed(POST.partition(". ")[::2])).upper() + " 🎉"),
        ("tagged", POST + " https://kloof.example/menu #coffee #capetown #kloofstreet #flatwhite #croissant"),
    ]

    found = [(post_id, round(similarity, 2)) for post_id, similarity in near_duplicates(POST, earlier)]
    assert found == [("turned round", 1.0), ("tagged", 1.0), ("next day", 0.91)]

    all_of_them = dict(near_duplicates(POST, earlier, threshold=0.0))
    assert {key: round(all_of_them[key], 2) for key in ("retold", "other news")} == {"retold": 0.75, "other news": 0.42}


def test_texts_without_words_are_no_duplicates_of_each_other():
    assert near_duplicates("🎉🎉", [(1, "🎉🎉"), (2, "")]) == []
    assert near_duplicates("#coffee #monday", [(1, "#coffee #monday"), (2, "https://kloof.example")]) == [(1, 1.0)]


def test_another_post_within_half_an_hour_is_a_warning():
    others = [
        ("a", DUE),
        ("b", DUE - timedelta(minutes=30)),
        ("c", DUE + timedelta(minutes=5)),
        ("d", DUE + timedelta(minutes=31)),
        ("e", DUE - timedelta(days=1)),
    ]

    assert same_slot(DUE, others) == [
        BrandFinding("same_slot", "warn", "", "another post of this account is due at the same time (a)"),
        BrandFinding("same_slot", "warn", "", "another post of this account is due 30 minutes before (b)"),
        BrandFinding("same_slot", "warn", "", "another post of this account is due 5 minutes after (c)"),
    ]
    assert same_slot(DUE, others[3:]) == []
