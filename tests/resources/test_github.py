"""The GitHub adapter against the sandbox: repositories, branches, secrets, variables, topics, the end."""

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.provisioning_clients import TEMPLATE, asked, client_repo, github, visit
from tests.sandbox_process import Sandbox

GENERATE = f"POST /github/repos/{TEMPLATE}/generate"


def made(sandbox: Sandbox) -> list[str]:
    """Names of the repositories that are there besides the template."""
    return [repo["full_name"] for repo in sandbox.public("github") if repo["full_name"] != TEMPLATE]


async def test_a_repository_comes_from_the_template_and_its_branch_a_little_later(door: HttpDoor, sandbox: Sandbox):
    sandbox.settings(github_copy_seconds=60.0)
    client = github(door, sandbox.url)

    repo = await client.create_from_template(TEMPLATE, "draggonnb", "draggonnb-kloof", description="Kloof Coffee")
    early = await client.branch("draggonnb", "draggonnb-kloof", "main")
    found = await client.repo("draggonnb", "draggonnb-kloof")

    assert (repo.full_name, repo.template, repo.default_branch) == ("draggonnb/draggonnb-kloof", TEMPLATE, "main")
    assert (early, found) == (None, repo)
    assert sandbox.journal("github")[0]["body"] == {
        "owner": "draggonnb",
        "name": "draggonnb-kloof",
        "description": "Kloof Coffee",
        "private": True,
    }


async def test_the_branch_is_there_when_the_copy_has_arrived(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)

    branch = await github(door, sandbox.url).branch("draggonnb", "draggonnb-kloof", "main")

    (public,) = [repo for repo in sandbox.public("github") if repo["full_name"] == "draggonnb/draggonnb-kloof"]
    assert branch is not None
    assert (branch.name, branch.sha) == ("main", public["head"])
    assert "package.json" in public["files"]


async def test_a_branch_in_an_empty_repository_is_none_and_nobody_waits(
    door: HttpDoor, sandbox: Sandbox, waits: list[float]
):
    await client_repo(door, sandbox)
    sandbox.faults(
        "GET /github/repos/draggonnb/draggonnb-kloof/branches/main",
        {"kind": "status", "status": 409, "body": {"message": "Git Repository is empty."}},
    )
    client = github(door, sandbox.url)

    empty, other = [await client.branch("draggonnb", "draggonnb-kloof", name) for name in ("main", "other")]

    assert (empty, other, waits) == (None, None, [])
    assert len(asked(sandbox, "github", "GET")) == 2


async def test_what_is_not_there_is_none(door: HttpDoor, sandbox: Sandbox):
    assert await github(door, sandbox.url).repo("draggonnb", "nobody") is None


async def test_a_renamed_repository_is_found_under_its_old_name_but_not_written_to(door: HttpDoor, sandbox: Sandbox):
    repo = await client_repo(door, sandbox)
    headers = {"authorization": "Bearer somebody"}
    url = f"{sandbox.url}/github/repos/{repo.full_name}"
    await visit(url, method="PATCH", body={"name": "renamed"}, headers=headers)
    client = github(door, sandbox.url)

    found = await client.repo("draggonnb", "draggonnb-kloof")
    with pytest.raises(VendorError) as raised:
        await client.set_topics("draggonnb", "draggonnb-kloof", {"org-7"})

    assert found is not None
    assert (found.id, found.full_name, found.template) == (repo.id, "draggonnb/renamed", TEMPLATE)
    assert (raised.value.error_class, raised.value.status) == (ErrorClass.INPUT, 307)
    assert [one["topics"] for one in sandbox.public("github")] == [[], []]


async def test_a_taken_name_is_a_duplicate_and_nothing_changes(door: HttpDoor, sandbox: Sandbox, waits: list[float]):
    await client_repo(door, sandbox)

    with pytest.raises(VendorError) as raised:
        await github(door, sandbox.url).create_from_template(TEMPLATE, "draggonnb", "draggonnb-kloof")

    assert (raised.value.error_class, raised.value.code) == (ErrorClass.DUPLICATE, "exists")
    assert raised.value.existing_id == "draggonnb/draggonnb-kloof"
    assert (made(sandbox), waits) == (["draggonnb/draggonnb-kloof"], [])


async def test_what_is_no_template_is_a_fault_of_the_set_up(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)
    client = github(door, sandbox.url)

    for name in ("draggonnb/draggonnb-kloof", "draggonnb/nobody"):
        with pytest.raises(VendorError) as raised:
            await client.create_from_template(name, "draggonnb", "another")
        assert (raised.value.error_class, raised.value.status) == (ErrorClass.CONFIG, 404)
        assert raised.value.message == f"{name} cannot be seen or is no template"

    assert made(sandbox) == ["draggonnb/draggonnb-kloof"]


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status", "cut_body"])
async def test_a_lost_answer_is_ambiguous_and_the_repository_is_found(
    door: HttpDoor, sandbox: Sandbox, waits: list[float], kind: str
):
    sandbox.faults(GENERATE, {"kind": kind, "status": 502})
    client = github(door, sandbox.url)

    with pytest.raises(VendorError) as raised:
        await client.create_from_template(TEMPLATE, "draggonnb", "draggonnb-kloof")
    found = await client.repo("draggonnb", "draggonnb-kloof")

    assert raised.value.error_class is ErrorClass.AMBIGUOUS
    assert len(asked(sandbox, "github", "POST")) == 1
    assert found is not None
    assert (found.template, waits) == (TEMPLATE, [])


