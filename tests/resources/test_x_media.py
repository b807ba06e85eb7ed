"""X's chunked upload: steps that can be stored, lost and taken up again; nothing is public before the post."""

from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.x_media import SEGMENT_BYTES
from tests.resources.x_account import ACCOUNT, adapter, asked, post, prepared, stored
from tests.sandbox_process import Sandbox

BEGIN, APPEND, FINISH = (
    "POST /2/media/upload" + end for end in ("/initialize", "/{media}/append", "/{media}/finalize")
)
FINALIZE = "POST /x/2/media/upload/{media}/finalize"


async def test_images_are_uploaded_one_a_step_and_published_in_order(door: HttpDoor, sandbox: Sandbox):
    x = adapter(door, sandbox.url)
    one = await stored(door, sandbox, b"one" * 100, "image/png", alt_text="A cup of coffee")
    payload = post(media=(one, one))
    assert x.needs_preparation(payload)

    steps = await prepared(x, payload)

    assert [step.is_ready for step in steps] == [False, True]
    upload = [f"{BEGIN} 200", f"{APPEND} 200", f"{FINISH} 200", "POST /2/media/metadata 200"]
    assert asked(sandbox) == upload * 2
    assert sandbox.public("x") == []
    await x.publish(ACCOUNT, payload, steps[-1].progress)
    (public,) = sandbox.public("x")
    ids = [entry["id"] for entry in steps[-1].progress["media"]]
    assert public["media"] == [{"type": "photo", "media_key": f"3_{media}", "alt": "A cup of coffee"} for media in ids]


async def test_a_prepared_payload_needs_no_more_steps(door: HttpDoor, sandbox: Sandbox):
    x = adapter(door, sandbox.url)
    payload = post(media=(await stored(door, sandbox, b"one", "image/png"),))
    (step,) = await prepared(x, payload)
    calls = len(sandbox.journal("x"))

    again = await x.prepare(ACCOUNT, payload, step.progress)

    assert (again.is_ready, again.progress) == (True, step.progress)
    assert len(sandbox.journal("x")) == calls


async def test_a_large_video_goes_up_in_segments_over_several_steps(
    door: HttpDoor, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("draggonnb_pipelines.resources.x_media.SEGMENTS_PER_STEP", 1)
    sandbox.settings(x_processing_seconds=0.0)
    x = adapter(door, sandbox.url)
    size = 2 * SEGMENT_BYTES + 5
    payload = post(media=(await stored(door, sandbox, bytes(size), "video/mp4", alt_text="Not for videos"),))

    steps = await prepared(x, payload)

    assert [step.progress["media"][0]["sent"] for step in steps] == [1, 2, 3]
    assert [step.is_ready for step in steps] == [False, False, True]
    assert asked(sandbox) == [f"{BEGIN} 200", *[f"{APPEND} 200"] * 3, f"{FINISH} 200"]
    sent = [int(one["headers"]["content-length"]) for one in sandbox.journal("x")[1:4]]
    assert [size // 1000 for size in sent] == [SEGMENT_BYTES // 1000, SEGMENT_BYTES // 1000, 0]


async def test_processing_is_looked_at_when_x_says_so(door: HttpDoor, sandbox: Sandbox):
    sandbox.settings(x_processing_seconds=1.2)
    x = adapter(door, sandbox.url)
    payload = post(media=(await stored(door, sandbox, b"mp4", "video/mp4"),))

    first = await x.prepare(ACCOUNT, payload, {})
    second = await x.prepare(ACCOUNT, payload, first.progress)
    sandbox.settings(x_processing_seconds=0.0)

    assert (first.is_ready, first.look_again_seconds) == (False, 2.0)
    assert (second.is_ready, second.look_again_seconds) == (False, pytest.approx(2.0, abs=1.0))
    assert asked(sandbox)[-1] == "GET /2/media/upload 200"
    with pytest.raises(VendorError) as raised:
        await x.publish(ACCOUNT, payload, second.progress)
    assert (raised.value.error_class, raised.value.code) == (ErrorClass.INPUT, "not-prepared")
    assert sandbox.public("x") == []


@pytest.mark.parametrize("kind", ["media_failed", "media_lost"])
async def test_a_lost_upload_is_begun_anew(door: HttpDoor, sandbox: Sandbox, kind: str):
    sandbox.settings(x_processing_seconds=0.0)
    sandbox.faults(FINALIZE, {"kind": kind})
    x = adapter(door, sandbox.url)

    steps = await prepared(x, post(media=(await stored(door, sandbox, b"gif", "image/gif"),)))

    assert [step.is_ready for step in steps] == [False, True]
    assert steps[0].progress == {"media": [], "restarts": 1}
    assert steps[1].progress["restarts"] == 1
    assert [call for call in asked(sandbox) if call.startswith(BEGIN)] == [f"{BEGIN} 200"] * 2


async def test_an_upload_that_fails_again_and_again_is_given_up_with_the_reason(door: HttpDoor, sandbox: Sandbox):
    sandbox.faults(FINALIZE, {"kind": "media_failed"}, repeat=True)
    x = adapter(door, sandbox.url)
    payload = post(media=(await stored(door, sandbox, b"mp4", "video/mp4"),))

    with pytest.raises(VendorError) as raised:
        await prepared(x, payload)

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.INPUT, "media-failed")
    assert raised.value.message == "media 1 could not be uploaded, 4 times: X could not process the file"
    assert [call for call in asked(sandbox) if call.startswith(BEGIN)] == [f"{BEGIN} 200"] * 4
    assert sandbox.public("x") == []


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 503}, {"kind": "accept_then_drop"}, {"kind": "accept_then_status"}]
)
@pytest.mark.parametrize("end", ["/initialize", "/{media}/append", "/{media}/finalize"])
async def test_a_lost_answer_costs_a_repetition_and_no_more(
    door: HttpDoor, sandbox: Sandbox, fault: dict[str, Any], end: str
):
    sandbox.faults(f"POST /x/2/media/upload{end}", fault)
    x = adapter(door, sandbox.url)
    payload = post(media=(await stored(door, sandbox, b"png", "image/png"),))

    (step,) = await prepared(x, payload)
    await x.publish(ACCOUNT, payload, step.progress)

    assert len(sandbox.public("x")) == 1


async def test_a_file_that_x_does_not_take_is_refused_at_once(door: HttpDoor, sandbox: Sandbox):
    x = adapter(door, sandbox.url)
    payload = post(media=(await stored(door, sandbox, b"svg", "image/svg+xml"),))

    with pytest.raises(VendorError) as raised:
        await prepared(x, payload)

    assert (raised.value.vendor, raised.value.error_class) == ("x", ErrorClass.INPUT)
    assert asked(sandbox) == [f"{BEGIN} 400"]


async def test_a_file_that_is_gone_is_the_storages_refusal_and_begun_only_once(door: HttpDoor, sandbox: Sandbox):
    x = adapter(door, sandbox.url)
    media = await stored(door, sandbox, b"png", "image/png")
    sandbox.reset()

    with pytest.raises(VendorError) as raised:
        await prepared(x, post(media=(media,)))

    assert (raised.value.vendor, raised.value.error_class) == ("storage", ErrorClass.INPUT)
    assert asked(sandbox) == [f"{BEGIN} 200"]
