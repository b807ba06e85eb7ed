"""Instagram's containers against the sandbox: slow, failed and forgotten ones, refused media, the day's quota."""

import pytest

from draggonnb_pipelines.domain.publishing import Part, Payload
from draggonnb_pipelines.errors import ErrorClass
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.instagram import MAX_POLLS, MAX_RESTARTS, Instagram
from tests.resources.instagram_work import ACCOUNT, CREATE, client, find, post, refused, refused_step, routes, steps_of
from tests.sandbox_process import Sandbox


@pytest.fixture
def instagram(door: HttpDoor, sandbox: Sandbox) -> Instagram:
    return client(door, sandbox)


async def test_a_container_that_takes_long_is_looked_at_less_and_less_often(
    instagram: Instagram, sandbox: Sandbox
) -> None:
    sandbox.settings(instagram_container_seconds=600.0)
    payload = post(sandbox)
    step = await instagram.prepare(ACCOUNT, payload, {})
    container, waits = step.progress["container"], []

    for _ in range(MAX_POLLS - 1):
        step = await instagram.prepare(ACCOUNT, payload, step.progress)
        waits.append(step.look_again_seconds)
    assert (step.progress["container"], waits[:8]) == (container, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0])
    step = await instagram.prepare(ACCOUNT, payload, step.progress)

    assert (step.progress, step.is_ready) == ({"restarts": 1}, False)
    assert await find(instagram, payload, {"container": container}) is None


@pytest.mark.parametrize("kind", ["container_error", "container_expired"])
async def test_a_container_that_failed_is_replaced_three_times_and_then_the_post_is_refused(
    instagram: Instagram, sandbox: Sandbox, kind: str
) -> None:
    sandbox.faults(CREATE, {"kind": kind}, repeat=True)
    payload, progress, restarts = post(sandbox), {}, []

    for _ in range(MAX_RESTARTS):
        created = await instagram.prepare(ACCOUNT, payload, progress)
        progress = (await instagram.prepare(ACCOUNT, payload, created.progress)).progress
        restarts.append(progress)
    created = await instagram.prepare(ACCOUNT, payload, progress)
    error = await refused_step(instagram, payload, created.progress)

    assert restarts == [{"restarts": 1}, {"restarts": 2}, {"restarts": 3}]
    assert error.error_class is ErrorClass.INPUT
    assert {"container_error": "error code 2207053", "container_expired": "EXPIRED"}[kind] in error.message
    assert routes(sandbox).count("POST {account}/media") == MAX_RESTARTS + 1
    assert sandbox.public("instagram") == []


async def test_a_container_that_failed_once_is_replaced_and_published(instagram: Instagram, sandbox: Sandbox) -> None:
    sandbox.faults(CREATE, {"kind": "container_error"})
    payload = post(sandbox)

    steps = await steps_of(instagram, payload)
    await instagram.publish(ACCOUNT, payload, steps[-1].progress)

    assert [step.progress.get("restarts") for step in steps] == [None, 1, 1, 1]
    assert len(sandbox.public("instagram")) == 1


async def test_a_container_that_failed_for_the_mediums_sake_is_not_made_again(
    instagram: Instagram, sandbox: Sandbox
) -> None:
    sandbox.faults(CREATE, {"kind": "container_error", "subcode": 2207009})
    payload = post(sandbox)
    created = await instagram.prepare(ACCOUNT, payload, {})

    error = await refused_step(instagram, payload, created.progress)

    assert (error.error_class, error.code) == (ErrorClass.INPUT, "2207009")
    assert routes(sandbox).count("POST {account}/media") == 1


async def test_a_container_that_instagram_forgot_is_made_again(instagram: Instagram, sandbox: Sandbox) -> None:
    payload = post(sandbox)

    step = await instagram.prepare(ACCOUNT, payload, {"container": "17900000000000000"})

    assert (step.progress, step.is_ready) == ({"restarts": 1}, False)


async def test_a_medium_that_cannot_be_fetched_is_tried_once_more(instagram: Instagram, sandbox: Sandbox) -> None:
    sandbox.faults(CREATE, {"kind": "fetch_failed", "times": 2})
    payload = post(sandbox)

    again = await instagram.prepare(ACCOUNT, payload, {})
    error = await refused_step(instagram, payload, again.progress)

    assert (again.progress, again.is_ready, again.look_again_seconds) == ({"fetch_failures": 1}, False, 60.0)
    assert (error.error_class, error.code) == (ErrorClass.INPUT, "9004/2207052")
    assert routes(sandbox).count("POST {account}/media") == 2


@pytest.mark.parametrize(
    ("path", "code"), [("media/too-wide.jpg", "36003/2207009"), ("media/square.gif", "36001/2207005")]
)
async def test_a_picture_against_the_rules_is_refused_at_once(
    instagram: Instagram, sandbox: Sandbox, path: str, code: str
) -> None:
    error = await refused_step(instagram, post(sandbox, path), {})

    assert (error.error_class, error.code) == (ErrorClass.INPUT, code)
    assert sandbox.public("instagram") == []


async def test_one_refused_item_refuses_the_carousel(instagram: Instagram, sandbox: Sandbox) -> None:
    error = await refused_step(instagram, post(sandbox, "media/square.jpg", "media/too-wide.jpg"), {})

    assert (error.error_class, error.code) == (ErrorClass.INPUT, "36003/2207009")


async def test_a_post_without_a_medium_is_refused_before_any_call(instagram: Instagram, sandbox: Sandbox) -> None:
    error = await refused_step(instagram, Payload(Part.POST, "Words only"), {})

    assert error.error_class is ErrorClass.INPUT
    assert sandbox.journal() == []


async def test_at_the_days_quota_no_container_is_made(instagram: Instagram, sandbox: Sandbox) -> None:
    sandbox.settings(instagram_quota_total=1)
    first, second = post(sandbox), post(sandbox, caption="Second")
    steps = await steps_of(instagram, first)
    await instagram.publish(ACCOUNT, first, steps[-1].progress)

    error = await refused_step(instagram, second, {})

    assert (error.error_class, error.retry_after_seconds) == (ErrorClass.THROTTLED, 3600.0)
    assert error.message == "1 of 1 posts in 24 hours are used"
    assert routes(sandbox).count("POST {account}/media") == 1


async def test_a_quota_that_is_used_up_meanwhile_is_told_by_the_publish_call(
    instagram: Instagram, sandbox: Sandbox
) -> None:
    payload = post(sandbox)
    steps = await steps_of(instagram, payload)
    sandbox.settings(instagram_quota_total=0)

    error = await refused(instagram, payload, steps[-1].progress)

    assert (error.error_class, error.code, error.retry_after_seconds) == (ErrorClass.THROTTLED, "9/2207042", 3600.0)
    assert sandbox.public("instagram") == []
