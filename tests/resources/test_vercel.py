"""The Vercel adapter against the sandbox: projects, environment, domains."""

from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.vercel_wire import Challenge, Variable
from tests.resources.provisioning_clients import asked, client_project, client_repo, vercel
from tests.resources.raw_server import answer, raw_server, replies
from tests.sandbox_process import Sandbox

PROJECTS = "POST /vercel/v11/projects"
DOMAIN = "kloof.draggonnb.app"
FOREIGN = "www.kloofcoffee.example"


def public(sandbox: Sandbox) -> dict[str, Any]:
    (project,) = sandbox.public("vercel")
    return project


async def test_a_project_is_linked_to_its_repository(door: HttpDoor, sandbox: Sandbox):
    repo = await client_repo(door, sandbox)
    client = vercel(door, sandbox.url)

    project = await client.create_project("kloof", repo.full_name, root_directory="apps/web")

    assert (project.name, project.repo_id) == ("kloof", repo.id)
    assert await client.project("kloof") == await client.project(project.id) == project
    assert sandbox.journal("vercel")[0]["body"] == {
        "name": "kloof",
        "framework": "nextjs",
        "gitRepository": {"type": "github", "repo": "draggonnb/draggonnb-kloof"},
        "rootDirectory": "apps/web",
    }


async def test_what_is_not_there_is_none(door: HttpDoor, sandbox: Sandbox):
    assert await vercel(door, sandbox.url).project("nobody") is None


async def test_every_call_names_the_team(door: HttpDoor):
    async with raw_server(replies(answer(200, b'{"id": "prj_1", "name": "kloof"}'))) as server:
        client = vercel(door, server.url, team_id="team_7")
        await client.project("kloof")
        await client.create_project("kloof", "draggonnb/x")
        await client.set_env("prj_1", [Variable(key="A", value="b", targets=("production",))])

    queries = [seen.target.partition("?")[2] for seen in server.seen]
    assert queries == ["teamId=team_7", "teamId=team_7", "upsert=true&teamId=team_7"]


async def test_a_taken_name_is_a_duplicate_and_nothing_changes(door: HttpDoor, sandbox: Sandbox, waits: list[float]):
    await client_project(door, sandbox)

    with pytest.raises(VendorError) as raised:
        await vercel(door, sandbox.url).create_project("kloof", "draggonnb/draggonnb-kloof")

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.DUPLICATE, "exists")
    assert (len(sandbox.public("vercel")), waits) == (1, [])


async def test_a_repository_that_vercel_may_not_see_is_a_fault_of_the_set_up(door: HttpDoor, sandbox: Sandbox):
    with pytest.raises(VendorError) as raised:
        await vercel(door, sandbox.url).create_project("kloof", "draggonnb/nobody")

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.CONFIG, "github_app")
    assert "GitHub app is not installed" in raised.value.message
    assert sandbox.public("vercel") == []


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status", "cut_body"])
async def test_a_lost_answer_is_ambiguous_and_the_project_is_found(
    door: HttpDoor, sandbox: Sandbox, waits: list[float], kind: str
):
    repo = await client_repo(door, sandbox)
    sandbox.faults(PROJECTS, {"kind": kind, "status": 500})
    client = vercel(door, sandbox.url)

    with pytest.raises(VendorError) as raised:
        await client.create_project("kloof", repo.full_name)
    found = await client.project("kloof")

    assert (raised.value.error_class, len(asked(sandbox, "vercel", "POST"))) == (ErrorClass.AMBIGUOUS, 1)
    assert found is not None
    assert (found.repo_id, waits) == (repo.id, [])


async def test_a_creation_that_never_arrived_is_ambiguous_too_and_nothing_is_found(door: HttpDoor, sandbox: Sandbox):
    repo = await client_repo(door, sandbox)
    sandbox.faults(PROJECTS, {"kind": "drop_before_accept"})
    client = vercel(door, sandbox.url)

    with pytest.raises(VendorError) as raised:
        await client.create_project("kloof", repo.full_name)

    assert raised.value.error_class is ErrorClass.AMBIGUOUS
    assert await client.project("kloof") is None


async def test_variables_are_set_for_each_target_new_or_not(door: HttpDoor, sandbox: Sandbox):
    project = await client_project(door, sandbox)
    client = vercel(door, sandbox.url)

    for value in ("one", "two"):
        await client.set_env(
            project.id,
            [
                Variable(key="SUPABASE_SECRET_KEY", value=value, kind="sensitive"),
                Variable(key="NEXT_PUBLIC_SLUG", value="kloof", kind="plain", targets=("production", "development")),
            ],
        )
    await client.set_env(project.id, [])

    assert public(sandbox)["env"] == {
        "SUPABASE_SECRET_KEY@production": "two",
        "SUPABASE_SECRET_KEY@preview": "two",
        "NEXT_PUBLIC_SLUG@production": "kloof",
        "NEXT_PUBLIC_SLUG@development": "kloof",
    }
    assert len(asked(sandbox, "vercel", "POST")) == 3  # the project's own, and one for each batch


