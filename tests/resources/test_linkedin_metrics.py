"""What LinkedIn counts: lists as Rest.li wants them, posts without statistics, and who is refused."""

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
from draggonnb_pipelines.resources.linkedin_metrics import NO_STATISTICS
from tests.resources.linkedin_client import ACCOUNT, NOW, OUTSIDER, linkedin
from tests.resources.raw_server import answer, raw_server, replies
from tests.sandbox_process import Sandbox

TODAY = date(2026, 11, 24)
STATISTICS = "GET /linkedin/rest/organizationalEntityShareStatistics"
SHARE, OTHER_SHARE = "urn:li:share:7300000000000000016", "urn:li:share:7300000000000000032"
UGC = "urn:li:ugcPost:7300000000000000048"
SEEN = {"views": 120, "reach": 90, "reactions": 9, "comments": 2, "shares": 3, "clicks": 0}
COUNTS = {
    Metric.VIEWS: 120,
    Metric.REACH: 90,
    Metric.REACTIONS: 9,
    Metric.COMMENTS: 2,
    Metric.SHARES: 3,
    Metric.CLICKS: 0,
}
NOTHING = dict.fromkeys(COUNTS, NO_STATISTICS)


def posted(sandbox: Sandbox, *urns: str, days: int = 2, account: str = ACCOUNT.external_id) -> None:
    """Posts of a page, each with the counts above."""
    for urn in urns:
        sandbox.social_post("linkedin", urn, account, datetime.now(UTC) - timedelta(days=days))
        sandbox.social_numbers(urn, **SEEN)


async def read(door: HttpDoor, url: str, urns: Sequence[str], **change: Any) -> Readings:
    return await linkedin(door, url, **change).read_metrics(ACCOUNT, urns, on=TODAY)


def asked(sandbox: Sandbox) -> list[str]:
    """The calls that LinkedIn saw, in order: `GET /rest/posts 200`."""
    return [
        f"{one['method']} {one['route'].split(' ')[1].removeprefix('/linkedin')} {one['status']}"
        for one in sandbox.journal("linkedin")
    ]


STATISTICS_200, POSTS_200 = "GET /rest/organizationalEntityShareStatistics 200", "GET /rest/posts 200"


async def test_shares_and_ugc_posts_are_asked_for_apart(door: HttpDoor, sandbox: Sandbox):
    posted(sandbox, SHARE, OTHER_SHARE, UGC)

    readings = await read(door, sandbox.url, [UGC, SHARE, OTHER_SHARE, SHARE])

    assert readings.readings == (Reading(SHARE, COUNTS), Reading(OTHER_SHARE, COUNTS), Reading(UGC, COUNTS))
    assert (readings.unread, readings.calls, readings.cost_usd) == ({}, 2, Decimal(0))
    assert readings.api_version == "202607"
    assert asked(sandbox) == [STATISTICS_200, STATISTICS_200]


async def test_lists_keep_their_parentheses_bare_and_their_urns_encoded(door: HttpDoor):
    body = json.dumps({"elements": []}).encode()
    async with raw_server(replies(answer(200, body))) as server:
        await read(door, server.url, [SHARE, OTHER_SHARE, UGC])

    encoded = [urn.replace(":", "%3A") for urn in (SHARE, OTHER_SHARE, UGC)]
    finder = "/linkedin/rest/organizationalEntityShareStatistics?q=organizationalEntity"
    finder += "&organizationalEntity=urn%3Ali%3Aorganization%3A5551"
    assert [one.target for one in server.seen] == [
        f"{finder}&shares=List({encoded[0]},{encoded[1]})&start=0&count=20",
        f"/linkedin/rest/posts?ids=List({encoded[0]},{encoded[1]})",
        f"{finder}&ugcPosts=List({encoded[2]})&start=0&count=20",
        f"/linkedin/rest/posts/{encoded[2]}",
    ]
    methods = [one.headers.get("x-restli-method") for one in server.seen]
    assert methods == ["FINDER", "BATCH_GET", "FINDER", None]
    assert {one.headers["linkedin-version"] for one in server.seen} == {"202607"}
    assert {one.headers["x-restli-protocol-version"] for one in server.seen} == {"2.0.0"}


async def test_twenty_posts_go_into_one_call_and_come_back_on_one_page(door: HttpDoor, sandbox: Sandbox):
    urns = [f"urn:li:share:{number}" for number in range(1000, 1021)]
    posted(sandbox, *urns)

    readings = await read(door, sandbox.url, urns)

    assert readings.readings == tuple(Reading(urn, COUNTS) for urn in urns)
    assert asked(sandbox) == [STATISTICS_200, STATISTICS_200]


