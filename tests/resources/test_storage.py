"""The media storage: against the sandbox for the calls, against exact bodies for the error table."""

import json
from urllib.parse import urlsplit

import httpx
import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.storage import HEAD_BYTES, MediaStorage, StoredMedia
from tests.resources.raw_server import answer, raw_server, replies
from tests.sandbox_process import Sandbox


def storage(door: HttpDoor, base: str, key: str = "sandbox") -> MediaStorage:
    return MediaStorage(door, base_url=f"{base}/supabase/storage/v1", key=key)


def put(sandbox: Sandbox, name: str, content: bytes, content_type: str = "image/jpeg") -> None:
    headers = {"authorization": "Bearer sandbox", "content-type": content_type}
    url = f"{sandbox.url}/supabase/storage/v1/object/{name}"
    httpx.post(url, content=content, headers=headers).raise_for_status()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("square.jpg", ("image/jpeg", 1080, 1080, None)),
        ("portrait.jpg", ("image/jpeg", 1080, 1350, None)),
        ("square.png", ("image/png", 1080, 1080, None)),
        ("square.gif", ("image/gif", 600, 600, None)),
        ("reel.mp4", ("video/mp4", 1080, 1920, 8.0)),
    ],
)
async def test_a_file_is_known_by_its_bytes(door: HttpDoor, sandbox: Sandbox, path: str, expected: tuple[object, ...]):
    media = storage(door, sandbox.url)

    found = await media.inspect(await media.sign("media", path, seconds=60))

    assert (found.content_type, found.width, found.height, found.duration_seconds) == expected
    assert found.size_bytes == len(await media.read(await media.sign("media", path, seconds=60), 1_000_000))


async def test_only_the_beginning_is_read_and_the_name_is_not_believed(door: HttpDoor, sandbox: Sandbox):
    media = storage(door, sandbox.url)
    png = await media.read(await media.sign("media", "square.png", seconds=60), 1_000_000)
    put(sandbox, "clients/a b/really é.jpg", png + bytes(1_000_000))

    found = await media.inspect(await media.sign("clients", "a b/really é.jpg", seconds=60))

    assert found == StoredMedia("image/png", len(png) + 1_000_000, 1080, 1080, etag=found.etag)
    assert sandbox.journal("storage")[-1]["headers"]["range"] == f"bytes=0-{HEAD_BYTES - 1}"


async def test_a_file_that_is_no_media_says_so(door: HttpDoor, sandbox: Sandbox):
    media = storage(door, sandbox.url)
    put(sandbox, "clients/page.jpg", b"<html>not a picture</html>")

    found = await media.inspect(await media.sign("clients", "page.jpg", seconds=60))

    assert found == StoredMedia("application/octet-stream", 26, etag=found.etag)


async def test_another_file_of_the_same_name_and_size_has_another_digest(door: HttpDoor, sandbox: Sandbox):
    media = storage(door, sandbox.url)
    # They differ far behind the part that is read.
    put(sandbox, "clients/one.jpg", b"\xff\xd8\xff" + bytes(HEAD_BYTES) + b"a")
    put(sandbox, "clients/two.jpg", b"\xff\xd8\xff" + bytes(HEAD_BYTES) + b"b")

    one = await media.inspect(await media.sign("clients", "one.jpg", seconds=60))
    two = await media.inspect(await media.sign("clients", "two.jpg", seconds=60))

    assert one.size_bytes == two.size_bytes
    assert one.etag
    assert one.etag != two.etag


async def test_a_missing_file_is_named(door: HttpDoor, sandbox: Sandbox):
    with pytest.raises(VendorError) as raised:
        await storage(door, sandbox.url).sign("media", "none.jpg", seconds=60)

    assert raised.value.error_class is ErrorClass.INPUT
    assert raised.value.message == "the file media/none.jpg is not in the storage"


async def test_a_wrong_key_and_a_forged_link_are_auth(door: HttpDoor, sandbox: Sandbox):
    media = storage(door, sandbox.url)
    url = await media.sign("media", "square.jpg", seconds=60)
    with pytest.raises(VendorError) as wrong_key:
        await storage(door, sandbox.url, "bad").sign("media", "square.jpg", seconds=60)
    with pytest.raises(VendorError) as forged:
        await media.inspect(url[:-2])

    assert (wrong_key.value.error_class, wrong_key.value.code) == (ErrorClass.AUTH, "Unauthorized")
    assert (forged.value.error_class, forged.value.code) == (ErrorClass.AUTH, "InvalidJWT")
    assert urlsplit(url).query not in str(forged.value)


