"""Instagram of the sandbox: containers and their states, the rules of media, the quota, comments."""

import time
from typing import Any

import httpx
import pytest

from tests.sandbox_process import Sandbox


def call(sandbox: Sandbox, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> httpx.Response:
    headers = {"authorization": "Bearer sandbox-ig-1"}
    url = f"{sandbox.url}/graph/v25.0/{path}"
    return httpx.request(method, url, json=body, params=query or None, headers=headers, timeout=5)


def create(sandbox: Sandbox, path: str = "media/square.jpg", **body: Any) -> httpx.Response:
    return call(sandbox, "POST", "ig-1/media", {"image_url": sandbox.signed_media(path), **body})


def container(sandbox: Sandbox, **body: Any) -> str:
    return create(sandbox, **body).json()["id"]


def publish(sandbox: Sandbox, creation_id: str) -> httpx.Response:
    return call(sandbox, "POST", "ig-1/media_publish", {"creation_id": creation_id})


def state(sandbox: Sandbox, node: str) -> str:
    return call(sandbox, "GET", node, fields="status_code").json()["status_code"]


def errors(*answers: httpx.Response) -> list[tuple[int, int | None]]:
    found = [answer.json()["error"] for answer in answers]
    return [(error["code"], error.get("error_subcode")) for error in found]


def test_a_container_passes_through_its_states(sandbox: Sandbox) -> None:
    sandbox.settings(instagram_container_seconds=0.3)
    made = container(sandbox, caption="Hello")

    too_early = publish(sandbox, made)
    states = [state(sandbox, made)]
    time.sleep(0.35)
    states.append(state(sandbox, made))
    published = publish(sandbox, made)
    states.append(state(sandbox, made))

    assert states == ["IN_PROGRESS", "FINISHED", "PUBLISHED"]
    assert errors(too_early) == [(9007, 2207027)]
    [public] = sandbox.public("instagram")
    assert (public["id"], public["text"]) == (published.json()["id"], "Hello")
    assert errors(publish(sandbox, made)) == [(24, 2207006)]
    assert len(sandbox.public("instagram")) == 1


@pytest.mark.parametrize(
    ("kind", "word", "error"),
    [("container_error", "ERROR", (-1, 2207032)), ("container_expired", "EXPIRED", (-2, 2207020))],
)
def test_a_container_can_fail(sandbox: Sandbox, kind: str, word: str, error: tuple[int, int]) -> None:
    sandbox.settings(instagram_container_seconds=0.0)
    sandbox.faults("POST /graph/v25.0/ig-1/media", {"kind": kind})

    made = container(sandbox)

    assert state(sandbox, made) == word
    assert errors(publish(sandbox, made)) == [error]
    assert sandbox.public("instagram") == []


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("media/too-wide.jpg", (36003, 2207009)),
        ("media/square.png", (36001, 2207005)),
        ("media/square.gif", (36001, 2207005)),
        ("media/reel.mp4", (36001, 2207005)),
    ],
)
def test_a_picture_against_the_rules_makes_no_container(sandbox: Sandbox, path: str, error: tuple[int, int]) -> None:
    assert errors(create(sandbox, path)) == [error]


@pytest.mark.parametrize("path", ["media/square.jpg", "media/portrait.jpg", "media/landscape.jpg"])
def test_pictures_of_the_right_shapes_are_taken(sandbox: Sandbox, path: str) -> None:
    assert create(sandbox, path).status_code == 200


def test_what_cannot_be_fetched_or_said_makes_no_container(sandbox: Sandbox) -> None:
    elsewhere = call(sandbox, "POST", "ig-1/media", {"image_url": "https://elsewhere.example/a.jpg"})
    forged = call(sandbox, "POST", "ig-1/media", {"image_url": sandbox.signed_media()[:-3]})
    too_long = create(sandbox, caption="x" * 2201)
    too_many = create(sandbox, caption=" ".join(f"#t{number}" for number in range(31)))
    film_as_picture = call(sandbox, "POST", "ig-1/media", {"video_url": sandbox.signed_media("media/reel.mp4")})

    assert errors(elsewhere, forged, too_long, too_many, film_as_picture) == [
        *[(9004, 2207052)] * 2,
        (36004, 2207010),
        (100, 2207040),
        (100, 2207023),
    ]
    assert create(sandbox, caption="x" * 2200).status_code == 200


