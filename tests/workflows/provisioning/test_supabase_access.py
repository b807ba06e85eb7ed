"""What is refused at Supabase stops a client before anything is made, and says where a person changes it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.provisioning.supabase_project import supabase_project
from tests.sandbox_process import Sandbox
from tests.supabase_calls import public
from tests.workflows.project_work import Site, made_at, new_client, open_site, with_project

FIND = "GET /supabase/v1/organizations/sandbox-org/projects"


@pytest.fixture
async def stack(supabase_sandbox: Sandbox, master_dsn: str) -> AsyncIterator[Stack]:
    async with open_site(supabase_sandbox, master_dsn) as opened:
        yield opened


@pytest.fixture
async def site(stack: Stack) -> Site:
    return await new_client(stack)


async def row(site: Site) -> Any:
    [resource] = await site.rows("supabase_project")
    return resource


def posts(sandbox: Sandbox) -> int:
    return made_at(sandbox, "/v1/projects")


async def test_a_full_quota_stops_before_anything_is_made_and_says_where_to_make_room(
    site: Site, supabase_sandbox: Sandbox
):
    supabase_sandbox.settings(supabase_project_limit=0)

    with pytest.raises(VendorError, match=r"quota .*: make room at https://supabase\.com/dashboard/org/.*/billing"):
        await supabase_project(site.ledger)

    found = await row(site)
    assert (found.state, public(supabase_sandbox)) == ("failed", {})
    assert "dashboard/org/sandbox-org/billing" in (found.last_error or "")


@pytest.mark.parametrize(
    ("route", "status", "words"),
    [
        ("GET /supabase/v1/organizations", 401, "make a new one at https://supabase.com/dashboard/account/tokens"),
        ("GET /supabase/v1/organizations", 403, "organization_admin_read"),
        ("GET /supabase/v1/projects/available-regions", 403, "organization_projects_create, project_admin_read at"),
        (FIND, 403, "organization_projects_read"),
    ],
)
async def test_a_missing_permission_stops_before_the_call_and_names_itself_and_the_page(
    site: Site, supabase_sandbox: Sandbox, route: str, status: int, words: str
):
    supabase_sandbox.faults(route, {"kind": "status", "status": status})

    with pytest.raises(VendorError, match=words) as raised:
        await supabase_project(site.ledger)

    assert not raised.value.is_transient
    found = await row(site)
    assert (found.state, found.attempts, posts(supabase_sandbox)) == ("failed", 0, 0)
    assert words in (found.last_error or "")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"supabase_organization_slug": "other-org"}, "does not see the organization other-org"),
        ({"supabase_region": "af-south-1"}, "no project can be made in af-south-1: .* ap-southeast-1, .*eu-west-1"),
    ],
)
async def test_a_setting_that_cannot_work_stops_before_the_call(
    supabase_sandbox: Sandbox, master_dsn: str, values: dict[str, str], words: str
):
    async with open_site(supabase_sandbox, master_dsn, **values) as stack:
        site = await new_client(stack)
        with pytest.raises(VendorError, match=words) as raised:
            await supabase_project(site.ledger)
        found = await row(site)

    assert raised.value.error_class is ErrorClass.CONFIG
    assert (found.state, found.attempts, posts(supabase_sandbox)) == ("failed", 0, 0)


async def test_many_clients_share_one_look_at_the_token(stack: Stack, supabase_sandbox: Sandbox):
    sites = [await new_client(stack, f"client-{number}") for number in range(6)]

    made = await asyncio.gather(*(with_project(site) for site in sites))

    looks = [call["path"] for call in supabase_sandbox.journal("supabase") if call["path"].endswith("/organizations")]
    assert len(looks) == 1
    assert {one.vendor_id for one in made} == set(public(supabase_sandbox))
    assert len(public(supabase_sandbox)) == 6
