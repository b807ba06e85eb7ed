"""A client comes back as its backup says, beside the old database, and what is not proven never takes its place."""

import contextlib
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError, TenantUnavailable
from draggonnb_pipelines.resources.backup_files import BackupFault
from draggonnb_pipelines.resources.database_names import create_empty, databases, drop
from draggonnb_pipelines.resources.postgres import dsn_for, sealed_dsn_context
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.backups import back_up_all
from draggonnb_pipelines.workflows.operations.drills import drill
from draggonnb_pipelines.workflows.operations.restores import drop_old, restore_tenant
from tests.workflows.backup_work import (
    BY,
    add_people,
    at,
    dsn_of,
    figures,
    file_of,
    master_actions,
    people,
    rows,
)

NIGHT = datetime(2026, 11, 25, 0, 30, tzinfo=UTC)


async def names_of(stack: Stack, organization: Organization) -> list[str]:
    """The client's databases, as the server has them."""
    name = organization.database_name
    assert name is not None
    return sorted(found.removeprefix(name) for found in await databases(stack.master.dsn) if found.startswith(name))


async def test_a_client_is_as_it_was_and_its_old_database_is_kept_until_it_is_dropped(
    backup_stack: Stack, client: Organization, bystander: Organization
):
    add_people(backup_stack, client, "Thandi", "Pieter")
    before, outside = await figures(dsn_of(backup_stack, client)), await figures(dsn_of(backup_stack, bystander))
    await back_up_all(backup_stack, by=BY)
    add_people(backup_stack, client, "Zanele")
    rows(dsn_of(backup_stack, client), "delete from contacts where name = 'Thandi'")

    done = await restore_tenant(backup_stack, "kloof-coffee", by=BY)

    assert people(backup_stack, client) == ["Pieter", "Thandi"]
    assert await figures(dsn_of(backup_stack, client)) == before
    assert (done.database, done.kept_as) == (client.database_name, f"{client.database_name}_before_restore")
    assert await names_of(backup_stack, client) == ["", "_before_restore"]
    kept = rows(dsn_for(backup_stack.master.dsn, str(done.kept_as)), "select name from contacts order by 1")
    assert [row["name"] for row in kept] == ["Pieter", "Zanele"]
    assert await figures(dsn_of(backup_stack, bystander)) == outside

    assert await drop_old(backup_stack, "kloof-coffee", by=BY) == done.kept_as

    assert await names_of(backup_stack, client) == [""]
    assert master_actions(backup_stack) == [
        "backup.created", "backup.restore_begun", "backup.restored", "backup.old_drop_begun", "backup.old_dropped"
    ]  # fmt: skip
    audit = rows(dsn_of(backup_stack, client), "select actor, action from audit_log order by id desc limit 1")
    assert audit == [{"actor": BY, "action": "backup.restored"}]
    assert rows(dsn_of(backup_stack, client), "select id, reason from verify_audit()") == []


async def test_rights_of_the_roles_and_who_may_connect_come_back_too(backup_stack: Stack, client: Organization):
    query = """select c.relname, c.relacl::text, c.relrowsecurity,
                      (select count(*) from pg_policy p where p.polrelid = c.oid) as policies
               from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by 1"""
    before = rows(dsn_of(backup_stack, client), query)
    await back_up_all(backup_stack, by=BY)

    await restore_tenant(backup_stack, "kloof-coffee", by=BY)

    assert rows(dsn_of(backup_stack, client), query) == before
    assert rows(
        backup_stack.master.dsn, "select has_database_privilege('public', %s, 'connect') as may", client.database_name
    ) == [{"may": False}]


