"""Vercel's error table, row by row, against exact bodies; how long its limits last."""

import json
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.vercel_wire import ERRORS, Project, Variable
from tests.resources.provisioning_clients import NOW, vercel
from tests.resources.raw_server import answer, hang_up, raw_server, replies

PROJECT = Project.model_validate({"id": "prj_1", "name": "kloof", "link": {"repoId": 7}})


def fault(code: str = "", message: str = "", **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, **more}}


APP = fault("bad_request", "To link a GitHub repository, you need to install the GitHub integration first.")
ROWS: list[tuple[int, Any, ErrorClass, str | None]] = [
    (400, APP, ErrorClass.CONFIG, "github_app"),
    (400, fault("domain_already_in_use"), ErrorClass.DUPLICATE, "domain_in_use"),
    (400, fault("bad_request", "no"), ErrorClass.INPUT, "bad_request"),
    (401, fault("unauthorized"), ErrorClass.AUTH, "unauthorized"),
    (402, fault("payment_required"), ErrorClass.CONFIG, "billing"),
    (403, fault("forbidden", invalidToken=True), ErrorClass.AUTH, "forbidden"),
    (403, fault("forbidden", missingToken=True), ErrorClass.AUTH, "forbidden"),
    (403, fault("forbidden"), ErrorClass.PERMISSION, "forbidden"),
    (404, fault("not_found"), ErrorClass.INPUT, "not_found"),
    (409, fault("domain_already_in_use"), ErrorClass.DUPLICATE, "domain_in_use"),
    (409, fault("conflict"), ErrorClass.DUPLICATE, "exists"),
    (428, fault("precondition"), ErrorClass.CONFIG, "precondition"),
    (429, fault("rate_limited"), ErrorClass.THROTTLED, "rate_limited"),
    *((status, {}, ErrorClass.AMBIGUOUS, None) for status in (408, 500, 502, 503, 504)),
    (302, {}, ErrorClass.INPUT, None),
    (400, [], ErrorClass.INPUT, None),
    (403, {"error": "forbidden"}, ErrorClass.PERMISSION, None),
]


@pytest.mark.parametrize(("status", "body", "error_class", "code"), ROWS)
async def test_the_table_decides(
    door: HttpDoor, waits: list[float], status: int, body: Any, error_class: ErrorClass, code: str | None
):
    async with raw_server(replies(answer(status, json.dumps(body).encode(), x_vercel_id="id-1"))) as server:
        with pytest.raises(VendorError) as raised:
            await vercel(door, server.url).create_deployment(PROJECT, "0" * 40, meta={})

    error = raised.value
    assert (error.error_class, error.status, error.code, error.request_id) == (error_class, status, code, "id-1")
    assert (len(server.seen), waits) == (1, [])


def test_no_row_of_the_table_goes_without_a_test():
    tested = {(status, error_class) for status, _, error_class, _ in ROWS}

    assert {(rule.status, rule.error_class) for rule in ERRORS} <= tested
    assert {rule.code for rule in ERRORS} - {None} <= {code for *_, code in ROWS}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id": 1}', b"<html>"])
async def test_a_creation_that_says_nothing_is_ambiguous_and_a_reading_is_not(door: HttpDoor, body: bytes):
    async with raw_server(replies(answer(200, body))) as server:
        with pytest.raises(VendorError) as created:
            await vercel(door, server.url).create_project("kloof", "draggonnb/x")
        with pytest.raises(VendorError) as deployed:
            await vercel(door, server.url).create_deployment(PROJECT, "0" * 40, meta={})
        with pytest.raises(VendorError) as found:
            await vercel(door, server.url).find_deployment("prj_1", "0" * 40, {})

    assert created.value.error_class is deployed.value.error_class is ErrorClass.AMBIGUOUS
    assert found.value.error_class is ErrorClass.RETRY


async def test_a_hung_up_creation_is_sent_once_and_an_upsert_four_times(door: HttpDoor):
    async with raw_server(hang_up) as server:
        with pytest.raises(VendorError) as created:
            await vercel(door, server.url).create_project("kloof", "draggonnb/x")
        with pytest.raises(VendorError) as upserted:
            await vercel(door, server.url).set_env("prj_1", [Variable(key="A", value="1")])

    assert (created.value.error_class, upserted.value.error_class) == (ErrorClass.AMBIGUOUS, ErrorClass.RETRY)
    assert [one.target.partition("?")[0] for one in server.seen] == [
        "/vercel/v11/projects",
        *["/vercel/v10/projects/prj_1/env"] * 4,
    ]


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        (fault("rate_limited", limit={"reset": int(NOW.timestamp()) + 46}), {}, 46.0),
        (fault("rate_limited", limit={"reset": int(NOW.timestamp() * 1000) + 46_000}), {}, 46.0),
        (fault("rate_limited"), {"x_ratelimit_reset": str(int(NOW.timestamp()) + 50)}, 50.0),
        (fault("rate_limited", limit={"reset": int(NOW.timestamp()) + 46}), {"retry_after": "70"}, 70.0),
        (fault("rate_limited", limit={"reset": "soon"}), {}, None),
        (fault("rate_limited", limit=7), {"x_ratelimit_reset": "-1"}, None),
    ],
)
async def test_a_limit_says_how_long_it_lasts(
    door: HttpDoor, body: Any, headers: dict[str, str], seconds: float | None
):
    async with raw_server(replies(answer(429, json.dumps(body).encode(), **headers))) as server:
        with pytest.raises(VendorError) as raised:
            await vercel(door, server.url).create_project("kloof", "draggonnb/x")

    assert (raised.value.error_class, raised.value.retry_after_seconds) == (ErrorClass.THROTTLED, seconds)


@pytest.mark.parametrize(
    "entry", [{"error": {"code": "ENV_CONFLICT", "envVarKey": "A"}}, {"error": {"code": "X"}}, {"error": 7}, {}]
)
async def test_a_failed_variable_is_never_overlooked(door: HttpDoor, entry: Any):
    body = json.dumps({"created": [], "failed": [entry]}).encode()
    async with raw_server(replies(answer(201, body))) as server:
        with pytest.raises(VendorError) as raised:
            await vercel(door, server.url).set_env("prj_1", [Variable(key="A", value="1", targets=("production",))])

    assert raised.value.error_class is ErrorClass.INPUT
    assert raised.value.message.startswith("not set:")


async def test_a_refusal_is_not_taken_for_something_that_is_there(door: HttpDoor):
    async with raw_server(replies(answer(403, b'{"error": {"code": "forbidden"}}'))) as server:
        client = vercel(door, server.url)
        calls = (
            client.add_domain("prj_1", "kloof.example"),
            client.verify_domain("prj_1", "kloof.example"),
            client.domain("prj_1", "kloof.example"),
            client.delete_project("prj_1"),
            client.project("kloof"),
        )
        for call in calls:
            with pytest.raises(VendorError) as raised:
                await call
            assert raised.value.error_class is ErrorClass.PERMISSION

    assert [seen.method for seen in server.seen] == ["POST", "POST", "GET", "DELETE", "GET"]


async def test_a_message_holds_no_words_of_the_vendor_and_no_token(door: HttpDoor):
    body = fault("bad request\n<b>", "token sandbox of A. Person")
    async with raw_server(replies(answer(400, json.dumps(body).encode()))) as server:
        with pytest.raises(VendorError) as raised:
            await vercel(door, server.url).create_project("kloof", "draggonnb/x")

    assert raised.value.message == "HTTP 400, bad request b"
    assert server.seen[0].headers["authorization"] == "Bearer sandbox"