def test_a_carousel_takes_finished_items_only_and_counts_once(sandbox: Sandbox) -> None:
    sandbox.settings(instagram_container_seconds=0.0)
    items = [container(sandbox, is_carousel_item=True) for _ in range(2)]
    single = container(sandbox)
    sandbox.settings(instagram_container_seconds=60.0)
    slow = container(sandbox, is_carousel_item=True)
    sandbox.settings(instagram_container_seconds=0.0)

    def parent(*children: str) -> httpx.Response:
        body = {"media_type": "CAROUSEL", "caption": "Two", "children": list(children)}
        return call(sandbox, "POST", "ig-1/media", body)

    assert errors(parent(items[0]), parent(items[0], slow), parent(items[0], single)) == [
        (100, 2207028),
        (9007, 2207027),
        (24, 2207006),
    ]
    assert errors(publish(sandbox, items[0])) == [(24, 2207006)]
    assert publish(sandbox, parent(*items).json()["id"]).status_code == 200
    [public] = sandbox.public("instagram")
    assert [item["type"] for item in public["media"]] == ["image/jpeg"] * 2
    [quota] = call(sandbox, "GET", "ig-1/content_publishing_limit", fields="quota_usage,config").json()["data"]
    assert quota == {"quota_usage": 1, "config": {"quota_total": 50, "quota_duration": 86_400}}


def test_beyond_the_quota_nothing_is_published(sandbox: Sandbox) -> None:
    sandbox.settings(instagram_container_seconds=0.0, instagram_quota_total=1)
    first, second = container(sandbox), container(sandbox)

    assert publish(sandbox, first).status_code == 200
    assert errors(publish(sandbox, second)) == [(9, 2207042)]
    assert (state(sandbox, second), len(sandbox.public("instagram"))) == ("FINISHED", 1)


def test_another_accounts_container_is_not_there(sandbox: Sandbox) -> None:
    sandbox.settings(instagram_container_seconds=0.0)
    made = container(sandbox)
    stranger = {"authorization": "Bearer sandbox-ig-2"}
    base = f"{sandbox.url}/graph/v25.0"

    published = httpx.post(f"{base}/ig-2/media_publish", json={"creation_id": made}, headers=stranger)
    posing = httpx.post(f"{base}/ig-1/media_publish", json={"creation_id": made}, headers=stranger)
    looked_at = httpx.get(f"{base}/{made}", headers=stranger)

    assert errors(published, posing, looked_at) == [(24, 2207006), (200, None), (200, None)]
    assert sandbox.public("instagram") == []


def test_media_and_comments_are_listed_from_new_to_old(sandbox: Sandbox) -> None:
    sandbox.settings(instagram_container_seconds=0.0)
    ids = [publish(sandbox, container(sandbox, caption=words)).json()["id"] for words in ("a", "b")]
    said = [call(sandbox, "POST", f"{ids[0]}/comments", {"message": words}).json()["id"] for words in ("c", "d")]

    media = call(sandbox, "GET", "ig-1/media", fields="id,caption,timestamp,permalink").json()["data"]
    comments = call(sandbox, "GET", f"{ids[0]}/comments", fields="id,text,timestamp").json()["data"]

    assert [(item["id"], item["caption"]) for item in media] == [(ids[1], "b"), (ids[0], "a")]
    assert [(item["id"], item["text"]) for item in comments] == [(said[1], "d"), (said[0], "c")]
    page = httpx.get(media[1]["permalink"])
    assert (page.status_code, page.text.count("<article>")) == (200, 3)
    assert {entry["vendor"] for entry in sandbox.journal() if "comments" in entry["path"]} == {"instagram"}
