"""Media at the time of publishing: what is gone or has changed since the approval is refused before any call."""

from typing import Any

import httpx
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.stack import Stack
from tests.sandbox_process import Sandbox
from tests.workflows.lead_work import tenant_rows
from tests.workflows.publish_work import approve, connect, make_due, posts_used, publish, queue

NETWORKS = [Platform.FACEBOOK, Platform.INSTAGRAM, Platform.LINKEDIN, Platform.X]
UPLOAD = "/supabase/storage/v1/object/media-draggonnb"
SIGN = "POST /supabase/storage/v1/object/sign/*"


async def upload(sandbox: Sandbox, path: str, content: bytes) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        headers = {"authorization": "Bearer sandbox", "x-upsert": "true", "content-type": "image/jpeg"}
        (await http.post(f"{UPLOAD}/{path}", content=content, headers=headers)).raise_for_status()


async def sample(sandbox: Sandbox, path: str = "media/square.jpg") -> bytes:
    async with httpx.AsyncClient() as http:
        return (await http.get(sandbox.signed_media(path))).content


def posting_calls(sandbox: Sandbox) -> list[str]:
    """Whatever was sent to a network, also uploads and containers."""
    return [call["path"] for call in sandbox.journal() if call["vendor"] != "storage" and call["method"] == "POST"]


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"path": "gone.jpg"}, "the file media-draggonnb/gone.jpg is not in the storage"),
        (
            {"path": "cup.jpg", "size_bytes": 17},
            "media cup.jpg: its size was 17 when the post was checked and is {size} now",
        ),
        (
            {"path": "cup.jpg", "content_type": "image/png"},
            "media cup.jpg: its type was image/png when the post was checked and is image/jpeg now",
        ),
        (
            {"path": "cup.jpg", "etag": "another"},
            "media cup.jpg: its digest was another when the post was checked and is {etag} now",
        ),
    ],
)
async def test_a_file_that_is_gone_or_another_one_by_now_refuses_its_post_on_every_network_before_any_call(
    stack: Stack, agency: Organization, sandbox: Sandbox, known: dict[str, Any], reason: str
) -> None:
    content = await sample(sandbox)
    await upload(sandbox, "cup.jpg", content)
    etag = (await stack.storage.inspect(await stack.storage.sign("media-draggonnb", "cup.jpg", seconds=60))).etag
    await connect(stack, agency)
    await approve(stack, agency, "With a picture.", media=[{"alt": "A cup", **known}])

    client = await publish(stack, agency)

    rows = await queue(stack, agency)
    assert [row["platform_id"] for row in rows] == [str(network) for network in NETWORKS]
    assert {(row["status"], row["error_class"], row["attempts"]) for row in rows} == {("refused", "input", 0)}
    assert {row["last_error"] for row in rows} == {reason.format(size=len(content), etag=etag)}
    assert client.tally.refused == 4
    assert posting_calls(sandbox) == []
    assert await posts_used(stack, agency) == (0, 0)
    assert await tenant_rows(stack, agency, "select status from social_posts") == [{"status": "failed"}]


async def test_a_post_without_media_goes_out_beside_one_whose_file_is_gone(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Gone.", platforms=("x",), media=[{"path": "gone.jpg"}])
    await approve(stack, agency, "Words alone.", platforms=("x",))

    await publish(stack, agency)

    assert {row["payload"]["text"]: row["status"] for row in await queue(stack, agency)} == {
        "Gone.": "refused",
        "Words alone.": "published",
    }
    assert [post["text"] for post in sandbox.public("x")] == ["Words alone."]


async def test_a_storage_that_is_away_puts_the_post_off_and_makes_no_call(
    stack: Stack, agency: Organization, sandbox: Sandbox
) -> None:
    await connect(stack, agency, Platform.X)
    await approve(stack, agency, "Later.", platforms=("x",), media=[{"path": "square.jpg", "alt": "A cup"}])
    sandbox.faults(SIGN, {"kind": "status", "status": 503, "times": 5})

    await publish(stack, agency)
    [waiting] = await queue(stack, agency)
    assert (waiting["status"], waiting["attempts"], waiting["tries"]) == ("scheduled", 0, 1)
    assert posting_calls(sandbox) == []
    sandbox.clear_faults()
    await make_due(stack, agency)
    await publish(stack, agency)

    [row] = await queue(stack, agency)
    assert (row["status"], row["attempts"]) == ("published", 1)
    [post] = sandbox.public("x")
    assert (post["text"], len(post["media"])) == ("Later.", 1)


async def test_a_link_that_has_expired_while_the_post_waited_is_signed_anew(
    stack: Stack, agency: Organization, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("draggonnb_pipelines.workflows.publishing.publish_media.SIGNED_SECONDS", 1)
    monkeypatch.setattr("draggonnb_pipelines.workflows.publishing.publish_calls.PREPARE_SECONDS", 0.1)
    sandbox.settings(instagram_container_seconds=1.5)
    await connect(stack, agency, Platform.INSTAGRAM)
    await approve(stack, agency, "Slowly.", platforms=("instagram",))

    await publish(stack, agency)
    await make_due(stack, agency)
    await publish(stack, agency)

    [row] = await queue(stack, agency)
    signed = [
        call for call in sandbox.journal("storage") if "/object/sign/" in call["path"] and call["method"] == "POST"
    ]
    assert row["status"] == "published"
    assert len(signed) > 1
    assert len(sandbox.public("instagram")) == 1
