"""Backups are taken of everybody, each alone, sealed by whose they are, and kept as long as they should be."""

from datetime import UTC, datetime, timedelta

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.database_names import drop
from draggonnb_pipelines.resources.sealed_files import SealedReader, sha256_of
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.vault import SealBroken
from draggonnb_pipelines.workflows.operations.backup_manifest import NAME, read_manifest
from draggonnb_pipelines.workflows.operations.backup_sources import BACKUPS, alone, file_key, folder_of, sources
from draggonnb_pipelines.workflows.operations.backups import back_up, back_up_all, delete_expired, verify
from draggonnb_pipelines.workflows.operations.moves import move_tenant
from tests.workflows.backup_work import BY, add_people, at, file_of, files, master_actions, rows
from tests.workflows.move_work import SECOND, place

STATES = """
select coalesce(o.slug, 'master') as slug, b.state, b.error from backups b left join organizations o
on o.id = b.organization_id order by b.created_at, b.started_at
"""
NIGHT = datetime(2026, 11, 25, 0, 30, tzinfo=UTC)


async def organization_now(stack: Stack, slug: str) -> Organization:
    [row] = rows(
        stack.master.dsn,
        "select id, slug, name, status, timezone, locale, database_name, dsn_sealed, data_key_wrapped"
        " from organizations where slug = %s",
        slug,
    )
    return Organization(**row)


async def test_the_master_and_every_client_are_backed_up_with_what_they_hold(
    backup_stack: Stack, client: Organization, bystander: Organization
):
    add_people(backup_stack, client, "Thandi", "Pieter")
    told: list[str] = []

    done = await back_up_all(backup_stack, by=BY, on_done=lambda one: told.append(one.name))

    assert [one.name for one in done] == ["master", "kloof-coffee", "outsider"]
    assert told[0] == "master"
    assert [one.fault for one in done] == [None, None, None]
    found = rows(
        backup_stack.master.dsn,
        "select kind, database_name, state, file_name, bytes, sha256, master_key_id, error,"
        " tables -> 'public.contacts' ->> 'rows' as contacts from backups order by file_name",
    )
    assert [(row["kind"], row["database_name"], row["contacts"]) for row in found] == [
        ("tenant", client.database_name, "2"),
        ("master", backup_stack.master.dsn.rpartition("dbname=")[2].split()[0], None),
        ("tenant", bystander.database_name, "0"),
    ]
    assert {(row["state"], row["master_key_id"], row["error"]) for row in found} == {("done", "test", None)}
    assert [row["file_name"] for row in found] == files(backup_stack)
    for row in found:
        path = folder_of(backup_stack.settings) / row["file_name"]
        assert (row["bytes"], row["sha256"]) == (path.stat().st_size, sha256_of(path))
    assert master_actions(backup_stack) == ["backup.created"]
    assert [taken.slug for taken in read_manifest(folder_of(backup_stack.settings), backup_stack.vault)] == [
        "master", "kloof-coffee", "outsider",
    ]  # fmt: skip


async def test_one_client_that_is_away_never_stops_the_others(
    backup_stack: Stack, client: Organization, bystander: Organization
):
    assert bystander.database_name is not None
    await drop(backup_stack.master.dsn, bystander.database_name)

    done = await back_up_all(backup_stack, by=BY)

    assert [one.name for one in done if one.fault is None] == ["master", "kloof-coffee"]
    assert f'database "{bystander.database_name}" does not exist' in str(done[2].fault)
    states = {row["slug"]: row["state"] for row in rows(backup_stack.master.dsn, STATES)}
    assert states == {"master": "done", "kloof-coffee": "done", "outsider": "failed"}
    assert [name.partition("-2")[0] for name in files(backup_stack)] == ["kloof-coffee", "master"]


