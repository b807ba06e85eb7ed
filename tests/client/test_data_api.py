"""A project's Data API as clients reach it: API keys, sessions, pages of another host, and what ends a process."""

from collections.abc import Callable, Iterator
from typing import cast

import httpx
import psycopg
import pytest
from supabase import Client, create_client
from supabase.lib.client_options import SyncClientOptions

from tests.client.tenant import PASSWORD, Tenant, add_people
from tests.supabase_calls import management, wait_for

ORIGIN = "http://127.0.0.1:3000"
VIEWER = "viewer@kloof.example"


@pytest.fixture(scope="module")
def people(tenant: Tenant) -> dict[str, str]:
    return add_people(tenant)


@pytest.fixture
def supabase_py(tenant: Tenant) -> Iterator[Callable[[str], Client]]:
    """supabase-py with one of the project's keys, on a connection of its own: it keeps the session in its headers."""
    with httpx.Client() as http:
        options = SyncClientOptions(auto_refresh_token=False, persist_session=False, httpx_client=http)
        yield lambda key: create_client(tenant.url, tenant.keys[key], options)


def emails(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return sorted(row["email"] for row in answer.json())


@pytest.mark.parametrize("key", ["publishable", "anon"])
def test_a_key_of_the_browsers_is_nobody_until_somebody_signs_in(tenant: Tenant, people: dict[str, str], key: str):
    value = tenant.keys[key]

    alone = tenant.rest("GET", "/users?select=email", key=value)
    as_bearer = tenant.rest("GET", "/users?select=email", key=value, token=value)
    signed_in = tenant.rest("GET", "/users?select=email", key=value, token=tenant.sign_in(VIEWER))

    assert [(answer.status_code, answer.json()["code"]) for answer in (alone, as_bearer)] == [(401, "42501")] * 2
    assert len(emails(signed_in)) == 6


@pytest.mark.parametrize("key", ["secret", "service_role"])
def test_a_key_of_the_servers_is_service_role(tenant: Tenant, people: dict[str, str], key: str):
    value = tenant.keys[key]

    alone = tenant.rest("GET", "/users?select=email", key=value)
    as_bearer = tenant.rest("GET", "/users?select=email", key=value, token=value)
    with_a_session = tenant.rest("GET", "/audit_log?select=id", key=value, token=tenant.sign_in(VIEWER))

    assert len(emails(alone)) == len(emails(as_bearer)) == 6
    # Whose session it is counts, not with which key it came.
    assert (with_a_session.status_code, with_a_session.json()) == (200, [])


def test_without_a_key_of_this_project_nothing_is_asked(tenant: Tenant, other_tenant: Tenant, people: dict[str, str]):
    token = tenant.sign_in(VIEWER)

    missing = httpx.get(f"{tenant.url}/rest/v1/users", headers={"authorization": f"Bearer {token}"})
    foreign = tenant.rest("GET", "/users", token=token, key=other_tenant.keys["secret"])
    in_the_address = httpx.get(
        f"{tenant.url}/rest/v1/users?select=email&apikey={tenant.keys['publishable']}",
        headers={"authorization": f"Bearer {token}"},
    )

    assert (missing.status_code, missing.json()["message"]) == (401, "No API key found in request")
    assert (foreign.status_code, foreign.json()["message"]) == (401, "Invalid API key")
    assert len(emails(in_the_address)) == 6


def test_a_secret_key_is_no_session_beside_the_publishable_one(tenant: Tenant, people: dict[str, str]):
    answer = tenant.rest("GET", "/users", token=tenant.keys["secret"])

    assert (answer.status_code, answer.json()["code"]) == (401, "PGRST301")


def test_a_page_of_another_host_may_ask_and_read(tenant: Tenant, people: dict[str, str]):
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "apikey,prefer",
    }

    preflights = [httpx.options(f"{tenant.url}{path}", headers=asked) for path in ("/rest/v1/users", "/auth/v1/token")]
    answers = [
        tenant.rest("GET", "/users?select=email", token=tenant.sign_in(VIEWER), origin=ORIGIN),
        tenant.rest("GET", "/users?select=email", key="wrong", origin=ORIGIN),
    ]

    for answer in preflights:
        assert (answer.status_code, answer.headers["access-control-allow-headers"]) == (200, "apikey,prefer")
        assert "PATCH" in answer.headers["access-control-allow-methods"].split(",")
    assert [answer.status_code for answer in answers] == [200, 401]
    # One value each: a browser refuses an answer with two.
    assert {answer.headers["access-control-allow-origin"] for answer in [*preflights, *answers]} == {"*"}
    assert "Content-Range" in answers[0].headers["access-control-expose-headers"]


def test_a_visitor_without_a_session_is_not_told_what_there_is(tenant: Tenant):
    description = tenant.rest("GET", "/").json()

    assert sorted(description["paths"]) == ["/"]
    assert "definitions" not in description


