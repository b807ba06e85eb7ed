"""The schema of clients' databases: a new project's, and everybody's at an upgrade."""

import asyncio
import dataclasses
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.errors import OperatorError, TenantUnavailable, VendorError
from draggonnb_pipelines.resources.migrations import pending
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.schema_history import read_migrations
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import TENANT_MIGRATIONS
from draggonnb_pipelines.workflows.organizations import TENANT
from draggonnb_pipelines.workflows.provisioning.stack_ledger import NotYet
from draggonnb_pipelines.workflows.provisioning.supabase_project import PASSWORD, dsn_of_project
from draggonnb_pipelines.workflows.provisioning.tenant_schema import tenant_schema
from tests.conftest import MakeOrganization
from tests.sandbox_process import Sandbox
from tests.supabase_calls import management
from tests.workflows.project_work import (
    OWNER,
    Cutter,
    Site,
    existing_site,
    new_client,
    open_site,
    settled,
    with_project,
)

NEWEST = read_migrations(TENANT_MIGRATIONS)[-1]
NEXT = "20991231235959_next.sql"
POOLER = "GET /supabase/v1/projects/{ref}/config/database/pooler"


@pytest.fixture
async def stack(supabase_sandbox: Sandbox, master_dsn: str) -> AsyncIterator[Stack]:
    async with open_site(supabase_sandbox, master_dsn) as opened:
        yield opened


@pytest.fixture
async def site(stack: Stack) -> Site:
    site = await new_client(stack)
    await with_project(site)
    return site


async def project_dsn_of(site: Site) -> str:
    [project] = await site.rows("supabase_project")
    return await dsn_of_project(site.stack, project.vendor_id or "", project.secrets[PASSWORD])