async def test_at_takes_the_newest_backup_that_is_not_after_it(backup_stack: Stack, client: Organization):
    for day, name in enumerate(("Monday", "Tuesday", "Wednesday")):
        add_people(backup_stack, client, name)
        await back_up_all(at(backup_stack, NIGHT + timedelta(days=day)), ["kloof-coffee"], with_master=False, by=BY)

    done = await restore_tenant(backup_stack, "kloof-coffee", by=BY, at=NIGHT + timedelta(days=1, hours=12))

    assert people(backup_stack, client) == ["Monday", "Tuesday"]
    assert done.taken_at == NIGHT + timedelta(days=1)
    with pytest.raises(
        OperatorError, match="there is no good backup of kloof-coffee from 2026-11-24 00:30 UTC or before"
    ):
        await restore_tenant(
            backup_stack, "kloof-coffee", by=BY, at=NIGHT - timedelta(days=1), into="test_copy_nowhere"
        )


async def test_into_makes_a_copy_and_leaves_the_client_alone(backup_stack: Stack, client: Organization):
    add_people(backup_stack, client, "Thandi")
    await back_up_all(backup_stack, by=BY)
    add_people(backup_stack, client, "Zanele")
    copy = f"{client.database_name}_copy"
    try:
        done = await restore_tenant(backup_stack, "kloof-coffee", by=BY, into=copy)

        assert (done.database, done.kept_as, done.held_posts) == (copy, None, 0)
        found = rows(dsn_for(backup_stack.master.dsn, copy), "select name from contacts")
        assert found == [{"name": "Thandi"}]
        assert people(backup_stack, client) == ["Thandi", "Zanele"]
        with pytest.raises(OperatorError, match="is there already"):
            await restore_tenant(backup_stack, "kloof-coffee", by=BY, into=copy)
    finally:
        await drop(backup_stack.master.dsn, copy)


async def test_a_restore_waits_for_the_old_database_of_the_one_before(backup_stack: Stack, client: Organization):
    await back_up_all(backup_stack, by=BY)
    await restore_tenant(backup_stack, "kloof-coffee", by=BY)
    add_people(backup_stack, client, "Zanele")

    with pytest.raises(OperatorError, match="is still there, from an earlier restore"):
        await restore_tenant(backup_stack, "kloof-coffee", by=BY)

    assert people(backup_stack, client) == ["Zanele"]
    await drop_old(backup_stack, "kloof-coffee", by=BY)
    with pytest.raises(OperatorError, match="there is no database"):
        await drop_old(backup_stack, "kloof-coffee", by=BY)


async def test_a_changed_file_is_refused_and_the_client_serves_on(backup_stack: Stack, client: Organization):
    await back_up_all(backup_stack, by=BY)
    path = file_of(backup_stack, "kloof-coffee")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    add_people(backup_stack, client, "Zanele")

    with pytest.raises(BackupFault, match="is not as it was written"):
        await restore_tenant(backup_stack, "kloof-coffee", by=BY)

    assert people(backup_stack, client) == ["Zanele"]
    assert await names_of(backup_stack, client) == [""]
    assert master_actions(backup_stack) == ["backup.created", "backup.restore_begun"]


async def test_a_restore_that_dies_right_after_the_change_of_names_is_in_the_masters_audit(
    backup_stack: Stack, client: Organization
):
    await back_up_all(backup_stack, by=BY)
    rows(backup_stack.master.dsn, "alter table publishing_agenda rename to publishing_agenda_away")

    with pytest.raises(psycopg.errors.UndefinedTable):
        await restore_tenant(backup_stack, "kloof-coffee", by=BY)

    assert await names_of(backup_stack, client) == ["", "_before_restore"]
    assert master_actions(backup_stack) == ["backup.created", "backup.restore_begun"]
    query = "select actor, resource, metadata from audit_log where action = 'backup.restore_begun'"
    metadata = {"from": file_of(backup_stack, "kloof-coffee").name, "database": client.database_name}
    assert rows(backup_stack.master.dsn, query) == [
        {"actor": BY, "resource": "organization:kloof-coffee", "metadata": metadata}
    ]


