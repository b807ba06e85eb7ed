"""Deployments on Vercel: a build to its end, finding it again, its log, its site."""

import asyncio

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.vercel import PAGE_SIZE
from draggonnb_pipelines.resources.vercel_wire import Project
from tests.resources.provisioning_clients import asked, client_project, github, vercel, visit
from tests.resources.raw_server import answer, raw_server, replies
from tests.sandbox_process import Sandbox

DEPLOYMENTS = "POST /vercel/v13/deployments"
MARK = {"provisioning_run": "run-1"}


async def head(door: HttpDoor, sandbox: Sandbox, name: str = "kloof") -> str:
    branch = await github(door, sandbox.url).branch("draggonnb", f"draggonnb-{name}", "main")
    assert branch is not None
    return branch.sha


async def test_a_build_goes_its_way_and_its_site_answers_when_it_is_ready(door: HttpDoor, sandbox: Sandbox):
    project = await client_project(door, sandbox)
    sha = await head(door, sandbox)
    sandbox.settings(vercel_build_seconds=0.4)
    client = vercel(door, sandbox.url)

    made = await client.create_deployment(project, sha, meta=MARK)
    early = await visit(client.site(made.host))
    states = [made.state]
    while not (now := await client.deployment(made.id)).is_ready:
        states.append(now.state)
        await asyncio.sleep(0.05)

    page = await visit(client.site(made.host))
    assert list(dict.fromkeys(states)) == ["QUEUED", "BUILDING"]
    assert (now.id, now.is_failed, early.status_code) == (made.id, False, 404)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"<title>kloof</title><h1>kloof</h1><p>commit {sha}" in page.text


async def test_the_body_names_repository_commit_and_mark(door: HttpDoor, sandbox: Sandbox):
    project = await client_project(door, sandbox)
    sha = await head(door, sandbox)

    await vercel(door, sandbox.url).create_deployment(project, sha, meta=MARK)

    assert sandbox.journal("vercel")[-1]["body"] == {
        "name": "kloof",
        "project": project.id,
        "target": "production",
        "gitSource": {"type": "github", "repoId": project.repo_id, "ref": "main", "sha": sha},
        "meta": MARK,
    }


async def test_a_second_call_builds_again_even_the_same_commit(door: HttpDoor):
    made = b'{"id": "dpl_1", "url": "kloof.vercel.app", "readyState": "QUEUED"}'
    async with raw_server(replies(answer(200, made))) as server:
        project = Project.model_validate({"id": "prj_1", "name": "kloof", "link": {"repoId": 7}})
        await vercel(door, server.url).create_deployment(project, "0" * 40, meta=MARK)

    assert server.seen[0].target == "/vercel/v13/deployments?forceNew=1&skipAutoDetectionConfirmation=1"


async def test_a_log_comes_in_order_however_it_is_wrapped_and_without_secrets(door: HttpDoor):
    events = b"""[{"type": "stdout", "text": "last, token=abcdef123\\n"}, {"type": "delimiter", "payload": {}},
        {"type": "command", "payload": {"text": "first\\n"}}, {"payload": 7}]"""
    async with raw_server(replies(answer(200, events))) as server:
        lines = await vercel(door, server.url).events("dpl_1")

    assert lines == ["first", "last, token=[redacted]"]
    assert server.seen[0].target == "/vercel/v3/deployments/dpl_1/events?direction=backward&limit=100&builds=1"


async def test_a_domain_serves_the_newest_production_build_once_it_is_verified(door: HttpDoor, sandbox: Sandbox):
    project = await client_project(door, sandbox)
    client = vercel(door, sandbox.url)
    await client.add_domain(project.id, "kloof.draggonnb.app")
    await client.add_domain(project.id, "kloof.example")
    await client.create_deployment(project, await head(door, sandbox), meta=MARK)

    own, foreign = [(await visit(client.site(host))).status_code for host in ("kloof.draggonnb.app", "kloof.example")]

    assert (own, foreign) == (200, 404)


