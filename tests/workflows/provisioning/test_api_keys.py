"""The keys of a client's project: one for browsers, a secret one for each consumer, each made once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.provisioning.api_keys import KINDS, api_keys
from draggonnb_pipelines.workflows.provisioning.stack_ledger import NotYet
from tests.sandbox_process import Sandbox
from tests.supabase_calls import auth, management
from tests.workflows.project_work import Cutter, Site, made_at, new_client, open_site, settled, with_project

POST_KEY = "POST /supabase/v1/projects/{ref}/api-keys"
LIST_KEYS = "GET /supabase/v1/projects/{ref}/api-keys"


@pytest.fixture
async def stack(supabase_sandbox: Sandbox, master_dsn: str) -> AsyncIterator[Stack]:
    async with open_site(supabase_sandbox, master_dsn) as opened:
        yield opened


@pytest.fixture
async def site(stack: Stack) -> Site:
    site = await new_client(stack)
    await with_project(site)
    return site


async def keys_there(site: Site, sandbox: Sandbox) -> list[tuple[str, str, str]]:
    """What the vendor has beside the keys of its own: name, kind, value."""
    [project] = await site.rows("supabase_project")
    found = await asyncio.to_thread(management, sandbox, "GET", f"/projects/{project.vendor_id}/api-keys?reveal=true")
    own = ("default", "anon", "service_role")
    return sorted((key["name"], key["type"], key["api_key"]) for key in found.json() if key["name"] not in own)


async def keys_kept(site: Site) -> list[tuple[str, str, str]]:
    return sorted((row.name, KINDS[row.name], row.secrets["value"]) for row in await site.rows("api_keys"))


async def test_each_consumer_gets_a_key_of_its_own(site: Site, supabase_sandbox: Sandbox):
    made = await api_keys(site.ledger)

    kept = await keys_kept(site)
    assert [(name, kind) for name, kind, _ in kept] == [
        ("publishable", "publishable"),
        ("secret_agency", "secret"),
        ("secret_app", "secret"),
        ("secret_n8n", "secret"),
    ]
    assert kept == await keys_there(site, supabase_sandbox)
    assert len({value for _, _, value in kept}) == 4
    assert (made.name, made.state) == ("publishable", "ready")
    assert {row.state for row in await site.rows("api_keys")} == {"ready"}


async def test_the_agencys_key_opens_the_projects_auth(site: Site, supabase_sandbox: Sandbox):
    await api_keys(site.ledger)

    values = {name: value for name, _, value in await keys_kept(site)}
    [project] = await site.rows("supabase_project")
    statuses = {
        name: auth(supabase_sandbox, project.vendor_id or "", "GET", "/admin/users", key=value).status_code
        for name, value in values.items()
    }
    assert statuses.pop("publishable") in (401, 403)
    assert statuses == {"secret_agency": 200, "secret_app": 200, "secret_n8n": 200}


async def test_values_are_sealed_and_only_the_client_opens_them(site: Site):
    await api_keys(site.ledger)

    async with site.stack.master.connection() as conn:
        found = await conn.execute(
            "select details::text || coalesce(url, '') || coalesce(vendor_id, '') as plain, secrets_sealed"
            " from stack_resources where step = 'api_keys'"
        )
        rows: list[dict[str, Any]] = await found.fetchall()
    assert len(rows) == 4
    for row in rows:
        assert "sb_" not in row["plain"]
        assert b"sb_" not in bytes(row["secrets_sealed"])


async def test_a_second_run_asks_nothing(site: Site, supabase_sandbox: Sandbox):
    first = await api_keys(site.ledger)
    calls = len(supabase_sandbox.journal("supabase"))

    assert await api_keys(site.ledger) == first
    assert len(supabase_sandbox.journal("supabase")) == calls


async def test_before_the_project_there_are_no_keys(stack: Stack, supabase_sandbox: Sandbox):
    early = await new_client(stack, "early")

    with pytest.raises(NotYet, match="early-db is not ready"):
        await api_keys(early.ledger)

    assert (await early.rows("api_keys"), supabase_sandbox.journal("supabase")) == ([], [])


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status", "cut_body", "drop_before_accept"])
async def test_a_lost_answer_leaves_one_key_of_each_name(site: Site, supabase_sandbox: Sandbox, kind: str):
    supabase_sandbox.faults(POST_KEY, {"kind": kind, "status": 500}, {"kind": kind, "status": 500})

    await settled(site, api_keys)

    assert await keys_kept(site) == await keys_there(site, supabase_sandbox)
    assert len(await keys_kept(site)) == 4


async def test_a_throttled_call_is_made_again_later(site: Site, supabase_sandbox: Sandbox):
    supabase_sandbox.faults(POST_KEY, {"kind": "rate_limit"})
    with pytest.raises(VendorError) as raised:
        await api_keys(site.ledger)
    assert raised.value.error_class is ErrorClass.THROTTLED

    await api_keys(site.ledger)

    assert await keys_kept(site) == await keys_there(site, supabase_sandbox)
    assert made_at(supabase_sandbox, "/api-keys") == 5


@pytest.mark.parametrize("route", [LIST_KEYS, POST_KEY])
async def test_a_missing_permission_names_itself_and_the_page(site: Site, supabase_sandbox: Sandbox, route: str):
    supabase_sandbox.faults(route, {"kind": "status", "status": 403})

    with pytest.raises(VendorError, match=r"api_gateway_keys_write.* at https://supabase\.com/dashboard/account/token"):
        await api_keys(site.ledger)

    assert await keys_there(site, supabase_sandbox) == []
    assert [row.state for row in await site.rows("api_keys")] == ["failed", "intent", "intent", "intent"]


@pytest.mark.parametrize("before", [True, False])
async def test_wherever_a_run_is_cut_off_there_is_one_key_of_each_name(
    stack: Stack, supabase_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, before: bool
):
    cutter = Cutter(-int(before), before=before)
    while cutter.was_in_time:
        # The keys are made alike: every fourth point of one, or another, is enough.
        cutter = Cutter(cutter.at + 4, before=before)
        site = await new_client(stack, f"cut-{cutter.at}")
        await with_project(site)
        await cutter.run(site, api_keys, monkeypatch)

        await settled(site, api_keys)

        assert await keys_kept(site) == await keys_there(site, supabase_sandbox)
        assert len(await keys_kept(site)) == 4
    assert cutter.at > 25
