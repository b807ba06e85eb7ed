"""What goes wrong during a night of backups stops nobody else's, and no file is lost or left behind by it."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.backup_files import BackupFault, write_backup
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.backup_manifest import NAME
from draggonnb_pipelines.workflows.operations.backup_sources import folder_of
from draggonnb_pipelines.workflows.operations.backups import back_up_all, delete_expired
from tests.workflows.backup_work import BY, at, file_of, files, rows

NIGHT = datetime(2026, 11, 25, 0, 30, tzinfo=UTC)
STATES = "select coalesce(o.slug, 'master') as slug, b.state from backups b left join organizations o" \
    " on o.id = b.organization_id order by b.started_at, 1"  # fmt: skip


def states(stack: Stack) -> list[tuple[str, str]]:
    return [(row["slug"], row["state"]) for row in rows(stack.master.dsn, STATES)]


def make_older(path: Path, *, days: float) -> None:
    moment = time.time() - days * 86400
    os.utime(path, (moment, moment))


async def test_where_no_manifest_can_be_written_the_files_that_the_last_one_names_stay(backup_stack: Stack):
    await back_up_all(at(backup_stack, NIGHT), [], by=BY)
    [first] = files(backup_stack)
    (folder_of(backup_stack.settings) / NAME).unlink()
    (folder_of(backup_stack.settings) / NAME).mkdir()  # so that it cannot be replaced

    with pytest.raises(OSError, match="directory"):
        await back_up_all(at(backup_stack, NIGHT + timedelta(hours=10)), [], by=BY)

    assert len(files(backup_stack)) == 2
    assert first in files(backup_stack)
    assert states(backup_stack) == [("master", "done"), ("master", "done")]


async def test_a_folder_that_cannot_be_written_to_is_a_fault_of_each_backup_and_ends_no_other(
    backup_stack: Stack, client: Organization, bystander: Organization
):
    folder_of(backup_stack.settings).write_text("a file stands where the folder should")

    with pytest.raises(OSError, match="exists"):  # the manifest, after everybody had his turn
        await back_up_all(backup_stack, by=BY)

    found = rows(backup_stack.master.dsn, "select state, error from backups order by file_name")
    assert [row["state"] for row in found] == ["failed"] * 3
    assert all(row["error"].endswith("was not written: File exists") for row in found)


async def test_a_folder_that_cannot_be_made_is_a_backup_fault(tmp_path: Path):
    (tmp_path / "folder").write_text("")

    with pytest.raises(BackupFault, match="x was not written: Not a directory"):
        await write_backup(tmp_path / "folder" / "deeper" / "x", "", {}, bytes(32))


async def test_a_fault_of_the_master_at_one_client_stops_no_other(
    backup_stack: Stack, client: Organization, bystander: Organization
):
    rows(
        backup_stack.master.dsn,
        "create function refuse() returns trigger language plpgsql as"
        " $$ begin raise exception 'the master hiccups'; end $$",
    )
    rows(
        backup_stack.master.dsn,
        "create trigger hiccup before insert on backups for each row"
        " when (new.database_name like '%%kloof%%') execute function refuse()",
    )

    done = await back_up_all(backup_stack, by=BY)

    assert [(one.name, one.fault is None) for one in done] == [
        ("master", True), ("kloof-coffee", False), ("outsider", True),
    ]  # fmt: skip
    assert str(done[1].fault).startswith("the master hiccups")
    assert states(backup_stack) == [("master", "done"), ("outsider", "done")]
    assert (folder_of(backup_stack.settings) / NAME).exists()


async def test_a_file_whose_backup_was_cut_off_at_its_end_goes_after_a_day(backup_stack: Stack, client: Organization):
    await back_up_all(backup_stack, by=BY)
    rows(backup_stack.master.dsn, "update backups set state = 'failed', file_name = null where kind = 'tenant'")
    lost = file_of(backup_stack, "kloof-coffee")

    await delete_expired(backup_stack)
    assert lost.exists()
    make_older(lost, days=2)
    make_older(file_of(backup_stack, "master"), days=2)
    await delete_expired(backup_stack)

    assert [name.partition("-2")[0] for name in files(backup_stack)] == ["master"]


async def test_files_that_this_master_does_not_know_are_never_deleted(backup_stack: Stack, client: Organization):
    """They were copied here to restore a lost server, and the first night comes before the restore."""
    await back_up_all(backup_stack, by=BY)
    rows(backup_stack.master.dsn, "delete from backups")
    (folder_of(backup_stack.settings) / "notes.backup").write_text("an operator's")
    for name in files(backup_stack):
        make_older(folder_of(backup_stack.settings) / name, days=2)

    await delete_expired(backup_stack)

    assert [name.partition("-2")[0] for name in files(backup_stack)] == ["kloof-coffee", "master", "notes.backup"]


async def test_a_backup_that_another_one_has_called_cut_off_says_so(backup_stack: Stack):
    """Its lock went with its connection, and another one took its place while pg_dump was still at work."""
    rows(
        backup_stack.master.dsn,
        "create function lose() returns trigger language plpgsql as"
        " $$ begin update backups set state = 'failed', ended_at = now() where id = new.id; return null; end $$",
    )
    rows(backup_stack.master.dsn, "create trigger lose after insert on backups for each row execute function lose()")

    [done] = await back_up_all(backup_stack, [], by=BY)

    assert str(done.fault).startswith(f"{files(backup_stack)[0]} is of a backup that another one has called cut off")
    assert states(backup_stack) == [("master", "failed")]


async def test_an_expired_backup_keeps_no_figures_and_goes_after_400_days(backup_stack: Stack):
    for days, state in ((401, "failed"), (401, "expired"), (399, "failed"), (401, "done")):
        rows(
            backup_stack.master.dsn,
            "insert into backups (id, kind, database_name, state, started_at, ended_at, file_name, bytes, sha256,"
            " tables) values (%s, 'master', 'x', %s, now() - make_interval(days => %s), now(), %s, 1, sha256('x'),"
            """ '{"public.leads": {"rows": 3}}')""",
            uuid4(), state, days, f"{state}-{days}",
        )  # fmt: skip
    noon = backup_stack.now().replace(hour=12)
    await back_up_all(at(backup_stack, noon), [], by=BY)

    await back_up_all(at(backup_stack, noon + timedelta(hours=1)), [], by=BY)

    found = rows(
        backup_stack.master.dsn,
        "select state, tables = '{}' as is_bare, (now() - started_at) > interval '1 day' as is_old from backups"
        " order by started_at",
    )
    assert [(row["state"], row["is_bare"], row["is_old"]) for row in found] == [
        ("done", False, True),
        ("failed", False, True),
        ("expired", True, False),
        ("done", False, False),
    ]