async def test_who_is_moved_while_the_nights_backup_runs_is_backed_up_where_it_is_by_then(
    move_stack: Stack, client: Organization
):
    add_people(move_stack, client, "Thandi")
    [before] = await sources(move_stack, ["kloof-coffee"], with_master=False)
    await move_tenant(move_stack, client.slug, SECOND, by=BY)
    moved = await place(move_stack, client.slug)

    done = await back_up(move_stack, before)

    assert done.fault is None
    [row] = rows(move_stack.master.dsn, "select state, database_name from backups")
    assert row == {"state": "done", "database_name": moved.database_name}
    assert [one.fault for one in await verify(move_stack, ["kloof-coffee"])] == [None]


async def test_a_second_backup_of_the_same_database_at_once_is_refused_and_writes_nothing(
    backup_stack: Stack, client: Organization
):
    async with alone(backup_stack.master, "kloof-coffee"):
        [done] = await back_up_all(backup_stack, ["kloof-coffee"], with_master=False, by=BY)

    assert str(done.fault).startswith("a backup, restore or move of kloof-coffee is at work")
    assert files(backup_stack) == []
    assert rows(backup_stack.master.dsn, STATES) == []


async def test_what_one_has_let_go_another_one_can_have_at_once(backup_stack: Stack, client: Organization):
    for _ in range(20):
        async with alone(backup_stack.master, client.slug):
            with pytest.raises(OperatorError, match="of kloof-coffee is at work"):
                async with alone(backup_stack.master, client.slug):
                    pass


async def test_what_a_killed_backup_left_running_is_called_cut_off_by_the_next_one(
    backup_stack: Stack, client: Organization
):
    rows(
        backup_stack.master.dsn,
        "insert into backups (id, kind, organization_id, database_name, started_at)"
        " values (gen_random_uuid(), 'tenant', %s, 'x', now())",
        client.id,
    )

    [done] = await back_up_all(backup_stack, ["kloof-coffee"], with_master=False, by=BY)

    assert done.fault is None
    assert [(row["state"], row["error"]) for row in rows(backup_stack.master.dsn, STATES)] == [
        ("failed", "it was cut off"),
        ("done", None),
    ]


async def test_nights_that_are_over_expire_and_their_files_go(backup_stack: Stack):
    for night in range(8, -1, -1):
        await back_up_all(at(backup_stack, NIGHT - timedelta(days=night)), [], by=BY)

    nights = [name.split("-")[1][:8] for name in files(backup_stack)]
    assert nights == ["20261119", "20261120", "20261121", "20261122", "20261123", "20261124", "20261125"]
    assert [row["state"] for row in rows(backup_stack.master.dsn, STATES)] == ["expired"] * 2 + ["done"] * 7


async def test_what_killed_backups_left_half_goes_after_a_day(backup_stack: Stack):
    folder = folder_of(backup_stack.settings)
    folder.mkdir()
    (folder / "master-x.backup.abc.part").write_bytes(b"half")

    await delete_expired(backup_stack)
    assert (folder / "master-x.backup.abc.part").exists()
    await delete_expired(at(backup_stack, backup_stack.now() + timedelta(days=2)))

    assert not (folder / "master-x.backup.abc.part").exists()


async def test_nothing_of_a_client_whose_key_is_erased_opens_and_its_files_go(
    backup_stack: Stack, client: Organization, bystander: Organization
):
    add_people(backup_stack, bystander, "Thandi")
    await back_up_all(backup_stack, by=BY)
    copied_elsewhere = file_of(backup_stack, "outsider").read_bytes()
    rows(backup_stack.master.dsn, "update organizations set data_key_wrapped = null where slug = 'outsider'")

    with pytest.raises(SealBroken, match="the data key of outsider was erased"):
        file_key(
            backup_stack.vault, await organization_now(backup_stack, "outsider"), file_of(backup_stack, "outsider")
        )
    assert await delete_expired(backup_stack) == 1

    assert b"Thandi" not in copied_elsewhere
    assert [name.partition("-2")[0] for name in files(backup_stack)] == ["kloof-coffee", "master"]


