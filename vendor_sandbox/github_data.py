"""Git's objects over GitHub's API: refs, commits, trees, blobs.

Lives here: the endpoints below /git, and their faults: `branch_moved`, somebody else's push between reading a branch
and moving it; `tree_truncated`, a listing cut short. Does not live here: how objects are named (`github_git.py`).
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from vendor_sandbox.github_access import ROOT, error, invalid, object_of, scripted_error, with_content
from vendor_sandbox.github_git import FOLDER, MODES, Commit
from vendor_sandbox.github_repos import Repo
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route, json_answer


async def ref(call: Call, sandbox: Sandbox, repo: Repo, branch: str) -> Answer:
    """GET git/ref/heads/{branch}."""
    if branch not in repo.branches:
        return scripted_error(404, "unknown")
    return json_answer(200, _ref(branch, repo.branches[branch]))


async def commit(call: Call, sandbox: Sandbox, repo: Repo, sha: str) -> Answer:
    """GET git/commits/{sha}."""
    found = repo.objects.commits.get(sha)
    return json_answer(200, _commit(found)) if found else scripted_error(404, "unknown")


async def tree(call: Call, sandbox: Sandbox, repo: Repo, sha: str) -> Answer:
    """GET git/trees/{sha}, with ?recursive=1 also what lies below."""
    if sha not in repo.objects.trees:
        return scripted_error(404, "unknown")
    if call.fault_kind == "tree_truncated":
        return json_answer(200, {"sha": sha, "tree": [], "truncated": True})
    entries = _listed(repo, sha, "", is_deep="recursive" in call.query)
    return json_answer(200, {"sha": sha, "tree": entries, "truncated": False})


async def add_blob(call: Call, sandbox: Sandbox, repo: Repo) -> Answer:
    """POST git/blobs: 201."""
    body = object_of(call)
    content = body.get("content")
    if not isinstance(content, str):
        return invalid("Blob", "content", "missing_field")
    try:
        is_base64 = body.get("encoding") == "base64"
        raw = base64.b64decode(content, validate=True) if is_base64 else content.encode()
    except binascii.Error:
        return invalid("Blob", "content", "invalid")
    return json_answer(201, {"sha": repo.objects.add_blob(raw)})


async def add_tree(call: Call, sandbox: Sandbox, repo: Repo) -> Answer:
    """POST git/trees: 201. Entries give a `sha` (null deletes) or the `content` of a text."""
    body = object_of(call)
    base, entries = body.get("base_tree"), body.get("tree")
    if not isinstance(entries, list) or not entries:
        return error(422, "Invalid tree info")
    if base is not None and base not in repo.objects.trees:
        return error(422, "base_tree is not a valid tree oid")
    files = repo.objects.files(base) if base else {}
    for entry in entries:
        if not isinstance(entry, dict) or not _is_path(entry.get("path")):
            return error(422, "tree.path contains a malformed path component")
        if entry.get("mode") not in MODES:
            return error(422, "Must supply a valid tree.mode")
        if isinstance(entry.get("content"), str):
            sha = repo.objects.add_blob(entry["content"].encode())
        else:
            sha = entry.get("sha")
        if sha is None:
            files.pop(entry["path"], None)
        elif sha in repo.objects.blobs:
            files[entry["path"]] = entry["mode"], sha
        else:
            return error(422, f"tree.sha {sha} is not a valid blob")
    made = repo.objects.add_tree(files)
    return json_answer(201, {"sha": made, "tree": _listed(repo, made, "", is_deep=False), "truncated": False})


async def add_commit(call: Call, sandbox: Sandbox, repo: Repo) -> Answer:
    """POST git/commits: 201; it is on no branch yet."""
    body = object_of(call)
    message, tree, parents = body.get("message"), body.get("tree"), body.get("parents", [])
    if not isinstance(message, str) or not message:
        return invalid("Commit", "message", "missing_field")
    if tree not in repo.objects.trees:
        return error(422, "Tree SHA does not exist")
    if not isinstance(parents, list) or any(parent not in repo.objects.commits for parent in parents):
        return error(422, "Parent SHA does not exist or is not a commit object")
    made = repo.objects.add_commit(tree, tuple(parents), message, datetime.now(UTC))
    return json_answer(201, _commit(made))


async def move(call: Call, sandbox: Sandbox, repo: Repo, branch: str) -> Answer:
    """PATCH git/refs/heads/{branch}: 200; without `force` only forward."""
    if call.fault_kind == "branch_moved":
        repo.commit(branch, {"NOTES.md": f"{call.fault}\n{len(repo.log())}\n".encode()}, "Somebody else's push")
    body = object_of(call)
    sha = body.get("sha")
    if branch not in repo.branches:
        return error(422, "Reference does not exist")
    if sha not in repo.objects.commits:
        return error(422, "Object does not exist")
    if not body.get("force") and not repo.objects.is_ancestor(repo.branches[branch], str(sha)):
        return error(422, "Update is not a fast forward")
    repo.branches[branch] = str(sha)
    return json_answer(200, _ref(branch, str(sha)))


def _listed(repo: Repo, sha: str, prefix: str, *, is_deep: bool) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for name, (mode, child) in repo.objects.trees[sha].items():
        is_folder = mode == FOLDER
        kind = "tree" if is_folder else "blob"
        entries.append({"path": prefix + name, "mode": mode.zfill(6), "type": kind, "sha": child})
        if is_folder and is_deep:
            entries += _listed(repo, child, f"{prefix}{name}/", is_deep=True)
    return entries


def _is_path(path: Any) -> bool:
    return isinstance(path, str) and all(part not in ("", ".", "..", ".git") for part in path.split("/"))


def _ref(branch: str, sha: str) -> dict[str, Any]:
    return {"ref": f"refs/heads/{branch}", "object": {"type": "commit", "sha": sha}}


def _commit(commit: Commit) -> dict[str, Any]:
    return {
        "sha": commit.sha,
        "tree": {"sha": commit.tree},
        "parents": [{"sha": parent} for parent in commit.parents],
        "message": commit.message,
        "committer": {"name": "sandbox", "date": commit.at.isoformat()},
    }


ROUTES = (
    Route("GET", f"{ROOT}/git/ref/heads/{{branch}}", with_content(ref)),
    Route("GET", f"{ROOT}/git/commits/{{sha}}", with_content(commit)),
    Route("GET", f"{ROOT}/git/trees/{{sha}}", with_content(tree)),
    Route("POST", f"{ROOT}/git/blobs", with_content(add_blob, writes=True)),
    Route("POST", f"{ROOT}/git/trees", with_content(add_tree, writes=True)),
    Route("POST", f"{ROOT}/git/commits", with_content(add_commit, writes=True)),
    Route("PATCH", f"{ROOT}/git/refs/heads/{{branch}}", with_content(move, writes=True)),
)