async def asked(site: Site, query: LiteralString) -> list[dict[str, Any]]:
    """What the tenant's database says, opened as every workflow opens it."""
    async with site.stack.tenants.open((await site.reloaded()).client.organization) as tenant:
        found = await tenant.conn.execute(query)
        return await found.fetchall()


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Deploy a release whose schema has one file more."""

    def deploy() -> None:
        copied = Path(shutil.copytree(TENANT_MIGRATIONS, tmp_path / "migrations"))
        (copied / NEXT).write_text("create table next_things (id int primary key);")
        monkeypatch.setattr("draggonnb_pipelines.workflows.provisioning.tenant_schema.TENANT_MIGRATIONS", copied)

    return deploy


async def test_a_new_project_gets_our_schema_its_organization_and_its_owner(site: Site):
    made = await tenant_schema(site.ledger)

    organization = site.client.organization
    rows = await asked(site, "select id, slug, name, timezone from organizations")
    assert rows == [
        {"id": organization.id, "slug": "kloof-coffee", "name": "Kloof Coffee", "timezone": "Africa/Johannesburg"}
    ]
    assert await asked(site, "select email, role, phone_e164 from users") == [
        {"email": OWNER, "role": "owner", "phone_e164": "+27821234567"}
    ]
    assert (made.state, made.name, made.details["version"]) == ("ready", "kloof-coffee-db", NEWEST.version)
    assert len(made.details["applied"]) == len(read_migrations(TENANT_MIGRATIONS))


async def test_the_organization_is_opened_by_its_sealed_dsn_from_then_on(site: Site):
    with pytest.raises(TenantUnavailable, match="it has no database yet"):
        await asked(site, "select 1")
    await tenant_schema(site.ledger)

    organization = (await site.reloaded()).client.organization
    assert organization.database_name is None
    assert site.stack.tenants.dsn(organization) == await project_dsn_of(site)
    [project] = await site.rows("supabase_project")
    assert project.secrets[PASSWORD].encode() not in bytes(organization.dsn_sealed or b"")
    async with site.stack.tenants.open(organization) as tenant:
        recipients = [row async for row in TENANT.lead_recipients(tenant.conn)]
    assert [row["email"] for row in recipients] == [OWNER]


async def test_the_history_is_what_the_supabase_cli_reads(site: Site, supabase_sandbox: Sandbox):
    await tenant_schema(site.ledger)

    [project] = await site.rows("supabase_project")
    path = f"/projects/{project.vendor_id}/database/migrations"
    answer = await asyncio.to_thread(management, supabase_sandbox, "GET", path)
    files = read_migrations(TENANT_MIGRATIONS)
    assert answer.json() == [{"version": one.version, "name": one.name} for one in files]
    assert pending(await project_dsn_of(site), TENANT_MIGRATIONS) == []


async def test_a_second_run_applies_nothing_and_brings_nobody_back(site: Site):
    await tenant_schema(site.ledger)
    await asked(site, "update users set email = 'new-owner@kloof-coffee.example' returning id")
    await asked(site, "update organizations set name = 'Kloof Roasters' returning id")

    again = await tenant_schema((await site.reloaded()).ledger)

    assert again.details["applied"] == []
    assert [row["email"] for row in await asked(site, "select email from users")] == ["new-owner@kloof-coffee.example"]
    assert [row["name"] for row in await asked(site, "select name from organizations")] == ["Kloof Roasters"]


async def test_before_the_project_is_ready_it_waits(stack: Stack, supabase_sandbox: Sandbox):
    early = await new_client(stack, "early")

    with pytest.raises(NotYet, match="early-db is not ready"):
        await tenant_schema(early.ledger)

    assert supabase_sandbox.journal("supabase") == []


async def test_a_permission_that_is_missing_names_itself_and_nothing_becomes_the_organizations(
    site: Site, supabase_sandbox: Sandbox
):
    supabase_sandbox.faults(POOLER, {"kind": "status", "status": 403})

    with pytest.raises(VendorError, match=r"database_pooling_config_read at https://supabase\.com/dashboard/account"):
        await tenant_schema(site.ledger)

    assert (await site.reloaded()).client.organization.dsn_sealed is None
    assert [row.state for row in await site.rows("tenant_schema")] == ["failed"]


async def test_an_upgrade_of_a_database_on_our_server_touches_no_people(
    stack: Stack, make_organization: MakeOrganization, master_dsn: str
):
    organization = await make_organization("old-client")
    outsider = await make_organization("outsider")
    dsn = dsn_for(master_dsn, organization.database_name or "")
    with psycopg.connect(dsn) as conn:
        conn.execute("delete from users")
    site = await existing_site(stack, "old-client")

    made = await tenant_schema(site.ledger)

    assert (made.vendor, made.name, made.state) == ("postgres", organization.database_name, "ready")
    assert made.details == {"version": NEWEST.version, "applied": []}
    assert await asked(site, "select email from users") == []
    assert (await site.reloaded()).client.organization == organization
    assert await (await existing_site(stack, outsider.slug)).rows("tenant_schema") == []


async def test_a_new_migration_reaches_every_kind_of_tenant(
    site: Site, make_organization: MakeOrganization, next_release: Callable[[], None]
):
    await tenant_schema(site.ledger)
    await make_organization("old-client")
    old = await existing_site(site.stack, "old-client")
    hosted = await site.reloaded()
    next_release()

    made = await asyncio.gather(tenant_schema(old.ledger), tenant_schema(hosted.ledger))

    assert [one.details["applied"] for one in made] == [[NEXT]] * 2
    assert [one.details["version"] for one in made] == ["20991231235959"] * 2
    for upgraded in (old, hosted):
        assert await asked(upgraded, "select count(*) as n from next_things") == [{"n": 0}]


async def test_two_runs_at_once_apply_each_file_once(site: Site):
    both = await asyncio.gather(settled(site, tenant_schema), settled(site, tenant_schema))

    assert {one.state for one in both} == {"ready"}
    assert await asked(site, "select count(*) as n from users") == [{"n": 1}]
    assert pending(await project_dsn_of(site), TENANT_MIGRATIONS) == []


async def test_a_tenant_whose_database_is_down_fails_alone_and_is_done_later(
    stack: Stack, make_organization: MakeOrganization, postgres_dsn: str
):
    names = ["up-1", "down", "up-2"]
    made = {name: await make_organization(name) for name in names}
    sites = [await existing_site(stack, name) for name in names]
    closed = SQL("alter database {} with allow_connections {}")
    database = Identifier(made["down"].database_name or "")
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute(closed.format(database, SQL("false")))

    ends = await asyncio.gather(*(tenant_schema(one.ledger) for one in sites), return_exceptions=True)

    assert [type(end).__name__ for end in ends] == ["Resource", "TenantUnavailable", "Resource"]
    assert [row.state for row in await sites[1].rows("tenant_schema")] == ["failed"]
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute(closed.format(database, SQL("true")))
    assert (await tenant_schema(sites[1].ledger)).is_ready


async def test_a_history_that_is_not_ours_is_an_operators_matter(
    stack: Stack, make_organization: MakeOrganization, master_dsn: str
):
    organization = await make_organization("odd")
    with psycopg.connect(dsn_for(master_dsn, organization.database_name or "")) as conn:
        conn.execute("insert into supabase_migrations.schema_migrations (version) values ('20990101000000')")
    site = await existing_site(stack, "odd")

    with pytest.raises(OperatorError, match="does not know: 20990101000000"):
        await tenant_schema(site.ledger)

    assert [row.state for row in await site.rows("tenant_schema")] == ["failed"]


async def test_a_client_whose_key_was_erased_cannot_be_set_up(site: Site):
    erased = dataclasses.replace(site.client.organization, data_key_wrapped=None)
    gone = dataclasses.replace(site, client=dataclasses.replace(site.client, organization=erased))

    with pytest.raises(TenantUnavailable, match="its data key was erased"):
        await tenant_schema(gone.ledger)

    assert (await site.reloaded()).client.organization.dsn_sealed is None


@pytest.mark.parametrize("before", [True, False])
async def test_wherever_a_run_is_cut_off_the_next_one_completes_it(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, before: bool
):
    cutter = Cutter(0, before=before)
    while cutter.was_in_time:
        cutter = Cutter(cutter.at + 1, before=before)
        site = await new_client(stack, f"cut-{cutter.at}")
        await with_project(site)
        await cutter.run(site, tenant_schema, monkeypatch)

        made = await tenant_schema((await site.reloaded()).ledger)

        assert made.is_ready
        assert await asked(site, "select email from users") == [{"email": OWNER}]
        assert await asked(site, "select slug from organizations") == [{"slug": f"cut-{cutter.at}"}]
    assert cutter.at > 8