async def test_a_change_of_targets_meets_no_conflict(door: HttpDoor, sandbox: Sandbox):
    project = await client_project(door, sandbox)
    client = vercel(door, sandbox.url)

    await client.set_env(project.id, [Variable(key="A", value="1", targets=("production",))])
    await client.set_env(project.id, [Variable(key="A", value="2")])

    assert public(sandbox)["env"] == {"A@production": "2", "A@preview": "2"}


async def test_what_a_201_did_not_set_is_an_error_that_names_it_without_its_value(door: HttpDoor, sandbox: Sandbox):
    project = await client_project(door, sandbox)
    variables = [
        Variable(key="GOOD", value="fine", targets=("production",)),
        Variable(key="SECRET", value="hidden", kind="sensitive", targets=("development",)),
    ]

    with pytest.raises(VendorError) as raised:
        await vercel(door, sandbox.url).set_env(project.id, variables)

    error = raised.value
    assert (error.error_class, error.status, error.code) == (ErrorClass.INPUT, 201, "BAD_REQUEST")
    assert error.message == "not set: SECRET BAD_REQUEST"
    assert public(sandbox)["env"] == {"GOOD@production": "fine"}
    assert "hidden" not in repr(variables)


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status", "drop_before_accept"])
async def test_variables_and_domains_whose_answer_is_lost_are_simply_set_again(
    door: HttpDoor, sandbox: Sandbox, kind: str
):
    project = await client_project(door, sandbox)
    client = vercel(door, sandbox.url)
    for what in ("env", "domains"):
        sandbox.faults(f"POST /vercel/v10/projects/{{project}}/{what}", {"kind": kind, "status": 502})

    await client.set_env(project.id, [Variable(key="A", value="1", targets=("production",))])
    domain = await client.add_domain(project.id, DOMAIN)

    assert (domain.name, domain.is_verified) == (DOMAIN, True)
    assert (public(sandbox)["env"], public(sandbox)["domains"]) == ({"A@production": "1"}, {DOMAIN: True})


async def test_a_domain_below_our_apex_is_verified_at_once_and_adding_it_again_is_as_good(
    door: HttpDoor, sandbox: Sandbox
):
    project = await client_project(door, sandbox)
    client = vercel(door, sandbox.url)

    first, again = [await client.add_domain(project.id, DOMAIN) for _ in range(2)]

    assert (first.is_verified, first.verification, again) == (True, (), first)
    assert await client.is_pointed_here(DOMAIN)


async def test_a_domain_of_another_project_is_a_duplicate_and_stays_there(door: HttpDoor, sandbox: Sandbox):
    other = await client_project(door, sandbox, "other")
    project = await client_project(door, sandbox)
    client = vercel(door, sandbox.url)
    await client.add_domain(other.id, DOMAIN)

    with pytest.raises(VendorError) as raised:
        await client.add_domain(project.id, DOMAIN)

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.DUPLICATE, "domain_in_use")
    assert [one["domains"] for one in sandbox.public("vercel")] == [{DOMAIN: True}, {}]


async def test_a_foreign_domain_waits_for_its_proof(door: HttpDoor, sandbox: Sandbox):
    project = await client_project(door, sandbox)
    client = vercel(door, sandbox.url)

    domain = await client.add_domain(project.id, FOREIGN)
    early = await client.verify_domain(project.id, FOREIGN), await client.is_pointed_here(FOREIGN)
    sandbox.settings(vercel_dns=FOREIGN)
    late = await client.verify_domain(project.id, FOREIGN), await client.is_pointed_here(FOREIGN)

    (challenge,) = domain.verification
    assert challenge == Challenge(type="TXT", domain=f"_vercel.{FOREIGN}", value=challenge.value)
    assert challenge.value.startswith(f"vc-domain-verify={FOREIGN},")
    assert (domain.is_verified, early, late) == (False, (False, False), (True, True))
    assert await client.domain(project.id, DOMAIN) is None


async def test_deleting_twice_is_as_good_as_once_and_takes_only_that_one(door: HttpDoor, sandbox: Sandbox):
    project = await client_project(door, sandbox)
    await client_project(door, sandbox, "other")

    for _ in range(2):
        await vercel(door, sandbox.url).delete_project(project.id)

    assert [one["name"] for one in sandbox.public("vercel")] == ["other"]


async def test_a_wrong_token_is_an_auth_error_though_it_comes_as_a_403(door: HttpDoor, sandbox: Sandbox):
    with pytest.raises(VendorError) as raised:
        await vercel(door, sandbox.url, token="bad").project("kloof")

    assert (raised.value.error_class, raised.value.status) == (ErrorClass.AUTH, 403)
    assert raised.value.request_id


async def test_all_projects_come_over_all_pages(door: HttpDoor, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    for number in range(5):
        await client_project(door, sandbox, f"client-{number}")
    monkeypatch.setattr("draggonnb_pipelines.resources.vercel.PAGE_SIZE", 2)

    projects = await vercel(door, sandbox.url).list_projects()

    assert sorted(project.name for project in projects) == [f"client-{number}" for number in range(5)]
    assert len(asked(sandbox, "vercel", "GET")) == 3
