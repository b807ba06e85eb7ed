"""The list of WhatsApp's templates: read over all pages, and never taken for whole where a part is missing."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.whatsapp import WhatsApp
from draggonnb_pipelines.resources.whatsapp_templates import MessageTemplate
from tests.resources.raw_server import answer, raw_server, replies
from tests.sandbox_process import Sandbox

ROUTE = "GET /graph/*/message_templates"


async def no_wait(seconds: float) -> None:
    """The door's waits, at once."""


@pytest.fixture
async def door() -> AsyncIterator[HttpDoor]:
    async with HttpDoor(user_agent="test", sleep=no_wait) as opened:
        yield opened


def whatsapp(door: HttpDoor, base: str, token: str = "sandbox") -> WhatsApp:
    return WhatsApp(door, base_url=base, token=token, phone_number_id="100")


def page(*templates: Any, after: str | None = None) -> bytes:
    paging: dict[str, Any] = {"cursors": {"before": "a", "after": after or "end"}}
    if after:
        paging["next"] = "http://127.0.0.1:9/elsewhere"
    return answer(200, json.dumps({"data": templates, "paging": paging}).encode())


async def refused(client: WhatsApp) -> VendorError:
    with pytest.raises(VendorError) as raised:
        await client.list_templates("200")
    return raised.value


async def test_the_sandboxs_templates_are_read_with_state_and_parameters(door: HttpDoor, sandbox: Sandbox) -> None:
    sandbox.whatsapp_template("lead_needs_review", "REJECTED")

    found = await whatsapp(door, f"{sandbox.url}/graph/v25.0").list_templates("200")

    by_name = {one.name: one for one in found}
    assert by_name["weekly_analytics_report"] == MessageTemplate(
        "weekly_analytics_report", "en", "APPROVED", "UTILITY", None, 6
    )
    assert by_name["lead_needs_review"].status == "REJECTED"
    assert by_name["lead_needs_review"].rejected_reason == "INVALID_FORMAT"
    assert {entry["method"] for entry in sandbox.journal("whatsapp")} == {"GET"}


async def test_pages_are_followed_by_their_cursor_and_never_by_an_address_of_the_answer(door: HttpDoor) -> None:
    one = {"name": "a", "language": "en", "status": "APPROVED"}
    pages = [page(one, after="QVFI"), page(one | {"name": "b"})]
    async with raw_server(replies(*pages)) as server:
        found = await whatsapp(door, server.url, token="secret").list_templates("200")

    assert [template.name for template in found] == ["a", "b"]
    assert ["after=QVFI" in seen.target for seen in server.seen] == [False, True]
    assert all("secret" not in seen.target for seen in server.seen)


async def test_rubbish_among_templates_is_passed_over_and_a_new_word_is_kept(door: HttpDoor) -> None:
    good = {"name": "a", "language": "en", "status": "in_appeal", "components": [{"type": "HEADER"}], "new_field": 1}
    odd = [None, 7, {}, {"name": "b", "language": None, "status": "APPROVED"}, {"name": "c\n", "language": "en"}]
    async with raw_server(replies(page(*odd, good))) as server:
        found = await whatsapp(door, server.url).list_templates("200")

    assert found == [MessageTemplate("a", "en", "IN_APPEAL", None, None, None)]


@pytest.mark.parametrize("body", [b"{}", b"[]", b"not json", b'{"data": null}', b'{"data": {"name": "a"}}'])
async def test_an_answer_without_a_list_is_no_empty_list(door: HttpDoor, body: bytes) -> None:
    async with raw_server(replies(answer(200, body))) as server:
        error = await refused(whatsapp(door, server.url))

    assert error.error_class is ErrorClass.RETRY


async def test_half_a_list_is_no_list(door: HttpDoor) -> None:
    first = page({"name": "a", "language": "en", "status": "APPROVED"}, after="QVFI")
    trouble = answer(401, json.dumps({"error": {"code": 190}}).encode())
    async with raw_server(replies(first, trouble)) as server:
        error = await refused(whatsapp(door, server.url))

    assert error.error_class is ErrorClass.AUTH


async def test_a_server_that_fails_is_asked_again(door: HttpDoor, sandbox: Sandbox) -> None:
    sandbox.faults(ROUTE, {"kind": "status", "status": 500}, {"kind": "rate_limit", "retry_after": 1})

    found = await whatsapp(door, f"{sandbox.url}/graph/v25.0").list_templates("200")

    assert len(found) >= 3
    assert len(sandbox.journal("whatsapp")) == 3


async def test_a_wrong_token_is_said_to_be_one(door: HttpDoor, sandbox: Sandbox) -> None:
    error = await refused(whatsapp(door, f"{sandbox.url}/graph/v25.0", token="bad-token"))

    assert error.error_class is ErrorClass.AUTH
