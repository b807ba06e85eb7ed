"""The LinkedIn adapter against the sandbox: publishing, undo, tokens, versions."""

from datetime import timedelta

import pytest

from draggonnb_pipelines.domain.accounts import TokenPair, TokenState
from draggonnb_pipelines.domain.publishing import Account, Limits, Part, Payload, Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.linkedin_client import ACCOUNT, NOW, OUTSIDER, comment, linkedin, page, post
from tests.resources.raw_server import answer, raw_server, replies
from tests.sandbox_process import Sandbox

POSTS = "POST /linkedin/rest/posts"


async def test_a_post_appears_once_with_its_text_whole(door: HttpDoor, sandbox: Sandbox):
    text = "Open (again) @ 8 <early> #coffee — 100% {fresh} _now_ | [menu] *a* ~b~ \\ #1"

    published = await linkedin(door, sandbox.url).publish(ACCOUNT, post(text), {})

    (public,) = sandbox.public("linkedin")
    (entry,) = sandbox.journal("linkedin")
    assert (public["id"], public["account"], public["text"]) == (published.platform_post_id, "5551", text)
    assert entry["headers"]["linkedin-version"] == "202607"
    assert published.url == public["url"]
    assert "Open (again) @ 8 &lt;early&gt; #coffee" in await page(door, published.url)
    assert published.cost_usd == 0


async def test_an_account_may_be_named_by_its_urn(door: HttpDoor, sandbox: Sandbox):
    account = Account(Platform.LINKEDIN, "urn:li:organization:5551", "sandbox-5551")

    await linkedin(door, sandbox.url).publish(account, post(), {})

    assert sandbox.journal("linkedin")[0]["body"]["author"] == "urn:li:organization:5551"