async def test_a_failed_build_ends_in_error_and_its_log_says_why(door: HttpDoor, sandbox: Sandbox):
    project = await client_project(door, sandbox)
    sha = await head(door, sandbox)
    sandbox.faults(DEPLOYMENTS, {"kind": "build_failed"})
    client = vercel(door, sandbox.url)

    made = await client.create_deployment(project, sha, meta=MARK)
    now = await client.deployment(made.id)

    assert (now.state, now.is_failed, now.is_ready) == ("ERROR", True, False)
    assert now.error == 'Command "npm run build" exited with 1'
    assert await client.events(made.id) == [
        f"Cloning commit {sha[:7]}",
        'Running "npm run build"',
        'Error: Command "npm run build" exited with 1',
    ]
    assert (await visit(client.site(made.host))).status_code == 404


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status", "cut_body"])
async def test_a_lost_answer_is_ambiguous_and_the_deployment_is_found(
    door: HttpDoor, sandbox: Sandbox, waits: list[float], kind: str
):
    project = await client_project(door, sandbox)
    sha = await head(door, sandbox)
    sandbox.faults(DEPLOYMENTS, {"kind": kind, "status": 500})
    client = vercel(door, sandbox.url)
    posts = len(asked(sandbox, "vercel", "POST"))

    with pytest.raises(VendorError) as raised:
        await client.create_deployment(project, sha, meta=MARK)
    found = await client.find_deployment(project.id, sha, MARK)

    assert raised.value.error_class is ErrorClass.AMBIGUOUS
    assert len(asked(sandbox, "vercel", "POST")) == posts + 1
    assert found is not None
    assert (found.meta["provisioning_run"], waits) == ("run-1", [])


async def test_a_deployment_that_never_arrived_is_ambiguous_too_and_not_found(door: HttpDoor, sandbox: Sandbox):
    project = await client_project(door, sandbox)
    sha = await head(door, sandbox)
    sandbox.faults(DEPLOYMENTS, {"kind": "drop_before_accept"})
    client = vercel(door, sandbox.url)

    with pytest.raises(VendorError) as raised:
        await client.create_deployment(project, sha, meta=MARK)

    assert raised.value.error_class is ErrorClass.AMBIGUOUS
    assert await client.find_deployment(project.id, sha, MARK) is None


async def test_only_our_mark_on_our_commit_of_our_project_is_found_and_the_newest_of_them(
    door: HttpDoor, sandbox: Sandbox
):
    other, project = await client_project(door, sandbox, "other"), await client_project(door, sandbox)
    client, sha = vercel(door, sandbox.url), await head(door, sandbox)
    await client.create_deployment(other, await head(door, sandbox, "other"), meta=MARK)
    made = [await client.create_deployment(project, sha, meta=MARK) for _ in range(2)]
    others = (client.create_deployment(project, sha, meta={"provisioning_run": "run-2"}) for _ in range(PAGE_SIZE))
    await asyncio.gather(*others)

    found = await client.find_deployment(project.id, sha, MARK)
    none = await client.find_deployment(project.id, sha, MARK | {"more": "x"})
    elsewhere = await client.find_deployment(project.id, "0" * 40, MARK)

    assert found is not None
    assert (found.id, none, elsewhere) == (made[1].id, None, None)
    pages = [path for path in asked(sandbox, "vercel", "GET") if path == "/vercel/v7/deployments"]
    assert len(pages) == 2 + 2 + 1


async def test_a_commit_that_github_does_not_have_is_a_mistake(door: HttpDoor, sandbox: Sandbox):
    project = await client_project(door, sandbox)

    with pytest.raises(VendorError) as raised:
        await vercel(door, sandbox.url).create_deployment(project, "0" * 40, meta=MARK)

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.INPUT, "incorrect_git_source_info")
    assert sandbox.public("vercel")[0]["deployments"] == []


async def test_a_project_without_a_repository_is_not_even_tried(door: HttpDoor, sandbox: Sandbox):
    with pytest.raises(ValueError, match="linked to no repository"):
        await vercel(door, sandbox.url).create_deployment(Project(id="p", name="kloof"), "0" * 40, meta=MARK)

    assert sandbox.journal("vercel") == []


async def test_an_unknown_deployment_is_a_404(door: HttpDoor, sandbox: Sandbox):
    with pytest.raises(VendorError) as raised:
        await vercel(door, sandbox.url).deployment("dpl_nobody")

    assert (raised.value.error_class, raised.value.status) == (ErrorClass.INPUT, 404)