async def test_what_a_killed_restore_left_is_replaced(backup_stack: Stack, client: Organization):
    add_people(backup_stack, client, "Thandi")
    await back_up_all(backup_stack, by=BY)
    await create_empty(backup_stack.master.dsn, f"{client.database_name}_restoring")

    await restore_tenant(backup_stack, "kloof-coffee", by=BY)

    assert people(backup_stack, client) == ["Thandi"]
    assert await names_of(backup_stack, client) == ["", "_before_restore"]


async def test_a_client_whose_database_is_gone_comes_back(backup_stack: Stack, client: Organization):
    add_people(backup_stack, client, "Thandi")
    await back_up_all(backup_stack, by=BY)
    await drop(backup_stack.master.dsn, str(client.database_name))

    done = await restore_tenant(backup_stack, "kloof-coffee", by=BY)

    assert done.kept_as is None
    assert people(backup_stack, client) == ["Thandi"]
    assert await names_of(backup_stack, client) == [""]


async def test_a_client_works_on_with_its_own_connections_after_the_change(backup_stack: Stack, client: Organization):
    await back_up_all(backup_stack, by=BY)
    async with backup_stack.tenants.open(client) as tenant:
        await tenant.conn.execute("select")

    await restore_tenant(backup_stack, "kloof-coffee", by=BY)

    with contextlib.suppress(TenantUnavailable):  # its idle connection was sent away; a run takes the work up again
        async with backup_stack.tenants.open(client) as tenant:
            await tenant.conn.execute("select")
    async with backup_stack.tenants.open(client) as tenant:
        await tenant.conn.execute("select")


async def test_leads_that_came_since_are_worked_off_again_and_only_those(
    backup_stack: Stack, client: Organization, bystander: Organization
):
    put = """insert into inbox (organization_id, topic, source, delivery_id, parsed_sealed, state, stage, finished_at)
             values (%s, %s, 'web', %s, 'sealed', 'done', 6, now() + make_interval(hours => %s))"""
    for owner in (client, bystander):
        rows(backup_stack.master.dsn, put, owner.id, "leads", "before", -1)
        rows(backup_stack.master.dsn, put, owner.id, "leads", "since", 1)
        rows(backup_stack.master.dsn, put, owner.id, "content", "since", 1)
    await back_up_all(backup_stack, by=BY)

    done = await restore_tenant(backup_stack, "kloof-coffee", by=BY)

    assert (done.replayed_leads, done.other_deliveries) == (1, 1)
    waiting = rows(
        backup_stack.master.dsn,
        "select organization_id, topic, delivery_id, stage, not_before <= now() as may_go from inbox"
        " where state = 'received'",
    )
    assert waiting == [
        {"organization_id": client.id, "topic": "leads", "delivery_id": "since", "stage": 0, "may_go": True}
    ]


async def test_a_client_whose_database_is_a_vendors_is_backed_up_drilled_and_copied_but_never_replaced_here(
    backup_stack: Stack, client: Organization
):
    add_people(backup_stack, client, "Thandi")
    dsn, copy = dsn_of(backup_stack, client), f"{client.database_name}_copy"
    sealed = backup_stack.vault.seal(dsn.encode(), sealed_dsn_context(client.id))
    rows(
        backup_stack.master.dsn,
        "update organizations set database_name = null, dsn_sealed = %s where id = %s",
        sealed, client.id,
    )  # fmt: skip
    try:
        [_, done] = await back_up_all(backup_stack, by=BY)
        drilled = {one.name: one.fault for one in await drill(backup_stack)}
        await restore_tenant(backup_stack, client.slug, by=BY, into=copy)
        with pytest.raises(OperatorError, match="the database of kloof-coffee is its vendor's"):
            await restore_tenant(backup_stack, client.slug, by=BY)

        assert done.fault is None
        assert drilled == {"master": None, "kloof-coffee": None}
        copied, before = await figures(dsn_for(backup_stack.master.dsn, copy)), await figures(dsn)
        assert copied == before
        assert rows(dsn, "select name from contacts") == [{"name": "Thandi"}]
    finally:
        await drop(backup_stack.master.dsn, copy)
        await drop(backup_stack.master.dsn, str(client.database_name))
