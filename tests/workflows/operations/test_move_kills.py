"""A move that is killed at any step can be said again or given up; who writes meanwhile waits, and loses nothing."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError, TenantUnavailable
from draggonnb_pipelines.resources.database_names import databases
from draggonnb_pipelines.resources.postgres import Tenants, dsn_for
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.moves import Moved, move_tenant
from tests.conftest import MASTER_KEYS
from tests.workflows.backup_work import BY, add_people, figures, master_actions, rows
from tests.workflows.move_work import SECOND, on_second, place, write_contact

ROOT = Path(__file__).resolve().parents[3]
STEPS = ("holding", "waiting", "fencing", "copying", "switching", "switched")
NAMES = "select name from contacts order by 1"
LOCKS = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objsubid = 1 and granted"


class Worker:
    """A process that moves the client and waits before each step."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def go_to(self, step: str) -> None:
        """Until it says that this step is next."""
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        while (said := self.process.stdout.readline().strip()) != step:
            assert said in STEPS, said
            self.go_on()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextlib.contextmanager
def moving(stack: Stack) -> Iterator[Worker]:
    environment = {
        **os.environ,
        "DRAGGONNB_MASTER_DSN": stack.settings.dsn,
        "DRAGGONNB_MASTER_KEYS": MASTER_KEYS,
        "DRAGGONNB_STATE_DIR": str(stack.settings.state_dir),
    }
    command = [sys.executable, "-m", "tests.workflows.move_worker", "kloof-coffee", SECOND]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()


async def say_again(stack: Stack, server: str = SECOND) -> Moved:
    """The lock of the killed process goes when the server sees that its connection is gone."""
    for _ in range(50):
        try:
            return await move_tenant(stack, "kloof-coffee", server, by=BY)
        except OperatorError as refusal:
            if "is at work" not in refusal.message:
                raise
            await asyncio.sleep(0.1)
    raise AssertionError("the lock of the killed process is still held")


def _kill_before(stack: Stack, step: str, seconds: float | None) -> None:
    with moving(stack) as worker:
        worker.go_to(step)
        if seconds is not None:  # in the middle of it
            worker.go_on()
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(seconds)


@pytest.mark.parametrize(
    ("step", "seconds"), [*((step, None) for step in STEPS), ("fencing", 0.05), ("copying", 0.2), ("copying", 0.5)]
)
async def test_a_killed_move_is_said_again_and_ends_with_every_row_on_the_new_server(
    move_stack: Stack, client: Organization, bystander: Organization, second_dsn: str, step: str, seconds: float | None
) -> None:
    add_people(move_stack, client, "Thandi")
    before, others = await figures(move_stack.tenants.dsn(client)), await figures(move_stack.tenants.dsn(bystander))

    await asyncio.to_thread(_kill_before, move_stack, step, seconds)
    if step == "switched":
        with pytest.raises(OperatorError, match="is on pg-2 already"):
            await say_again(move_stack)
    else:
        await say_again(move_stack)

    moved = await place(move_stack, client.slug)
    assert moved.database_name is not None
    assert await figures(dsn_for(second_dsn, moved.database_name)) == before
    assert [name for name in await databases(second_dsn) if name.startswith("test_")] == [moved.database_name]
    assert client.database_name not in await databases(move_stack.master.dsn)
    assert master_actions(move_stack, "organization.move").count("organization.moved") == 1
    assert rows(move_stack.master.dsn, "select slug from organizations where held_since is not null") == []
    assert list((move_stack.settings.state_dir / "moves").glob("*")) == []
    assert await place(move_stack, bystander.slug) == bystander
    assert await figures(move_stack.tenants.dsn(bystander)) == others


@pytest.mark.parametrize(("step", "seconds"), [*((step, None) for step in STEPS[1:-1]), ("copying", 0.2)])
async def test_a_killed_move_is_given_up_and_the_client_serves_on_where_it_was(
    move_stack: Stack, client: Organization, second_dsn: str, step: str, seconds: float | None
) -> None:
    add_people(move_stack, client, "Thandi")
    before = await databases(second_dsn)

    await asyncio.to_thread(_kill_before, move_stack, step, seconds)
    [held] = rows(move_stack.master.dsn, "select held_since is not null as is_held from organizations")
    await say_again(move_stack, "master")

    assert held == {"is_held": True}
    assert await place(move_stack, client.slug) == client
    assert rows(move_stack.tenants.dsn(client), NAMES) == [{"name": "Thandi"}]
    assert await databases(second_dsn) == before
    assert list((move_stack.settings.state_dir / "moves").glob("*")) == []
    assert rows(move_stack.master.dsn, "select slug from organizations where held_since is not null") == []
    await write_contact(move_stack, client.slug, "Zanele")
    assert rows(move_stack.tenants.dsn(client), NAMES) == [{"name": "Thandi"}, {"name": "Zanele"}]


