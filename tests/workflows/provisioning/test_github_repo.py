"""A client's repository: made once, marked, configured by one commit, equipped; never a stranger's."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from draggonnb_pipelines.errors import ErrorClass, NeedsReview, VendorError
from draggonnb_pipelines.workflows.provisioning.github_repo import github_repo
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Made, NameTaken, NotYet
from tests.sandbox_process import Sandbox
from tests.workflows.app_desk import FAULTS, KEYS, REF, AppDesk, begun, calls, done, killed_after, struck

NAME = "draggonnb-outsider"
FULL_NAME = f"draggonnb/{NAME}"
TEMPLATE = "draggonnb/client-template"
ROOT = "/github/repos/{owner}/{name}"
GENERATE = f"POST {ROOT}/generate"
WRITES = [
    GENERATE,
    f"PUT {ROOT}/topics",
    f"POST {ROOT}/git/trees",
    f"POST {ROOT}/git/commits",
    f"PATCH {ROOT}/git/refs/heads/{{branch}}",
    f"PUT {ROOT}/actions/secrets/{{secret}}",
    f"POST {ROOT}/actions/variables",
]
READS = [
    f"GET {ROOT}",
    f"GET {ROOT}/branches/{{branch}}",
    f"GET {ROOT}/git/ref/heads/{{branch}}",
    f"GET {ROOT}/actions/secrets/public-key",
]
SECRETS = {"SUPABASE_DB_PASSWORD": "correct horse", "SUPABASE_SECRET_KEY": KEYS["secret_app"]}


def repos(sandbox: Sandbox) -> dict[str, Any]:
    """All but the template, by full name."""
    return {repo["full_name"]: repo for repo in sandbox.public("github") if repo["full_name"] != TEMPLATE}


def assert_one(desk: AppDesk, sandbox: Sandbox) -> None:
    """Exactly what the step is to leave, and nothing else."""
    there = repos(sandbox)
    assert list(there) == [FULL_NAME]
    repo = there[FULL_NAME]
    assert repo["commits"] == ["Initial commit", "Configure outsider"]
    assert repo["topics"] == ["draggonnb-client", desk.client.mark]
    assert repo["secrets"] == SECRETS
    assert repo["variables"]["SUPABASE_PROJECT_REF"] == REF
    assert len(repo["variables"]) == 6


async def test_the_repository_is_made_from_the_template_marked_configured_and_equipped(
    app_desk: AppDesk, sandbox: Sandbox
):
    [repo] = await done(app_desk, github_repo)

    assert_one(app_desk, sandbox)
    [generate] = [entry for entry in sandbox.journal("github") if entry["route"] == GENERATE]
    there = repos(sandbox)[FULL_NAME]
    assert generate["body"] == {
        "owner": "draggonnb",
        "name": NAME,
        "description": f"App of a DraggonnB client {app_desk.client.mark}",
        "private": True,
    }
    assert json.loads(there["files"]["client.config.json"])["slug"] == "outsider"
    assert "README.md" in there["files"]
    assert there["variables"] == {
        "NEXT_PUBLIC_CLIENT_NAME": "Outsider",
        "NEXT_PUBLIC_CLIENT_SLUG": "outsider",
        "NEXT_PUBLIC_SITE_URL": f"{sandbox.url}/vercel/sites/outsider.draggonnb.app",
        "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY": "sb_publishable_1",
        "NEXT_PUBLIC_SUPABASE_URL": f"{sandbox.url}/supabase/projects/{REF}",
        "SUPABASE_PROJECT_REF": REF,
    }
    assert (repo.vendor_id, repo.url) == (str(there["id"]), f"{sandbox.url}/github/web/{FULL_NAME}")
    assert await app_desk.rows("github_repo") == [
        (NAME, "ready", str(there["id"])),
        ("configuration", "ready", there["head"]),
        ("actions", "ready", f"{there['id']}/actions"),
    ]


async def test_no_secret_and_no_digest_of_one_is_where_people_read(app_desk: AppDesk):
    await done(app_desk, github_repo)

    actions = await app_desk.ledger.resource("github_repo", "actions")
    assert actions.details["secrets"] == sorted(SECRETS)
    assert sorted(actions.secrets) == sorted(SECRETS)
    for hidden in (*SECRETS.values(), *actions.secrets.values()):
        assert hidden not in json.dumps(dict(actions.details))


async def test_run_again_it_writes_nothing(app_desk: AppDesk, sandbox: Sandbox):
    first = await done(app_desk, github_repo)
    written = calls(sandbox, "github")

    again = await done(app_desk, github_repo, github_repo)

    assert calls(sandbox, "github") == written
    assert calls(sandbox, "github", reads=True)[-2:] == [f"GET {ROOT}"] * 2
    assert again == first * 2
    assert_one(app_desk, sandbox)


async def test_only_the_secret_that_changed_is_sent_again(app_desk: AppDesk, sandbox: Sandbox):
    await done(app_desk, github_repo)
    written = len(calls(sandbox, "github"))
    key = await app_desk.ledger.resource("api_keys", "secret_app")
    await app_desk.ledger.ready(key, Made("id-of-secret_app", secrets={"value": "rotated"}))

    await done(app_desk, github_repo)

    assert calls(sandbox, "github")[written:] == [f"PUT {ROOT}/actions/secrets/{{secret}}"]
    assert repos(sandbox)[FULL_NAME]["secrets"] == SECRETS | {"SUPABASE_SECRET_KEY": "rotated"}


async def test_a_client_that_changes_its_name_gets_one_more_commit(app_desk: AppDesk, sandbox: Sandbox):
    await done(app_desk, github_repo)
    renamed = replace(app_desk.client, organization=replace(app_desk.client.organization, name="Öutsider (Pty) Ltd"))

    await done(app_desk.for_client(renamed), github_repo, github_repo)

    repo = repos(sandbox)[FULL_NAME]
    assert repo["commits"] == ["Initial commit", "Configure outsider", "Configure outsider"]
    assert json.loads(repo["files"]["client.config.json"])["name"] == "Öutsider (Pty) Ltd"
    assert repo["variables"]["NEXT_PUBLIC_CLIENT_NAME"] == "Öutsider (Pty) Ltd"


async def test_it_waits_for_the_copy_of_the_template_and_does_not_sleep(app_desk: AppDesk, sandbox: Sandbox):
    sandbox.settings(github_copy_seconds=0.3)
    with pytest.raises(NotYet) as raised:
        await github_repo(app_desk.ledger)
    early = await app_desk.rows("github_repo")

    await asyncio.sleep(0.3)
    await github_repo(app_desk.ledger)

    assert (raised.value.reason, raised.value.seconds) == (f"GitHub copies the template to {NAME}", 5.0)
    assert [state for _, state, _ in early] == ["ready", "intent", "intent"]
    assert_one(app_desk, sandbox)


async def test_a_copy_that_never_comes_is_trouble_and_not_a_wait_for_ever(app_desk: AppDesk, sandbox: Sandbox):
    sandbox.settings(github_copy_seconds=3600.0)
    with pytest.raises(NotYet):
        await github_repo(app_desk.ledger)
    await app_desk.clock.sleep(601)

    with pytest.raises(VendorError, match="is still without its branch main") as raised:
        await github_repo(app_desk.ledger)

    assert raised.value.error_class is ErrorClass.RETRY
    assert calls(sandbox, "github").count(GENERATE) == 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["kind"])
@pytest.mark.parametrize("route", WRITES, ids=lambda route: route.rpartition("/")[2])
async def test_a_fault_at_any_call_ends_with_one_of_each(
    app_desk: AppDesk, sandbox: Sandbox, route: str, fault: dict[str, Any]
):
    sandbox.faults(route, fault)

    await done(app_desk, github_repo, github_repo)

    assert struck(sandbox, "github") == [fault["kind"]]
    assert_one(app_desk, sandbox)
    assert {state for _, state, _ in await app_desk.rows("github_repo")} == {"ready"}


@pytest.mark.parametrize("route", [*WRITES, *READS], ids=lambda route: route.replace(ROOT, ""))
async def test_a_run_that_dies_before_it_has_the_answer_leaves_one_of_each(
    app_desk: AppDesk, sandbox: Sandbox, route: str
):
    await killed_after(app_desk, sandbox, github_repo, route)

    await done(app_desk, github_repo, github_repo)

    assert_one(app_desk, sandbox)
    assert calls(sandbox, "github").count(GENERATE) == 1


async def test_a_run_that_dies_between_intent_and_call_is_waited_out_and_then_made_once(
    app_desk: AppDesk, sandbox: Sandbox
):
    await app_desk.ledger.plan("github_repo", "github", NAME, details={"template": TEMPLATE})
    await begun(app_desk.stack, app_desk.ledger, "github_repo", NAME)
    with pytest.raises(NotYet) as raised:
        await github_repo(app_desk.ledger)
    early = repos(sandbox)

    await done(app_desk, github_repo)

    assert (raised.value.seconds, early) == (120.0, {})
    assert_one(app_desk, sandbox)


async def test_two_runs_at_once_leave_one_of_each(app_desk: AppDesk, sandbox: Sandbox):
    await asyncio.gather(*(done(app_desk, github_repo) for _ in range(4)))

    assert_one(app_desk, sandbox)


@pytest.mark.parametrize("origin", ["other_client", "no_mark"])
async def test_a_strangers_repository_of_the_name_is_never_touched(app_desk: AppDesk, sandbox: Sandbox, origin: str):
    github = app_desk.stack.github
    description = "org-00000000-0000-0000-0000-000000000000" if origin == "other_client" else ""
    await github.create_from_template(TEMPLATE, "draggonnb", NAME, description=description)
    before, written = repos(sandbox), calls(sandbox, "github")

    with pytest.raises(NameTaken, match=f"'{FULL_NAME}' is there already and is not ours"):
        await github_repo(app_desk.ledger)

    row = await app_desk.ledger.resource("github_repo", NAME)
    assert (row.state, row.vendor_id, row.attempts) == ("needs_review", None, 0)
    assert (repos(sandbox), calls(sandbox, "github")) == (before, written)


async def test_our_mark_on_another_template_is_not_ours(app_desk: AppDesk, sandbox: Sandbox):
    await app_desk.ledger.plan("github_repo", "github", NAME, details={"template": "draggonnb/other-template"})
    await app_desk.stack.github.create_from_template(
        TEMPLATE, "draggonnb", NAME, description=f"App of a DraggonnB client {app_desk.client.mark}"
    )

    with pytest.raises(NameTaken, match=r"is not made from draggonnb/other-template"):
        await github_repo(app_desk.ledger)

    assert repos(sandbox)[FULL_NAME]["topics"] == []


async def test_a_strangers_repository_that_once_had_the_name_does_not_stand_in_the_way(
    app_desk: AppDesk, sandbox: Sandbox
):
    github = app_desk.stack.github
    await github.create_from_template(TEMPLATE, "draggonnb", NAME)
    await github._call("PATCH", f"/repos/{FULL_NAME}", json={"name": "elsewhere"})

    await done(app_desk, github_repo)

    there = repos(sandbox)
    assert sorted(there) == [FULL_NAME, "draggonnb/elsewhere"]
    assert (there["draggonnb/elsewhere"]["topics"], there["draggonnb/elsewhere"]["secrets"]) == ([], {})
    assert there[FULL_NAME]["commits"] == ["Initial commit", "Configure outsider"]


async def test_our_repository_is_found_by_its_old_name_and_left_as_it_is(app_desk: AppDesk, sandbox: Sandbox):
    await done(app_desk, github_repo)
    await app_desk.stack.github._call("PATCH", f"/repos/{FULL_NAME}", json={"name": "renamed"})
    written = calls(sandbox, "github")

    [repo] = await done(app_desk, github_repo)

    assert repo.details["full_name"] == "draggonnb/renamed"
    assert calls(sandbox, "github") == written
    assert list(repos(sandbox)) == ["draggonnb/renamed"]


async def test_a_repository_that_was_archived_is_for_a_person(app_desk: AppDesk, sandbox: Sandbox):
    await done(app_desk, github_repo)
    await app_desk.stack.github.archive("draggonnb", NAME)

    with pytest.raises(NeedsReview, match="is this client's and archived: unarchive it at http"):
        await github_repo(app_desk.ledger)

    assert repos(sandbox)[FULL_NAME]["archived"]


async def test_a_missing_right_stops_before_anything_is_made_and_says_where_to_give_it(
    app_desk: AppDesk, sandbox: Sandbox
):
    sandbox.faults(GENERATE, {"kind": "status", "status": 403})

    with pytest.raises(VendorError, match=r"github.com/settings/personal-access-tokens: it needs Administration"):
        await github_repo(app_desk.ledger)

    row = await app_desk.ledger.resource("github_repo", NAME)
    assert (row.state, repos(sandbox)) == ("failed", {})
    assert "it needs Administration, Contents, Secrets, Variables and Workflows" in str(row.last_error)


async def test_without_the_keys_nothing_half_is_written(app_desk: AppDesk, sandbox: Sandbox):
    stranger = replace(app_desk.client, organization=app_desk.agency)

    with pytest.raises(LookupError, match="draggonnb has no supabase_project draggonnb-db"):
        await github_repo(app_desk.for_client(stranger).ledger)

    repo = repos(sandbox)["draggonnb/draggonnb-draggonnb"]
    assert (repo["secrets"], repo["variables"]) == ({}, {})
