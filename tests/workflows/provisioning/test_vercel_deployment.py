"""A client's app on its domain: built once, waited for without sleeping, answering; its failure with its log."""

import asyncio
import time
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, NeedsReview, VendorError
from draggonnb_pipelines.workflows.provisioning.environment import environment
from draggonnb_pipelines.workflows.provisioning.github_repo import github_repo
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Made, NameTaken, NotYet
from draggonnb_pipelines.workflows.provisioning.vercel_deployment import vercel_deployment
from tests.resources.provisioning_clients import visit
from tests.sandbox_process import Sandbox
from tests.workflows.app_desk import FAULTS, AppDesk, begun, calls, done, killed_after, struck

NAME = "draggonnb-outsider"
HOST = "outsider.draggonnb.app"
DOMAINS = "POST /vercel/v10/projects/{project}/domains"
DEPLOYMENTS = "POST /vercel/v13/deployments"
READS = [
    "GET /vercel/v9/projects/{project}",
    "GET /vercel/v9/projects/{project}/domains/{domain}",
    "GET /vercel/v7/deployments",
    "GET /github/repos/{owner}/{name}/branches/{branch}",
    "GET /vercel/sites/{host}",
]


def project(sandbox: Sandbox) -> dict[str, Any]:
    [found] = [one for one in sandbox.public("vercel") if one["name"] == NAME]
    return found


def head(sandbox: Sandbox) -> str:
    [found] = [one["head"] for one in sandbox.public("github") if one["full_name"] == f"draggonnb/{NAME}"]
    return found


def assert_one(desk: AppDesk, sandbox: Sandbox) -> None:
    """Exactly what the step is to leave, and nothing else."""
    [deployment] = project(sandbox)["deployments"]
    assert (deployment["sha"], deployment["state"], deployment["target"]) == (head(sandbox), "READY", "production")
    assert deployment["meta"]["organization"] == desk.client.mark
    assert project(sandbox)["domains"] == {HOST: True}
    assert len(sandbox.public("vercel")) == 1


async def prepared(desk: AppDesk) -> None:
    await done(desk, github_repo, environment)


async def push(desk: AppDesk, path: str = "app/page.tsx") -> None:
    """Somebody changes the app."""
    await desk.stack.github.commit_files("draggonnb", NAME, "main", {path: b"fixed\n"}, "Fix the page")


async def test_the_head_is_built_for_production_and_answers_on_the_clients_domain(app_desk: AppDesk, sandbox: Sandbox):
    await prepared(app_desk)

    [made] = await done(app_desk, vercel_deployment)

    assert_one(app_desk, sandbox)
    page = await visit(str(made.url))
    deployment = project(sandbox)["deployments"][0]["id"]
    assert (page.status_code, f"commit {head(sandbox)}" in page.text) == (200, True)
    assert (made.name, made.vendor_id, made.details["sha"]) == (HOST, deployment, head(sandbox))
    assert made.url == f"{sandbox.url}/vercel/sites/{HOST}"
    assert await app_desk.rows("vercel_deployment") == [(HOST, "ready", deployment), ("domain", "ready", HOST)]


async def test_a_build_is_waited_for_without_sleeping_in_the_step(app_desk: AppDesk, sandbox: Sandbox):
    await prepared(app_desk)
    sandbox.settings(vercel_build_seconds=0.4)
    waits: list[tuple[str, float, str]] = []
    for _ in range(200):
        try:
            await vercel_deployment(app_desk.ledger)
            break
        except NotYet as wait:
            row = await app_desk.ledger.resource("vercel_deployment", HOST)
            waits.append((wait.reason, wait.seconds, row.state))
            await asyncio.sleep(0.05)

    assert list(dict.fromkeys(waits)) == [("Vercel: queued", 5.0, "calling"), ("Vercel: building", 5.0, "calling")]
    assert_one(app_desk, sandbox)


async def test_a_build_that_never_ends_is_trouble_in_the_end(app_desk: AppDesk, sandbox: Sandbox):
    await prepared(app_desk)
    sandbox.settings(vercel_build_seconds=3600.0)
    with pytest.raises(NotYet):
        await vercel_deployment(app_desk.ledger)
    await app_desk.clock.sleep(3601)

    with pytest.raises(VendorError, match="stays QUEUED") as raised:
        await vercel_deployment(app_desk.ledger)

    assert raised.value.error_class is ErrorClass.RETRY
    assert calls(sandbox, "vercel").count(DEPLOYMENTS) == 1


