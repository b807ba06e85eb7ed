"""A server is lost with everything on it, and comes back from the files and the master keys alone."""

import asyncio
from pathlib import Path

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.database_names import create_empty, databases, drop
from draggonnb_pipelines.resources.migrations import migrate
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import MASTER_MIGRATIONS
from draggonnb_pipelines.workflows.operations.backup_sources import database_of, folder_of
from draggonnb_pipelines.workflows.operations.backups import back_up_all
from draggonnb_pipelines.workflows.operations.restores import FRESH, KEPT
from draggonnb_pipelines.workflows.operations.server_restores import restore_server
from tests.conftest import MakeOrganization
from tests.workflows.backup_work import BY, add_people, dsn_of, figures, master_actions, people, rows, settings_of

SLUGS = ("draggonnb", "kloof-coffee", "outsider")
# What the restore itself writes: its own entries, and what it knows of the files.
OURS = {"public.backups", "public.publishing_agenda"}


@pytest.fixture
async def world(
    master_dsn: str, make_organization: MakeOrganization, tmp_path: Path
) -> tuple[Settings, list[Organization]]:
    """Three organizations with data, backed up; nobody is connected."""
    settings = settings_of(master_dsn, tmp_path, 1)
    organizations = [await make_organization(slug) for slug in SLUGS]
    async with open_stack(settings) as stack:
        for organization in organizations:
            add_people(stack, organization, "Thandi", organization.slug.title())
        await back_up_all(stack, by=BY)
    return settings, organizations


def file_of(settings: Settings, slug: str) -> Path:
    return max(folder_of(settings).glob(f"{slug}-2*.backup"))


async def lose(settings: Settings, organizations: list[Organization]) -> None:
    """All databases are gone; an empty migrated master stands, as `draggonnb backup restore --all` makes it."""
    server = settings.dsn.replace(database_of(settings.dsn), "postgres")
    for name in [*(str(one.database_name) for one in organizations), database_of(settings.dsn)]:
        await drop(server, name)
    await create_empty(server, database_of(settings.dsn))
    await asyncio.to_thread(migrate, settings.dsn, MASTER_MIGRATIONS)


async def all_figures(stack: Stack, organizations: list[Organization]) -> dict[str, object]:
    found: dict[str, object] = {one.slug: await figures(dsn_of(stack, one)) for one in organizations}
    master = await figures(stack.master.dsn)
    return found | {"master": {name: figure for name, figure in master.items() if name not in OURS}}


async def test_master_and_clients_come_back_as_they_were_backed_up(
    world: tuple[Settings, list[Organization]],
):
    settings, organizations = world
    async with open_stack(settings) as stack:
        before = await all_figures(stack, organizations)
    await lose(settings, organizations)
    totals: list[int] = []

    done = await restore_server(settings, by=BY, on_start=totals.append)

    assert [(one.name, one.fault) for one in done] == [("master", None), *((slug, None) for slug in SLUGS)]
    assert totals == [4]
    async with open_stack(settings) as stack:
        assert await all_figures(stack, organizations) == before
        assert people(stack, organizations[1]) == ["Kloof-Coffee", "Thandi"]
        # With the keys that came back with the master.
        async with stack.tenants.open(organizations[1]) as tenant:
            assert tenant.key.open(tenant.key.seal(b"x", "c"), "c") == b"x"
        assert master_actions(stack) == ["backup.server_restored.master", "backup.server_restored"]
        states = rows(settings.dsn, "select distinct state from backups")
        assert states == [{"state": "done"}]
        assert rows(settings.dsn, "select id, reason from verify_audit()") == []
    names = {database_of(settings.dsn), *(str(one.database_name) for one in organizations)}
    left = {f"{name}{suffix}" for name in names for suffix in (KEPT, FRESH)} & await databases(settings.dsn)
    assert left == set()


async def test_it_goes_on_where_it_was_cut_off_and_leaves_alone_what_is_there(
    world: tuple[Settings, list[Organization]],
):
    settings, organizations = world
    await lose(settings, organizations)
    path = file_of(settings, "outsider")
    path.rename(path.with_suffix(".away"))

    first = {one.name: one.fault for one in await restore_server(settings, by=BY)}
    async with open_stack(settings) as stack:
        add_people(stack, organizations[1], "Zanele")
    path.with_suffix(".away").rename(path)
    again = {one.name: one.fault for one in await restore_server(settings, by=BY)}

    assert {name for name, fault in first.items() if fault} == {"outsider"}
    assert str(first["outsider"]).endswith("cannot be read: No such file or directory")
    assert set(again.values()) == {None}
    async with open_stack(settings) as stack:
        assert people(stack, organizations[1]) == ["Kloof-Coffee", "Thandi", "Zanele"]
        assert people(stack, organizations[2]) == ["Outsider", "Thandi"]


async def test_a_master_that_is_in_use_is_never_replaced(world: tuple[Settings, list[Organization]]):
    settings, organizations = world
    async with open_stack(settings) as stack:
        add_people(stack, organizations[1], "Zanele")

        with pytest.raises(OperatorError, match="is not empty"):
            await restore_server(settings, by=BY)

        assert people(stack, organizations[1]) == ["Kloof-Coffee", "Thandi", "Zanele"]
        assert master_actions(stack) == ["backup.created"]


async def test_without_the_manifest_nothing_is_begun(world: tuple[Settings, list[Organization]]):
    settings, organizations = world
    await lose(settings, organizations)
    (folder_of(settings) / "manifest.json").unlink()

    with pytest.raises(OperatorError, match=r"there is no .*manifest\.json"):
        await restore_server(settings, by=BY)

    assert rows(settings.dsn, "select count(*) as n from organizations") == [{"n": 0}]


async def test_what_the_dumped_master_still_called_running_is_settled(
    world: tuple[Settings, list[Organization]],
):
    settings, organizations = world
    rows(
        settings.dsn,
        "insert into backups (id, kind, organization_id, database_name, started_at)"
        " values (gen_random_uuid(), 'tenant', %s, 'x', now())",
        organizations[1].id,
    )
    async with open_stack(settings) as stack:
        await back_up_all(stack, [], by=BY)
    await lose(settings, organizations)

    await restore_server(settings, by=BY)

    found = rows(settings.dsn, "select state, error from backups where state <> 'done'")
    assert found == [{"state": "failed", "error": "the server was lost"}]