async def test_a_comment_is_plain_text_below_the_post_and_a_reply_below_the_comment(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    parent = (await client.publish(ACCOUNT, post(), {})).platform_post_id

    first = await client.publish(ACCOUNT, comment("More (here) #x", parent), {})
    reply = await client.publish(ACCOUNT, Payload(Part.REPLY, "And more", parent_id=first.platform_post_id), {})

    assert sandbox.journal("linkedin")[-1]["body"]["parentComment"] == first.platform_post_id
    assert [(one["text"], one["parent"]) for one in sandbox.public("linkedin")] == [
        ("Fresh coffee", None),
        ("More (here) #x", parent),
        ("And more", parent),
    ]
    assert first.platform_post_id.startswith("urn:li:comment:(urn:li:activity:")
    assert "More (here) #x" in await page(door, first.url)
    assert await client.confirm(ACCOUNT, reply.platform_post_id)


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status", "cut_body", "drop_before_accept"])
async def test_an_answer_that_is_lost_is_ambiguous_and_the_post_is_never_sent_again(
    door: HttpDoor, sandbox: Sandbox, kind: str
):
    client = linkedin(door, sandbox.url)
    parent = (await client.publish(ACCOUNT, post("Parent"), {})).platform_post_id
    route = "POST /linkedin/rest/socialActions/{urn}/comments"
    sandbox.faults(route, {"kind": kind})
    before = len(sandbox.journal("linkedin"))

    with pytest.raises(VendorError) as raised:
        await client.publish(ACCOUNT, comment("First!", parent), {})

    assert raised.value.error_class is ErrorClass.AMBIGUOUS
    assert len(sandbox.journal("linkedin")) == before + 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_on_a_post_is_ambiguous(door: HttpDoor, sandbox: Sandbox, status: int):
    sandbox.faults(POSTS, {"kind": "status", "status": status})

    with pytest.raises(VendorError) as raised:
        await linkedin(door, sandbox.url).publish(ACCOUNT, post(), {})

    assert (raised.value.error_class, raised.value.status) == (ErrorClass.AMBIGUOUS, status)
    assert len(sandbox.journal("linkedin")) == 1


async def test_an_acceptance_without_an_id_is_ambiguous(door: HttpDoor):
    async with raw_server(replies(answer(201, b""))) as server:
        client = linkedin(door, server.url)
        for payload in (post(), comment("Hi", "urn:li:share:1")):
            with pytest.raises(VendorError) as raised:
                await client.publish(ACCOUNT, payload, {})
            assert raised.value.error_class is ErrorClass.AMBIGUOUS

    assert len(server.seen) == 2


async def test_urns_travel_encoded(door: HttpDoor):
    async with raw_server(replies(answer(404))) as server:
        client = linkedin(door, server.url)
        assert await client.confirm(ACCOUNT, "urn:li:share:12") is None
        await client.delete(ACCOUNT, "urn:li:comment:(urn:li:activity:13,99)")

    assert [seen.target for seen in server.seen] == [
        "/linkedin/rest/posts/urn%3Ali%3Ashare%3A12",
        "/linkedin/rest/socialActions/urn%3Ali%3Aactivity%3A13/comments/99?actor=urn%3Ali%3Aorganization%3A5551",
    ]


async def test_a_duplicate_names_the_post_which_confirm_then_finds(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    first = await client.publish(ACCOUNT, post(), {})

    with pytest.raises(VendorError) as raised:
        await client.publish(ACCOUNT, post(), {})
    found = await client.confirm(ACCOUNT, raised.value.existing_id or "")

    assert (raised.value.error_class, raised.value.existing_id) == (ErrorClass.DUPLICATE, first.platform_post_id)
    assert found is not None
    assert (found.platform_post_id, found.url) == (first.platform_post_id, first.url)
    assert found.published_at is not None
    assert len(sandbox.public("linkedin")) == 1


async def test_a_ghost_is_not_confirmed(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    sandbox.faults(POSTS, {"kind": "ghost_duplicate"})

    with pytest.raises(VendorError) as raised:
        await client.publish(ACCOUNT, post(), {})

    assert raised.value.error_class is ErrorClass.DUPLICATE
    assert await client.confirm(ACCOUNT, raised.value.existing_id or "") is None
    assert sandbox.public("linkedin") == []


async def test_a_failed_confirmation_never_looks_like_absence(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    urn = (await client.publish(ACCOUNT, post(), {})).platform_post_id
    sandbox.faults("GET /linkedin/rest/posts/{urn}", {"kind": "status", "status": 500, "times": 4})
    sandbox.faults("GET /linkedin/rest/posts/{urn}", {"kind": "status", "status": 200, "body": {}})

    for _ in range(2):
        with pytest.raises(VendorError) as raised:
            await client.confirm(ACCOUNT, urn)
        assert raised.value.error_class is ErrorClass.RETRY


async def test_undo_takes_posts_and_comments_away_and_is_done_where_they_are_gone(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    parent = (await client.publish(ACCOUNT, post(), {})).platform_post_id
    below = (await client.publish(ACCOUNT, comment("More", parent), {})).platform_post_id

    for urn in (below, below, parent, parent):
        await client.delete(ACCOUNT, urn)

    assert [one["deleted"] for one in sandbox.public("linkedin")] == [True, True]
    assert await client.confirm(ACCOUNT, parent) is None


async def test_another_page_cannot_undo(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    urn = (await client.publish(ACCOUNT, post(), {})).platform_post_id

    with pytest.raises(VendorError) as raised:
        await client.delete(OUTSIDER, urn)

    assert raised.value.error_class is ErrorClass.PERMISSION
    assert [one["deleted"] for one in sandbox.public("linkedin")] == [False]


async def test_a_used_up_day_ends_at_midnight_utc_and_is_not_waited_for(
    door: HttpDoor, sandbox: Sandbox, waits: list[float]
):
    sandbox.faults(POSTS, {"kind": "daily_limit"})

    with pytest.raises(VendorError) as raised:
        await linkedin(door, sandbox.url).publish(ACCOUNT, post(), {})

    error = raised.value
    assert (error.error_class, error.retry_after_seconds) == (ErrorClass.THROTTLED, 14 * 3600)
    assert error.limits == Limits(account_remaining=0, account_resets_at=(NOW + timedelta(days=1)).replace(hour=0))
    assert (waits, sandbox.public("linkedin")) == ([], [])


async def test_a_retired_version_is_config(door: HttpDoor, sandbox: Sandbox):
    with pytest.raises(VendorError) as raised:
        await linkedin(door, sandbox.url, version="202504").publish(ACCOUNT, post(), {})

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.CONFIG, "NONEXISTENT_VERSION")
    assert sandbox.public("linkedin") == []


async def test_a_token_is_checked_by_reading(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    sandbox.social_account("linkedin", "5551", "old", seconds=0)
    sandbox.social_account("linkedin", "5551", "writer", scopes=["w_organization_social"])

    states = [
        await client.check(Account(Platform.LINKEDIN, "5551", token)) for token in ("sandbox-5551", "old", "writer")
    ]

    assert states == [
        TokenState(is_valid=True),
        TokenState(is_valid=False, reason="HTTP 401, EXPIRED_ACCESS_TOKEN"),
        TokenState(is_valid=False, reason="HTTP 403, ACCESS_DENIED"),
    ]
    assert {entry["method"] for entry in sandbox.journal("linkedin")} == {"GET"}


async def test_a_check_that_was_not_answered_says_nothing_of_the_token(door: HttpDoor, sandbox: Sandbox):
    sandbox.faults("GET /linkedin/rest/posts", {"kind": "status", "status": 500, "times": 4})

    with pytest.raises(VendorError) as raised:
        await linkedin(door, sandbox.url).check(ACCOUNT)

    assert raised.value.error_class is ErrorClass.RETRY


async def test_a_refresh_gives_a_token_that_works_and_survives_a_lost_answer(door: HttpDoor, sandbox: Sandbox):
    client = linkedin(door, sandbox.url)
    sandbox.faults("POST /linkedin/oauth/v2/accessToken", {"kind": "accept_then_drop"})

    pair = await client.refresh("sandbox-refresh-5551")

    assert pair == TokenPair(pair.access_token, "sandbox-refresh-5551", 5_184_000)
    assert (await client.check(Account(Platform.LINKEDIN, "5551", pair.access_token))).is_valid
    assert pair.access_token not in repr(pair)


@pytest.mark.parametrize(
    ("token", "secret", "error_class", "code"),
    [
        ("unknown", "secret", ErrorClass.AUTH, "invalid_grant"),
        ("sandbox-refresh-5551", "bad", ErrorClass.CONFIG, "invalid_client"),
    ],
)
async def test_a_refused_refresh_says_who_must_act(
    door: HttpDoor, sandbox: Sandbox, token: str, secret: str, error_class: ErrorClass, code: str
):
    with pytest.raises(VendorError) as raised:
        await linkedin(door, sandbox.url, client_secret=secret).refresh(token)

    assert (raised.value.error_class, raised.value.code) == (error_class, code)
    assert len(sandbox.journal("linkedin")) == 1
