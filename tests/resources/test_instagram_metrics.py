"""The numbers of Instagram's media: late, sometimes untold, by the names of today."""

from datetime import UTC, date, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.metrics import Metric, Reading, Readings
from draggonnb_pipelines.domain.publishing import Account, Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.instagram import Instagram
from tests.resources.instagram_work import ACCOUNT, client
from tests.sandbox_process import Sandbox

TODAY = date(2026, 11, 23)
FIRST, SECOND = "18000000000000001", "18000000000000002"
NUMBERS = {"views": 900, "reach": 500, "saves": 3, "shares": 2, "reactions": 31, "comments": 4}
COUNTED = {Metric(name): count for name, count in NUMBERS.items()}
FIELDS = {Metric.REACTIONS: 31, Metric.COMMENTS: 4}


@pytest.fixture
def instagram(door: HttpDoor, sandbox: Sandbox) -> Instagram:
    for media_id in (FIRST, SECOND):
        sandbox.social_post("instagram", media_id, "ig-1", datetime.now(UTC) - timedelta(days=1))
        sandbox.social_numbers(media_id, **NUMBERS)
    return client(door, sandbox)


async def read(instagram: Instagram, *media_ids: str, account: Account = ACCOUNT, on: date = TODAY) -> Readings:
    return await instagram.read_metrics(account, media_ids, on=on)


async def test_all_numbers_of_several_media_come_with_one_call(instagram: Instagram, sandbox: Sandbox) -> None:
    found = await read(instagram, FIRST, SECOND)

    assert found.readings == (Reading(FIRST, COUNTED), Reading(SECOND, COUNTED))
    assert (found.unread, found.calls, found.api_version) == ({}, 1, "v25.0")
    [entry] = sandbox.journal()
    assert [part["relative_url"] for part in entry["body"]["batch"]] == [
        f"v25.0/{media_id}?fields=id,like_count,comments_count,insights.metric(views,reach,saved,shares)"
        for media_id in (FIRST, SECOND)
    ]


async def test_too_few_viewers_are_a_reason_and_no_failure(instagram: Instagram, sandbox: Sandbox) -> None:
    few = {"kind": "graph_error", "code": 10, "message": "(#10) Not enough viewers for the media to show insights"}
    sandbox.faults("GET /graph/*", few | {"match": "insights"}, few | {"match": "metric=reach"})

    found = await read(instagram, FIRST, SECOND)

    assert found.unread == {}
    by_id = {reading.platform_post_id: reading for reading in found.readings}
    assert by_id[SECOND] == Reading(SECOND, COUNTED)
    assert by_id[FIRST].values == {metric: count for metric, count in COUNTED.items() if metric is not Metric.REACH}
    assert by_id[FIRST].missing == {Metric.REACH: "reach: too few viewers to tell"}


async def test_numbers_that_are_late_are_missing_and_not_0(instagram: Instagram, sandbox: Sandbox) -> None:
    sandbox.social_numbers(FIRST, **(NUMBERS | {"views": 0}))

    [reading] = (await read(instagram, FIRST)).readings

    assert reading.values == FIELDS
    assert reading.missing == {
        Metric.VIEWS: "views: not in the answer",
        Metric.REACH: "reach: not in the answer",
        Metric.SAVES: "saved: not in the answer",
        Metric.SHARES: "shares: not in the answer",
    }


async def test_a_retired_name_costs_only_itself(instagram: Instagram, door: HttpDoor, sandbox: Sandbox) -> None:
    old = Instagram(door, base_url=f"{sandbox.url}/graph/v21.0", app_id="app", app_secret="secret")

    found = await read(old, FIRST, on=date(2025, 3, 1))

    missing = {Metric.VIDEO_VIEWS: "plays: refused (code 100)"}
    assert found.readings == (Reading(FIRST, COUNTED, missing),)
    assert (found.calls, found.api_version) == (2, "v21.0")


async def test_a_name_that_one_kind_of_medium_lacks_is_missing_there_only(
    instagram: Instagram, sandbox: Sandbox
) -> None:
    unsupported = {"kind": "graph_error", "code": 100, "message": "(#100) The metric shares is not supported"}
    sandbox.faults(f"GET /graph/v25.0/{FIRST}*", *[unsupported | {"match": "shares"}] * 2)

    found = await read(instagram, FIRST, SECOND)

    by_id = {reading.platform_post_id: reading for reading in found.readings}
    assert by_id[SECOND] == Reading(SECOND, COUNTED)
    assert by_id[FIRST].missing == {Metric.SHARES: "shares: refused (code 100)"}
    assert len(by_id[FIRST].values) == 5


@pytest.mark.parametrize(
    ("fault", "reason"), [("counts_null", "null in the answer"), ("counts_text", "no number in the answer")]
)
async def test_nulls_and_texts_are_missing(instagram: Instagram, sandbox: Sandbox, fault: str, reason: str) -> None:
    sandbox.faults("POST /graph/v25.0/", {"kind": fault})

    [reading] = (await read(instagram, FIRST)).readings

    assert reading.values == {}
    assert set(reading.missing) == set(COUNTED)
    assert reading.missing[Metric.SAVES] == f"saved: {reason}"


async def test_a_medium_of_another_account_is_a_persons_to_mend(instagram: Instagram, sandbox: Sandbox) -> None:
    with pytest.raises(VendorError) as raised:
        await read(instagram, FIRST, account=Account(Platform.INSTAGRAM, "ig-2", "sandbox-ig-2"))

    assert raised.value.error_class is ErrorClass.PERMISSION
