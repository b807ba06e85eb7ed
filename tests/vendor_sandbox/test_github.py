"""The GitHub of the sandbox: Git's own names, templates, limits, refusals."""

import base64
import time
from typing import Any

import httpx
import pytest
from nacl.public import PublicKey, SealedBox

from tests.sandbox_process import Sandbox
from vendor_sandbox.github_git import FILE, Objects

TEMPLATE = "draggonnb/client-template"
KLOOF = "draggonnb/kloof"


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    sent = {"authorization": "Bearer sandbox", **headers}
    return httpx.request(method, f"{sandbox.url}/github{path}", json=body, headers=sent)


def generate(sandbox: Sandbox, name: str = "kloof", *, copy_seconds: float = 0.0) -> httpx.Response:
    sandbox.settings(github_copy_seconds=copy_seconds)
    return ask(sandbox, "POST", f"/repos/{TEMPLATE}/generate", {"owner": "draggonnb", "name": name, "private": True})


def head(sandbox: Sandbox) -> str:
    return ask(sandbox, "GET", f"/repos/{KLOOF}/git/ref/heads/main").json()["object"]["sha"]


def test_objects_have_the_names_that_git_gives_them():
    # `git hash-object`, `git write-tree` and `git ls-tree` say so; a folder sorts as if its name ended in a slash.
    objects = Objects()
    blobs = {"README.md": b"hello\n", "app/page.tsx": b"x", "app.json": b"{}"}

    tree = objects.add_tree({path: (FILE, objects.add_blob(content)) for path, content in blobs.items()})

    assert tree == "401e8b7888f88718e3e3abc1ced7a7d6003f6761"
    assert objects.trees[tree] == {
        "README.md": ("100644", "ce013625030ba8dba906f756967f9e9ca394464a"),
        "app.json": ("100644", "9e26dfeeb6e641a33dae4961196235bdb965b21b"),
        "app": ("40000", "9efcbb63e7a590e892702f8da1f7ed224608c017"),
    }
    assert objects.add_tree({}) == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    assert {path: objects.blobs[sha] for path, (_, sha) in objects.files(tree).items()} == blobs


def test_a_copy_of_the_template_arrives_after_its_time(sandbox: Sandbox):
    made = generate(sandbox, copy_seconds=0.3)
    early = [
        ask(sandbox, "GET", f"/repos/{KLOOF}/{path}").status_code for path in ("branches/main", "git/ref/heads/main")
    ]
    time.sleep(0.35)
    late = ask(sandbox, "GET", f"/repos/{KLOOF}/branches/main")

    template, repo = sandbox.public("github")
    assert (made.status_code, made.json()["template_repository"]["full_name"]) == (201, TEMPLATE)
    assert (early, late.status_code) == ([404, 409], 200)
    assert (repo["files"], repo["commits"]) == (template["files"], ["Initial commit"])
    assert late.json()["commit"]["sha"] == repo["head"] != template["head"]


def test_a_name_is_taken_whatever_its_case(sandbox: Sandbox):
    generate(sandbox)

    again = generate(sandbox, "KLOOF")

    assert (again.status_code, again.json()["message"]) == (
        422,
        "Could not clone: Name already exists on this account",
    )
    assert len(sandbox.public("github")) == 2


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"authorization": ""}, 401, "Requires authentication"),
        ({"authorization": "Bearer bad-1"}, 401, "Bad credentials"),
    ],
)
def test_nobody_gets_in_without_a_token(sandbox: Sandbox, headers: dict[str, str], status: int, message: str):
    answer = ask(sandbox, "GET", f"/repos/{TEMPLATE}", **headers)

    assert (answer.status_code, answer.json()["message"]) == (status, message)


def test_the_hour_has_its_limit_and_every_answer_says_how_much_is_left(sandbox: Sandbox):
    sandbox.settings(github_rate_per_hour=2)

    answers = [ask(sandbox, "GET", f"/repos/{TEMPLATE}") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 403]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert 3500 < int(answers[2].headers["x-ratelimit-reset"]) - time.time() <= 3600
    assert "retry-after" not in answers[2].headers


def test_the_secondary_limit_is_a_fault(sandbox: Sandbox):
    sandbox.faults("POST *", {"kind": "secondary_limit"})

    refused = generate(sandbox)

    assert (refused.status_code, "secondary rate limit" in refused.json()["message"]) == (403, True)
    assert len(sandbox.public("github")) == 1


