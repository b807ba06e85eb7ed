"""The Supabase Storage of the sandbox: uploads, signed links, ranges, samples."""

import time

import httpx
import pytest

from tests.sandbox_process import Sandbox

KEY = {"authorization": "Bearer sandbox"}
SAMPLES = {
    "media/square.jpg": ("image/jpeg", b"\xff\xd8\xff"),
    "media/portrait.jpg": ("image/jpeg", b"\xff\xd8\xff"),
    "media/landscape.jpg": ("image/jpeg", b"\xff\xd8\xff"),
    "media/too-wide.jpg": ("image/jpeg", b"\xff\xd8\xff"),
    "media/square.png": ("image/png", b"\x89PNG"),
    "media/square.gif": ("image/gif", b"GIF8"),
    "media/reel.mp4": ("video/mp4", b"\0\0\0\x1cftyp"),
}


def root(sandbox: Sandbox) -> str:
    return f"{sandbox.url}/supabase/storage/v1"


def sign(sandbox: Sandbox, name: str, seconds: object = 60, headers: dict[str, str] = KEY) -> httpx.Response:
    return httpx.post(f"{root(sandbox)}/object/sign/{name}", json={"expiresIn": seconds}, headers=headers)


def link(sandbox: Sandbox, name: str, seconds: int = 60) -> str:
    return root(sandbox) + sign(sandbox, name, seconds).json()["signedURL"]


def test_a_file_that_was_uploaded_is_read_by_its_signed_link_without_a_key(sandbox: Sandbox):
    headers = {**KEY, "content-type": "image/png"}
    stored = httpx.post(f"{root(sandbox)}/object/clients/kloof/new logo.png", content=b"\x89PNG1234", headers=headers)

    answer = httpx.get(link(sandbox, "clients/kloof/new logo.png"))

    assert stored.json()["Key"] == "clients/kloof/new logo.png"
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"\x89PNG1234", "image/png")


def test_a_file_is_replaced_only_on_request(sandbox: Sandbox):
    url = f"{root(sandbox)}/object/clients/a.png"
    httpx.post(url, content=b"first", headers=KEY)

    refused = httpx.post(url, content=b"second", headers=KEY)
    kept = httpx.get(link(sandbox, "clients/a.png")).content
    taken = httpx.post(url, content=b"third", headers={**KEY, "x-upsert": "true"})

    assert (refused.status_code, refused.json()["statusCode"], refused.json()["error"]) == (400, "409", "Duplicate")
    assert kept == b"first"
    assert (taken.status_code, httpx.get(link(sandbox, "clients/a.png")).content) == (200, b"third")


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_are_always_there(sandbox: Sandbox, name: str):
    answer = httpx.get(link(sandbox, name))
    head = httpx.head(link(sandbox, name))

    content_type, magic = SAMPLES[name]
    assert answer.headers["content-type"] == content_type
    assert answer.content.startswith(magic)
    assert head.headers["content-length"] == str(len(answer.content))
    assert len(answer.content) < 100_000


def test_a_range_is_answered_with_that_part(sandbox: Sandbox):
    url = link(sandbox, "media/square.jpg")
    whole = httpx.get(url).content

    part = httpx.get(url, headers={"range": "bytes=2-11"})
    rest = httpx.get(url, headers={"range": f"bytes={len(whole) - 3}-999999"})
    beyond = httpx.get(url, headers={"range": f"bytes={len(whole)}-"})

    assert (part.status_code, part.content) == (206, whole[2:12])
    assert part.headers["content-range"] == f"bytes 2-11/{len(whole)}"
    assert (rest.status_code, rest.content) == (206, whole[-3:])
    assert (beyond.status_code, beyond.json()["error"]) == (416, "InvalidRange")


def test_a_link_lives_as_long_as_asked_and_opens_only_its_file(sandbox: Sandbox):
    short = link(sandbox, "media/square.jpg", 1)
    other = short.replace("square.jpg", "portrait.jpg")
    forged = short[:-1] + ("A" if short[-1] != "A" else "B")

    alive, wrong_file, wrong_token = (httpx.get(url) for url in (short, other, forged))
    time.sleep(1.05)
    expired = httpx.get(short)

    assert alive.status_code == 200
    for refused in (wrong_file, wrong_token, expired):
        assert (refused.status_code, refused.json()["statusCode"], refused.json()["error"]) == (
            400,
            "400",
            "InvalidJWT",
        )
    assert expired.json()["message"] == '"exp" claim timestamp check failed'


@pytest.mark.parametrize(
    ("name", "seconds", "headers", "code", "error"),
    [
        ("media/none.jpg", 60, KEY, "404", "not_found"),
        ("media/square.jpg", "long", KEY, "400", "Error"),
        ("media/square.jpg", 0, KEY, "400", "Error"),
        ("media/square.jpg", 60, {}, "403", "Unauthorized"),
        ("media/square.jpg", 60, {"authorization": "Bearer bad"}, "403", "Unauthorized"),
    ],
)
def test_what_is_wrong_is_refused_as_supabase_words_it(
    sandbox: Sandbox, name: str, seconds: object, headers: dict[str, str], code: str, error: str
):
    answer = sign(sandbox, name, seconds, headers)

    assert (answer.status_code, answer.json()["statusCode"], answer.json()["error"]) == (400, code, error)


def test_a_link_without_a_token_is_refused(sandbox: Sandbox):
    answer = httpx.get(f"{root(sandbox)}/object/sign/media/square.jpg")

    assert (answer.status_code, answer.json()["error"]) == (400, "Error")
