"""The training materials: one answer of Claude's, one commit in the client's repository."""

import asyncio
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, NeedsReview, VendorError
from draggonnb_pipelines.workflows.provisioning.stack_ledger import NotYet
from draggonnb_pipelines.workflows.provisioning.training_materials import build_question, training_materials
from tests.sandbox_process import Sandbox
from tests.workflows.client_desk import Desk, cut_off, settled
from tests.workflows.lead_work import MESSAGES, tenant_rows, variant

PATHS = [f"docs/training/{name}.md" for name in ("README", "content-guide", "faq", "getting-started")]
COMMIT = "POST /github/repos/{owner}/{name}/git/commits"
MOVE = "PATCH /github/repos/{owner}/{name}/git/refs/*"
TREE = "POST /github/repos/{owner}/{name}/git/trees"
LOG = "select usable, purpose, lead_id, content_request_id from ai_generation_log order by created_at"


def repo(sandbox: Sandbox) -> dict[str, Any]:
    [found] = [one for one in sandbox.public("github") if one["full_name"] == "draggonnb/draggonnb-kloof-coffee"]
    return found


def asked(sandbox: Sandbox) -> int:
    return len([entry for entry in sandbox.journal("claude") if entry["route"] == MESSAGES])


def assert_one_commit(sandbox: Sandbox) -> None:
    assert repo(sandbox)["commits"] == ["Initial commit", "Add the training materials of Kloof Coffee"]
    assert sorted(path for path in repo(sandbox)["files"] if path.startswith("docs/")) == PATHS


async def test_guides_and_answers_for_this_client_stand_in_its_repository(desk: Desk, sandbox: Sandbox) -> None:
    await desk.with_repo(sandbox)

    resource = await training_materials(desk.ledger)
    again = await training_materials(desk.ledger)

    assert_one_commit(sandbox)
    files = repo(sandbox)["files"]
    assert files["docs/training/getting-started.md"].startswith("# Kloof Coffee: getting started\n\n## Where it is\n\n")
    assert f"{sandbox.url}/vercel/sites/kloof-coffee.draggonnb.app" in files["docs/training/getting-started.md"]
    assert "## Hold the kickoff call\n" in files["docs/training/getting-started.md"]
    assert f"{desk.stack.settings.base_url}/webhook/kloof-coffee/leads" in files["docs/training/faq.md"]
    assert "README.md" in files, "what the template brought stays"
    assert (resource.state, resource.vendor_id) == ("ready", repo(sandbox)["head"])
    assert resource.url == "https://github.com/draggonnb/draggonnb-kloof-coffee/tree/main/docs/training"
    assert again == resource
    assert asked(sandbox) == 1
    assert await tenant_rows(desk.stack, desk.client.organization, LOG) == [
        {"usable": True, "purpose": "training_materials", "lead_id": None, "content_request_id": None}
    ]
    assert await tenant_rows(desk.stack, desk.agency, LOG) == []


async def test_what_the_client_changes_later_is_left_alone(desk: Desk, sandbox: Sandbox) -> None:
    full_name = await desk.with_repo(sandbox)
    await training_materials(desk.ledger)
    owner, _, name = full_name.partition("/")
    await desk.stack.github.commit_files(owner, name, "main", {PATHS[2]: b"Ours.\n"}, "Say it our way")

    await training_materials(desk.ledger)

    assert repo(sandbox)["files"][PATHS[2]] == "Ours.\n"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "accept_then_status", "status": 502},
        {"kind": "accept_then_drop"},
        {"kind": "status", "status": 503},
    ],
    ids=lambda fault: fault["kind"],
)
async def test_calls_with_lost_answers_leave_one_commit(desk: Desk, sandbox: Sandbox, fault: dict[str, Any]) -> None:
    await desk.with_repo(sandbox)
    for route in (TREE, COMMIT, MOVE):
        sandbox.faults(route, fault)

    await settled(desk, training_materials)
    await settled(desk, training_materials)

    assert_one_commit(sandbox)
    assert asked(sandbox) == 1


