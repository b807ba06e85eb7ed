"""The admin's side of a project's Auth, through the vendor's package, against the sandbox."""

import uuid

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.supabase_auth import AuthUser, SupabaseAuth
from tests.resources.raw_server import answer, raw_server, replies
from tests.resources.supabase_client import project_auth, supabase
from tests.sandbox_process import Sandbox
from tests.supabase_calls import auth, secret_key

ID = uuid.UUID("11111111-1111-5111-8111-111111111111")
OWNER = "owner@kloof.example"
USERS = "POST /supabase/projects/*/auth/v1/admin/users"


async def test_a_person_is_made_once_under_our_id(door: HttpDoor, supabase_sandbox: Sandbox):
    ref, client = project_auth(door, supabase_sandbox)

    before = await client.get_user(ID)
    made = [await client.create_user(ID, OWNER, user_metadata={"full_name": "Owner"}) for _ in range(2)]

    assert before is None
    assert made == [AuthUser(str(ID), OWNER, is_confirmed=True)] * 2
    key = secret_key(supabase_sandbox, ref)
    people = auth(supabase_sandbox, ref, "GET", "/admin/users", key=key).json()["users"]
    assert [(user["id"], user["user_metadata"]) for user in people] == [(str(ID), {"full_name": "Owner"})]


async def test_a_lost_answer_does_not_make_two(door: HttpDoor, supabase_sandbox: Sandbox):
    _, client = project_auth(door, supabase_sandbox)
    supabase_sandbox.faults(USERS, {"kind": "accept_then_drop"})

    made = await client.create_user(ID, OWNER)

    assert made == AuthUser(str(ID), OWNER, is_confirmed=True)
    posts = [entry for entry in supabase_sandbox.journal("supabase_auth") if entry["method"] == "POST"]
    assert [(entry["status"], entry["accepted"]) for entry in posts] == [(None, True), (422, False)]


async def test_somebody_with_the_address_is_adopted(door: HttpDoor, supabase_sandbox: Sandbox):
    ref, client = project_auth(door, supabase_sandbox)
    key = secret_key(supabase_sandbox, ref)
    for email in ("co-owner@kloof.example", OWNER):
        auth(supabase_sandbox, ref, "POST", "/admin/users", {"email": email}, key=key)

    adopted = await client.create_user(ID, "Owner@kloof.example")

    assert (adopted.email, adopted.is_confirmed) == (OWNER, False)
    assert adopted.id != str(ID)
    assert await client.get_user(ID) is None


async def test_an_address_is_found_on_any_page(
    door: HttpDoor, supabase_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("draggonnb_pipelines.resources.supabase_auth.PAGE_SIZE", 2)
    ref, client = project_auth(door, supabase_sandbox)
    key = secret_key(supabase_sandbox, ref)
    for name in ("ann", "joann", "leann", "roann"):
        auth(supabase_sandbox, ref, "POST", "/admin/users", {"email": f"{name}@kloof.example"}, key=key)

    found = await client.find_user("ann@kloof.example")

    assert found is not None
    assert found.email == "ann@kloof.example"
    assert await client.find_user("nn@kloof.example") is None


async def test_a_link_leads_where_it_should_or_is_refused(door: HttpDoor, supabase_sandbox: Sandbox):
    ref, client = project_auth(door, supabase_sandbox)
    await client.create_user(ID, OWNER)
    wanted = "https://app.kloof.example/start"

    with pytest.raises(VendorError) as raised:
        await client.generate_link("recovery", OWNER, redirect_to=wanted)
    await supabase(door, supabase_sandbox.url).update_auth_config(
        ref, {"uri_allow_list": "https://app.kloof.example/**"}
    )
    link = await client.generate_link("recovery", OWNER, redirect_to=wanted)

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.CONFIG, "redirect")
    assert link.startswith(f"{supabase_sandbox.url}/supabase/projects/{ref}/auth/v1/verify?token=")
    assert link.endswith(f"&type=recovery&redirect_to={wanted}")
    assert supabase_sandbox.public("supabase_mail") == []


async def test_a_link_for_nobody_is_refused(door: HttpDoor, supabase_sandbox: Sandbox):
    _, client = project_auth(door, supabase_sandbox)

    with pytest.raises(VendorError) as raised:
        await client.generate_link("recovery", OWNER, redirect_to="http://localhost:3000")

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.INPUT, "user_not_found")
    assert await client.find_user(OWNER) is None


async def test_a_person_may_be_deleted_twice(door: HttpDoor, supabase_sandbox: Sandbox):
    _, client = project_auth(door, supabase_sandbox)
    await client.create_user(ID, OWNER)

    await client.delete_user(ID)
    await client.delete_user(ID)

    assert await client.get_user(ID) is None


async def test_the_key_goes_in_both_headers_and_never_into_an_error(door: HttpDoor):
    async with raw_server(replies(answer(401, b'{"message":"Invalid API key"}'))) as server:
        client = _client(door, server.url)
        with pytest.raises(VendorError) as raised:
            await client.get_user(ID)

    headers = server.seen[0].headers
    assert (headers["apikey"], headers["authorization"]) == ("sb_secret_word", "Bearer sb_secret_word")
    assert "sb_secret_word" not in str(raised.value)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"<html>", b'{"id": 7}'])
async def test_an_answer_that_cannot_be_read_is_not_an_absent_person(door: HttpDoor, body: bytes):
    async with raw_server(replies(answer(200, body))) as server:
        client = _client(door, server.url)
        with pytest.raises(VendorError) as by_id:
            await client.get_user(ID)
        with pytest.raises(VendorError) as by_email:
            await client.find_user(OWNER)

    assert (by_id.value.error_class, by_email.value.error_class) == (ErrorClass.RETRY, ErrorClass.RETRY)


def _client(door: HttpDoor, url: str) -> SupabaseAuth:
    return SupabaseAuth(door, project_url=url, key="sb_secret_word")