async def test_a_creation_that_never_arrived_is_ambiguous_too_and_nothing_is_found(door: HttpDoor, sandbox: Sandbox):
    sandbox.faults(GENERATE, {"kind": "drop_before_accept"})
    client = github(door, sandbox.url)

    with pytest.raises(VendorError) as raised:
        await client.create_from_template(TEMPLATE, "draggonnb", "draggonnb-kloof")

    assert raised.value.error_class is ErrorClass.AMBIGUOUS
    assert await client.repo("draggonnb", "draggonnb-kloof") is None


async def test_a_secret_arrives_as_it_was_and_is_sent_sealed(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)
    client = github(door, sandbox.url)

    for value in ("first", "sb_secret_ünïcode\nof two lines"):
        await client.put_secret("draggonnb", "draggonnb-kloof", "SUPABASE_SECRET_KEY", value)

    puts = [entry for entry in sandbox.journal("github") if entry["method"] == "PUT"]
    (public,) = [repo for repo in sandbox.public("github") if repo["full_name"] == "draggonnb/draggonnb-kloof"]
    assert [entry["status"] for entry in puts] == [201, 204]
    assert public["secrets"] == {"SUPABASE_SECRET_KEY": "sb_secret_ünïcode\nof two lines"}
    assert not any("nïcode" in str(entry["body"]) for entry in puts)


async def test_a_variable_is_set_whether_it_is_new_or_not(door: HttpDoor, sandbox: Sandbox, waits: list[float]):
    await client_repo(door, sandbox)
    client = github(door, sandbox.url)

    for value in ("kloof", "kloof-coffee"):
        await client.put_variable("draggonnb", "draggonnb-kloof", "CLIENT_SLUG", value)

    (public,) = [repo for repo in sandbox.public("github") if repo["full_name"] == "draggonnb/draggonnb-kloof"]
    assert (public["variables"], waits) == ({"CLIENT_SLUG": "kloof-coffee"}, [])


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status", "drop_before_accept"])
async def test_a_variable_whose_answer_is_lost_is_set_once(door: HttpDoor, sandbox: Sandbox, kind: str):
    await client_repo(door, sandbox)
    sandbox.faults("POST /github/repos/{owner}/{name}/actions/variables", {"kind": kind, "status": 500})

    await github(door, sandbox.url).put_variable("draggonnb", "draggonnb-kloof", "CLIENT_SLUG", "kloof")

    (public,) = [repo for repo in sandbox.public("github") if repo["full_name"] == "draggonnb/draggonnb-kloof"]
    assert public["variables"] == {"CLIENT_SLUG": "kloof"}


async def test_topics_are_our_mark(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)
    client = github(door, sandbox.url)

    await client.set_topics("draggonnb", "draggonnb-kloof", {"org-7", "draggonnb-client"})

    repo = await client.repo("draggonnb", "draggonnb-kloof")
    assert repo is not None
    assert repo.topics == {"org-7", "draggonnb-client"}


async def test_an_archived_repository_is_read_only_and_archiving_it_again_is_as_good(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)
    client = github(door, sandbox.url)

    for _ in range(2):
        await client.archive("draggonnb", "draggonnb-kloof")
    with pytest.raises(VendorError) as raised:
        await client.put_variable("draggonnb", "draggonnb-kloof", "CLIENT_SLUG", "kloof")

    repo = await client.repo("draggonnb", "draggonnb-kloof")
    assert repo is not None
    assert repo.is_archived
    assert (raised.value.error_class, raised.value.code) == (ErrorClass.PERMISSION, "archived")


async def test_deleting_twice_is_as_good_as_once_and_takes_only_that_one(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)
    await client_repo(door, sandbox, "draggonnb-other")

    for _ in range(2):
        await github(door, sandbox.url).delete("draggonnb", "draggonnb-kloof")

    assert made(sandbox) == ["draggonnb/draggonnb-other"]


async def test_a_wrong_token_is_an_auth_error(door: HttpDoor, sandbox: Sandbox):
    with pytest.raises(VendorError) as raised:
        await github(door, sandbox.url, token="bad").repo("draggonnb", "x")

    assert (raised.value.error_class, raised.value.status) == (ErrorClass.AUTH, 401)
    assert raised.value.request_id


async def test_all_repositories_of_an_owner_come_over_all_pages(
    door: HttpDoor, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    sandbox.settings(github_copy_seconds=0.0)
    adapter = github(door, sandbox.url)
    for number in range(5):
        await adapter.create_from_template(TEMPLATE, "draggonnb", f"client-{number}", description=f"org-{number}")
    await adapter.archive("draggonnb", "client-3")
    monkeypatch.setattr("draggonnb_pipelines.resources.github.PAGE_SIZE", 2)

    repos = await adapter.list_repos("draggonnb")

    assert [repo.full_name for repo in repos] == [TEMPLATE, *(f"draggonnb/client-{number}" for number in range(5))]
    assert [repo.description for repo in repos][1:] == [f"org-{number}" for number in range(5)]
    assert [repo.full_name for repo in repos if repo.is_archived] == ["draggonnb/client-3"]
    with pytest.raises(VendorError) as refused:
        await adapter.list_repos("nobody")
    assert refused.value.status == 404


async def test_an_archived_repository_can_be_written_to_again(door: HttpDoor, sandbox: Sandbox):
    adapter = github(door, sandbox.url)
    await client_repo(door, sandbox)
    await adapter.archive("draggonnb", "draggonnb-kloof")

    await adapter.unarchive("draggonnb", "draggonnb-kloof")
    await adapter.unarchive("draggonnb", "draggonnb-kloof")

    assert [one["archived"] for one in sandbox.public("github")] == [False, False]
