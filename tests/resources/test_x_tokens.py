"""X's tokens: the check of one, and the refresh that spends it."""

import json
from typing import Any

import pytest

from draggonnb_pipelines.domain.accounts import TokenState
from draggonnb_pipelines.domain.publishing import Account, Platform
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.raw_server import answer, raw_server, replies
from tests.resources.x_account import ACCOUNT, adapter
from tests.sandbox_process import Sandbox

TOKEN = "POST /x/2/oauth2/token"


async def test_a_good_token_is_valid(door: HttpDoor, sandbox: Sandbox):
    assert await adapter(door, sandbox.url).check(ACCOUNT) == TokenState(is_valid=True)


async def test_a_revoked_or_foreign_token_is_not_valid_and_says_why(door: HttpDoor, sandbox: Sandbox):
    x = adapter(door, sandbox.url)
    sandbox.social_account("x", "1001", "revoked")
    sandbox.social_revoke("x", "revoked")

    revoked = await x.check(Account(Platform.X, "1001", "revoked"))
    foreign = await x.check(Account(Platform.X, "1001", "sandbox-1002"))

    assert revoked == TokenState(is_valid=False, reason="X does not take the token (any more)")
    assert foreign == TokenState(is_valid=False, reason="the token belongs to another user of X")


async def test_a_check_that_failed_says_nothing_about_the_token(door: HttpDoor, sandbox: Sandbox):
    sandbox.faults("GET /x/2/users/me", {"kind": "status", "status": 503, "times": 4})

    with pytest.raises(VendorError) as raised:
        await adapter(door, sandbox.url).check(ACCOUNT)

    assert raised.value.error_class is ErrorClass.RETRY


async def test_a_refresh_gives_a_new_pair_that_works(door: HttpDoor, sandbox: Sandbox):
    x = adapter(door, sandbox.url)

    pair = await x.refresh("sandbox-refresh-1001")

    assert pair.expires_in_seconds == 7200.0
    assert pair.refresh_token not in (None, "sandbox-refresh-1001")
    assert pair.access_token not in repr(pair)
    assert str(pair.refresh_token) not in repr(pair)
    assert (await x.check(Account(Platform.X, "1001", pair.access_token))).is_valid
    again = await x.refresh(str(pair.refresh_token))
    assert again.access_token != pair.access_token


async def test_a_spent_refresh_token_means_connecting_again(door: HttpDoor, sandbox: Sandbox):
    x = adapter(door, sandbox.url)
    pair = await x.refresh("sandbox-refresh-1001")

    with pytest.raises(VendorError) as raised:
        await x.refresh("sandbox-refresh-1001")

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.AUTH, "invalid_request")
    assert not (await x.check(Account(Platform.X, "1001", pair.access_token))).is_valid


async def test_wrong_credentials_of_the_app_are_the_operators_business(door: HttpDoor, sandbox: Sandbox):
    with pytest.raises(VendorError) as raised:
        await adapter(door, sandbox.url, client_secret="bad-secret").refresh("sandbox-refresh-1001")

    assert raised.value.error_class is ErrorClass.CONFIG
    assert (await adapter(door, sandbox.url).refresh("sandbox-refresh-1001")).access_token


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        ({"kind": "accept_then_drop"}, ErrorClass.AMBIGUOUS),
        ({"kind": "accept_then_status", "status": 502}, ErrorClass.AMBIGUOUS),
        ({"kind": "cut_body"}, ErrorClass.AMBIGUOUS),
        ({"kind": "status", "status": 503}, ErrorClass.AMBIGUOUS),
        ({"kind": "status", "status": 200, "body": {"access_token": "only"}}, ErrorClass.AMBIGUOUS),
        ({"kind": "rate_limit", "retry_after": 5}, ErrorClass.THROTTLED),
        ({"kind": "status", "status": 401, "body": {"error": "invalid_token"}}, ErrorClass.CONFIG),
        ({"kind": "status", "status": 400, "body": {"error": "invalid_client"}}, ErrorClass.CONFIG),
    ],
)
async def test_a_refresh_is_never_sent_twice(
    door: HttpDoor, sandbox: Sandbox, fault: dict[str, Any], error_class: ErrorClass
):
    sandbox.faults(TOKEN, fault)

    with pytest.raises(VendorError) as raised:
        await adapter(door, sandbox.url).refresh("sandbox-refresh-1001")

    assert raised.value.error_class is error_class
    assert len(sandbox.journal("x")) == 1


async def test_the_secrets_of_a_refresh_travel_in_header_and_body_only(door: HttpDoor):
    pair = {"access_token": "new-access", "refresh_token": "new-refresh", "expires_in": 7200}
    async with raw_server(replies(answer(200, json.dumps(pair).encode()))) as server:
        await adapter(door, server.url).refresh("old-refresh")

    (seen,) = server.seen
    assert seen.target == "/x/2/oauth2/token"
    assert seen.headers["authorization"] == "Basic b3VyLWFwcDpvdXItc2VjcmV0"
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    assert seen.body == b"grant_type=refresh_token&refresh_token=old-refresh"
