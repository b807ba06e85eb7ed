"""What a move leaves that does not end well: files, copies, and a copy that may be newer than what it was made of."""

import asyncio
import contextlib
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError, TenantUnavailable
from draggonnb_pipelines.resources.backup_files import BackupFault
from draggonnb_pipelines.resources.database_names import databases, rename
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.client_copies import copies_of
from draggonnb_pipelines.workflows.operations.move_steps import CopyWasUsed
from draggonnb_pipelines.workflows.operations.moves import Moved, drop_left_behind, move_tenant
from tests.servers import database_down
from tests.workflows.backup_work import BY, add_people, master_actions, rows
from tests.workflows.move_work import SECOND, place, write_contact

NAMES = "select name from contacts order by 1"
BACK = "update organizations set server = 'master', dsn_sealed = null, database_name = %s where id = %s"
HELD = "select slug from organizations where held_since is not null"


async def move_that_the_master_forgot(stack: Stack, client: Organization, *, wholly: bool) -> Moved:
    """The client is moved and written to; then the master is as it was before the end of the move, or its beginning."""
    add_people(stack, client, "Thandi")
    done = await move_tenant(stack, client.slug, SECOND, by=BY)
    await write_contact(stack, client.slug, "Since the move")
    if wholly:
        rows(stack.master.dsn, "delete from tenant_moves")
    else:
        rows(
            stack.master.dsn,
            "update tenant_moves set state = 'copying', ended_at = null, kept_name = null, row_count = null",
        )
    rows(stack.master.dsn, BACK, client.database_name, client.id)
    return done


async def move_without_a_way_back(stack: Stack, client: Organization, second_dsn: str) -> str:
    """A move whose target went away before its end; the name of the copy that stays there."""
    before = await databases(second_dsn)
    with contextlib.ExitStack() as away:

        def go_away(step: str) -> None:
            if step == "switching":
                away.enter_context(database_down(dsn_for(second_dsn, "template1"), dsn_for(second_dsn, "postgres")))
                raise BackupFault("the wire was cut")

        with pytest.raises(BackupFault, match="the wire was cut"):
            await move_tenant(stack, client.slug, SECOND, by=BY, on_step=go_away)
    [copy] = await databases(second_dsn) - before
    return copy


@pytest.mark.parametrize("chosen", ["older", "newer"])
async def test_a_copy_that_may_be_newer_keeps_the_client_out_of_service_until_a_person_has_chosen(
    move_stack: Stack, client: Organization, bystander: Organization, second_dsn: str, chosen: str
) -> None:
    done = await move_that_the_master_forgot(move_stack, client, wholly=False)

    for server in (SECOND, "master"):
        with pytest.raises(
            OperatorError, match=f"{done.database} on pg-2 is no unfinished copy: it has been written to"
        ):
            await move_tenant(move_stack, client.slug, server, by=BY)

    assert rows(move_stack.master.dsn, HELD) == [{"slug": client.slug}]
    assert rows(move_stack.master.dsn, "select state from tenant_moves") == [{"state": "copying"}]
    with pytest.raises(TenantUnavailable):
        await write_contact(move_stack, client.slug, "Lost")
    [fenced] = [name for name in await databases(move_stack.master.dsn) if name.startswith(f"{client.database_name}_")]
    assert rows(dsn_for(move_stack.master.dsn, fenced), NAMES) == [{"name": "Thandi"}]
    assert rows(dsn_for(second_dsn, done.database), NAMES) == [{"name": "Since the move"}, {"name": "Thandi"}]

    assert client.database_name is not None
    await rename(move_stack.master.dsn, [(fenced, client.database_name if chosen == "older" else "put_aside")])
    if chosen == "newer":
        with psycopg.connect(move_stack.master.dsn, autocommit=True) as conn:
            conn.execute(SQL("create database {} template put_aside").format(Identifier(client.database_name)))
        rows(move_stack.tenants.dsn(client), "insert into contacts (name) values ('Since the move')")
    await move_tenant(move_stack, client.slug, "master", by=BY)

    assert await place(move_stack, client.slug) == client
    found = [row["name"] for row in rows(move_stack.tenants.dsn(client), NAMES)]
    assert found == (["Thandi"] if chosen == "older" else ["Since the move", "Thandi"])
    assert rows(move_stack.master.dsn, HELD) == []
    assert done.database in await databases(second_dsn)
    assert await place(move_stack, bystander.slug) == bystander


