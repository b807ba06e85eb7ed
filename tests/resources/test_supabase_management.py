"""The Supabase adapter against the sandbox and real databases."""

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.migrations import pending
from draggonnb_pipelines.resources.schema_history import read_migrations
from draggonnb_pipelines.resources.supabase_management import SupabaseManagement
from draggonnb_pipelines.resources.supabase_wire import Project, RecordedMigration
from draggonnb_pipelines.sql import TENANT_MIGRATIONS
from tests.resources.supabase_client import ORGANIZATION, PASSWORD, supabase
from tests.sandbox_process import Sandbox
from tests.supabase_calls import new_project, public, wait_for

POST_PROJECT = "POST /supabase/v1/projects"


@pytest.fixture
def client(door: HttpDoor, supabase_sandbox: Sandbox) -> SupabaseManagement:
    return supabase(door, supabase_sandbox.url)


async def create(client: SupabaseManagement, name: str = "kloof-coffee-db", region: str = "eu-west-1") -> Project:
    return await client.create_project(name, ORGANIZATION, PASSWORD, region, "small")


async def test_the_token_shows_the_organization_and_where_its_projects_may_be(client: SupabaseManagement):
    organizations = await client.organizations()
    regions = await client.regions(ORGANIZATION)

    assert [(one.slug, one.name) for one in organizations] == [(ORGANIZATION, "Sandbox")]
    assert ("emea", "smartGroup") in [(region.code, region.kind) for region in regions]
    assert ("eu-west-1", "specific") in [(region.code, region.kind) for region in regions]


async def test_a_project_is_made_and_found(client: SupabaseManagement, supabase_sandbox: Sandbox):
    made = await create(client, region="emea")
    starting = await client.health(made.ref)
    wait_for(supabase_sandbox, made.ref, "ACTIVE_HEALTHY")

    now = await client.project(made.ref)
    assert (made.status, made.is_healthy, now.is_healthy) == ("COMING_UP", False, True)
    assert (now.name, now.region) == ("kloof-coffee-db", "eu-central-1")
    assert [one.is_healthy for one in starting] == [False, False, False]
    assert [(one.name, one.is_healthy) for one in await client.health(made.ref)] == [
        ("auth", True),
        ("db", True),
        ("rest", True),
    ]
    assert public(supabase_sandbox)[made.ref]["size"] == "small"
    assert (await client.find_projects(ORGANIZATION, "kloof-coffee-db")) == [now]


async def test_a_lost_answer_is_ambiguous_and_the_project_is_found_once(
    client: SupabaseManagement, supabase_sandbox: Sandbox
):
    new_project(supabase_sandbox, "kloof-coffee-db-2")
    supabase_sandbox.faults(POST_PROJECT, {"kind": "accept_then_drop"})

    with pytest.raises(VendorError) as raised:
        await create(client)

    found = await client.find_projects(ORGANIZATION, "kloof-coffee-db")
    assert raised.value.error_class is ErrorClass.AMBIGUOUS
    assert PASSWORD not in str(raised.value)
    assert [project.name for project in found] == ["kloof-coffee-db"]
    assert len(public(supabase_sandbox)) == 2
    wait_for(supabase_sandbox, found[0].ref, "ACTIVE_HEALTHY")


@pytest.mark.parametrize("kind", ["accept_then_status", "cut_body", "drop_before_accept"])
async def test_a_project_is_never_asked_for_twice(
    client: SupabaseManagement, supabase_sandbox: Sandbox, kind: str, waits: list[float]
):
    supabase_sandbox.faults(POST_PROJECT, {"kind": kind, "status": 502})

    with pytest.raises(VendorError) as raised:
        await create(client)

    assert raised.value.error_class is ErrorClass.AMBIGUOUS
    assert (len(supabase_sandbox.journal("supabase")), waits) == (1, [])
    for project in await client.find_projects(ORGANIZATION, "kloof-coffee-db"):
        wait_for(supabase_sandbox, project.ref, "ACTIVE_HEALTHY")


