"""A drill restores beside everything else, says what came back and how old it is, and leaves nothing behind."""

from datetime import timedelta

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.database_names import create_empty, databases
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.backups import back_up_all
from draggonnb_pipelines.workflows.operations.drills import PREFIX, drawn, drill, stale
from draggonnb_pipelines.workflows.operations.moves import move_tenant
from tests.servers import database_down
from tests.workflows.backup_work import BY, add_people, at, dsn_of, figures, file_of, people
from tests.workflows.move_work import SECOND


async def test_every_backup_comes_back_equal_and_nothing_is_left(
    backup_stack: Stack, client: Organization, bystander: Organization
):
    add_people(backup_stack, client, "Thandi")
    await back_up_all(backup_stack, by=BY)
    add_people(backup_stack, client, "Zanele")
    before = await figures(dsn_of(backup_stack, client))
    later = backup_stack.now() + timedelta(hours=5)

    done = await drill(at(backup_stack, later))

    assert [(one.name, one.fault) for one in done] == [("master", None), ("kloof-coffee", None), ("outsider", None)]
    assert all(one.tables > 20 and one.rows > 0 and one.seconds > 0 for one in done)
    assert all(timedelta(hours=4.9) < one.age < timedelta(hours=5.1) for one in done)
    assert [name for name in await databases(backup_stack.master.dsn) if name.startswith(PREFIX)] == []
    assert await figures(dsn_of(backup_stack, client)) == before
    assert people(backup_stack, client) == ["Thandi", "Zanele"]


async def test_a_broken_and_a_missing_backup_are_named_and_the_others_go_on(
    backup_stack: Stack, client: Organization, bystander: Organization
):
    await back_up_all(backup_stack, ["kloof-coffee"], by=BY)
    path = file_of(backup_stack, "kloof-coffee")
    path.write_bytes(path.read_bytes()[:-1])

    done = {one.name: one.fault for one in await drill(backup_stack)}

    assert done["master"] is None
    assert str(done["kloof-coffee"]).endswith("is not as it was written: its sha256 is another one")
    assert done["outsider"] == "it was never backed up"
    assert [name for name in await databases(backup_stack.master.dsn) if name.startswith(PREFIX)] == []


async def test_what_a_killed_drill_left_is_dropped_by_the_next_one(backup_stack: Stack):
    await back_up_all(backup_stack, [], by=BY)
    await create_empty(backup_stack.master.dsn, f"{PREFIX}left")

    await drill(backup_stack, clients=0)

    assert f"{PREFIX}left" not in await databases(backup_stack.master.dsn)


async def test_a_moved_client_is_drilled_on_its_own_server_and_nothing_is_left_there(
    move_stack: Stack, client: Organization, second_dsn: str
):
    await move_tenant(move_stack, client.slug, SECOND, by=BY)
    await back_up_all(move_stack, by=BY)
    await create_empty(second_dsn, f"{PREFIX}left")

    done = await drill(move_stack)
    with database_down(dsn_for(second_dsn, "template1"), dsn_for(second_dsn, "postgres")):
        away = {one.name: one.fault for one in await drill(move_stack)}

    assert [(one.name, one.fault) for one in done] == [("master", None), ("kloof-coffee", None)]
    assert [name for name in await databases(second_dsn) if name.startswith(PREFIX)] == []
    assert away["master"] is None
    assert "not currently accepting connections" in str(away["kloof-coffee"])
    assert [name for name in await databases(move_stack.master.dsn) if name.startswith(PREFIX)] == []


async def test_a_database_without_a_backup_of_the_last_day_is_stale(
    backup_stack: Stack, client: Organization, bystander: Organization
):
    await back_up_all(backup_stack, ["kloof-coffee"], by=BY)
    tomorrow = at(backup_stack, backup_stack.now() + timedelta(hours=27))

    assert await stale(backup_stack) == {}  # the other one is not a day old itself
    found = await stale(tomorrow)

    assert list(found) == ["kloof-coffee", "master", "outsider"]
    assert found["outsider"] is None
    assert found["kloof-coffee"] is not None


def test_each_week_draws_others_and_always_the_master():
    names = ["master", *(f"client-{number:02}" for number in range(30))]

    weeks = [drawn(names, f"2026-{week:02}", 10) for week in range(1, 16)]

    assert {len(week) for week in weeks} == {11}
    assert {week[0] for week in weeks} == {"master"}
    assert weeks[0] == drawn(names, "2026-01", 10)
    assert len({name for week in weeks for name in week}) == 31
