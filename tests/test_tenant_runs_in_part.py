"""What fails in part or joins late: later steps go on with it, and it shows as what it is; a re-execution renews what
was built on what had failed."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from draggonnb_pipelines.domain.reports import PartitionKey, StepReport
from tests.tenant_chain_world import World, fresh_world, run_again, run_batch, statuses

DONE, FAILED = "MATERIALIZED", "FAILED"


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"telemetry": {"enabled": False}}) as opened:
        yield opened


@pytest.fixture
def world(instance: dg.DagsterInstance) -> World:
    return fresh_world(instance)


def test_what_fails_in_part_shows_as_failed_and_later_steps_work_on_it(instance: dg.DagsterInstance, world: World):
    world.halved = {"first": {"bravo"}}

    result = run_batch(instance, "alpha", "bravo")

    assert not result.success
    assert statuses(instance, "first") == {"alpha": DONE, "bravo": FAILED}
    assert statuses(instance, "second") == {"alpha": DONE, "bravo": DONE}
    assert world.asked == [(step, ["alpha", "bravo"]) for step in ("first", "second", "third")]


@pytest.mark.parametrize("from_failure", [True, False])
def test_a_re_execution_does_it_again_and_everything_that_was_built_on_it(
    instance: dg.DagsterInstance, world: World, from_failure: bool
):
    world.halved = {"first": {"bravo"}}
    parent = run_batch(instance, "alpha", "bravo")
    world.halved, world.asked = {}, []

    result = run_again(instance, parent.run_id, from_failure=from_failure)

    assert result.success
    assert world.asked == [(step, ["bravo"]) for step in ("first", "second", "third")]
    assert statuses(instance, "first") == {"alpha": DONE, "bravo": DONE}


def test_only_what_has_failed_can_go_on_in_spite_of_it():
    with pytest.raises(ValueError, match="without having failed"):
        StepReport(goes_on=frozenset({PartitionKey("kloof-coffee")}))


def test_who_joins_a_step_while_it_works_is_shown_like_the_others_done_or_failed(
    instance: dg.DagsterInstance, world: World
):
    world.joining = {"third": {"charlie", "delta"}}
    world.broken = {"third": {"delta"}}

    result = run_batch(instance, "alpha", "bravo")

    assert not result.success
    assert statuses(instance, "third") == {"alpha": DONE, "bravo": DONE, "charlie": DONE, "delta": FAILED}
    assert statuses(instance, "second") == {"alpha": DONE, "bravo": DONE}
    assert world.asked == [(step, ["alpha", "bravo"]) for step in ("first", "second", "third")]


def test_a_newcomer_without_a_report_shows_as_failed(instance: dg.DagsterInstance, world: World):
    world.joining, world.silent = {"third": {"charlie"}}, {"third": {"charlie"}}

    result = run_batch(instance, "alpha")

    assert not result.success
    assert statuses(instance, "third") == {"alpha": DONE, "charlie": FAILED}
