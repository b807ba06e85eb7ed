"""What asks for the books and for clients' stacks: notices that wait, and clients that are paid for."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import dagster as dg
import psycopg
import pytest

from draggonnb_pipelines.definitions import build_defs
from draggonnb_pipelines.jobs import DAILY
from draggonnb_pipelines.resources.bindings import MasterQueries
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.sensors.billing import OPEN_RUNS, paid_clients, payment_notices
from draggonnb_pipelines.settings import load_settings
from draggonnb_pipelines.workflows.publishing.agenda import showing_life
from tests.conftest import MASTER_KEYS
from tests.workflows.paid_clients import open_clients, states

SLUGS = ("bo-kaap-beans", "kloof-coffee")
NOTICE = """
insert into payments (raw_sealed, raw_sha256, source_ip, state, not_before)
values ('x', sha256('x'), '127.0.0.1', %s, now() + %s::interval)
"""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, master_dsn: str) -> None:
    monkeypatch.setenv("DRAGGONNB_MASTER_DSN", master_dsn)
    monkeypatch.setenv("DRAGGONNB_MASTER_KEYS", MASTER_KEYS)


def with_stack(work: Callable[[Stack], Awaitable[object]]) -> None:
    async def once() -> None:
        async with open_stack(load_settings()) as stack:
            await work(stack)

    asyncio.run(once())


def notice(state: str, in_time: str = "0 s") -> None:
    with psycopg.connect(load_settings().dsn) as conn:
        conn.execute(NOTICE, (state, in_time))


def tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> tuple[int, str | None]:
    """How many runs it asks for, and why none."""
    resources = {"master": MasterQueries()}
    with dg.build_sensor_context(instance=instance, resources=resources, definitions=build_defs()) as context:
        result = sensor.evaluate_tick(context)
    return len(result.run_requests or []), result.skip_message


def at_work(instance: dg.DagsterInstance, job: str, *, since: float = 60.0, **tags: str) -> None:
    """A run of this job that began a while ago."""
    run = dg.DagsterRun(job_name=job, status=dg.DagsterRunStatus.STARTED, tags=tags)
    instance.add_run(run)
    if since:
        started = dg.DagsterEvent(event_type_value="PIPELINE_START", job_name=job)
        instance.report_dagster_event(started, run_id=run.run_id)


@pytest.mark.parametrize(("state", "in_time", "asked"), [
    ("received", "0 s", 1), ("verified", "0 s", 1), ("received", "1 hour", 0), ("rejected", "0 s", 0),
])  # fmt: skip
def test_a_notice_that_is_due_asks_for_the_books(
    instance: dg.DagsterInstance, state: str, in_time: str, asked: int
) -> None:
    notice(state, in_time)

    assert tick(payment_notices, instance) == (asked, None if asked else "no notice and no order waits")


def test_notices_take_a_place_of_what_came_in(instance: dg.DagsterInstance) -> None:
    notice("received")
    resources = {"master": MasterQueries()}

    with dg.build_sensor_context(instance=instance, resources=resources, definitions=build_defs()) as context:
        [request] = payment_notices.evaluate_tick(context).run_requests or []

    assert request.tags["draggonnb/incoming"] == "payments"
    assert "draggonnb/long" not in request.tags


def test_notices_wait_for_the_run_that_is_at_work_but_not_for_the_books_of_the_day(
    instance: dg.DagsterInstance,
) -> None:
    notice("received")
    at_work(instance, "keep_books", since=0, **{DAILY: "books"})

    assert tick(payment_notices, instance) == (1, None)
    at_work(instance, "keep_books", since=0)
    assert tick(payment_notices, instance) == (0, "1 wait for the run that is at work")


def test_paid_clients_ask_for_one_run_and_not_again_while_it_starts(instance: dg.DagsterInstance) -> None:
    assert tick(paid_clients, instance) == (0, "nobody waits to be set up")
    with_stack(lambda stack: open_clients(stack, SLUGS))

    assert tick(paid_clients, instance) == (1, None)
    at_work(instance, "set_up_clients", since=0)
    assert tick(paid_clients, instance) == (0, "2 wait for the run that is about to take them")


def test_no_more_than_some_runs_set_clients_up_at_once(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("draggonnb_pipelines.sensors.billing.START_SECONDS", 0.0)
    with_stack(lambda stack: open_clients(stack, SLUGS))
    for _ in range(OPEN_RUNS):
        assert tick(paid_clients, instance) == (1, None)
        at_work(instance, "set_up_clients")

    assert tick(paid_clients, instance) == (0, f"2 wait for one of {OPEN_RUNS} runs to end")


def test_clients_of_a_run_that_died_are_asked_for_again_and_those_of_a_living_one_are_not(
    instance: dg.DagsterInstance,
) -> None:
    async def held(stack: Stack) -> None:
        await open_clients(stack, SLUGS)
        async with stack.master.connection() as conn:
            await conn.execute("update provisionings set state = 'running', run_id = 'run-1'")

    with_stack(held)

    async def look(stack: Stack) -> None:
        async with showing_life(stack.master, "run-1"):
            assert await asyncio.to_thread(tick, paid_clients, instance) == (0, "nobody waits to be set up")
            assert await states(stack) == dict.fromkeys(SLUGS, "running")

    with_stack(look)
    assert tick(paid_clients, instance) == (1, None)
    with_stack(lambda stack: _assert_waiting(stack))


async def _assert_waiting(stack: Stack) -> None:
    assert await states(stack) == dict.fromkeys(SLUGS, "waiting")
