"""The phrase of a change: of this change, for this client, while things are as they were shown."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.mcp_server.confirmations import Confirmations

ROW = UUID("7c0d6c52-5f6e-4f53-9d0b-6f0f6a1f3f11")
WORDS, ACTOR, STATE = "drop a row of kloof-coffee", "mcp:tester", [ROW, datetime(2026, 11, 20, tzinfo=UTC), None]


def test_the_phrase_says_what_will_be_done_and_is_good_for_that():
    phrases = Confirmations()

    phrase = phrases.phrase(WORDS, ACTOR, STATE)

    assert phrase.startswith(f"{WORDS} ")
    assert len(phrase) == len(WORDS) + 13
    phrases.require(phrase, WORDS, ACTOR, STATE)


@pytest.mark.parametrize(
    ("words", "actor", "state"),
    [
        ("drop a row of outsider", ACTOR, STATE),
        (WORDS, "mcp:another", STATE),
        (WORDS, ACTOR, [ROW, None, None]),
    ],
)
def test_it_is_good_for_nothing_else(words: str, actor: str, state: list[object]):
    phrases = Confirmations()
    phrase = phrases.phrase(WORDS, ACTOR, STATE)

    with pytest.raises(OperatorError, match=r"^confirm: .* nothing was done"):
        phrases.require(phrase, words, actor, state)


@pytest.mark.parametrize("guess", ["", "yes", WORDS, f"{WORDS} 000000000000", "drop a row ünïcödé"])
def test_a_guess_is_refused(guess: str):
    with pytest.raises(OperatorError):
        Confirmations().require(guess, WORDS, ACTOR, STATE)


def test_another_process_has_other_phrases():
    phrase = Confirmations().phrase(WORDS, ACTOR, STATE)

    with pytest.raises(OperatorError):
        Confirmations().require(phrase, WORDS, ACTOR, STATE)