async def test_a_file_over_the_cap_is_input(door: HttpDoor, sandbox: Sandbox):
    media = storage(door, sandbox.url)
    url = await media.sign("media", "square.jpg", seconds=60)

    with pytest.raises(VendorError) as raised:
        await media.read(url, 1000)

    assert raised.value.error_class is ErrorClass.INPUT


@pytest.mark.parametrize("path", ["../secrets/a.jpg", "a/%2e%2e/b.jpg", "a//b.jpg", "./a.jpg", "a\\..\\b", ""])
async def test_a_name_never_leaves_its_bucket(door: HttpDoor, sandbox: Sandbox, path: str):
    with pytest.raises(VendorError) as raised:
        await storage(door, sandbox.url).sign("media", path, seconds=60)

    assert raised.value.error_class is ErrorClass.INPUT
    assert sandbox.journal() == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/supabase/storage/v1/object/sign/media/square.jpg?token=x",
        "{base}@evil.example/object/sign/media/square.jpg",
        "{base}.evil.example/object/sign/media/square.jpg",
        "{base}/../../auth/v1/admin/users",
        "{base}/%2e%2e/%2E%2E/auth/v1/admin/users",
        "{base}/..%2f..%2fauth/v1",
        "file:///etc/passwd",
        "",
    ],
)
async def test_only_addresses_of_the_storage_are_read(door: HttpDoor, sandbox: Sandbox, url: str):
    url = url.replace("{base}", f"{sandbox.url}/supabase/storage/v1")

    for reading in (storage(door, sandbox.url).inspect(url), storage(door, sandbox.url).read(url, 1000)):
        with pytest.raises(VendorError) as raised:
            await reading
        assert (raised.value.error_class, raised.value.message) == (
            ErrorClass.INPUT,
            "the address is not one of our storage",
        )

    assert sandbox.journal() == []


async def test_a_redirect_is_not_followed_and_says_nothing_of_the_file(door: HttpDoor):
    moved = answer(302, b"", location="http://127.0.0.1:9/elsewhere")
    async with raw_server(replies(moved)) as server:
        with pytest.raises(VendorError) as raised:
            await storage(door, server.url).read(f"{server.url}/supabase/storage/v1/object/sign/a/b?token=x", 1000)

    assert (raised.value.error_class, raised.value.message) == (
        ErrorClass.RETRY,
        "HTTP 302, a redirect, which is not followed",
    )
    assert {seen.target for seen in server.seen} == {"/supabase/storage/v1/object/sign/a/b?token=x"}


@pytest.mark.parametrize(
    ("status", "body", "error_class"),
    [
        (400, {"statusCode": "404", "error": "not_found"}, ErrorClass.INPUT),
        (404, {"code": "NoSuchKey"}, ErrorClass.INPUT),
        (400, {"statusCode": "400", "error": "InvalidJWT"}, ErrorClass.AUTH),
        (400, {"statusCode": "403", "error": "Unauthorized"}, ErrorClass.AUTH),
        (403, {"code": "AccessDenied"}, ErrorClass.PERMISSION),
        (400, {"statusCode": "403", "error": "new"}, ErrorClass.PERMISSION),
        (401, {}, ErrorClass.AUTH),
        (503, {"code": "SlowDown"}, ErrorClass.THROTTLED),
        (429, {}, ErrorClass.THROTTLED),
        (400, {"statusCode": "544", "error": "DatabaseTimeout"}, ErrorClass.RETRY),
        (400, {"statusCode": "500", "error": "new"}, ErrorClass.RETRY),
        (502, "<html>", ErrorClass.RETRY),
        (416, {"error": "InvalidRange"}, ErrorClass.INPUT),
        (404, {"code": "TenantNotFound"}, ErrorClass.CONFIG),
        (400, {"statusCode": ["?"], "error": {}}, ErrorClass.INPUT),
    ],
)
async def test_the_error_table_decides(door: HttpDoor, status: int, body: object, error_class: ErrorClass):
    async with raw_server(replies(answer(status, json.dumps(body).encode()))) as server:
        with pytest.raises(VendorError) as raised:
            await storage(door, server.url).sign("media", "a.jpg", seconds=60)

    assert (raised.value.error_class, raised.value.status) == (error_class, status)
    assert len(server.seen) == (4 if error_class in (ErrorClass.RETRY, ErrorClass.THROTTLED) else 1)