def test_a_branch_moves_forward_only(sandbox: Sandbox):
    generate(sandbox)
    first = head(sandbox)
    tree = ask(sandbox, "GET", f"/repos/{KLOOF}/git/commits/{first}").json()["tree"]["sha"]
    git = f"/repos/{KLOOF}/git"
    bodies = [{"message": text, "tree": tree, "parents": [first]} for text in ("one", "two")]
    one, two = [ask(sandbox, "POST", f"{git}/commits", body).json()["sha"] for body in bodies]

    moves = [ask(sandbox, "PATCH", f"{git}/refs/heads/main", {"sha": sha}) for sha in (one, one, two, "0" * 40)]

    assert [(move.status_code, move.json().get("message")) for move in moves] == [
        (200, None),
        (200, None),
        (422, "Update is not a fast forward"),
        (422, "Object does not exist"),
    ]
    assert head(sandbox) == one


@pytest.mark.parametrize(
    "entry",
    [
        {"path": "../x", "mode": "100644", "content": "x"},
        {"path": ".git/x", "mode": "100644", "content": "x"},
        {"path": "x", "mode": "644", "content": "x"},
        {"path": "x", "mode": "100644", "sha": "0" * 40},
    ],
)
def test_a_tree_of_nonsense_is_refused(sandbox: Sandbox, entry: dict[str, str]):
    generate(sandbox)

    assert ask(sandbox, "POST", f"/repos/{KLOOF}/git/trees", {"tree": [entry]}).status_code == 422


def test_a_null_sha_takes_a_file_away(sandbox: Sandbox):
    generate(sandbox)
    base = ask(sandbox, "GET", f"/repos/{KLOOF}/git/commits/{head(sandbox)}").json()["tree"]["sha"]
    gone = [{"path": "app/page.tsx", "mode": "100644", "type": "blob", "sha": None}]

    made = ask(sandbox, "POST", f"/repos/{KLOOF}/git/trees", {"base_tree": base, "tree": gone}).json()

    paths = ask(sandbox, "GET", f"/repos/{KLOOF}/git/trees/{made['sha']}?recursive=1").json()["tree"]
    assert sorted(entry["path"] for entry in paths) == [
        ".github",
        ".github/workflows",
        ".github/workflows/ci.yml",
        "README.md",
        "package.json",
    ]


def test_only_what_is_sealed_for_the_repository_is_a_secret(sandbox: Sandbox):
    generate(sandbox)
    generate(sandbox, "other")
    keys = [
        ask(sandbox, "GET", f"/repos/draggonnb/{name}/actions/secrets/public-key").json() for name in ("kloof", "other")
    ]

    def sealed(key: dict[str, str]) -> str:
        box = SealedBox(PublicKey(base64.b64decode(key["key"])))
        return base64.b64encode(box.encrypt(b"value")).decode()

    own, foreign = keys
    bodies = [
        {"encrypted_value": sealed(own), "key_id": own["key_id"]},
        {"encrypted_value": sealed(foreign), "key_id": own["key_id"]},
        {"encrypted_value": sealed(own), "key_id": foreign["key_id"]},
        {"encrypted_value": "value", "key_id": own["key_id"]},
    ]
    codes = [
        ask(sandbox, "PUT", f"/repos/{KLOOF}/actions/secrets/KEY_{index}", body).status_code
        for index, body in enumerate(bodies)
    ]

    assert codes == [201, 422, 422, 422]
    assert [repo["secrets"] for repo in sandbox.public("github")] == [{}, {"KEY_0": "value"}, {}]
    assert "value" not in ask(sandbox, "GET", f"/repos/{KLOOF}/actions/secrets/KEY_0").json()


def test_an_archived_repository_takes_nothing_but_its_way_back(sandbox: Sandbox):
    generate(sandbox)
    archive = [ask(sandbox, "PATCH", f"/repos/{KLOOF}", {"archived": flag}) for flag in (True, True, False)]

    assert [answer.status_code for answer in archive] == [200, 403, 200]
    assert archive[1].json()["message"] == "Repository was archived so is read-only."
    assert ask(sandbox, "PUT", f"/repos/{KLOOF}/topics", {"names": ["Not A Topic"]}).status_code == 422


def test_people_see_a_page_of_the_repository(sandbox: Sandbox):
    url = generate(sandbox).json()["html_url"]

    page = httpx.get(url)

    assert (page.status_code, "<li>app/page.tsx" in page.text, "<li>Initial commit" in page.text) == (200, True, True)
    assert httpx.get(f"{url}-not").status_code == 404


def test_a_reset_leaves_the_template_only(sandbox: Sandbox):
    generate(sandbox)

    sandbox.reset()

    assert [repo["full_name"] for repo in sandbox.public("github")] == [TEMPLATE]
