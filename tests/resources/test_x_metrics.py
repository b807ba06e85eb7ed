"""What X counts: by this year's names and last year's, whole, half or not at all, and what it costs."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from draggonnb_pipelines.domain.metrics import Metric, Reading, Readings
from draggonnb_pipelines.domain.publishing import Limits
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.raw_server import answer, raw_server, replies
from tests.resources.x_account import ACCOUNT, adapter, asked
from tests.sandbox_process import Sandbox

TODAY = date(2026, 11, 24)
LOOKUP = "GET /x/2/tweets"
SEEN = {"views": 120, "reactions": 9, "comments": 2, "shares": 3, "quotes": 1, "saves": 0}
COUNTS = {
    Metric.VIEWS: 120,
    Metric.REACTIONS: 9,
    Metric.COMMENTS: 2,
    Metric.SHARES: 3,
    Metric.QUOTES: 1,
    Metric.SAVES: 0,
}


def posted(sandbox: Sandbox, *ids: str) -> None:
    """Posts of our account, two days old, each with the counts above."""
    for one in ids:
        sandbox.social_post("x", one, ACCOUNT.external_id, datetime.now(UTC) - timedelta(days=2))
        sandbox.social_numbers(one, **SEEN)


async def read(door: HttpDoor, url: str, ids: Sequence[str]) -> Readings:
    return await adapter(door, url).read_metrics(ACCOUNT, ids, on=TODAY)


def classes(readings: Readings) -> dict[str, tuple[ErrorClass, str | None]]:
    return {one: (error.error_class, error.code) for one, error in readings.unread.items()}


async def test_counts_are_read_in_one_call_for_a_tenth_of_a_cent_each(door: HttpDoor, sandbox: Sandbox):
    posted(sandbox, "11", "12")

    readings = await read(door, sandbox.url, ["12", "11", "12"])

    assert readings.readings == (Reading("12", COUNTS), Reading("11", COUNTS))
    assert (readings.unread, readings.calls, readings.cost_usd) == ({}, 1, Decimal("0.002"))
    assert readings.api_version is None
    assert asked(sandbox) == ["GET /2/tweets 200"]


async def test_the_headers_tell_the_window_of_the_lookup(door: HttpDoor, sandbox: Sandbox):
    posted(sandbox, "11")

    limits = (await read(door, sandbox.url, ["11"])).limits

    assert limits is not None
    assert (limits.account_remaining, limits.app_remaining, limits.resume_at) == (4999, None, None)
    assert limits.account_resets_at is not None
    assert timedelta(0) < limits.account_resets_at - datetime.now(UTC) <= timedelta(seconds=902)


async def test_a_deleted_post_is_gone_and_costs_nothing(door: HttpDoor, sandbox: Sandbox):
    posted(sandbox, "11", "12")
    await adapter(door, sandbox.url).delete(ACCOUNT, "11")

    readings = await read(door, sandbox.url, ["11", "12", "13"])

    assert readings.readings == (Reading("11", is_gone=True), Reading("12", COUNTS), Reading("13", is_gone=True))
    assert (readings.unread, readings.cost_usd) == ({}, Decimal("0.001"))


async def test_a_hundred_posts_go_into_one_call(door: HttpDoor, sandbox: Sandbox):
    ids = [str(number) for number in range(1000, 1101)]
    posted(sandbox, *ids)

    readings = await read(door, sandbox.url, ids)

    assert [one.platform_post_id for one in readings.readings] == ids
    assert all(one.values == COUNTS for one in readings.readings)
    assert (readings.calls, readings.cost_usd) == (2, Decimal("0.101"))
    assert asked(sandbox) == ["GET /2/tweets 200"] * 2


async def test_nothing_to_read_asks_nobody(door: HttpDoor, sandbox: Sandbox):
    assert await read(door, sandbox.url, []) == Readings(())
    assert asked(sandbox) == []


async def test_an_id_that_is_none_does_not_spoil_the_others(door: HttpDoor, sandbox: Sandbox):
    posted(sandbox, "11")

    readings = await read(door, sandbox.url, ["11", "urn:li:share:1", "٣", ""])

    assert readings.readings == (Reading("11", COUNTS),)
    assert classes(readings) == dict.fromkeys(("urn:li:share:1", "٣", ""), (ErrorClass.INPUT, "invalid-id"))
    assert asked(sandbox) == ["GET /2/tweets 200"]


@pytest.mark.parametrize(
    ("kind", "reason"), [("counts_null", "null in the answer"), ("counts_text", "no number in the answer")]
)
async def test_nulls_and_words_instead_of_numbers_are_missing(door: HttpDoor, sandbox: Sandbox, kind: str, reason: str):
    posted(sandbox, "11")
    sandbox.faults(LOOKUP, {"kind": kind})

    (reading,) = (await read(door, sandbox.url, ["11"])).readings

    assert (reading.values, reading.is_gone) == ({}, False)
    assert reading.missing == {
        Metric.VIEWS: f"impression_count: {reason}",
        Metric.REACTIONS: f"like_count: {reason}",
        Metric.COMMENTS: f"reply_count: {reason}",
        Metric.SHARES: f"repost_count: {reason}",
        Metric.QUOTES: f"quote_count: {reason}",
        Metric.SAVES: f"bookmark_count: {reason}",
    }


async def test_half_an_answer_leaves_the_other_posts_unread(door: HttpDoor, sandbox: Sandbox):
    posted(sandbox, "11", "12", "13", "14")
    sandbox.faults(LOOKUP, {"kind": "counts_half"})

    readings = await read(door, sandbox.url, ["11", "12", "13", "14"])

    assert readings.readings == (Reading("11", COUNTS), Reading("13", COUNTS))
    assert classes(readings) == {"12": (ErrorClass.RETRY, None), "14": (ErrorClass.RETRY, None)}
    assert readings.cost_usd == Decimal("0.002")


async def test_an_x_of_last_year_is_asked_and_read_by_its_own_names(door: HttpDoor, sandbox: Sandbox):
    ids = [str(number) for number in range(1000, 1101)]
    posted(sandbox, *ids)
    sandbox.faults(LOOKUP, {"kind": "counts_last_year", "times": 3})

    readings = await read(door, sandbox.url, ids)

    assert all(one == Reading(one.platform_post_id, COUNTS) for one in readings.readings)
    assert (len(readings.readings), readings.calls) == (101, 3)
    assert asked(sandbox) == ["GET /2/tweets 400", "GET /2/tweets 200", "GET /2/tweets 200"]


async def test_what_x_says_of_single_posts_on_a_200_is_kept_apart(door: HttpDoor):
    def error(post: str, kind: str, **more: str) -> dict[str, str]:
        return {"type": f"https://api.x.com/2/problems/{kind}", "value": post, **more}

    body = {
        "data": [
            {"id": "1", "public_metrics": {"retweet_count": 4, "like_count": 2}, "note": "new"},
            {"id": "2", "text": "no counts"},
            {"id": "99", "public_metrics": {"like_count": 1}},
            "rubbish",
        ],
        "errors": [
            error("3", "resource-not-found"),
            error("4", "not-authorized-for-resource"),
            error("5", "internal-error"),
            error("1", "field-unauthorized", field="public_metrics.impression_count"),
            "rubbish",
        ],
    }
    async with raw_server(replies(answer(200, json.dumps(body).encode()))) as server:
        readings = await read(door, server.url, ["1", "2", "3", "4", "5", "6"])

    by_id = {one.platform_post_id: one for one in readings.readings}
    assert list(by_id) == ["1", "2", "3"]
    assert by_id["1"].values == {Metric.SHARES: 4, Metric.REACTIONS: 2}
    assert by_id["1"].missing[Metric.VIEWS] == "impression_count: not in the answer"
    assert (by_id["2"].values, len(by_id["2"].missing), by_id["2"].is_gone) == ({}, 6, False)
    assert by_id["3"] == Reading("3", is_gone=True)
    assert classes(readings) == {
        "4": (ErrorClass.PERMISSION, "not-authorized-for-resource"),
        "5": (ErrorClass.RETRY, None),
        "6": (ErrorClass.RETRY, None),
    }
    assert readings.cost_usd == Decimal("0.002")
    assert server.seen[0].target == "/x/2/tweets?ids=1%2C2%2C3%2C4%2C5%2C6&post.fields=public_metrics"


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b"{}", b'{"data": null, "errors": null}'])
async def test_an_answer_without_posts_is_not_taken_for_an_empty_one(door: HttpDoor, body: bytes):
    async with raw_server(replies(answer(200, body))) as server:
        readings = await read(door, server.url, ["1", "2"])

    assert readings.readings == ()
    assert classes(readings) == dict.fromkeys(("1", "2"), (ErrorClass.RETRY, None))


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        ({"kind": "expired_token"}, ErrorClass.AUTH),
        ({"kind": "rate_limit", "retry_after": 3600}, ErrorClass.THROTTLED),
        ({"kind": "status", "status": 402}, ErrorClass.CONFIG),
        ({"kind": "status", "status": 403}, ErrorClass.PERMISSION),
        ({"kind": "status", "status": 503, "times": 4}, ErrorClass.RETRY),
        ({"kind": "cut_body", "times": 4}, ErrorClass.RETRY),
    ],
)
async def test_where_nothing_was_learned_the_reason_is_raised(
    door: HttpDoor, sandbox: Sandbox, fault: dict[str, Any], error_class: ErrorClass
):
    posted(sandbox, "11")
    sandbox.faults(LOOKUP, fault)

    with pytest.raises(VendorError) as raised:
        await read(door, sandbox.url, ["11"])

    assert raised.value.error_class is error_class
    assert sandbox.faults_left() == []


async def test_a_quota_for_an_hour_says_when_it_ends(door: HttpDoor):
    resets = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    refusal = answer(429, b"{}", x_rate_limit_remaining="0", x_rate_limit_reset=str(int(resets.timestamp())))
    async with raw_server(replies(refusal)) as server:
        with pytest.raises(VendorError) as raised:
            await read(door, server.url, ["11"])

    assert raised.value.error_class is ErrorClass.THROTTLED
    assert raised.value.limits == Limits(resume_at=resets)
    assert raised.value.retry_after_seconds == pytest.approx(3600, abs=5)
    assert len(server.seen) == 1


async def test_a_quota_that_ends_after_the_first_hundred_keeps_what_was_read(door: HttpDoor, sandbox: Sandbox):
    ids = [str(number) for number in range(1000, 1201)]
    posted(sandbox, *ids)
    sandbox.faults(LOOKUP, {"kind": "latency", "seconds": 0}, {"kind": "rate_limit", "retry_after": 3600})

    readings = await read(door, sandbox.url, ids)

    assert [one.platform_post_id for one in readings.readings] == ids[:100]
    assert list(readings.unread) == ids[100:]
    assert {error.retry_after_seconds for error in readings.unread.values()} == {3600.0}
    assert readings.cost_usd == Decimal("0.1")
    assert asked(sandbox) == ["GET /2/tweets 200", "GET /2/tweets 429"]


async def test_a_server_that_fails_once_costs_only_its_own_hundred(door: HttpDoor, sandbox: Sandbox):
    ids = [str(number) for number in range(1000, 1101)]
    posted(sandbox, *ids)
    sandbox.faults(LOOKUP, {"kind": "status", "status": 503, "times": 4})

    readings = await read(door, sandbox.url, ids)

    assert [one.platform_post_id for one in readings.readings] == ids[100:]
    assert classes(readings) == dict.fromkeys(ids[:100], (ErrorClass.RETRY, None))
