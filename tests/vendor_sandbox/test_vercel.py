"""The Vercel of the sandbox: environment, domains, builds, pages."""

from typing import Any

import httpx
import pytest

from tests.sandbox_process import Sandbox

TEMPLATE = "draggonnb/client-template"


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None, *, token: str = "sandbox") -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.request(method, f"{sandbox.url}/vercel{path}", json=body, headers=headers)


def create(sandbox: Sandbox, name: Any = "kloof", repo: str = TEMPLATE) -> httpx.Response:
    body = {"name": name, "framework": "nextjs", "gitRepository": {"type": "github", "repo": repo}}
    return ask(sandbox, "POST", "/v11/projects?teamId=team_1", body)


def variable(key: str = "A", *targets: str, value: str = "1", kind: str = "encrypted") -> dict[str, Any]:
    return {"key": key, "value": value, "type": kind, "target": list(targets or ("production",))}


def deploy(sandbox: Sandbox, sha: str | None = None, **change: Any) -> httpx.Response:
    (template,) = sandbox.public("github")
    source = {"type": "github", "repoId": template["id"], "ref": "main", "sha": sha or template["head"]}
    body = {"name": "kloof", "project": "kloof", "target": "production", "gitSource": source, **change}
    return ask(sandbox, "POST", "/v13/deployments", body)


@pytest.mark.parametrize("name", ["Kloof", "a---b", "", "x" * 101, 7, None])
def test_a_name_that_vercel_does_not_take(sandbox: Sandbox, name: Any):
    assert create(sandbox, name).status_code == 400
    assert sandbox.public("vercel") == []


def test_a_project_needs_a_repository_that_is_there_and_a_name_that_is_free(sandbox: Sandbox):
    answers = [create(sandbox), create(sandbox), create(sandbox, "other", "draggonnb/nobody")]

    assert [answer.status_code for answer in answers] == [200, 409, 400]
    assert answers[0].json()["link"]["repoId"] == sandbox.public("github")[0]["id"]
    assert answers[2].json()["error"]["action"] == "Install GitHub App"
    assert [project["name"] for project in sandbox.public("vercel")] == ["kloof"]


@pytest.mark.parametrize(("token", "sign"), [("", "missingToken"), ("bad-1", "invalidToken")])
def test_nobody_gets_in_without_a_token(sandbox: Sandbox, token: str, sign: str):
    answer = ask(sandbox, "GET", "/v9/projects/kloof", token=token)

    assert (answer.status_code, answer.json()["error"][sign]) == (403, True)


def test_a_list_of_variables_is_set_in_part_and_still_a_201(sandbox: Sandbox):
    create(sandbox)
    path = "/v10/projects/kloof/env"
    ask(sandbox, "POST", path, [variable("A", "production", "preview")])

    entries = [
        variable("A", "production", value="2"),  # overlaps, and is not the same list of targets
        variable("A", "preview", "production", value="3"),
        variable("B", "development", kind="sensitive"),
        variable("1"),
        variable("C", kind="plain", value="seen"),
    ]
    answer = ask(sandbox, "POST", f"{path}?upsert=true", entries)

    assert answer.status_code == 201
    assert [entry["key"] for entry in answer.json()["created"]] == ["A", "C"]
    codes = [(entry["error"]["key"], entry["error"]["code"]) for entry in answer.json()["failed"]]
    assert codes == [("A", "ENV_CONFLICT"), ("B", "BAD_REQUEST"), ("1", "INVALID_KEY")]
    values = {"A@production": "3", "A@preview": "3", "C@production": "seen"}
    assert sandbox.public("vercel")[0]["env"] == values
    shown = ask(sandbox, "GET", path).json()["envs"]
    assert [(entry["key"], entry.get("value")) for entry in shown] == [("A", None), ("C", "seen")]


def test_without_upsert_a_variable_that_is_there_is_refused(sandbox: Sandbox):
    create(sandbox)

    answers = [ask(sandbox, "POST", "/v10/projects/kloof/env", variable(value=value)) for value in ("1", "2")]

    assert [answer.status_code for answer in answers] == [201, 400]
    assert answers[1].json()["error"]["code"] == "ENV_CONFLICT"
    assert sandbox.public("vercel")[0]["env"] == {"A@production": "1"}


def test_a_domain_belongs_to_one_project(sandbox: Sandbox):
    create(sandbox)
    create(sandbox, "other")
    names = {"name": "kloof.draggonnb.app"}

    answers = [ask(sandbox, "POST", f"/v10/projects/{name}/domains", names) for name in ("kloof", "kloof", "other")]

    assert [answer.status_code for answer in answers] == [200, 409, 409]
    assert answers[2].json()["error"]["code"] == "domain_already_in_use"
    assert ask(sandbox, "POST", "/v10/projects/kloof/domains", {"name": "not a domain"}).status_code == 400
    assert ask(sandbox, "GET", "/v9/projects/other/domains/kloof.draggonnb.app").status_code == 404


def test_a_build_goes_through_its_states_and_needs_its_commit(sandbox: Sandbox):
    create(sandbox)
    sandbox.settings(vercel_build_seconds=60.0)

    made, missing = deploy(sandbox), deploy(sandbox, "0" * 40)
    listed = ask(sandbox, "GET", f"/v7/deployments?sha={made.json()['gitSource']['sha']}").json()["deployments"]

    assert (made.status_code, made.json()["readyState"]) == (200, "QUEUED")
    assert (missing.status_code, missing.json()["error"]["code"]) == (400, "incorrect_git_source_info")
    assert [entry["uid"] for entry in listed] == [made.json()["id"]]
    assert httpx.get(f"{sandbox.url}/vercel/sites/{made.json()['url']}").status_code == 404


def test_a_site_shows_its_project_at_every_path(sandbox: Sandbox):
    create(sandbox)
    sandbox.settings(vercel_build_seconds=0.0)
    host = deploy(sandbox).json()["url"]

    pages = [httpx.get(f"{sandbox.url}/vercel/sites/{host}{path}") for path in ("", "/", "/leads")]

    assert [(page.status_code, "<h1>kloof</h1>" in page.text) for page in pages] == [(200, True)] * 3


def test_a_limit_says_when_it_ends(sandbox: Sandbox):
    sandbox.faults("POST *", {"kind": "status", "status": 429})

    answer = create(sandbox)

    assert answer.json()["error"]["limit"]["reset"] == int(answer.headers["x-ratelimit-reset"])
    assert sandbox.public("vercel") == []


def test_a_deleted_project_takes_its_sites_along(sandbox: Sandbox):
    create(sandbox)
    sandbox.settings(vercel_build_seconds=0.0)
    host = deploy(sandbox).json()["url"]

    codes = [ask(sandbox, "DELETE", "/v9/projects/kloof").status_code for _ in range(2)]

    assert codes == [204, 404]
    assert httpx.get(f"{sandbox.url}/vercel/sites/{host}").status_code == 404
