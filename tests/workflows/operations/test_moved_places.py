"""Where a client is may change while something else is at work on it: each looks where it is when that counts."""

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.database_names import databases, databases_marked
from draggonnb_pipelines.resources.postgres import MasterDb, dsn_for
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.client_copies import moved_mark
from draggonnb_pipelines.workflows.operations.moves import move_tenant
from draggonnb_pipelines.workflows.organizations import CreatedOrganization, NewOrganization, create_organization
from draggonnb_pipelines.workflows.provisioning.erasure import erase
from draggonnb_pipelines.workflows.provisioning.offboarding import offboard
from draggonnb_pipelines.workflows.server_list import put_server
from tests.conftest import MASTER_KEYS
from tests.servers import database_down
from tests.workflows.backup_work import BY, figures, rows
from tests.workflows.move_work import SECOND, on_second, place

ROOT = Path(__file__).resolve().parents[3]


async def create(stack: Stack, slug: str, server: str | None = None) -> CreatedOrganization:
    new = NewOrganization(slug, "New", f"sales@{slug}.example")
    return await create_organization(
        new, master=stack.master, vault=stack.vault, server_dsn=stack.master.dsn, prefix="test_", server=server
    )


def move_by_another_process(stack: Stack, slug: str) -> None:
    environment = {
        **os.environ,
        "DRAGGONNB_MASTER_DSN": stack.settings.dsn,
        "DRAGGONNB_MASTER_KEYS": MASTER_KEYS,
        "DRAGGONNB_STATE_DIR": str(stack.settings.state_dir),
    }
    command = [sys.executable, "-m", "tests.workflows.move_worker", slug, SECOND]
    subprocess.run(command, env=environment, cwd=ROOT, input="\n" * 9, capture_output=True, text=True, check=True)


async def test_a_client_that_is_moved_while_it_is_erased_is_erased_where_it_is_then(
    move_stack: Stack, client: Organization, bystander: Organization, second_dsn: str
) -> None:
    await offboard(move_stack, client.slug, by=BY, reason="moves away")
    rows(move_stack.master.dsn, "update offboardings set erase_after = now() - interval '1 minute'")
    others = await figures(move_stack.tenants.dsn(bystander))
    moved: list[str | None] = []

    def clock() -> datetime:
        """It is read after the erasure has read where the client is."""
        if not moved:
            moved.append(client.database_name)
            move_by_another_process(move_stack, client.slug)
            [row] = rows(move_stack.master.dsn, "select database_name from organizations where id = %s", client.id)
            moved.append(row["database_name"])
        return datetime.now(UTC)

    certificate = await erase(replace(move_stack, now=clock), client.slug, by=BY)

    [kept] = rows(move_stack.master.dsn, "select kept_name from tenant_moves")
    dropped = [line["what"] for line in certificate["erased"] if line["how"] == "dropped"]
    assert dropped == [f"database {moved[1]}", f"database {kept['kept_name']}"]
    for server in (move_stack.master.dsn, second_dsn):
        assert await databases_marked(server, moved_mark(client.id)) == set()
        assert {client.database_name, moved[1], kept["kept_name"]} & await databases(server) == set()
    assert await place(move_stack, bystander.slug) == bystander
    assert await figures(move_stack.tenants.dsn(bystander)) == others


async def test_a_new_client_is_not_placed_on_a_server_that_does_not_answer(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    is_down = database_down(dsn_for(second_dsn, "template1"), dsn_for(second_dsn, "postgres"))

    with is_down, pytest.raises(OperatorError, match="no connection to Postgres"):
        await create(move_stack, "george-golf", SECOND)

    assert rows(move_stack.master.dsn, "select slug from organizations") == [{"slug": client.slug}]
    created = await create(move_stack, "george-golf", "master")
    assert (created.is_new, on_second(created.organization)) == (True, False)


async def test_a_client_that_is_there_already_is_not_created_on_another_server(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    before = await databases(second_dsn)

    with pytest.raises(OperatorError, match="kloof-coffee is there already, on the server master") as refused:
        await create(move_stack, client.slug, SECOND)

    assert refused.value.remedy == "draggonnb tenant move kloof-coffee --to pg-2"
    assert await place(move_stack, client.slug) == client
    assert await databases(second_dsn) == before
    assert (await create(move_stack, client.slug, "master")).is_new is False


async def test_while_a_client_is_created_again_it_is_not_moved(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    async with await psycopg.AsyncConnection.connect(move_stack.tenants.dsn(client)) as conn:
        await conn.execute("lock table organizations")
        again = asyncio.create_task(create(move_stack, client.slug))
        waiting = "select 1 from pg_locks l join pg_database d on d.oid = l.database where not granted and datname = %s"
        while not rows(move_stack.master.dsn, waiting, client.database_name):
            assert not again.done()
            await asyncio.sleep(0.05)

        with pytest.raises(OperatorError, match="of kloof-coffee is at work"):
            await move_tenant(move_stack, client.slug, SECOND, by=BY)

    assert (await again).is_new is False
    assert await place(move_stack, client.slug) == client
    assert rows(move_stack.master.dsn, "select 1 from tenant_moves") == []


async def test_a_dsn_that_changes_while_a_client_is_moved_is_the_one_that_it_has_afterwards(
    move_stack: Stack, client: Organization, second_dsn: str
) -> None:
    with psycopg.connect(second_dsn, autocommit=True) as conn:
        conn.execute("create role other_login superuser login")

    async def change() -> None:
        async with MasterDb(move_stack.master.dsn) as master:
            other_login = make_conninfo(second_dsn, user="other_login")
            assert await put_server(master, move_stack.vault, SECOND, other_login, by=BY) is False

    def another_process(step: str) -> None:
        if step == "switching":
            with ThreadPoolExecutor(1) as pool:
                pool.submit(asyncio.run, change()).result()

    await move_tenant(move_stack, client.slug, SECOND, by=BY, on_step=another_process)

    moved = await place(move_stack, client.slug)
    assert on_second(moved)
    assert "user=other_login" in move_stack.tenants.dsn(moved)