async def test_a_post_without_statistics_is_missing_and_not_zero(door: HttpDoor, sandbox: Sandbox):
    young, old = "urn:li:share:1001", "urn:li:share:1002"
    posted(sandbox, SHARE, young)
    posted(sandbox, old, days=366)
    sandbox.social_numbers(young, views=0)

    readings = await read(door, sandbox.url, [young, SHARE, old])

    assert readings.readings == (Reading(young, {}, NOTHING), Reading(SHARE, COUNTS), Reading(old, {}, NOTHING))
    assert readings.unread == {}
    assert asked(sandbox) == [STATISTICS_200, POSTS_200]


async def test_a_deleted_post_is_gone(door: HttpDoor, sandbox: Sandbox):
    posted(sandbox, SHARE, OTHER_SHARE, UGC)
    for urn in (SHARE, UGC):
        await linkedin(door, sandbox.url).delete(ACCOUNT, urn)

    readings = await read(door, sandbox.url, [SHARE, OTHER_SHARE, UGC, "urn:li:share:1"])

    assert readings.readings == (
        Reading(SHARE, is_gone=True),
        Reading(OTHER_SHARE, COUNTS),
        Reading("urn:li:share:1", is_gone=True),
        Reading(UGC, is_gone=True),
    )
    assert (readings.unread, readings.calls) == ({}, 4)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503, "times": 4},
        {"kind": "status", "status": 403},
        {"kind": "status", "status": 404},
        {"kind": "status", "status": 200, "body": "<html>hello</html>"},
        {"kind": "status", "status": 200, "body": {"errors": {SHARE: {"status": 403}, OTHER_SHARE: "gone"}}},
        {"kind": "status", "status": 200, "body": {"errors": [SHARE, OTHER_SHARE]}},
    ],
)
async def test_where_linkedin_does_not_say_that_posts_are_gone_they_are_missing(
    door: HttpDoor, sandbox: Sandbox, fault: dict[str, Any]
):
    sandbox.faults("GET /linkedin/rest/posts", fault)

    readings = await read(door, sandbox.url, [SHARE, OTHER_SHARE])

    assert readings.readings == (Reading(SHARE, {}, NOTHING), Reading(OTHER_SHARE, {}, NOTHING))
    assert (readings.unread, sandbox.faults_left()) == ({}, [])


@pytest.mark.parametrize(
    ("kind", "reason"), [("counts_null", "null in the answer"), ("counts_text", "no number in the answer")]
)
async def test_nulls_and_words_instead_of_numbers_are_missing(door: HttpDoor, sandbox: Sandbox, kind: str, reason: str):
    posted(sandbox, SHARE)
    sandbox.faults(STATISTICS, {"kind": kind})

    (reading,) = (await read(door, sandbox.url, [SHARE])).readings

    assert (reading.values, reading.is_gone) == ({}, False)
    assert reading.missing == {
        Metric.VIEWS: f"impressionCount: {reason}",
        Metric.REACH: f"uniqueImpressionsCount: {reason}",
        Metric.REACTIONS: f"likeCount: {reason}",
        Metric.COMMENTS: f"commentCount: {reason}",
        Metric.SHARES: f"shareCount: {reason}",
        Metric.CLICKS: f"clickCount: {reason}",
    }


async def test_the_other_spelling_of_reach_is_understood(door: HttpDoor, sandbox: Sandbox):
    posted(sandbox, SHARE)
    sandbox.faults(STATISTICS, {"kind": "counts_last_year"})

    assert (await read(door, sandbox.url, [SHARE])).readings == (Reading(SHARE, COUNTS),)


async def test_half_an_answer_blanks_only_its_own_half(door: HttpDoor, sandbox: Sandbox):
    posted(sandbox, SHARE, OTHER_SHARE)
    sandbox.faults(STATISTICS, {"kind": "counts_half"})

    readings = await read(door, sandbox.url, [SHARE, OTHER_SHARE])

    assert readings.readings == (Reading(SHARE, COUNTS), Reading(OTHER_SHARE, {}, NOTHING))


async def test_a_like_that_was_taken_back_twice_is_no_count(door: HttpDoor, sandbox: Sandbox):
    posted(sandbox, SHARE)
    sandbox.social_numbers(SHARE, **SEEN | {"reactions": -1})

    (reading,) = (await read(door, sandbox.url, [SHARE])).readings

    assert reading.values == {metric: count for metric, count in COUNTS.items() if metric is not Metric.REACTIONS}
    assert reading.missing == {Metric.REACTIONS: "likeCount: no possible count in the answer"}