async def test_the_search_reads_all_pages(
    client: SupabaseManagement, supabase_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("draggonnb_pipelines.resources.supabase_management.PAGE_SIZE", 2)
    refs = [new_project(supabase_sandbox, name) for name in ("a-db", "a-db-x", "a-db", "xa-db", "a-db")]

    found = await client.find_projects(ORGANIZATION, "a-db")

    assert [project.ref for project in found] == [refs[0], refs[2], refs[4]]


async def test_a_full_quota_is_the_operators_matter(client: SupabaseManagement, supabase_sandbox: Sandbox):
    supabase_sandbox.settings(supabase_project_limit=0)

    with pytest.raises(VendorError) as raised:
        await create(client)

    error = raised.value
    assert (error.error_class, error.code) == (ErrorClass.CONFIG, "quota")
    assert error.message == "HTTP 400, the organization's quota of projects is used up"


async def test_keys_are_made_named_and_revoked(client: SupabaseManagement, supabase_sandbox: Sandbox):
    ref = new_project(supabase_sandbox)

    made = await client.create_api_key(ref, "secret", "crmm_pipelines")
    masked, revealed = await client.api_keys(ref), await client.api_keys(ref, reveal=True)
    for _ in range(2):
        await client.delete_api_key(ref, made.id or "")

    mine = next(key for key in revealed if key.name == "crmm_pipelines")
    assert made.value
    assert made.value.startswith("sb_secret_")
    assert (mine.value, mine.kind) == (made.value, "secret")
    assert next(key.value for key in masked if key.name == "crmm_pipelines") != made.value
    assert made.value not in repr(revealed)
    assert "crmm_pipelines" not in [key.name for key in await client.api_keys(ref)]


async def test_our_tenant_schema_goes_through_the_api_and_the_history_is_the_files(
    client: SupabaseManagement, supabase_sandbox: Sandbox
):
    project = await create(client)
    wait_for(supabase_sandbox, project.ref, "ACTIVE_HEALTHY")
    files = sorted(TENANT_MIGRATIONS.glob("*.sql"))

    before = await client.migrations(project.ref)
    applied = [await client.apply_migration(project.ref, *_parts(path.name), path.read_text()) for path in files]
    again = await client.apply_migration(project.ref, *_parts(files[0].name), files[0].read_text())

    address = await client.database_address(project.ref)
    dsn = make_conninfo(
        host=address.host, port=address.port, user=address.user, dbname=address.database, password=PASSWORD
    )
    assert (before, set(applied), again) == ([], {True}, False)
    assert pending(dsn, TENANT_MIGRATIONS) == []
    assert await client.migrations(project.ref) == [
        RecordedMigration(version=one.version, name=one.name) for one in read_migrations(TENANT_MIGRATIONS)
    ]
    with psycopg.connect(dsn) as conn:
        row = conn.execute("select has_table_privilege('authenticated', 'leads', 'select')").fetchone()
    assert row == (True,)


async def test_a_failing_migration_leaves_nothing(client: SupabaseManagement, supabase_sandbox: Sandbox):
    ref = new_project(supabase_sandbox)

    with pytest.raises(VendorError) as raised:
        await client.apply_migration(ref, "20261101000000", "core", "create table a (id int); select secret_word;")

    error = raised.value
    assert (error.error_class, error.code, error.message) == (ErrorClass.INPUT, "42703", "HTTP 400, SQLSTATE 42703")
    assert "secret_word" not in str(error)
    assert await client.migrations(ref) == []
    assert await client.run_query(ref, "select to_regclass('a') as a", read_only=True) == [{"a": None}]


async def test_a_migration_whose_answer_is_lost_is_applied_once(client: SupabaseManagement, supabase_sandbox: Sandbox):
    ref = new_project(supabase_sandbox)
    supabase_sandbox.faults("POST /supabase/v1/projects/*/database/query", {"kind": "accept_then_drop"})

    is_new = await client.apply_migration(ref, "20261101000000", "core", "create table a (id int); -- done")

    assert is_new is False
    assert [migration.version for migration in await client.migrations(ref)] == ["20261101000000"]


async def test_a_duplicate_inside_a_migration_is_not_taken_for_done(
    client: SupabaseManagement, supabase_sandbox: Sandbox
):
    ref = new_project(supabase_sandbox)
    twice = "create table a (id int constraint a_once primary key); insert into a values (1), (1);"

    with pytest.raises(VendorError) as raised:
        await client.apply_migration(ref, "20261101000000", "core", twice)

    assert (raised.value.code, raised.value.message) == ("23505", "HTTP 400, SQLSTATE 23505, a_once")
    assert await client.migrations(ref) == []


@pytest.mark.parametrize("status", [403, 404])
async def test_a_closed_endpoint_does_not_hide_the_history(
    client: SupabaseManagement, supabase_sandbox: Sandbox, status: int
):
    ref = new_project(supabase_sandbox)
    supabase_sandbox.faults(
        "GET /supabase/v1/projects/*/database/migrations", {"kind": "status", "status": status, "times": 2}
    )

    before = await client.migrations(ref)
    await client.apply_migration(ref, "20261101000000", "core", "create table a (id int)")

    assert (before, await client.migrations(ref)) == ([], [RecordedMigration(version="20261101000000", name="core")])


async def test_sql_that_writes_is_sent_once(client: SupabaseManagement, supabase_sandbox: Sandbox, waits: list[float]):
    ref = new_project(supabase_sandbox)
    await client.run_query(ref, "create table counts (n int)")
    route = "POST /supabase/v1/projects/*/database/query"

    supabase_sandbox.faults(route, {"kind": "accept_then_drop", "times": 2})
    with pytest.raises(VendorError) as raised:
        await client.run_query(ref, "insert into counts values (1)")
    reading = await client.run_query(ref, "select count(*)::int as n from counts", read_only=True)

    assert raised.value.error_class is ErrorClass.AMBIGUOUS
    assert (reading, len(waits)) == ([{"n": 1}], 1)


async def test_auth_settings_and_the_password_are_set(client: SupabaseManagement, supabase_sandbox: Sandbox):
    ref = new_project(supabase_sandbox)

    await client.update_auth_config(ref, {"site_url": "https://kloof.example", "smtp_pass": "hidden-word"})
    await client.set_database_password(ref, "another-password")
    with pytest.raises(VendorError) as raised:
        await client.update_auth_config(ref, {"smtp_port": 587, "smtp_pass": "hidden-word"})

    sent = [(entry["method"], entry["status"]) for entry in supabase_sandbox.journal("supabase")[-3:]]
    assert sent == [("PATCH", 200), ("PATCH", 200), ("PATCH", 400)]
    assert raised.value.error_class is ErrorClass.INPUT
    assert "hidden-word" not in str(raised.value)


async def test_pausing_restoring_and_deleting_may_be_repeated(client: SupabaseManagement, supabase_sandbox: Sandbox):
    ref = new_project(supabase_sandbox)

    await client.pause(ref)
    await client.pause(ref)
    wait_for(supabase_sandbox, ref, "INACTIVE")
    await client.pause(ref)
    await client.restore(ref)
    wait_for(supabase_sandbox, ref, "ACTIVE_HEALTHY")
    await client.restore(ref)
    await client.delete(ref)
    await client.delete(ref)

    with pytest.raises(VendorError) as raised:
        await client.project(ref)
    assert (raised.value.error_class, raised.value.status) == (ErrorClass.INPUT, 404)
    assert public(supabase_sandbox) == {}


async def test_a_restore_in_the_middle_of_a_pause_is_refused(client: SupabaseManagement, supabase_sandbox: Sandbox):
    ref = new_project(supabase_sandbox)
    supabase_sandbox.settings(supabase_project_seconds=0.5)

    await client.pause(ref)
    with pytest.raises(VendorError) as raised:
        await client.restore(ref)

    assert raised.value.error_class is ErrorClass.INPUT
    wait_for(supabase_sandbox, ref, "INACTIVE")


def _parts(file_name: str) -> tuple[str, str]:
    version, _, name = file_name.removesuffix(".sql").partition("_")
    return version, name


async def test_all_projects_come_over_all_pages(
    client: SupabaseManagement, supabase_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    for number in range(3):
        await create(client, f"client-{number}-db")
    monkeypatch.setattr("draggonnb_pipelines.resources.supabase_management.PAGE_SIZE", 2)

    projects = await client.list_projects(ORGANIZATION)

    assert [project.name for project in projects] == ["client-0-db", "client-1-db", "client-2-db"]
    pages = [entry for entry in supabase_sandbox.journal("supabase") if entry["method"] == "GET"]
    assert len(pages) == 2
