"""The list of servers: one is taken out, another cluster stands in its place, and no client is lost from sight."""

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.database_names import create_empty, databases, drop, rename
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.backups import back_up_all
from draggonnb_pipelines.workflows.operations.client_copies import copies_of, mark_of
from draggonnb_pipelines.workflows.operations.moves import drop_left_behind, move_tenant
from draggonnb_pipelines.workflows.operations.restores import restore_tenant
from draggonnb_pipelines.workflows.placement import all_servers
from draggonnb_pipelines.workflows.server_list import open_server, put_server, remove_server
from tests.servers import database_down
from tests.workflows.backup_work import BY, add_people, master_actions, rows
from tests.workflows.move_work import SECOND, place

OPEN_MOVE = (
    "insert into tenant_moves (organization_id, from_server, to_server, database_name, tokens, requested_by)"
    " select id, 'master', 'pg-2', database_name, '{0badcafe}', 'a killed process' from organizations"
    " where slug = 'kloof-coffee'"
)


async def remove(stack: Stack, name: str = SECOND, *, is_lost: bool = False) -> None:
    await remove_server(stack.master, stack.vault, name, by=BY, is_lost=is_lost)


async def put(stack: Stack, dsn: str, *, is_replaced: bool = False, is_open: bool = True) -> bool:
    return await put_server(stack.master, stack.vault, SECOND, dsn, by=BY, is_replaced=is_replaced, is_open=is_open)


async def listed(stack: Stack) -> list[str]:
    return [server.name for server in await all_servers(stack.master, stack.vault)]


def now_another_cluster(stack: Stack) -> None:
    """As after initdb or pg_upgrade: what answers has another identifier than what was known."""
    rows(stack.master.dsn, "update database_servers set system_id = 'the old cluster' where name = 'pg-2'")


