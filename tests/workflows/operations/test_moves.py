"""A client's database goes to another server: whole, compared, and nobody notices but by waiting."""

from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError, TenantUnavailable
from draggonnb_pipelines.resources.backup_files import BackupFault
from draggonnb_pipelines.resources.database_names import databases
from draggonnb_pipelines.resources.postgres import Tenants, dsn_for, sealed_dsn_context
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.backups import back_up_all
from draggonnb_pipelines.workflows.operations.client_copies import copies_of
from draggonnb_pipelines.workflows.operations.moves import drop_left_behind, move_tenant
from draggonnb_pipelines.workflows.operations.restores import drop_old, restore_tenant
from draggonnb_pipelines.workflows.organizations import NewOrganization, create_organization
from draggonnb_pipelines.workflows.server_list import open_server, put_server
from tests.servers import database_down
from tests.workflows.backup_work import BY, add_people, figures, master_actions, rows
from tests.workflows.move_work import SECOND, on_second, place, write_contact

NAMES = "select name from contacts order by 1"


async def names_of(stack: Stack, slug: str) -> list[str]:
    organization = await place(stack, slug)
    async with stack.tenants.open(organization) as tenant:
        return [row["name"] async for row in await tenant.conn.execute(NAMES)]


async def test_a_moved_client_has_every_row_on_the_other_server_and_the_old_database_is_out_of_reach(
    move_stack: Stack, client: Organization, bystander: Organization, second_dsn: str
) -> None:
    add_people(move_stack, client, "Thandi", "Zanele")
    before = await figures(move_stack.tenants.dsn(client))
    others = await figures(move_stack.tenants.dsn(bystander))

    done = await move_tenant(move_stack, client.slug, SECOND, by=BY)

    moved = await place(move_stack, client.slug)
    assert (done.server, done.database) == (SECOND, moved.database_name)
    assert await figures(dsn_for(second_dsn, done.database)) == before
    assert await names_of(move_stack, client.slug) == ["Thandi", "Zanele"]
    assert client.database_name not in await databases(move_stack.master.dsn)
    with pytest.raises(TenantUnavailable):
        async with move_stack.tenants.open(client):
            pass
    assert done.kept_as is not None
    assert await figures(dsn_for(move_stack.master.dsn, done.kept_as.name)) == before
    assert await place(move_stack, bystander.slug) == bystander
    assert await figures(move_stack.tenants.dsn(bystander)) == others
    assert master_actions(move_stack, "organization.move") == ["organization.move_begun", "organization.moved"]
    assert list((move_stack.settings.state_dir / "moves").iterdir()) == []
    [row] = rows(move_stack.master.dsn, "select state, from_server, to_server, row_count from tenant_moves")
    assert (row["state"], row["from_server"], row["to_server"]) == ("moved", "master", SECOND)
    assert row["row_count"] == done.rows > 0


