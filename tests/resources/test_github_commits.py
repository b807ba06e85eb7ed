"""Files on GitHub as one commit: what differs, what is there, who else pushes."""

from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.github_commits import INLINE_BYTES, REBUILDS, blob_sha
from draggonnb_pipelines.resources.http import HttpDoor
from tests.resources.provisioning_clients import asked, client_repo, github, visit
from tests.sandbox_process import Sandbox

PICTURE = b"\x89PNG\r\n\x1a\n\x00\xff"
FILES = {"app/page.tsx": b"export default 1\n", "public/logo.png": PICTURE, "README.md": "# Kloof – café\n".encode()}
MOVE = "PATCH /github/repos/{owner}/{name}/git/refs/heads/main"


def public(sandbox: Sandbox) -> dict[str, Any]:
    (repo,) = [one for one in sandbox.public("github") if one["full_name"] == "draggonnb/draggonnb-kloof"]
    return repo


async def commit(door: HttpDoor, sandbox: Sandbox, files: dict[str, bytes] = FILES) -> str:
    client = github(door, sandbox.url)
    return await client.commit_files("draggonnb", "draggonnb-kloof", "main", files, "Set up Kloof Coffee")


async def test_all_files_come_as_one_commit_and_the_others_stay(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)
    before = public(sandbox)

    sha = await commit(door, sandbox)

    after = public(sandbox)
    assert after["head"] == sha
    assert after["commits"] == ["Initial commit", "Set up Kloof Coffee"]
    assert after["files"] == before["files"] | {
        "app/page.tsx": "export default 1\n",
        "public/logo.png": "base64:iVBORw0KGgoA/w==",
        "README.md": "# Kloof – café\n",
    }


async def test_only_what_cannot_go_inline_costs_a_call_of_its_own(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)
    large = b"x" * (INLINE_BYTES + 1)

    await commit(door, sandbox, {**FILES, "large.txt": large, "latin.txt": b"caf\xe9", "nul.txt": b"a\0b"})

    posts = [path.rpartition("/git/")[2] for path in asked(sandbox, "github", "POST") if "/git/" in path]
    assert posts == ["blobs"] * 4 + ["trees", "commits"]
    assert public(sandbox)["files"]["large.txt"] == large.decode()
    assert public(sandbox)["files"]["nul.txt"] == "a\0b"


async def test_identical_content_is_no_commit(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)
    first = await commit(door, sandbox)
    before = len(asked(sandbox, "github", "POST"))

    again = await commit(door, sandbox)
    none = await commit(door, sandbox, {})

    assert (again, none) == (first, first)
    assert len(asked(sandbox, "github", "POST")) == before
    assert public(sandbox)["commits"] == ["Initial commit", "Set up Kloof Coffee"]


async def test_only_the_file_that_differs_is_sent(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)
    await commit(door, sandbox)

    await commit(door, sandbox, {**FILES, "README.md": b"# New\n"})

    trees = [entry["body"] for entry in sandbox.journal("github") if entry["route"].endswith("/git/trees")]
    assert trees[-1]["tree"] == [{"path": "README.md", "mode": "100644", "type": "blob", "content": "# New\n"}]


async def test_a_listing_that_github_cut_short_makes_no_commit_of_the_same(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)
    first = await commit(door, sandbox)
    sandbox.faults("GET */git/trees/*", {"kind": "tree_truncated"})

    again = await commit(door, sandbox)

    assert again == first
    assert public(sandbox)["commits"] == ["Initial commit", "Set up Kloof Coffee"]


