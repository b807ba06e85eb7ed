"""Pictures for LinkedIn: uploaded step by step, nothing public before the post, bounded when LinkedIn fails."""

import json

import pytest

from draggonnb_pipelines.domain.publishing import Part, Payload
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.linkedin_client import ACCOUNT, linkedin, picture, post, prepared
from tests.resources.raw_server import answer, raw_server, replies
from tests.sandbox_process import Sandbox

STATUS = "GET /linkedin/rest/images/{urn}"


async def test_pictures_appear_in_order_with_their_alt_texts(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    names = ("square.jpg", "portrait.jpg", "landscape.jpg")
    payload = post("Three cups", *[await picture(door, sandbox.url, n, alt_text=f"Alt of {n}") for n in names])

    ready = await prepared(client, payload)
    before = sandbox.public("linkedin")
    await client.publish(ACCOUNT, payload, ready.progress)

    (public,) = sandbox.public("linkedin")
    assert before == []
    assert [one["id"] for one in public["media"]] == ready.progress["images"]
    assert [one["alt"] for one in public["media"]] == [f"Alt of {name}" for name in names]
    assert json.loads(json.dumps(ready.progress)) == ready.progress


async def test_one_picture_is_no_album_and_needs_no_alt_text(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    payload = post("One cup", await picture(door, sandbox.url))

    ready = await prepared(client, payload)
    await client.publish(ACCOUNT, payload, ready.progress)

    content = sandbox.journal("linkedin")[-1]["body"]["content"]
    assert content == {"media": {"id": ready.progress["images"][0]}}
    assert len(sandbox.public("linkedin")) == 1


def test_only_posts_with_media_need_preparation(door: HttpDoor):
    client = linkedin(door, "http://127.0.0.1:9")

    assert not client.needs_preparation(post())
    assert not client.needs_preparation(Payload(Part.COMMENT, "Hi", parent_id="urn:li:share:1"))


async def test_after_a_crash_no_picture_is_uploaded_twice(door: HttpDoor, sandbox: Sandbox):
    payload = post("Two", await picture(door, sandbox.url), await picture(door, sandbox.url, "square.png"))
    step = await linkedin(door, sandbox.url).prepare(ACCOUNT, payload, {})

    for _ in range(2):
        step = await linkedin(door, sandbox.url).prepare(ACCOUNT, payload, step.progress)

    assert step.is_ready
    assert [e["route"] for e in sandbox.journal("linkedin")].count("PUT /linkedin/dms-uploads/{number}") == 2


async def test_a_lost_answer_to_an_upload_is_repeated(door: HttpDoor, sandbox: Sandbox):
    sandbox.faults("POST /linkedin/rest/images", {"kind": "accept_then_drop"})
    sandbox.faults("PUT /linkedin/dms-uploads/{number}", {"kind": "status", "status": 500})

    ready = await prepared(linkedin(door, sandbox.url), post("One", await picture(door, sandbox.url)))

    assert len(ready.progress["images"]) == 1
    assert sandbox.public("linkedin") == []


async def test_slow_processing_is_looked_at_ever_more_rarely(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    payload = post("One", await picture(door, sandbox.url))
    sandbox.faults(STATUS, {"kind": "image_slow", "times": 4})

    step = await client.prepare(ACCOUNT, payload, {})
    waits = []
    while not step.is_ready:
        step = await client.prepare(ACCOUNT, payload, step.progress)
        waits.append(step.look_again_seconds)

    assert waits == [1.0, 2.0, 4.0, 8.0, 0.0]
    assert step.progress["restarts"] == 0


async def test_a_picture_that_failed_is_uploaded_anew_and_the_others_stay(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    payload = post("Two", await picture(door, sandbox.url), await picture(door, sandbox.url, "square.png"))
    step = await client.prepare(ACCOUNT, payload, {})
    first = (await client.prepare(ACCOUNT, payload, step.progress)).progress["images"]
    sandbox.faults(STATUS, {"kind": "latency", "seconds": 0}, {"kind": "image_failed"})

    step = await client.prepare(ACCOUNT, payload, {"images": first})
    assert (step.progress["images"], step.progress["ready"]) == ([first[0], None], 1)
    while not step.is_ready:
        step = await client.prepare(ACCOUNT, payload, step.progress)

    assert step.progress["images"][0] == first[0]
    assert step.progress["images"][1] not in (None, first[1])


@pytest.mark.parametrize(("kind", "status"), [("image_failed", "PROCESSING_FAILED"), ("image_slow", "PROCESSING")])
async def test_a_picture_that_never_gets_ready_is_given_up(door: HttpDoor, sandbox: Sandbox, kind: str, status: str):
    sandbox.faults(STATUS, {"kind": kind}, repeat=True)

    with pytest.raises(VendorError) as raised:
        await prepared(linkedin(door, sandbox.url), post("One", await picture(door, sandbox.url)), most=60)

    assert raised.value.error_class is ErrorClass.INPUT
    assert raised.value.message == f"LinkedIn does not take picture 1: {status}"
    uploads = [e for e in sandbox.journal("linkedin") if e["method"] == "PUT"]
    assert (len(uploads), sandbox.public("linkedin")) == (4, [])


async def test_an_expired_link_does_not_look_like_an_expired_token(door: HttpDoor, sandbox: Sandbox):
    media = await picture(door, sandbox.url)
    payload = post("One", await picture(door, sandbox.url, url=media.url[:-2]))

    with pytest.raises(VendorError) as raised:
        await linkedin(door, sandbox.url).prepare(ACCOUNT, payload, {})

    assert (raised.value.vendor, raised.value.error_class) == ("linkedin", ErrorClass.RETRY)
    assert sandbox.journal("linkedin") == []


async def test_a_file_outside_of_the_storage_is_never_read(door: HttpDoor, sandbox: Sandbox):
    payload = post("One", await picture(door, sandbox.url, url="http://127.0.0.1:9/secret"))

    with pytest.raises(VendorError) as raised:
        await linkedin(door, sandbox.url).prepare(ACCOUNT, payload, {})

    assert raised.value.error_class is ErrorClass.INPUT
    assert sandbox.journal("linkedin") == []


async def test_a_video_is_refused_before_anything_is_sent(door: HttpDoor, sandbox: Sandbox):
    payload = post("One", await picture(door, sandbox.url, "reel.mp4", content_type="video/mp4"))

    with pytest.raises(VendorError) as raised:
        await linkedin(door, sandbox.url).prepare(ACCOUNT, payload, {})

    assert raised.value.error_class is ErrorClass.INPUT
    assert sandbox.journal("linkedin") == []


@pytest.mark.parametrize(
    "url", ["https://evil.example/u", "http://www.linkedin.com/u", "https://linkedin.com.evil.example/", "https://x@a/"]
)
async def test_the_token_goes_to_linkedins_hosts_only(door: HttpDoor, sandbox: Sandbox, url: str):
    media = await picture(door, sandbox.url)
    value = {"value": {"image": "urn:li:image:1", "uploadUrl": url}}
    async with raw_server(replies(answer(200, json.dumps(value).encode()))) as server:
        client = linkedin(door, sandbox.url, base_url=f"{server.url}/linkedin")
        with pytest.raises(VendorError) as raised:
            await client.prepare(ACCOUNT, post("One", media), {})

    assert raised.value.error_class is ErrorClass.CONFIG
    assert len(server.seen) == 1


async def test_publishing_before_the_pictures_are_ready_is_a_bug_and_sends_nothing(door: HttpDoor, sandbox: Sandbox):
    payload = post("One", await picture(door, sandbox.url))

    with pytest.raises(ValueError, match="before prepare"):
        await linkedin(door, sandbox.url).publish(ACCOUNT, payload, {"images": [None]})

    assert sandbox.journal("linkedin") == []
