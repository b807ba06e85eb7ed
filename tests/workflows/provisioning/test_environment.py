"""A client's project at Vercel and its variables: made once, linked to our repository; never a stranger's."""

import asyncio
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.workflows.organizations import webhook_token
from draggonnb_pipelines.workflows.provisioning.environment import environment
from draggonnb_pipelines.workflows.provisioning.github_repo import github_repo
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Made, NameTaken, NotYet
from tests.sandbox_process import Sandbox
from tests.workflows.app_desk import FAULTS, REF, AppDesk, begun, calls, done, killed_after, struck

NAME = "draggonnb-outsider"
PROJECTS = "POST /vercel/v11/projects"
VARIABLES = "POST /vercel/v10/projects/{project}/env"
PROJECT = "GET /vercel/v9/projects/{project}"


def projects(sandbox: Sandbox) -> dict[str, Any]:
    return {project["name"]: project for project in sandbox.public("vercel")}


def expected(desk: AppDesk, sandbox: Sandbox) -> dict[str, str]:
    token = webhook_token(desk.client.organization, desk.stack.tenants)
    values = {
        "NEXT_PUBLIC_CLIENT_NAME": "Outsider",
        "NEXT_PUBLIC_CLIENT_SLUG": "outsider",
        "NEXT_PUBLIC_SITE_URL": f"{sandbox.url}/vercel/sites/outsider.draggonnb.app",
        "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY": "sb_publishable_1",
        "NEXT_PUBLIC_SUPABASE_URL": f"{sandbox.url}/supabase/projects/{REF}",
        "DRAGGONNB_WEBHOOK_URL": f"{sandbox.url}/n8n/webhook/outsider",
        "DRAGGONNB_WEBHOOK_TOKEN": token,
        "SUPABASE_SECRET_KEY": "sb_secret_app",
    }
    return {f"{key}@{target}": value for key, value in values.items() for target in ("production", "preview")}


def assert_one(desk: AppDesk, sandbox: Sandbox) -> None:
    """Exactly what the step is to leave, and nothing else."""
    there = projects(sandbox)
    assert list(there) == [NAME]
    assert there[NAME]["repo"] == f"draggonnb/{NAME}"
    assert there[NAME]["env"] == expected(desk, sandbox)
    assert (there[NAME]["domains"], there[NAME]["deployments"]) == ({}, [])


async def test_the_project_is_linked_to_our_repository_and_has_what_the_app_reads(app_desk: AppDesk, sandbox: Sandbox):
    _, project = await done(app_desk, github_repo, environment)

    assert_one(app_desk, sandbox)
    [entry] = [entry for entry in sandbox.journal("vercel") if entry["route"] == VARIABLES]
    kinds = {one["key"]: one["type"] for one in entry["body"]}
    assert {key for key, kind in kinds.items() if kind == "sensitive"} == {
        "DRAGGONNB_WEBHOOK_TOKEN",
        "SUPABASE_SECRET_KEY",
    }
    assert not any(kind == "sensitive" and key.startswith("NEXT_PUBLIC_") for key, kind in kinds.items())
    made = projects(sandbox)[NAME]["id"]
    assert (project.name, project.vendor_id) == (NAME, made)
    assert await app_desk.rows("environment") == [(NAME, "ready", made), ("variables", "ready", f"{made}/variables")]


async def test_run_again_it_writes_nothing(app_desk: AppDesk, sandbox: Sandbox):
    _, first = await done(app_desk, github_repo, environment)
    written = calls(sandbox, "vercel")

    again = await done(app_desk, environment, environment)

    assert again == [first] * 2
    assert calls(sandbox, "vercel") == written
    assert_one(app_desk, sandbox)


async def test_a_rotated_key_is_set_in_the_place_of_the_old_one(app_desk: AppDesk, sandbox: Sandbox):
    await done(app_desk, github_repo, environment)
    key = await app_desk.ledger.resource("api_keys", "secret_app")
    await app_desk.ledger.ready(key, Made("id-of-secret_app", secrets={"value": "rotated"}))

    await done(app_desk, environment)

    env = projects(sandbox)[NAME]["env"]
    rotated = {f"SUPABASE_SECRET_KEY@{target}": "rotated" for target in ("production", "preview")}
    assert env == expected(app_desk, sandbox) | rotated
    assert calls(sandbox, "vercel").count(VARIABLES) == 2


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["kind"])
@pytest.mark.parametrize("route", [PROJECTS, VARIABLES])
async def test_a_fault_at_any_call_ends_with_one_of_each(
    app_desk: AppDesk, sandbox: Sandbox, route: str, fault: dict[str, Any]
):
    await done(app_desk, github_repo)
    sandbox.faults(route, fault)

    await done(app_desk, environment, environment)

    assert struck(sandbox, "vercel") == [fault["kind"]]
    assert_one(app_desk, sandbox)
    assert {state for _, state, _ in await app_desk.rows("environment")} == {"ready"}


