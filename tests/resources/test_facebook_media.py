"""Photos and videos on Facebook pages, against the sandbox: uploaded unseen, public with one call."""

import pytest

from draggonnb_pipelines.domain.publishing import Media, Part, Payload, Prepared
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.facebook import FacebookPages
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.facebook_work import PAGE, client, find, picture, refused, text
from tests.sandbox_process import Sandbox


@pytest.fixture
def pages(door: HttpDoor, sandbox: Sandbox) -> FacebookPages:
    return client(door, sandbox)


async def test_one_photo_needs_no_preparation_and_is_named_by_its_post(pages: FacebookPages, sandbox: Sandbox) -> None:
    payload = Payload(Part.POST, "Look", (picture(sandbox),))
    assert not pages.needs_preparation(payload)

    published = await pages.publish(PAGE, payload, {})

    [public] = sandbox.public("facebook")
    assert public["id"] == published.platform_post_id
    assert published.platform_post_id.startswith("page-1_")
    assert (public["media"][0]["type"], public["media"][0]["alt"]) == ("image/jpeg", "A cup")
    assert await find(pages, payload) == published.platform_post_id


async def test_several_photos_are_uploaded_step_by_step_and_public_only_in_the_end(
    pages: FacebookPages, sandbox: Sandbox
) -> None:
    media = (
        picture(sandbox),
        picture(sandbox, "media/portrait.jpg"),
        picture(sandbox, "media/square.png", "image/png"),
    )
    payload = Payload(Part.POST, "Three", media)
    assert pages.needs_preparation(payload)

    steps = [Prepared({}, is_ready=False)]
    while not steps[-1].is_ready:
        steps.append(await pages.prepare(PAGE, payload, steps[-1].progress))
    assert [len(step.progress["photos"]) for step in steps[1:]] == [1, 2, 3]
    assert sandbox.public("facebook") == []
    published = await pages.publish(PAGE, payload, steps[-1].progress)

    [public] = sandbox.public("facebook")
    assert (public["id"], public["text"]) == (published.platform_post_id, "Three")
    assert [item["type"] for item in public["media"]] == ["image/jpeg", "image/jpeg", "image/png"]
    assert (await pages.prepare(PAGE, payload, steps[-1].progress)).is_ready
    with pytest.raises(VendorError) as again:
        await pages.publish(PAGE, payload, steps[-1].progress)
    assert (again.value.error_class, again.value.code) == (ErrorClass.DUPLICATE, "100/1366051")


async def test_photos_that_are_not_uploaded_yet_are_not_published(pages: FacebookPages, sandbox: Sandbox) -> None:
    error = await refused(pages, Payload(Part.POST, "Two", (picture(sandbox), picture(sandbox))))

    assert error.error_class is ErrorClass.RETRY
    assert sandbox.public("facebook") == []


async def test_a_video_among_photos_is_refused_before_any_call(pages: FacebookPages, sandbox: Sandbox) -> None:
    media = (picture(sandbox), picture(sandbox, "media/reel.mp4", "video/mp4"))
    with pytest.raises(VendorError) as raised:
        await pages.prepare(PAGE, Payload(Part.POST, "Mixed", media), {})

    assert raised.value.error_class is ErrorClass.INPUT
    assert sandbox.journal("facebook") == []


async def test_a_lost_upload_is_only_wasted(pages: FacebookPages, sandbox: Sandbox) -> None:
    payload = Payload(Part.POST, "Two", (picture(sandbox), picture(sandbox)))
    sandbox.faults("POST /graph/v25.0/page-1/photos", {"kind": "accept_then_drop"})

    with pytest.raises(VendorError) as raised:
        await pages.prepare(PAGE, payload, {})

    assert raised.value.error_class is ErrorClass.RETRY
    assert sandbox.public("facebook") == []


async def test_a_video_is_found_among_the_pages_videos_by_the_id_that_was_told(
    pages: FacebookPages, sandbox: Sandbox
) -> None:
    payload = Payload(Part.POST, "Roasting", (picture(sandbox, "media/reel.mp4", "video/mp4"),))
    assert not pages.needs_preparation(payload)

    published = await pages.publish(PAGE, payload, {})
    comment = Payload(Part.COMMENT, "Come and see", parent_id=published.platform_post_id)
    said = await pages.publish(PAGE, comment, {})

    assert [item["id"] for item in sandbox.public("facebook")] == [published.platform_post_id, said.platform_post_id]
    assert await find(pages, payload) == published.platform_post_id
    assert await find(pages, comment) == said.platform_post_id
    assert await find(pages, text("Roasting")) is None


async def test_media_that_cannot_be_fetched_are_the_posts_fault(pages: FacebookPages, sandbox: Sandbox) -> None:
    expired = Media(sandbox.signed_media()[:-4], "image/jpeg", 1000)
    film_as_picture = picture(sandbox, "media/reel.mp4", "image/jpeg")

    codes = [(await refused(pages, Payload(Part.POST, "x", (media,)))).code for media in (expired, film_as_picture)]

    assert codes == ["324", "324"]
    assert sandbox.public("facebook") == []