async def test_of_two_moves_at_once_one_is_refused(move_stack: Stack, client: Organization) -> None:
    with moving(move_stack) as worker:
        await asyncio.to_thread(worker.go_to, "copying")

        with pytest.raises(OperatorError, match="a backup, restore or move of kloof-coffee is at work"):
            await move_tenant(move_stack, client.slug, SECOND, by=BY)
        with pytest.raises(OperatorError, match="a backup, restore or move of kloof-coffee is at work"):
            await move_tenant(move_stack, client.slug, "master", by=BY)

        worker.go_on()
        await asyncio.to_thread(worker.go_to, "switched")
    assert on_second(await place(move_stack, client.slug))
    assert len(rows(move_stack.master.dsn, "select 1 from tenant_moves")) == 1


@pytest.mark.parametrize("step", ["fencing", "copying", "switching"])
async def test_a_process_that_was_thought_dead_can_do_nothing_to_the_database_that_serves(
    move_stack: Stack, client: Organization, second_dsn: str, step: str
) -> None:
    add_people(move_stack, client, "Thandi")
    with moving(move_stack) as worker:
        await asyncio.to_thread(worker.go_to, step)
        rows(move_stack.master.dsn, LOCKS)  # as when its machine stood still for a while

        done = await say_again(move_stack)
        await write_contact(move_stack, client.slug, "Since the move")
        worker.go_on()
        with contextlib.suppress(AssertionError):
            await asyncio.to_thread(worker.go_to, "switched")
        _, said = await asyncio.to_thread(worker.process.communicate)

    assert worker.process.returncode == 1, said
    moved = await place(move_stack, client.slug)
    assert moved.database_name == done.database
    assert rows(dsn_for(second_dsn, done.database), NAMES) == [{"name": "Since the move"}, {"name": "Thandi"}]
    assert done.kept_as is not None
    assert {done.kept_as.name, client.database_name} & await databases(move_stack.master.dsn) == {done.kept_as.name}
    assert rows(move_stack.master.dsn, "select state from tenant_moves") == [{"state": "moved"}]


async def test_every_write_that_was_acknowledged_during_moves_is_on_the_server_where_the_client_ends(
    move_stack: Stack, client: Organization
) -> None:
    """Four writers who know the client from before each move, as runs and API processes do, and ask the master for its
    place again only when they are refused."""
    written: list[str] = []
    is_over = asyncio.Event()

    async def write(writer: int) -> int:
        refused, known = 0, client
        async with Tenants(move_stack.master.dsn, move_stack.vault, max_connections=2) as tenants:
            for number in count():
                if is_over.is_set():
                    return refused
                name = f"{writer}-{number}"
                try:
                    async with tenants.open(known) as tenant:
                        await tenant.conn.execute("insert into contacts (name) values (%s)", [name])
                    written.append(name)
                except TenantUnavailable:
                    refused, known = refused + 1, await place(move_stack, client.slug)
                await asyncio.sleep(0.02)
        raise AssertionError("unreachable")

    async def move() -> None:
        for server in (SECOND, "master"):
            await asyncio.sleep(0.5)
            await move_tenant(move_stack, client.slug, server, by=BY)
        await asyncio.sleep(0.5)
        is_over.set()

    *refused, _ = await asyncio.gather(*map(write, range(4)), move())

    moved = await place(move_stack, client.slug)
    found = Counter(row["name"] for row in rows(move_stack.tenants.dsn(moved), NAMES))
    assert set(written) - set(found) == set()
    assert max(found.values()) == 1
    # What was cut off in between may have been committed, and its writer not told.
    assert len(found) - len(written) <= 8
    assert all(count for count in refused)
    assert len(written) > 50