@pytest.mark.parametrize("route", [PROJECTS, VARIABLES, PROJECT])
async def test_a_run_that_dies_before_it_has_the_answer_leaves_one_of_each(
    app_desk: AppDesk, sandbox: Sandbox, route: str
):
    await done(app_desk, github_repo)
    await killed_after(app_desk, sandbox, environment, route)

    await done(app_desk, environment, environment)

    assert_one(app_desk, sandbox)
    assert calls(sandbox, "vercel").count(PROJECTS) == 1


async def test_a_run_that_dies_between_intent_and_call_is_waited_out_and_then_made_once(
    app_desk: AppDesk, sandbox: Sandbox
):
    await done(app_desk, github_repo)
    await app_desk.ledger.plan("environment", "vercel", NAME)
    await begun(app_desk.stack, app_desk.ledger, "environment", NAME)
    with pytest.raises(NotYet) as raised:
        await environment(app_desk.ledger)
    early = projects(sandbox)

    await done(app_desk, environment)

    assert (raised.value.seconds, early) == (120.0, {})
    assert_one(app_desk, sandbox)


async def test_two_runs_at_once_leave_one_of_each(app_desk: AppDesk, sandbox: Sandbox):
    await done(app_desk, github_repo)

    await asyncio.gather(*(done(app_desk, environment) for _ in range(4)))

    assert_one(app_desk, sandbox)


async def test_a_strangers_project_of_the_name_is_never_touched(app_desk: AppDesk, sandbox: Sandbox):
    await done(app_desk, github_repo)
    await app_desk.stack.github.create_from_template("draggonnb/client-template", "draggonnb", "elsewhere")
    await app_desk.stack.vercel.create_project(NAME, "draggonnb/elsewhere")
    before, written = projects(sandbox), calls(sandbox, "vercel")

    with pytest.raises(NameTaken, match=f"'{NAME}' is there already and is not ours: it is not linked to draggonnb/"):
        await environment(app_desk.ledger)

    row = await app_desk.ledger.resource("environment", NAME)
    assert (row.state, row.vendor_id, row.attempts) == ("needs_review", None, 0)
    assert (projects(sandbox), calls(sandbox, "vercel")) == (before, written)


async def test_a_github_app_that_may_not_see_the_repository_is_named_with_its_page(app_desk: AppDesk, sandbox: Sandbox):
    await done(app_desk, github_repo)
    repo = await app_desk.ledger.resource("github_repo", NAME)
    await app_desk.ledger.ready(
        repo, Made(str(repo.vendor_id), details={"full_name": "draggonnb/hidden", "branch": "main"})
    )

    with pytest.raises(VendorError, match=r"github\.com/apps/vercel") as raised:
        await environment(app_desk.ledger)

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.CONFIG, "github_app")
    assert projects(sandbox) == {}


async def test_a_variable_that_vercel_refuses_is_named_and_the_row_is_not_ready(app_desk: AppDesk, sandbox: Sandbox):
    await done(app_desk, github_repo)
    fault = {"error": {"code": "BAD_REQUEST", "message": "no", "key": "SUPABASE_SECRET_KEY"}}
    sandbox.faults(VARIABLES, {"kind": "status", "status": 201, "body": {"created": [], "failed": [fault]}})

    with pytest.raises(VendorError, match="not set: SUPABASE_SECRET_KEY BAD_REQUEST"):
        await environment(app_desk.ledger)
    early = await app_desk.rows("environment")
    await done(app_desk, environment)

    assert [state for _, state, _ in early] == ["ready", "failed"]
    assert_one(app_desk, sandbox)


async def test_before_the_repository_there_is_no_project(app_desk: AppDesk, sandbox: Sandbox):
    with pytest.raises(LookupError, match=f"outsider has no github_repo {NAME}"):
        await environment(app_desk.ledger)

    assert calls(sandbox, "vercel", reads=True) == []