async def test_runs_that_are_stopped_after_a_call_was_taken_leave_one_commit_and_pay_one_answer(
    desk: Desk, sandbox: Sandbox
) -> None:
    await desk.with_repo(sandbox)
    for route in (TREE, COMMIT, MOVE):
        sandbox.faults(route, {"kind": "accept_then_hang"})
        assert await cut_off(desk, training_materials, after=0.7)
        sandbox.clear_faults()

    await settled(desk, training_materials)

    assert_one_commit(sandbox)
    assert asked(sandbox) == 1


async def test_an_answer_that_was_lost_is_asked_for_again_and_committed_once(desk: Desk, sandbox: Sandbox) -> None:
    await desk.with_repo(sandbox)
    sandbox.faults(MESSAGES, {"kind": "accept_then_hang"})
    assert await cut_off(desk, training_materials, after=0.7)
    sandbox.clear_faults()

    await asyncio.gather(*(settled(desk, training_materials) for _ in range(2)))

    assert_one_commit(sandbox)
    held = await tenant_rows(desk.stack, desk.client.organization, "select reserved from usage_counters")
    assert held == [{"reserved": 0}]


async def test_rubbish_is_stored_and_nothing_is_committed(desk: Desk, sandbox: Sandbox) -> None:
    await desk.with_repo(sandbox)
    sandbox.faults(MESSAGES, {"kind": "rubbish", "times": 2})

    with pytest.raises(NeedsReview, match="training_materials"):
        await training_materials(desk.ledger)

    assert repo(sandbox)["commits"] == ["Initial commit"]
    log = await tenant_rows(desk.stack, desk.client.organization, LOG)
    assert [row["usable"] for row in log] == [False, False]
    assert await desk.rows("training_materials") == [("docs/training", "needs_review", None)]
    await training_materials(desk.ledger)
    assert_one_commit(sandbox)


async def test_what_unusable_answers_cost_counts_against_the_cap(desk: Desk, sandbox: Sandbox) -> None:
    await desk.with_repo(sandbox)
    sandbox.faults(MESSAGES, {"kind": "rubbish", "times": 2})
    with pytest.raises(NeedsReview):
        await training_materials(desk.ledger)
    question = await build_question(desk.stack, desk.client)
    cap = float(desk.stack.claude.estimate_usd(question)) * 1.01  # room for one question, as long as none was paid

    poor = Desk(variant(desk.stack, content_budget_usd=cap), desk.agency, desk.client)
    with pytest.raises(NeedsReview, match="over the organization's training_materials AI budget"):
        await training_materials(poor.ledger)

    assert asked(sandbox) == 2
    assert repo(sandbox)["commits"] == ["Initial commit"]


async def test_while_the_budget_is_held_the_step_waits(desk: Desk, sandbox: Sandbox) -> None:
    await desk.with_repo(sandbox)
    question = await build_question(desk.stack, desk.client)
    month = float(desk.stack.claude.estimate_usd(question)) * 1.5
    tight = Desk(variant(desk.stack, organization_monthly_ai_budget_usd=month), desk.agency, desk.client)
    sandbox.faults(MESSAGES, {"kind": "latency", "seconds": 1.0})
    under_way = asyncio.create_task(training_materials(tight.ledger))
    await asyncio.sleep(0.4)

    with pytest.raises(NotYet, match="hold"):
        await training_materials(tight.ledger)
    await under_way

    assert_one_commit(sandbox)


async def test_a_repository_that_may_not_be_written_says_so_and_keeps_the_answer(desk: Desk, sandbox: Sandbox) -> None:
    await desk.with_repo(sandbox)
    sandbox.faults(TREE, {"kind": "status", "status": 403})

    with pytest.raises(VendorError) as raised:
        await training_materials(desk.ledger)

    assert raised.value.error_class is ErrorClass.PERMISSION
    assert await desk.rows("training_materials") == [("docs/training", "failed", None)]
    await training_materials(desk.ledger)
    assert_one_commit(sandbox)
    assert asked(sandbox) == 1