async def test_run_again_it_only_looks_whether_the_app_answers(app_desk: AppDesk, sandbox: Sandbox):
    await prepared(app_desk)
    first = await done(app_desk, vercel_deployment)
    written = calls(sandbox, "vercel")
    await push(app_desk)

    again = await done(app_desk, vercel_deployment, vercel_deployment)

    assert again == first * 2
    assert calls(sandbox, "vercel") == written
    assert calls(sandbox, "vercel", reads=True)[-1] == "GET /vercel/sites/{host}"
    assert len(project(sandbox)["deployments"]) == 1


async def test_changed_variables_need_a_build_of_their_own(app_desk: AppDesk, sandbox: Sandbox):
    await prepared(app_desk)
    [first] = await done(app_desk, vercel_deployment)
    key = await app_desk.ledger.resource("api_keys", "secret_app")
    await app_desk.ledger.ready(key, Made("id-of-secret_app", secrets={"value": "rotated"}))

    _, second, third = await done(app_desk, environment, vercel_deployment, vercel_deployment)

    assert [one["id"] for one in project(sandbox)["deployments"]] == [first.vendor_id, second.vendor_id]
    assert second == third


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["kind"])
@pytest.mark.parametrize("route", [DOMAINS, DEPLOYMENTS])
async def test_a_fault_at_any_call_ends_with_one_of_each(
    app_desk: AppDesk, sandbox: Sandbox, route: str, fault: dict[str, Any]
):
    await prepared(app_desk)
    sandbox.faults(route, fault)

    await done(app_desk, vercel_deployment, vercel_deployment)

    assert struck(sandbox, "vercel") == [fault["kind"]]
    assert_one(app_desk, sandbox)
    assert {state for _, state, _ in await app_desk.rows("vercel_deployment")} == {"ready"}


@pytest.mark.parametrize("route", [DOMAINS, DEPLOYMENTS, *READS])
async def test_a_run_that_dies_before_it_has_the_answer_leaves_one_of_each(
    app_desk: AppDesk, sandbox: Sandbox, route: str
):
    await prepared(app_desk)
    await killed_after(app_desk, sandbox, vercel_deployment, route)

    await done(app_desk, vercel_deployment, vercel_deployment)

    assert_one(app_desk, sandbox)


async def test_a_run_that_dies_between_intent_and_call_is_waited_out_and_then_made_once(
    app_desk: AppDesk, sandbox: Sandbox
):
    await prepared(app_desk)
    await app_desk.ledger.plan("vercel_deployment", "vercel", HOST)
    await begun(app_desk.stack, app_desk.ledger, "vercel_deployment", HOST)
    with pytest.raises(NotYet) as raised:
        await vercel_deployment(app_desk.ledger)
    early = project(sandbox)["deployments"]

    await done(app_desk, vercel_deployment)

    assert (raised.value.seconds, early) == (120.0, [])
    assert_one(app_desk, sandbox)


async def test_a_call_that_arrives_after_its_run_has_died_is_waited_for_and_not_made_again(
    app_desk: AppDesk, sandbox: Sandbox
):
    await prepared(app_desk)
    sandbox.faults(DEPLOYMENTS, {"kind": "latency", "seconds": 0.5})
    task = asyncio.create_task(vercel_deployment(app_desk.ledger))
    ends = time.monotonic() + 10
    while DEPLOYMENTS not in await asyncio.to_thread(calls, sandbox, "vercel"):
        assert time.monotonic() < ends
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    with pytest.raises(NotYet, match="may still arrive at vercel"):
        await vercel_deployment(app_desk.ledger)
    early = project(sandbox)["deployments"]

    await asyncio.sleep(0.6)
    await done(app_desk, vercel_deployment)

    assert early == []
    assert calls(sandbox, "vercel").count(DEPLOYMENTS) == 1
    assert_one(app_desk, sandbox)