async def test_a_file_that_may_be_run_stays_so(door: HttpDoor, sandbox: Sandbox):
    repo = await client_repo(door, sandbox)
    git, headers = f"{sandbox.url}/github/repos/{repo.full_name}/git", {"authorization": "Bearer somebody"}
    entry = {"path": "setup.sh", "mode": "100755", "type": "blob", "content": "old"}
    tree = (await visit(f"{git}/trees", method="POST", body={"tree": [entry]}, headers=headers)).json()["sha"]
    body = {"message": "Run it", "tree": tree, "parents": [public(sandbox)["head"]]}
    sha = (await visit(f"{git}/commits", method="POST", body=body, headers=headers)).json()["sha"]
    await visit(f"{git}/refs/heads/main", method="PATCH", body={"sha": sha}, headers=headers)

    await commit(door, sandbox, {"setup.sh": b"new", "other.sh": b"x"})

    trees = [entry["body"] for entry in sandbox.journal("github") if entry["route"].endswith("/git/trees")]
    assert {entry["path"]: entry["mode"] for entry in trees[-1]["tree"]} == {"setup.sh": "100755", "other.sh": "100644"}
    assert public(sandbox)["files"] == {"setup.sh": "new", "other.sh": "x"}


async def test_a_push_of_somebody_else_stays_and_ours_goes_on_top(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)
    sandbox.faults(MOVE, {"kind": "branch_moved", "times": 2})

    sha = await commit(door, sandbox)

    after = public(sandbox)
    push = "Somebody else's push"
    assert after["commits"] == ["Initial commit", push, push, "Set up Kloof Coffee"]
    assert (after["head"], after["files"]["app/page.tsx"]) == (sha, "export default 1\n")
    assert "NOTES.md" in after["files"]


async def test_a_branch_that_never_stands_still_is_left_alone(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)
    sandbox.faults(MOVE, {"kind": "branch_moved"}, repeat=True)

    with pytest.raises(VendorError) as raised:
        await commit(door, sandbox)

    assert (raised.value.error_class, raised.value.message) == (
        ErrorClass.RETRY,
        f"the branch moved {REBUILDS} times under the commit",
    )
    assert len(asked(sandbox, "github", "PATCH")) == REBUILDS
    assert "Set up Kloof Coffee" not in public(sandbox)["commits"]


@pytest.mark.parametrize("kind", ["accept_then_drop", "accept_then_status", "drop_before_accept", "cut_body"])
@pytest.mark.parametrize("route", ["POST */git/blobs", "POST */git/trees", "POST */git/commits", "PATCH */heads/main"])
async def test_a_lost_answer_never_makes_a_second_commit(door: HttpDoor, sandbox: Sandbox, route: str, kind: str):
    await client_repo(door, sandbox)
    sandbox.faults(route, {"kind": kind, "status": 502})

    sha = await commit(door, sandbox)

    assert public(sandbox)["commits"] == ["Initial commit", "Set up Kloof Coffee"]
    assert public(sandbox)["head"] == sha


async def test_an_empty_repository_is_worth_another_try_later(door: HttpDoor, sandbox: Sandbox, waits: list[float]):
    await client_repo(door, sandbox)
    sandbox.settings(github_copy_seconds=60.0)
    await github(door, sandbox.url).create_from_template("draggonnb/client-template", "draggonnb", "late")

    with pytest.raises(VendorError) as raised:
        await github(door, sandbox.url).commit_files("draggonnb", "late", "main", FILES, "Too early")

    assert (raised.value.error_class, raised.value.code, len(waits)) == (ErrorClass.RETRY, "empty", 3)


async def test_a_branch_that_is_not_there_is_a_mistake(door: HttpDoor, sandbox: Sandbox):
    await client_repo(door, sandbox)

    with pytest.raises(VendorError) as raised:
        await github(door, sandbox.url).commit_files("draggonnb", "draggonnb-kloof", "other", FILES, "No")

    assert (raised.value.error_class, raised.value.status) == (ErrorClass.INPUT, 404)
    assert public(sandbox)["commits"] == ["Initial commit"]


def test_a_blob_has_the_name_that_git_gives_it():
    # `git hash-object` says so.
    assert blob_sha(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert blob_sha(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