async def test_a_client_moves_back_and_what_was_left_behind_is_dropped_by_its_verb_alone(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    add_people(move_stack, client, "Thandi")
    there = await move_tenant(move_stack, client.slug, SECOND, by=BY)
    await write_contact(move_stack, client.slug, "Zanele")

    back = await move_tenant(move_stack, client.slug, "master", by=BY)

    assert await names_of(move_stack, client.slug) == ["Thandi", "Zanele"]
    organization = await place(move_stack, client.slug)
    assert organization.dsn_sealed is None
    assert there.kept_as is not None
    assert back.kept_as is not None
    left = [there.kept_as.name, f"{back.kept_as.name} on the server {SECOND}"]
    assert sorted(copy.words for copy in await copies_of(move_stack, organization)) == sorted(left)
    assert await drop_left_behind(move_stack, client.slug, by=BY) == left
    assert await copies_of(move_stack, organization) == []
    assert await names_of(move_stack, client.slug) == ["Thandi", "Zanele"]
    assert back.kept_as.name not in await databases(second_dsn)
    with pytest.raises(OperatorError, match="no move of kloof-coffee has left a database behind"):
        await drop_left_behind(move_stack, client.slug, by=BY)


async def test_a_process_that_knows_the_client_from_before_the_move_waits_and_writes_nothing_to_the_old_database(
    move_stack: Stack, client: Organization
) -> None:
    async with Tenants(move_stack.master.dsn, move_stack.vault, max_connections=2) as other_process:
        async with other_process.open(client) as tenant:
            await tenant.conn.execute("insert into contacts (name) values ('Before')")  # and it keeps the connection

        done = await move_tenant(move_stack, client.slug, SECOND, by=BY)

        with pytest.raises(TenantUnavailable):
            async with other_process.open(client) as tenant:
                await tenant.conn.execute("insert into contacts (name) values ('Lost')")
        async with other_process.open(await place(move_stack, client.slug)) as tenant:
            await tenant.conn.execute("insert into contacts (name) values ('After')")
    assert done.kept_as is not None
    assert rows(dsn_for(move_stack.master.dsn, done.kept_as.name), NAMES) == [{"name": "Before"}]
    assert await names_of(move_stack, client.slug) == ["After", "Before"]


async def test_a_fault_is_taken_back_by_itself_and_the_client_serves_on_where_it_was(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    add_people(move_stack, client, "Thandi")
    before = await databases(second_dsn)

    def break_in(step: str) -> None:
        if step == "switching":
            raise BackupFault("the wire was cut")

    with pytest.raises(BackupFault, match="the wire was cut"):
        await move_tenant(move_stack, client.slug, SECOND, by=BY, on_step=break_in)

    assert await place(move_stack, client.slug) == client
    assert await names_of(move_stack, client.slug) == ["Thandi"]
    assert await databases(second_dsn) == before
    [row] = rows(move_stack.master.dsn, "select state, last_error from tenant_moves")
    assert row == {"state": "abandoned", "last_error": "the wire was cut"}
    assert rows(move_stack.master.dsn, "select slug from organizations where held_since is not null") == []
    assert master_actions(move_stack, "organization.move") == [
        "organization.move_begun",
        "organization.move_abandoned",
    ]
    await move_tenant(move_stack, client.slug, SECOND, by=BY)
    assert await names_of(move_stack, client.slug) == ["Thandi"]


@pytest.mark.parametrize(
    ("slug", "server", "said"),
    [
        ("nobody", SECOND, "no organization has the slug 'nobody'"),
        ("kloof-coffee", "nowhere", "no database server has the name 'nowhere'"),
        ("kloof-coffee", "master", "kloof-coffee is on master already"),
    ],
)
async def test_what_cannot_be_moved_is_refused_and_nothing_happens(
    move_stack: Stack, client: Organization, slug: str, server: str, said: str
) -> None:
    with pytest.raises(OperatorError, match=said):
        await move_tenant(move_stack, slug, server, by=BY)

    assert await place(move_stack, client.slug) == client
    assert rows(move_stack.master.dsn, "select 1 from tenant_moves") == []
    assert master_actions(move_stack, "organization.move") == []


async def test_a_vendors_database_is_refused_in_plain_words(move_stack: Stack, client: Organization) -> None:
    sealed = move_stack.vault.seal(b"postgresql://db.supabase.example/postgres", sealed_dsn_context(client.id))
    hosted = "update organizations set database_name = null, dsn_sealed = %s where id = %s"
    rows(move_stack.master.dsn, hosted, sealed, client.id)

    with pytest.raises(OperatorError, match="the database of kloof-coffee is its vendor's"):
        await move_tenant(move_stack, client.slug, SECOND, by=BY)

    assert rows(move_stack.master.dsn, "select 1 from tenant_moves") == []
    back = "update organizations set database_name = %s, dsn_sealed = null where id = %s"
    rows(move_stack.master.dsn, back, client.database_name, client.id)


async def test_a_server_that_does_not_answer_is_found_before_the_client_is_held(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    held: list[str] = []
    is_down = database_down(dsn_for(second_dsn, "template1"), dsn_for(second_dsn, "postgres"))

    with is_down, pytest.raises(OperatorError, match="no connection to the database server"):
        await move_tenant(move_stack, client.slug, SECOND, by=BY, on_step=held.append)

    assert held == []
    assert rows(move_stack.master.dsn, "select 1 from tenant_moves") == []


async def test_a_moved_client_is_backed_up_and_restored_where_it_is(
    move_stack: Stack, client: Organization, bystander: Organization, second_dsn: str
) -> None:
    add_people(move_stack, client, "Thandi")
    done = await move_tenant(move_stack, client.slug, SECOND, by=BY)
    assert [one.fault for one in await back_up_all(move_stack, by=BY)] == [None, None, None]
    await write_contact(move_stack, client.slug, "Zanele")

    restored = await restore_tenant(move_stack, client.slug, by=BY)

    assert restored.kept_as in await databases(second_dsn)
    assert await names_of(move_stack, client.slug) == ["Thandi"]
    with pytest.raises(OperatorError, match="from an earlier restore"):
        await move_tenant(move_stack, client.slug, "master", by=BY)
    assert await drop_old(move_stack, client.slug, by=BY) == restored.kept_as
    assert done.database in await databases(second_dsn)
    assert await place(move_stack, bystander.slug) == bystander


async def test_while_a_client_is_held_no_restore_and_no_second_creation_touches_it(
    move_stack: Stack, client: Organization
) -> None:
    await back_up_all(move_stack, by=BY)
    rows(
        move_stack.master.dsn,
        "insert into tenant_moves (organization_id, from_server, to_server, database_name, tokens, requested_by)"
        " values (%s, 'master', 'pg-2', %s, '{0badcafe}', 'a killed process')",
        client.id,
        client.database_name,
    )
    again = NewOrganization(client.slug, client.name, "sales@kloof.example")

    with pytest.raises(OperatorError, match="is being moved to pg-2"):
        await restore_tenant(move_stack, client.slug, by=BY)
    with pytest.raises(OperatorError, match="is being moved to pg-2"):
        await create_organization(
            again, master=move_stack.master, vault=move_stack.vault, server_dsn=move_stack.master.dsn
        )

    given_up = await move_tenant(move_stack, client.slug, "master", by=BY)
    assert given_up.kept_as is None
    assert await place(move_stack, client.slug) == client


async def test_new_clients_go_to_the_open_server_with_the_fewest_or_where_they_are_told_to(
    move_stack: Stack, client: Organization, bystander: Organization, second_dsn: str
) -> None:
    async def made(server: str | None = None) -> Organization:
        slug = f"new-{uuid4().hex[:8]}"
        created = await create_organization(
            NewOrganization(slug, "New", f"sales@{slug}.example"),
            master=move_stack.master,
            vault=move_stack.vault,
            server_dsn=move_stack.master.dsn,
            server=server,
        )
        return created.organization

    await open_server(move_stack.master, SECOND, is_open=True, by=BY)
    fewest, told = await made(), await made("master")
    await open_server(move_stack.master, SECOND, is_open=False, by=BY)
    closed = await made()

    assert [on_second(one) for one in (fewest, told, closed)] == [True, False, False]
    assert fewest.database_name in await databases(second_dsn)
    assert fewest.database_name not in await databases(move_stack.master.dsn)
    async with move_stack.tenants.open(fewest) as tenant:
        found = [row["slug"] async for row in await tenant.conn.execute("select slug from organizations")]
    assert found == [fewest.slug]
    rows(move_stack.master.dsn, "update database_servers set is_open = false")
    with pytest.raises(OperatorError, match="no database server takes new clients"):
        await made()


async def test_a_server_is_in_the_list_once_and_a_new_dsn_reaches_its_clients_too(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    moved = await move_tenant(move_stack, client.slug, SECOND, by=BY)
    old = await place(move_stack, client.slug)
    with psycopg.connect(second_dsn, autocommit=True) as conn:
        conn.execute("create role other_login superuser login")
    other_login = make_conninfo(second_dsn, user="other_login")

    with pytest.raises(OperatorError, match="this is the server 'pg-2'"):
        await put_server(move_stack.master, move_stack.vault, "pg-3", second_dsn, by=BY)
    with pytest.raises(OperatorError, match="this is the server 'master'"):
        await put_server(move_stack.master, move_stack.vault, "pg-3", move_stack.master.dsn, by=BY)
    assert await put_server(move_stack.master, move_stack.vault, SECOND, other_login, by=BY) is False

    new = await place(move_stack, client.slug)
    assert new.database_name == old.database_name == moved.database
    assert "other_login" in move_stack.tenants.dsn(new)
    assert "other_login" not in move_stack.tenants.dsn(old)
    assert master_actions(move_stack, "server.") == ["server.added", "server.dsn_changed"]
