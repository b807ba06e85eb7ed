"""Requests, answers and their price, as values."""

from dataclasses import replace
from decimal import Decimal

import pytest

from draggonnb_pipelines.resources.claude import Prices, Usage
from draggonnb_pipelines.resources.claude_messages import read_answer
from tests.resources.test_claude import PRICES, REQUEST


def test_the_request_hash_is_of_the_wire_body_only():
    assert REQUEST.request_hash == replace(REQUEST, purpose="other", prompt_name="x", prompt_hash="y").request_hash
    changed = [replace(REQUEST, content="x"), replace(REQUEST, system="x"), replace(REQUEST, effort="low")]
    changed += [replace(REQUEST, web_search_max_uses=1), replace(REQUEST, model="m"), replace(REQUEST, max_tokens=1)]
    assert len({request.request_hash for request in [REQUEST, *changed]}) == 7


def test_the_price_of_a_usage_is_exact():
    usage = Usage(
        input_tokens=1000, output_tokens=500, cache_creation_tokens=2000, cache_read_tokens=4000, web_searches=3
    )

    assert PRICES.cost_usd(usage) == Decimal("0.042800")
    assert PRICES.cost_usd(usage, batch=True) == Decimal("0.036400")
    assert Prices(Decimal("0.10"), Decimal("0.50"), 10).cost_usd(Usage(input_tokens=3)) == Decimal("0.000000")


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ('{"a": 1}', {"a": 1}),
        ('  {"a": "x\\u0000y \\ud800"}\n', {"a": "x\ufffdy \ufffd"}),
        ('{"a": "\\ud83d\\ude00 ☕"}', {"a": "😀 ☕"}),
        ('{"a": NaN}', None),
        ("[1]", None),
        ('{"a": 1', None),
        ("[" * 100_000, None),
        ("", None),
    ],
)
def test_only_a_json_object_that_postgres_can_hold_is_parsed(text: str, parsed: dict[str, object] | None):
    turn = {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "usage": {"output_tokens": 3}}

    answer = read_answer([turn], PRICES, request_id=None)

    assert answer.parsed == parsed
    assert answer.usage == Usage(output_tokens=3)


@pytest.mark.parametrize(
    "turn", [{}, {"content": "x", "usage": []}, {"content": [1, {"type": None}], "usage": {"input_tokens": "9"}}]
)
def test_no_shape_of_an_answer_breaks_the_reading(turn: dict[str, object]):
    answer = read_answer([turn], PRICES, request_id="req_1")

    assert (answer.text, answer.parsed, answer.usage, answer.cost_usd) == ("", None, Usage(), Decimal("0.000000"))


def test_text_before_the_last_search_is_not_the_answer():
    content = [
        {"type": "text", "text": "I shall search."},
        {"type": "server_tool_use", "name": "web_search"},
        {"type": "web_search_tool_result", "content": {"error_code": "max_uses_exceeded"}},
        {"type": "text", "text": '{"a":'},
        {"type": "text", "text": " 1}"},
    ]

    answer = read_answer([{"content": content, "stop_reason": "end_turn"}], PRICES, request_id=None)

    assert answer.parsed == {"a": 1}
    assert answer.web_search_errors == ("max_uses_exceeded",)


def test_the_usage_of_all_turns_is_summed():
    turn = {
        "usage": {
            "input_tokens": 5,
            "output_tokens": 7,
            "cache_creation_input_tokens": 11,
            "cache_read_input_tokens": 13,
        }
    }
    last = {"usage": {"input_tokens": 1, "output_tokens": 2, "server_tool_use": {"web_search_requests": 3}}}

    answer = read_answer([turn, last], PRICES, request_id=None)

    assert answer.usage == Usage(6, 9, 11, 13, 3)
    assert answer.cost_usd == Decimal("0.030132")


def test_the_estimate_counts_every_byte_all_searches_and_the_whole_answer():
    assert replace(REQUEST, max_tokens=2000).estimate_usd(PRICES) - REQUEST.estimate_usd(PRICES) == Decimal("0.01")
    searching = replace(REQUEST, web_search_max_uses=2)
    assert searching.estimate_usd(PRICES) - REQUEST.estimate_usd(PRICES) > Decimal("0.095")
    longer = replace(REQUEST, content=REQUEST.content + "x" * 8000)
    assert longer.estimate_usd(PRICES) - REQUEST.estimate_usd(PRICES) == Decimal("0.01")