async def test_a_failed_build_is_reported_with_its_last_lines_and_built_anew_when_run_again(
    app_desk: AppDesk, sandbox: Sandbox
):
    await prepared(app_desk)
    sandbox.settings(vercel_build_seconds=0.2)
    sandbox.faults(DEPLOYMENTS, {"kind": "build_failed"})
    with pytest.raises(NotYet):
        await vercel_deployment(app_desk.ledger)
    await asyncio.sleep(0.2)
    with pytest.raises(NeedsReview) as raised:
        await done(app_desk, vercel_deployment)
    sandbox.settings(vercel_build_seconds=0.0)
    row = await app_desk.ledger.resource("vercel_deployment", HOST)
    await push(app_desk)

    await done(app_desk, vercel_deployment, vercel_deployment)

    said = 'Running "npm run build" | Error: Command "npm run build" exited with 1'
    assert row.state == "needs_review"
    assert said in str(raised.value)
    assert said in str(row.last_error)
    failed, ready = project(sandbox)["deployments"]
    assert (failed["state"], ready["state"], ready["sha"]) == ("ERROR", "READY", head(sandbox))


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status"])
async def test_after_a_failed_build_a_lost_answer_is_still_one_new_build(
    app_desk: AppDesk, sandbox: Sandbox, kind: str
):
    await prepared(app_desk)
    sandbox.faults(DEPLOYMENTS, {"kind": "build_failed"}, {"kind": kind})
    with pytest.raises(NeedsReview):
        await done(app_desk, vercel_deployment)

    await done(app_desk, vercel_deployment, vercel_deployment)

    assert [one["state"] for one in project(sandbox)["deployments"]] == ["ERROR", "READY"]


async def test_a_domain_of_another_project_is_never_taken(app_desk: AppDesk, sandbox: Sandbox):
    await prepared(app_desk)
    vercel = app_desk.stack.vercel
    await app_desk.stack.github.create_from_template("draggonnb/client-template", "draggonnb", "elsewhere")
    stranger = await vercel.create_project("stranger", "draggonnb/elsewhere")
    await vercel.add_domain(stranger.id, HOST)

    with pytest.raises(NameTaken):
        await vercel_deployment(app_desk.ledger)

    row = await app_desk.ledger.resource("vercel_deployment", "domain")
    there = {one["name"]: (one["domains"], one["deployments"]) for one in sandbox.public("vercel")}
    assert row.state == "needs_review"
    assert there == {NAME: ({}, []), "stranger": ({HOST: True}, [])}


async def test_a_domain_that_is_not_proven_says_which_record_it_wants(app_desk: AppDesk, sandbox: Sandbox):
    sandbox.settings(vercel_verified_apexes="")
    await prepared(app_desk)
    with pytest.raises(NotYet, match=rf"its DNS needs TXT _vercel\.{HOST} = vc-domain-verify="):
        await vercel_deployment(app_desk.ledger)
    await app_desk.clock.sleep(601)
    with pytest.raises(NeedsReview, match="its DNS needs TXT"):
        await vercel_deployment(app_desk.ledger)
    early = project(sandbox)["deployments"]

    sandbox.settings(vercel_dns=HOST)
    await done(app_desk, vercel_deployment)

    assert early == []
    assert_one(app_desk, sandbox)


async def test_an_app_that_does_not_answer_is_not_ready(app_desk: AppDesk, sandbox: Sandbox):
    await prepared(app_desk)
    sandbox.faults("GET /vercel/sites/{host}", {"kind": "status", "status": 404}, repeat=True)
    with pytest.raises(NotYet, match="does not answer yet: HTTP 404"):
        await vercel_deployment(app_desk.ledger)
    await app_desk.clock.sleep(601)
    with pytest.raises(VendorError, match=r"does not answer: HTTP 404; does its DNS lead to Vercel\?"):
        await vercel_deployment(app_desk.ledger)
    row = await app_desk.ledger.resource("vercel_deployment", HOST)

    sandbox.clear_faults()
    await done(app_desk, vercel_deployment)

    assert not row.is_ready
    assert_one(app_desk, sandbox)


async def test_a_project_that_is_gone_is_made_by_the_step_before(app_desk: AppDesk, sandbox: Sandbox):
    await prepared(app_desk)
    await done(app_desk, vercel_deployment)
    await app_desk.stack.vercel.delete_project(project(sandbox)["id"])
    with pytest.raises(VendorError, match=f"project {NAME} is gone: run `environment` again"):
        await vercel_deployment(app_desk.ledger)

    await done(app_desk, environment, vercel_deployment)

    assert_one(app_desk, sandbox)