async def test_elements_that_are_none_are_passed_over(door: HttpDoor):
    elements = [
        "rubbish",
        {"totalShareStatistics": {"impressionCount": 999}},
        {"share": "urn:li:share:9", "totalShareStatistics": {"impressionCount": 999}},
        {"share": SHARE, "totalShareStatistics": None},
        {"share": OTHER_SHARE, "totalShareStatistics": {"impressionCount": 5, "engagement": 0.1}},
    ]
    async with raw_server(replies(answer(200, json.dumps({"elements": elements}).encode()))) as server:
        readings = await read(door, server.url, [SHARE, OTHER_SHARE])

    assert [one.values for one in readings.readings] == [{}, {Metric.VIEWS: 5}]
    assert readings.readings[0].missing[Metric.VIEWS] == "impressionCount: not in the answer"
    assert len(server.seen) == 1


async def test_a_post_that_linkedin_refuses_is_unread_and_the_others_are_read(door: HttpDoor, sandbox: Sandbox):
    urns = [f"urn:li:share:{number}" for number in range(1000, 1005)]
    posted(sandbox, *urns)
    refusal = {"kind": "status", "status": 400}
    # The list of five, its second half of three, that one's second half of two, and its first post.
    sandbox.faults(STATISTICS, refusal, {"kind": "latency", "seconds": 0}, refusal, {"kind": "latency", "seconds": 0})
    sandbox.faults(STATISTICS, refusal, refusal)

    readings = await read(door, sandbox.url, urns)

    assert readings.readings == tuple(Reading(urn, COUNTS) for urn in (*urns[:3], urns[4]))
    assert {urn: error.error_class for urn, error in readings.unread.items()} == {urns[3]: ErrorClass.INPUT}
    assert (readings.calls, len(asked(sandbox)), sandbox.faults_left()) == (7, 7, [])


async def test_what_linkedin_does_not_count_is_not_asked_for(door: HttpDoor, sandbox: Sandbox):
    strange = ["urn:li:activity:7", "urn:li:comment:(urn:li:activity:7,8)", "7", "urn:li:share:1)&shares=List(2"]

    readings = await read(door, sandbox.url, strange)

    assert readings.readings == ()
    assert {urn: error.error_class for urn, error in readings.unread.items()} == dict.fromkeys(
        strange, ErrorClass.INPUT
    )
    assert (readings.calls, asked(sandbox)) == (0, [])


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        ({"kind": "expired_token"}, ErrorClass.AUTH),
        ({"kind": "status", "status": 403}, ErrorClass.PERMISSION),
        ({"kind": "status", "status": 426}, ErrorClass.CONFIG),
        ({"kind": "status", "status": 503, "times": 4}, ErrorClass.RETRY),
        ({"kind": "status", "status": 200, "body": {}, "times": 1}, ErrorClass.RETRY),
        ({"kind": "status", "status": 200, "body": "<html>hello</html>"}, ErrorClass.RETRY),
        ({"kind": "cut_body", "times": 4}, ErrorClass.RETRY),
    ],
)
async def test_where_nothing_was_learned_the_reason_is_raised(
    door: HttpDoor, sandbox: Sandbox, fault: dict[str, Any], error_class: ErrorClass
):
    posted(sandbox, SHARE)
    sandbox.faults(STATISTICS, fault)

    with pytest.raises(VendorError) as raised:
        await read(door, sandbox.url, [SHARE])

    assert raised.value.error_class is error_class
    assert sandbox.faults_left() == []


async def test_the_posts_of_another_page_are_not_ours_to_read(door: HttpDoor, sandbox: Sandbox):
    posted(sandbox, SHARE, account=OUTSIDER.external_id)

    with pytest.raises(VendorError) as raised:
        await read(door, sandbox.url, [SHARE])

    assert (raised.value.error_class, raised.value.status) == (ErrorClass.PERMISSION, 403)
    assert asked(sandbox) == ["GET /rest/organizationalEntityShareStatistics 403"]


async def test_the_days_quota_ends_at_midnight_and_keeps_what_was_read(door: HttpDoor, sandbox: Sandbox):
    posted(sandbox, SHARE, UGC)
    sandbox.faults(STATISTICS, {"kind": "latency", "seconds": 0}, {"kind": "daily_limit"})

    readings = await read(door, sandbox.url, [SHARE, UGC])

    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    assert readings.readings == (Reading(SHARE, COUNTS),)
    assert {urn: error.error_class for urn, error in readings.unread.items()} == {UGC: ErrorClass.THROTTLED}
    assert readings.unread[UGC].retry_after_seconds == (midnight - NOW).total_seconds()
    assert readings.limits == Limits(account_remaining=0, account_resets_at=midnight)


async def test_a_version_that_ended_concerns_every_list_and_is_said_once(door: HttpDoor, sandbox: Sandbox):
    posted(sandbox, SHARE, UGC)

    with pytest.raises(VendorError) as raised:
        await read(door, sandbox.url, [SHARE, UGC], version="202511")

    assert raised.value.error_class is ErrorClass.CONFIG
    assert asked(sandbox) == ["GET /rest/organizationalEntityShareStatistics 426"]
