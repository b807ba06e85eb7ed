"""The numbers of a page's posts: in batches, with what was refused, left out or strange as missing and never as 0."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.metrics import Metric, Reading, Readings
from draggonnb_pipelines.domain.publishing import Account, Limits, Part, Payload, Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.facebook import FacebookPages
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.facebook_work import PAGE, client, picture
from tests.sandbox_process import Sandbox

TODAY = date(2026, 11, 23)
BATCH = "POST /graph/v25.0/"
FIRST, SECOND, THIRD = "page-1_1", "page-1_2", "page-1_3"
NUMBERS = {"views": 900, "reach": 500, "clicks": 12, "video_views": 0, "reactions": 31, "comments": 4, "shares": 2}
COUNTED = {Metric(name): count for name, count in NUMBERS.items()}


@pytest.fixture
def pages(door: HttpDoor, sandbox: Sandbox) -> FacebookPages:
    for post_id in (FIRST, SECOND, THIRD):
        sandbox.social_post("facebook", post_id, "page-1", datetime.now(UTC) - timedelta(days=1))
        sandbox.social_numbers(post_id, **NUMBERS)
    return client(door, sandbox)


async def read(pages: FacebookPages, *post_ids: str, account: Account = PAGE, on: date = TODAY) -> Readings:
    return await pages.read_metrics(account, post_ids, on=on)


async def refused(pages: FacebookPages, *post_ids: str, account: Account = PAGE) -> VendorError:
    with pytest.raises(VendorError) as raised:
        await read(pages, *post_ids, account=account)
    return raised.value


def insights(**values: Any) -> dict[str, Any]:
    return {"data": [{"name": name, "period": "lifetime", "values": [{"value": one}]} for name, one in values.items()]}


async def test_all_numbers_of_several_posts_come_with_one_call(pages: FacebookPages, sandbox: Sandbox) -> None:
    found = await read(pages, FIRST, SECOND)

    assert found.readings == (Reading(FIRST, COUNTED), Reading(SECOND, COUNTED))
    assert (found.unread, found.calls, found.cost_usd, found.api_version) == ({}, 1, 0, "v25.0")
    assert found.limits == Limits(app_percent=1.0)
    [entry] = sandbox.journal()
    asked = [part["relative_url"] for part in entry["body"]["batch"]]
    assert asked == [
        f"v25.0/{post_id}?fields=id,reactions.summary(total_count).limit(0),comments.summary(total_count).limit(0),"
        "shares,insights.metric(post_media_view,post_total_media_view_unique,post_clicks,post_video_views)"
        for post_id in (FIRST, SECOND)
    ]


async def test_no_posts_are_no_call(pages: FacebookPages, sandbox: Sandbox) -> None:
    assert await read(pages) == Readings((), api_version="v25.0")
    assert sandbox.journal() == []


async def test_more_than_fifty_posts_are_more_than_one_call(pages: FacebookPages, sandbox: Sandbox) -> None:
    ids = [f"page-1_{number}" for number in range(1000, 1051)]
    for post_id in ids:
        sandbox.social_post("facebook", post_id, "page-1", datetime.now(UTC) - timedelta(days=1))

    found = await read(pages, *ids)

    assert [reading.platform_post_id for reading in found.readings] == ids
    assert [len(entry["body"]["batch"]) for entry in sandbox.journal()] == [50, 1]
    assert found.calls == 2


async def test_a_metric_that_is_retired_overnight_is_missing_and_the_rest_is_there(
    pages: FacebookPages, sandbox: Sandbox
) -> None:
    gone = {"kind": "graph_error", "code": 100, "message": "(#100) must be a valid insights metric"}
    sandbox.faults("GET /graph/*", gone | {"match": "post_clicks"}, repeat=True)

    found = await read(pages, FIRST, SECOND)

    without = {metric: count for metric, count in COUNTED.items() if metric is not Metric.CLICKS}
    missing = {Metric.CLICKS: "post_clicks: refused (code 100)"}
    assert found.readings == (Reading(FIRST, without, missing), Reading(SECOND, without, missing))
    assert (found.unread, found.calls) == ({}, 2)


async def test_a_registry_that_is_behind_the_platform_costs_single_metrics(pages: FacebookPages) -> None:
    found = await read(pages, FIRST, on=date(2025, 11, 1))

    assert found.readings == (Reading(FIRST, COUNTED),)
    assert found.calls == 2


async def test_a_deleted_post_is_gone_and_stops_no_other(pages: FacebookPages, sandbox: Sandbox) -> None:
    await pages.delete(PAGE, SECOND)

    found = await read(pages, FIRST, SECOND, THIRD)

    assert found.readings == (Reading(FIRST, COUNTED), Reading(THIRD, COUNTED), Reading(SECOND, is_gone=True))
    assert (found.unread, found.calls) == ({}, 2)


async def test_a_page_that_is_out_of_sight_does_not_make_its_posts_deleted(
    pages: FacebookPages, sandbox: Sandbox
) -> None:
    gone = {"kind": "graph_error", "code": 100, "subcode": 33}
    sandbox.faults("GET /graph/*", gone, repeat=True)

    error = await refused(pages, FIRST, SECOND)

    assert (error.error_class, error.code) == (ErrorClass.PERMISSION, "100/33")


async def test_a_video_has_names_of_its_own_and_leaves_out_what_is_0(pages: FacebookPages, sandbox: Sandbox) -> None:
    film = picture(sandbox, "media/reel.mp4", "video/mp4")
    video = (await pages.publish(PAGE, Payload(Part.POST, "Roasting", (film,)), {})).platform_post_id
    sandbox.social_numbers(video, **(NUMBERS | {"video_views": 300, "shares": 0}))

    found = await read(pages, FIRST, video)

    [post, reading] = found.readings
    assert post == Reading(FIRST, COUNTED)
    assert reading.values == {m: n for m, n in COUNTED.items() if m is not Metric.CLICKS} | {
        Metric.VIDEO_VIEWS: 300,
        Metric.SHARES: 0,
    }
    assert reading.missing == {Metric.CLICKS: "Facebook does not tell it of a video"}
    assert found.calls == 1


async def test_a_post_that_nobody_shared_has_0_shares(pages: FacebookPages, sandbox: Sandbox) -> None:
    sandbox.social_numbers(FIRST, **(NUMBERS | {"shares": 0}))

    [reading] = (await read(pages, FIRST)).readings

    assert reading == Reading(FIRST, COUNTED | {Metric.SHARES: 0})


async def test_a_login_without_the_insights_right_still_tells_the_counts(
    pages: FacebookPages, sandbox: Sandbox
) -> None:
    sandbox.social_account("facebook", "page-1", "few-rights", scopes=["pages_read_engagement"])

    [reading] = (await read(pages, FIRST, account=Account(Platform.FACEBOOK, "page-1", "few-rights"))).readings

    assert reading.values == {Metric.REACTIONS: 31, Metric.COMMENTS: 4, Metric.SHARES: 2}
    assert set(reading.missing) == {Metric.VIEWS, Metric.REACH, Metric.CLICKS, Metric.VIDEO_VIEWS}
    assert reading.missing[Metric.REACH] == (
        "post_total_media_view_unique: the login lacks the right to read it (code 10)"
    )


async def test_a_login_without_any_right_is_a_persons_to_mend(pages: FacebookPages, sandbox: Sandbox) -> None:
    sandbox.social_account("facebook", "page-1", "no-rights", scopes=["pages_show_list"])

    error = await refused(pages, FIRST, account=Account(Platform.FACEBOOK, "page-1", "no-rights"))

    assert (error.error_class, error.code) == (ErrorClass.PERMISSION, "200")


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({"insights": {"data": []}}, "not in the answer"),
        ({}, "not in the answer"),
        ({"insights": None}, "not in the answer"),
        ({"insights": insights(post_media_view=None)}, "null in the answer"),
        ({"insights": insights(post_media_view="900")}, "no number in the answer"),
        ({"insights": insights(post_media_view=True)}, "no number in the answer"),
        ({"insights": insights(post_media_view=-1)}, "no possible count in the answer"),
        ({"insights": insights(post_media_view=2**63)}, "no possible count in the answer"),
        ({"insights": insights(post_media_view={"a": None})}, "no number in the answer"),
        ({"insights": {"data": [{"name": "post_media_view", "values": []}, None]}}, "null in the answer"),
    ],
)
async def test_what_is_no_number_is_missing(
    pages: FacebookPages, sandbox: Sandbox, body: dict[str, Any], missing: str
) -> None:
    counts = {"id": FIRST, "shares": {"count": 1}, "sparkles": 7, "comments": {"summary": {"total_count": 0}}}
    sandbox.faults(f"GET /graph/v25.0/{FIRST}", {"kind": "status", "status": 200, "body": counts | body})

    [reading] = (await read(pages, FIRST)).readings

    assert reading.values == {Metric.SHARES: 1, Metric.COMMENTS: 0}
    assert reading.missing[Metric.VIEWS] == f"post_media_view: {missing}"
    assert reading.missing[Metric.REACTIONS] == "reactions: not in the answer"


@pytest.mark.parametrize(
    "value", [{"values": [{"value": {"a": 3, "b": 4}}]}, {"total_value": {"value": 7}}, {"values": [{"value": 7}]}]
)
async def test_a_number_comes_whole_broken_down_or_as_a_total(
    pages: FacebookPages, sandbox: Sandbox, value: dict[str, Any]
) -> None:
    body = {"id": FIRST, "insights": {"data": [{"name": "post_media_view", **value}]}}
    sandbox.faults(f"GET /graph/v25.0/{FIRST}", {"kind": "status", "status": 200, "body": body})

    [reading] = (await read(pages, FIRST)).readings

    assert reading.values == {Metric.VIEWS: 7, Metric.SHARES: 0}


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        ({"kind": "drop_before_accept"}, ErrorClass.RETRY),
        ({"kind": "status", "status": 200, "body": ["no object"]}, ErrorClass.RETRY),
        ({"kind": "graph_error", "code": 2}, ErrorClass.RETRY),
    ],
)
async def test_a_post_that_was_not_answered_is_asked_for_again(
    pages: FacebookPages, sandbox: Sandbox, fault: dict[str, Any], error_class: ErrorClass
) -> None:
    sandbox.faults(f"GET /graph/v25.0/{SECOND}", fault)

    found = await read(pages, FIRST, SECOND, THIRD)

    assert found.readings == (Reading(FIRST, COUNTED), Reading(THIRD, COUNTED))
    assert {one: error.error_class for one, error in found.unread.items()} == {SECOND: error_class}


async def test_half_an_answer_leaves_the_other_half_unread(pages: FacebookPages, sandbox: Sandbox) -> None:
    sandbox.faults(BATCH, {"kind": "counts_half"})

    found = await read(pages, FIRST, SECOND, THIRD)

    assert found.readings == (Reading(FIRST, COUNTED), Reading(THIRD, COUNTED))
    assert list(found.unread) == [SECOND]


@pytest.mark.parametrize("code", [4, 17, 32, 80001])
async def test_a_quota_that_ends_in_the_middle_keeps_what_was_read(
    pages: FacebookPages, sandbox: Sandbox, code: int
) -> None:
    sandbox.faults("GET /graph/*", {"kind": "graph_error", "code": code, "match": SECOND})
    sandbox.faults(f"GET /graph/v25.0/{THIRD}", {"kind": "graph_error", "code": 100})

    found = await read(pages, FIRST, SECOND, THIRD)

    assert found.readings == (Reading(FIRST, COUNTED),)
    unread = {post_id: error.error_class for post_id, error in found.unread.items()}
    assert unread == dict.fromkeys((SECOND, THIRD), ErrorClass.THROTTLED)
    assert found.calls == 1


async def test_a_quota_that_is_used_up_says_how_long(pages: FacebookPages, sandbox: Sandbox) -> None:
    sandbox.faults(BATCH, {"kind": "graph_error", "code": 32, "minutes": 60}, {"kind": "counts_half", "minutes": 60})
    sandbox.faults("GET /graph/*", {"kind": "graph_error", "code": 32}, repeat=True)

    errors = [await refused(pages, FIRST, SECOND) for _ in ("as a whole", "part by part")]

    told = [(error.error_class, error.code, error.retry_after_seconds) for error in errors]
    assert told == [(ErrorClass.THROTTLED, "32", 3600.0)] * 2
    assert len(sandbox.journal()) == 2


async def test_a_token_that_was_revoked_overnight_is_told_at_once(pages: FacebookPages, sandbox: Sandbox) -> None:
    sandbox.social_account("facebook", "page-1", "old")
    sandbox.social_revoke("facebook", "old")

    error = await refused(pages, FIRST, account=Account(Platform.FACEBOOK, "page-1", "old"))

    assert (error.error_class, error.code) == (ErrorClass.AUTH, "190/460")
    assert len(sandbox.journal()) == 1


async def test_a_lost_answer_is_asked_for_again(pages: FacebookPages, sandbox: Sandbox) -> None:
    sandbox.faults(BATCH, {"kind": "accept_then_drop"}, {"kind": "status", "status": 503})

    found = await read(pages, FIRST)

    assert found.readings == (Reading(FIRST, COUNTED),)
    assert len(sandbox.journal()) == 3


@pytest.mark.parametrize("body", [[], {"data": []}, "?"])
async def test_a_batch_without_an_answer_for_each_part_is_no_answer(
    pages: FacebookPages, sandbox: Sandbox, body: Any
) -> None:
    sandbox.faults(BATCH, {"kind": "status", "status": 200, "body": body})

    assert (await refused(pages, FIRST)).error_class is ErrorClass.RETRY


@pytest.mark.parametrize(("details", "code"), [({"code": 100}, "100"), ({"code": 100, "subcode": 33}, "100/33")])
async def test_a_refused_batch_is_about_no_post(
    pages: FacebookPages, sandbox: Sandbox, details: dict[str, int], code: str
) -> None:
    sandbox.faults(BATCH, {"kind": "graph_error", **details})

    error = await refused(pages, FIRST)

    assert (error.error_class, error.code) == (ErrorClass.INPUT, code)
    assert len(sandbox.journal()) == 1