async def test_a_server_is_taken_out_once_nobody_is_on_it_and_nothing_was_left_there(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    await move_tenant(move_stack, client.slug, SECOND, by=BY)
    with pytest.raises(OperatorError, match="pg-2 stays in the list: kloof-coffee is on it"):
        await remove(move_stack)
    await move_tenant(move_stack, client.slug, "master", by=BY)
    with pytest.raises(OperatorError, match=r"pg-2 stays in the list: kloof-coffee has left .*_left_\w+ there"):
        await remove(move_stack)
    await drop_left_behind(move_stack, client.slug, by=BY)
    await create_empty(second_dsn, "to_look_into", mark=mark_of(client.id))
    with pytest.raises(OperatorError, match="pg-2 stays in the list: it has to_look_into"):
        await remove(move_stack)
    assert await listed(move_stack) == ["master", SECOND]
    await drop(second_dsn, "to_look_into")

    await remove(move_stack)

    assert await listed(move_stack) == ["master"]
    assert master_actions(move_stack, "server.") == ["server.added", "server.removed"]
    [row] = rows(move_stack.master.dsn, "select dsn_sealed, system_id from database_servers where name = 'pg-2'")
    assert row == {"dsn_sealed": None, "system_id": None}
    for forgotten in (
        move_tenant(move_stack, client.slug, SECOND, by=BY),
        open_server(move_stack.master, SECOND, is_open=True, by=BY),
        remove(move_stack),
    ):
        with pytest.raises(OperatorError, match="no database server has the name 'pg-2'"):
            await forgotten
    assert await put(move_stack, second_dsn) is True
    assert await listed(move_stack) == ["master", SECOND]


async def test_a_server_to_which_a_move_is_open_and_the_masters_own_stay(
    move_stack: Stack, client: Organization
) -> None:
    rows(move_stack.master.dsn, OPEN_MOVE)

    for is_lost in (False, True):
        with pytest.raises(OperatorError, match="pg-2 stays in the list: kloof-coffee is being moved"):
            await remove(move_stack, is_lost=is_lost)
    with pytest.raises(OperatorError, match="`master` is the server of the master database"):
        await remove(move_stack, "master")

    assert await listed(move_stack) == ["master", SECOND]
    assert master_actions(move_stack, "server.") == ["server.added"]


async def test_a_dead_server_is_taken_out_when_it_is_said_to_be_lost_and_erasures_can_look_everywhere_again(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    await move_tenant(move_stack, client.slug, SECOND, by=BY)
    await move_tenant(move_stack, client.slug, "master", by=BY)
    organization = await place(move_stack, client.slug)
    with database_down(dsn_for(second_dsn, "template1"), dsn_for(second_dsn, "postgres")):
        with pytest.raises(OperatorError, match="the database server pg-2 does not answer"):
            await copies_of(move_stack, organization)
        with pytest.raises(OperatorError, match="kloof-coffee has left"):
            await remove(move_stack)
        rows(move_stack.master.dsn, "update tenant_moves set old_dropped_at = now() where from_server = 'pg-2'")
        with pytest.raises(OperatorError, match="the database server pg-2 does not answer: what it has is not known"):
            await remove(move_stack)
        rows(move_stack.master.dsn, "update tenant_moves set old_dropped_at = null")

        await remove(move_stack, is_lost=True)

        [left] = await copies_of(move_stack, organization)
    assert left.server.name == "master"
    assert await drop_left_behind(move_stack, client.slug, by=BY) == [left.name]


async def test_an_upgraded_cluster_with_all_its_databases_takes_the_place_of_the_old_one(
    move_stack: Stack, client: Organization, bystander: Organization, second_dsn: str
) -> None:
    await move_tenant(move_stack, client.slug, SECOND, by=BY)
    await move_tenant(move_stack, bystander.slug, SECOND, by=BY)
    name = str((await place(move_stack, client.slug)).database_name)
    now_another_cluster(move_stack)
    with pytest.raises(OperatorError, match="'pg-2' is another server"):
        await put(move_stack, second_dsn)
    await rename(second_dsn, [(name, "gone")])
    with pytest.raises(OperatorError, match=f"has 2 databases of clients, but not {name}"):
        await put(move_stack, second_dsn, is_replaced=True)
    await rename(second_dsn, [("gone", name)])

    assert await put(move_stack, second_dsn, is_replaced=True) is False

    assert await put(move_stack, second_dsn) is False
    assert master_actions(move_stack, "server.") == ["server.added", "server.replaced", "server.dsn_changed"]
    async with move_stack.tenants.open(await place(move_stack, client.slug)):
        pass


async def test_a_lost_cluster_is_replaced_by_an_empty_one_into_which_each_client_is_restored(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    add_people(move_stack, client, "Thandi")
    done = await move_tenant(move_stack, client.slug, SECOND, by=BY)
    await back_up_all(move_stack, by=BY)
    await drop(second_dsn, done.database)
    now_another_cluster(move_stack)

    await put(move_stack, second_dsn, is_replaced=True)
    restored = await restore_tenant(move_stack, client.slug, by=BY)

    assert restored.kept_as is None
    assert done.database in await databases(second_dsn)
    async with move_stack.tenants.open(await place(move_stack, client.slug)) as tenant:
        found = [row["name"] async for row in await tenant.conn.execute("select name from contacts")]
    assert found == ["Thandi"]


async def test_a_client_whose_server_was_lost_in_the_middle_of_a_move_is_restored_after_the_move_is_given_up(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    add_people(move_stack, client, "Thandi")
    done = await move_tenant(move_stack, client.slug, SECOND, by=BY)
    await back_up_all(move_stack, by=BY)
    rows(
        move_stack.master.dsn,
        "insert into tenant_moves (organization_id, from_server, to_server, database_name, tokens, requested_by)"
        " select id, 'pg-2', 'master', database_name, '{0badcafe}', 'a killed process' from organizations",
    )
    rows(move_stack.master.dsn, "update organizations set held_since = now()")
    await drop(second_dsn, done.database)
    now_another_cluster(move_stack)

    await put(move_stack, second_dsn, is_replaced=True)
    with pytest.raises(OperatorError, match="is being moved to master"):
        await restore_tenant(move_stack, client.slug, by=BY)
    await create_empty(second_dsn, done.database)
    await move_tenant(move_stack, client.slug, SECOND, by=BY)
    await restore_tenant(move_stack, client.slug, by=BY)

    assert rows(move_stack.master.dsn, "select slug from organizations where held_since is not null") == []
    async with move_stack.tenants.open(await place(move_stack, client.slug)) as tenant:
        found = [row["name"] async for row in await tenant.conn.execute("select name from contacts")]
    assert found == ["Thandi"]


async def test_what_stands_for_no_server_yet_replaces_none(move_stack: Stack, second_dsn: str) -> None:
    await remove(move_stack)

    with pytest.raises(OperatorError, match="no database server has the name 'pg-2'"):
        await put(move_stack, second_dsn, is_replaced=True)

    assert await listed(move_stack) == ["master"]


async def test_a_new_dsn_closes_a_server_where_that_is_said_and_opens_none(move_stack: Stack, second_dsn: str) -> None:
    query = "select is_open from database_servers where name = 'pg-2'"
    await put(move_stack, second_dsn)
    assert rows(move_stack.master.dsn, query) == [{"is_open": False}]
    await open_server(move_stack.master, SECOND, is_open=True, by=BY)
    await put(move_stack, second_dsn)
    assert rows(move_stack.master.dsn, query) == [{"is_open": True}]

    await put(move_stack, second_dsn, is_open=False)

    assert rows(move_stack.master.dsn, query) == [{"is_open": False}]