async def test_what_a_master_from_before_a_move_does_not_know_is_named_and_left_as_it_is(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    done = await move_that_the_master_forgot(move_stack, client, wholly=True)
    there = await databases(move_stack.master.dsn), await databases(second_dsn)

    with pytest.raises(OperatorError) as refused:
        await move_tenant(move_stack, client.slug, SECOND, by=BY)

    assert done.kept_as is not None
    said = f"but {done.kept_as.name} and {done.database} on the server pg-2"
    assert refused.value.message == f"there is no database {client.database_name} on master, {said}"
    assert (await databases(move_stack.master.dsn), await databases(second_dsn)) == there
    assert rows(move_stack.master.dsn, "select 1 from tenant_moves") == []


async def test_a_copy_that_could_not_be_dropped_on_the_way_back_is_dropped_by_the_verb(
    move_stack: Stack, client: Organization, bystander: Organization, second_dsn: str
) -> None:
    add_people(move_stack, client, "Thandi")
    copy = await move_without_a_way_back(move_stack, client, second_dsn)
    await write_contact(move_stack, client.slug, "Since then")
    assert await place(move_stack, client.slug) == client

    dropped = await drop_left_behind(move_stack, client.slug, by=BY)

    assert dropped == [f"{copy} on the server pg-2"]
    assert copy not in await databases(second_dsn)
    assert await copies_of(move_stack, client) == []
    assert rows(move_stack.tenants.dsn(client), NAMES) == [{"name": "Since then"}, {"name": "Thandi"}]
    assert master_actions(move_stack, "organization.old") == ["organization.old_drop_begun", "organization.old_dropped"]
    for one in (client, bystander):
        with pytest.raises(OperatorError, match=f"no move of {one.slug} has left a database behind"):
            await drop_left_behind(move_stack, one.slug, by=BY)


async def test_a_copy_of_a_move_that_was_given_up_stays_where_it_was_written_to(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    copy = await move_without_a_way_back(move_stack, client, second_dsn)
    rows(dsn_for(second_dsn, copy), "insert into contacts (name) values ('By hand')")

    with pytest.raises(CopyWasUsed, match=f"{copy} on pg-2 is no unfinished copy"):
        await drop_left_behind(move_stack, client.slug, by=BY)

    assert rows(dsn_for(second_dsn, copy), NAMES) == [{"name": "By hand"}]


async def test_a_server_that_is_away_is_named_and_nothing_is_dropped(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    copy = await move_without_a_way_back(move_stack, client, second_dsn)
    is_down = database_down(dsn_for(second_dsn, "template1"), dsn_for(second_dsn, "postgres"))

    with is_down, pytest.raises(OperatorError, match="the database server pg-2 does not answer"):
        await drop_left_behind(move_stack, client.slug, by=BY)

    assert copy in await databases(second_dsn)
    assert master_actions(move_stack, "organization.old") == []


async def test_the_file_of_a_move_that_was_killed_in_its_dump_goes_when_it_is_given_up(
    move_stack: Stack, client: Organization
) -> None:
    [row] = rows(
        move_stack.master.dsn,
        "insert into tenant_moves (organization_id, from_server, to_server, database_name, tokens, requested_by)"
        " values (%s, 'master', 'pg-2', %s, '{0badcafe}', 'a killed process') returning id",
        client.id,
        client.database_name,
    )
    folder = move_stack.settings.state_dir / "moves"
    await asyncio.to_thread(folder.mkdir)
    left, others = folder / f"{row['id']}-0badcafe.move.x1.part", folder / f"{uuid4()}-0badcafe.move"
    await asyncio.to_thread(_touch, left, others)

    await move_tenant(move_stack, client.slug, "master", by=BY)

    assert list(folder.iterdir()) == [others]


def _touch(*paths: Path) -> None:
    for path in paths:
        path.touch()
