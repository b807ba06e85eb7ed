"""Calls to the Graph API: lists to their end, lost answers, the token check, versions."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.accounts import TokenState
from draggonnb_pipelines.domain.publishing import Account, Found, Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.graph import MAX_PAGES, Graph
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.raw_server import Seen, answer, raw_server, replies
from tests.sandbox_process import Sandbox

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


async def test_a_list_is_read_to_its_end_and_the_token_in_the_next_address_is_not_used(door: HttpDoor) -> None:
    following = "https://graph.elsewhere.example/v25.0/1/feed?limit=2&__paging_token=p%3D&access_token=stolen"
    pages = [
        {"data": [{"id": "a"}, "rubbish"], "paging": {"next": following}},
        {"data": [], "paging": {"next": following}},
        {"data": [{"id": "b"}]},
    ]
    async with raw_server(replies(*(answer(200, json.dumps(page).encode()) for page in pages))) as server:
        graph = Graph(door, vendor="facebook", base_url=server.url)
        items = [item["id"] async for item in graph.read_list("secret", "1/feed", limit=2)]

    assert items == ["a", "b"]
    targets = [seen.target for seen in server.seen]
    assert targets == ["/1/feed?limit=2", *["/1/feed?limit=2&__paging_token=p%3D"] * 2]
    assert {seen.headers["authorization"] for seen in server.seen} == {"Bearer secret"}


@pytest.mark.parametrize(
    ("last", "error_class"),
    [
        (answer(200, b"not json"), ErrorClass.RETRY),
        (answer(200, b'{"data": {}}'), ErrorClass.RETRY),
        (answer(200, b'{"data": [{"id": "x"}]}'), ErrorClass.RETRY),
        (answer(200, b'{"data": [{"id": 7, "created_time": "2026-11-23T10:00:00+0000"}]}'), ErrorClass.RETRY),
        (answer(400, b'{"error": {"code": 190}}'), ErrorClass.AUTH),
    ],
)
async def test_a_list_that_breaks_off_is_an_error_and_never_an_absence(
    door: HttpDoor, last: bytes, error_class: ErrorClass
) -> None:
    first = {"data": [{"id": "a", "created_time": "2026-11-23T10:00:00+0000"}], "paging": {"next": "http://x/?after=1"}}
    async with raw_server(replies(answer(200, json.dumps(first).encode()), last)) as server:
        graph = Graph(door, vendor="facebook", base_url=server.url)
        with pytest.raises(VendorError) as raised:
            await graph.find_oldest(
                graph.read_list("secret", "1/feed"),
                text="Hello",
                text_field="message",
                time_field="created_time",
                url_field="permalink_url",
                since=NOW - timedelta(minutes=2),
                taken=frozenset(),
            )

    assert raised.value.error_class is error_class


async def test_reading_back_stops_at_the_window_and_passes_over_what_is_older(door: HttpDoor) -> None:
    times = {"new": "2026-11-23T09:58:00+0000", "old": "2026-11-23T09:57:59+0000"}
    items = [{"id": name, "created_time": at, "message": " Hello\n"} for name, at in times.items()]
    page = {"data": items, "paging": {"next": "http://x/?after=1"}}
    async with raw_server(replies(answer(200, json.dumps(page).encode()))) as server:
        graph = Graph(door, vendor="facebook", base_url=server.url)
        found = await graph.find_oldest(
            graph.read_list("secret", "1/feed"),
            text="Hello",
            text_field="message",
            time_field="created_time",
            url_field="permalink_url",
            since=datetime(2026, 11, 23, 9, 58, 0, 900_000, tzinfo=UTC),
            taken=frozenset(),
        )

    assert found == Found("new", None, datetime(2026, 11, 23, 9, 58, tzinfo=UTC))
    assert len(server.seen) == 1


async def test_a_list_without_an_end_is_given_up(door: HttpDoor) -> None:
    page = {"data": [{"id": "a"}], "paging": {"next": "http://x/?after=1"}}
    async with raw_server(replies(answer(200, json.dumps(page).encode()))) as server:
        graph = Graph(door, vendor="facebook", base_url=server.url)
        with pytest.raises(VendorError, match=f"does not end within {MAX_PAGES} pages"):
            [item async for item in graph.read_list("secret", "1/feed")]

    assert len(server.seen) == MAX_PAGES


async def test_a_part_of_a_batch_that_is_no_text_leaves_the_others_alone(door: HttpDoor) -> None:
    parts = [{"code": 200, "body": text} for text in ("\ud800", '{"id": "2"}', '"\ud800"')]
    async with raw_server(replies(answer(200, json.dumps(parts).encode()))) as server:
        graph = Graph(door, vendor="facebook", base_url=server.url)
        strange, read, no_object = (await graph.read_many("secret", ["1", "2", "3"]))[0]

    assert read == {"id": "2"}
    for error in (strange, no_object):
        assert isinstance(error, VendorError)
        assert error.error_class is ErrorClass.RETRY


@pytest.mark.parametrize("body", [b"{}", b"[]", b"not json", b'{"id": 7}', b'{"id": ""}'])
async def test_an_acceptance_without_an_id_is_ambiguous_where_it_is_public_and_else_wasted(
    door: HttpDoor, body: bytes
) -> None:
    async with raw_server(replies(answer(200, body))) as server:
        graph = Graph(door, vendor="facebook", base_url=server.url)
        with pytest.raises(VendorError) as published:
            await graph.publish("secret", "1/feed", {"message": "x"})
        with pytest.raises(VendorError) as uploaded:
            await graph.upload("secret", "1/photos", {"url": "x"})

    assert published.value.error_class is ErrorClass.AMBIGUOUS
    assert uploaded.value.error_class is ErrorClass.RETRY
    assert [seen.body for seen in server.seen] == [b'{"message":"x"}', b'{"url":"x"}']


async def test_a_lost_answer_is_ambiguous_where_it_is_public_and_else_a_wasted_upload(door: HttpDoor) -> None:
    async def hang_up(_: Seen, writer: Any) -> None:
        writer.close()

    async with raw_server(hang_up) as server:
        graph = Graph(door, vendor="facebook", base_url=server.url)
        with pytest.raises(VendorError) as published:
            await graph.publish("secret", "1/feed", {})
        with pytest.raises(VendorError) as uploaded:
            await graph.upload("secret", "1/photos", {})

    assert (published.value.error_class, uploaded.value.error_class) == (ErrorClass.AMBIGUOUS, ErrorClass.RETRY)
    assert len(server.seen) == 2


ACCOUNT = Account(Platform.FACEBOOK, "page-1", "the-token")


def graph_of(door: HttpDoor, sandbox: Sandbox) -> Graph:
    return Graph(door, vendor="facebook", base_url=f"{sandbox.url}/graph/v25.0")


async def test_a_good_token_is_told_with_its_dates_and_rights(door: HttpDoor, sandbox: Sandbox) -> None:
    sandbox.social_account("facebook", "page-1", "the-token", seconds=86_400, scopes=["pages_manage_posts"])
    before = datetime.now(UTC)

    state = await graph_of(door, sandbox).check(ACCOUNT, app_token="app|secret")

    assert (state.is_valid, state.scopes, state.reason) == (True, ("pages_manage_posts",), None)
    assert state.expires_at is not None
    assert state.data_access_expires_at is not None
    assert abs(state.expires_at - before - timedelta(days=1)) < timedelta(seconds=10)
    assert abs(state.data_access_expires_at - before - timedelta(days=90)) < timedelta(seconds=10)


async def test_a_token_without_an_end_has_no_dates(door: HttpDoor, sandbox: Sandbox) -> None:
    standing = Account(Platform.FACEBOOK, "page-1", "sandbox-page-1")

    state = await graph_of(door, sandbox).check(standing, app_token="app|secret")

    assert (state.is_valid, state.expires_at, state.data_access_expires_at) == (True, None, None)
    assert "pages_manage_posts" in state.scopes


async def test_a_bad_token_is_told_with_the_reason(door: HttpDoor, sandbox: Sandbox) -> None:
    sandbox.social_account("facebook", "page-1", "expired", seconds=-1)
    sandbox.social_account("facebook", "page-1", "revoked")
    sandbox.social_revoke("facebook", "revoked")

    states = [
        await graph_of(door, sandbox).check(Account(Platform.FACEBOOK, "page-1", token), app_token="app|secret")
        for token in ("expired", "revoked", "never-given")
    ]

    assert [state.is_valid for state in states] == [False] * 3
    assert [state.reason for state in states] == [
        "Session has expired. (code 190/463)",
        "The session has been invalidated. (code 190/460)",
        "Invalid OAuth access token - Cannot parse access token (code 190)",
    ]
    assert states[2] == TokenState(is_valid=False, reason=states[2].reason)


async def test_a_refused_app_secret_is_our_set_up_and_no_accounts_fault(door: HttpDoor, sandbox: Sandbox) -> None:
    with pytest.raises(VendorError) as raised:
        await graph_of(door, sandbox).check(ACCOUNT, app_token="app|bad")

    assert raised.value.error_class is ErrorClass.CONFIG