def test_nobody_writes_in_anothers_name(tenant: Tenant, people: dict[str, str]):
    token = tenant.sign_in(VIEWER)
    [owner] = tenant.rest("GET", "/users?select=id&email=eq.owner@kloof.example", token=token).json()
    row = {"user_id": owner["id"], "event": "usage_alert", "channel": "email", "mode": "off"}

    added = tenant.rest("POST", "/notification_preferences", row, token=token)
    moved = tenant.rest("PATCH", "/notification_preferences", {"user_id": owner["id"]}, token=token)
    promoted = tenant.rest("PATCH", f"/users?email=eq.{VIEWER}", {"role": "owner"}, token=token)

    assert [(answer.status_code, answer.json()["code"]) for answer in (added, moved, promoted)] == [(403, "42501")] * 3
    with psycopg.connect(tenant.dsn) as conn:
        seen = conn.execute("select count(*), max(event) from notification_preferences").fetchone()
        role = conn.execute("select role from users where email = %s", [VIEWER]).fetchone()
    assert (seen, role) == ((6, "*"), ("viewer",))


def test_supabase_py_signs_in_reads_writes_and_signs_out(
    tenant: Tenant, people: dict[str, str], supabase_py: Callable[[str], Client]
):
    client = supabase_py("publishable")

    session = client.auth.sign_in_with_password({"email": people["editor"], "password": PASSWORD}).session
    made = client.table("contacts").insert({"name": "Thandi's <b>bakery</b>"}).execute()
    [row] = cast(list[dict[str, str]], made.data)
    found = client.table("contacts").select("name").eq("id", row["id"]).execute()
    refused = client.table("organizations").update({"name": "Mine"}).eq("slug", "kloof-coffee").execute()
    claims = client.auth.get_claims()
    assert session is not None
    client.auth.sign_out()

    assert found.data == [{"name": "Thandi's <b>bakery</b>"}]
    assert refused.data == []
    assert claims is not None
    assert dict(claims["claims"])["email"] == people["editor"]
    after = httpx.get(
        f"{tenant.url}/auth/v1/user",
        headers={"apikey": tenant.keys["publishable"], "authorization": f"Bearer {session.access_token}"},
    )
    assert (after.status_code, after.json()["error_code"]) == (403, "session_not_found")


def test_supabase_py_is_service_role_with_the_secret_key(people: dict[str, str], supabase_py: Callable[[str], Client]):
    client = supabase_py("secret")

    people_seen = client.table("users").select("email", count="exact").execute()  # pyright: ignore[reportArgumentType]

    assert people_seen.count == 6


def test_who_was_invited_joins_by_their_address_and_once(tenant: Tenant, people: dict[str, str]):
    admin = tenant.sign_in(people["admin"])
    tenant.rest("POST", "/users", {"email": "New@Kloof.example", "role": "approver"}, token=admin).raise_for_status()
    tenant.add_person("new@kloof.example")
    invited = tenant.sign_in("new@kloof.example")

    before = tenant.rest("GET", "/users?select=email", token=invited)
    joined = [tenant.rest("POST", "/rpc/join_organization", {}, token=invited).json() for _ in range(2)]
    after = tenant.rest("GET", "/users?select=email", token=invited)
    stranger = tenant.rest("POST", "/rpc/join_organization", {}, token=tenant.sign_in(people["stranger"]))
    inactive = tenant.rest("POST", "/rpc/join_organization", {}, token=tenant.sign_in(people["inactive"]))

    assert emails(before) == []
    assert joined == ["approver", "approver"]
    assert len(emails(after)) == 7
    assert [(answer.status_code, answer.json()) for answer in (stranger, inactive)] == [(200, None)] * 2
    with psycopg.connect(tenant.dsn) as conn:
        rows = conn.execute("select email from users where auth_user_id is null or not is_active").fetchall()
        conn.execute("delete from users where email = 'New@Kloof.example'")
    assert rows == [("inactive@kloof.example",)]


def test_a_new_table_is_served_without_a_restart(tenant: Tenant, people: dict[str, str]):
    tenant.rest("GET", "/users?select=id", key=tenant.keys["secret"]).raise_for_status()
    with psycopg.connect(tenant.dsn) as conn:
        conn.execute("create table made_later (id integer primary key)")
        conn.execute("select app.protect('made_later', '{}')")

    seen = [tenant.rest("GET", "/made_later?select=id", key=tenant.keys["secret"]).status_code for _ in range(100)]

    assert seen[-1] == 200
    with psycopg.connect(tenant.dsn) as conn:
        conn.execute("drop table made_later")


def test_a_paused_project_answers_nothing_and_a_restored_one_again(other_tenant: Tenant):
    secret = other_tenant.keys["secret"]
    before = other_tenant.rest("GET", "/users?select=id", key=secret)

    management(other_tenant.sandbox, "POST", f"/projects/{other_tenant.ref}/pause")
    paused = other_tenant.rest("GET", "/users?select=id", key=secret)
    wait_for(other_tenant.sandbox, other_tenant.ref, "INACTIVE")
    management(other_tenant.sandbox, "POST", f"/projects/{other_tenant.ref}/restore")
    wait_for(other_tenant.sandbox, other_tenant.ref, "ACTIVE_HEALTHY")
    after = other_tenant.rest("GET", "/users?select=id", key=secret)

    assert (before.status_code, paused.status_code, after.status_code) == (200, 540, 200)


def test_the_realtime_notices_are_published(tenant: Tenant):
    with psycopg.connect(tenant.dsn) as conn:
        published = conn.execute(
            "select tablename from pg_publication_tables where pubname = 'supabase_realtime'"
        ).fetchall()

    assert published == [("notifications",)]