async def test_a_file_opens_only_as_whose_it_is(backup_stack: Stack, client: Organization, bystander: Organization):
    await back_up_all(backup_stack, by=BY)

    with pytest.raises(SealBroken, match=r"is not a backup of outsider$"):
        file_key(backup_stack.vault, bystander, file_of(backup_stack, "kloof-coffee"))
    with pytest.raises(SealBroken, match=r"is not a backup of master$"):
        file_key(backup_stack.vault, None, file_of(backup_stack, "kloof-coffee"))
    with SealedReader(file_of(backup_stack, "kloof-coffee")) as reader:
        assert sorted(reader.header) == ["backup", "database", "key", "name", "organization_id", "started_at"]


async def test_verifying_names_a_changed_a_missing_and_a_never_taken_file(
    backup_stack: Stack, client: Organization, bystander: Organization
):
    await back_up_all(backup_stack, ["kloof-coffee"], by=BY)
    changed = file_of(backup_stack, "kloof-coffee")
    raw = bytearray(changed.read_bytes())
    raw[-1] ^= 1
    changed.write_bytes(raw)
    file_of(backup_stack, "master").unlink()

    done = {one.name: one.fault for one in await verify(backup_stack)}

    assert done["kloof-coffee"] == f"{changed} is not as it was written: its sha256 is another one"
    assert str(done["master"]).endswith("cannot be read: No such file or directory")
    assert done["outsider"] == "it was never backed up"


async def test_sound_files_verify(backup_stack: Stack, client: Organization):
    await back_up_all(backup_stack, by=BY)

    done = await verify(backup_stack)

    assert [(one.name, one.fault) for one in done] == [("master", None), ("kloof-coffee", None)]
    assert all(one.rows > 0 for one in done)


async def test_an_organization_without_a_database_is_named(backup_stack: Stack, client: Organization):
    with pytest.raises(OperatorError, match="no database to back up: nobody"):
        await back_up_all(backup_stack, ["nobody"], by=BY)

    assert files(backup_stack) == []


@pytest.mark.parametrize("change", ["slug", "seal", "gone"])
async def test_a_manifest_that_does_not_prove_itself_is_refused(backup_stack: Stack, change: str):
    await back_up_all(backup_stack, [], by=BY)
    path = folder_of(backup_stack.settings) / NAME
    text = path.read_text()
    path.write_text(
        text.replace('"master"', '"mister"') if change == "slug" else text.replace('"seal": "AQ', '"seal": "AR')
    )
    if change == "gone":
        path.unlink()

    said = {"slug": "was changed after it was written", "seal": "does not prove itself", "gone": "there is no"}
    with pytest.raises(OperatorError, match=said[change]):
        read_manifest(folder_of(backup_stack.settings), backup_stack.vault)


async def test_the_list_is_of_everybody_or_of_one_newest_first(backup_stack: Stack, client: Organization):
    for hour in (1, 2):
        await back_up_all(at(backup_stack, NIGHT.replace(hour=hour)), by=BY)

    async def listed(slug: str | None) -> list[tuple[str, int]]:
        async with backup_stack.master.connection() as conn:
            found = [row async for row in BACKUPS.list_backups(conn, slug=slug, row_limit=10)]
        # The same day's earlier one has expired, and what it held is not kept.
        assert all((row["rows"] or 0) > 0 if row["state"] == "done" else row["rows"] is None for row in found)
        return [(row["slug"], row["started_at"].astimezone(UTC).hour) for row in found]

    assert await listed(None) == [("kloof-coffee", 2), ("master", 2), ("kloof-coffee", 1), ("master", 1)]
    assert await listed("master") == [("master", 2), ("master", 1)]
    assert await listed("kloof-coffee") == [("kloof-coffee", 2), ("kloof-coffee", 1)]
    assert await listed("nobody") == []
