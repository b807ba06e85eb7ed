"""GitHub's REST API of the sandbox, under /github, and the list of all its routes.

Lives here: repositories from a template to their deletion, branches, topics, the page that people see. Does not live
here: tokens and limits (`github_access.py`), Git's objects (`github_data.py`), secrets and variables
(`github_actions.py`).
"""

import html
import re
import time
from typing import Any

from vendor_sandbox import github_actions, github_data
from vendor_sandbox.github_access import ROOT, error, guarded, invalid, object_of, of_repo, scripted_error
from vendor_sandbox.github_repos import Repo
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route, json_answer

__all__ = ["ROUTES", "scripted_error"]

_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
_TOPIC = re.compile(r"[a-z0-9][a-z0-9-]{0,49}")
MAX_TOPICS = 20


async def generate(call: Call, sandbox: Sandbox, template: Repo) -> Answer:
    """POST /repos/{owner}/{name}/generate: 201 at once; the files come after `github_copy_seconds`."""
    if not template.is_template:
        return scripted_error(404, "no template")
    body = object_of(call)
    owner, name = body.get("owner", "sandbox"), body.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not isinstance(owner, str):
        return invalid("Repository", "name", "missing_field" if not name else "custom")
    if sandbox.github.find(owner, name):
        return error(422, "Could not clone: Name already exists on this account")
    repo = sandbox.github.add(
        owner,
        name,
        template=template.full_name,
        is_private=bool(body.get("private", False)),
        description=str(body.get("description") or ""),
        ready_from=time.monotonic() + sandbox.settings.github_copy_seconds,
        pending=template.files(),
    )
    return json_answer(201, _shown(call, repo))


async def show(call: Call, sandbox: Sandbox, repo: Repo) -> Answer:
    """GET /repos/{owner}/{name}."""
    return json_answer(200, _shown(call, repo))


async def of_owner(call: Call, sandbox: Sandbox, owner: str) -> Answer:
    """GET /orgs/{owner}/repos?per_page=&page=: oldest first, with a Link header while there are more."""
    size, page = min(int(call.query.get("per_page", 30)), 100), int(call.query.get("page", 1))
    owned = [repo for repo in sandbox.github.repos.values() if repo.owner.lower() == owner.lower()]
    if not owned:
        return scripted_error(404, "unknown")
    headers = {}
    if len(owned) > page * size:
        address = f"http://{call.headers['host']}/github/orgs/{owner}/repos?per_page={size}&page={page + 1}"
        headers = {"link": f'<{address}>; rel="next"'}
    return json_answer(200, [_shown(call, repo) for repo in owned[(page - 1) * size : page * size]], headers)


async def by_number(call: Call, sandbox: Sandbox, number: str) -> Answer:
    """GET /repositories/{number}, where a renamed repository's old name leads."""
    repo = sandbox.github.repos.get(int(number)) if number.isdigit() else None
    return json_answer(200, _shown(call, repo)) if repo else scripted_error(404, "unknown")


async def change(call: Call, sandbox: Sandbox, repo: Repo) -> Answer:
    """PATCH /repos/{owner}/{name}: `archived`, `name`, `description`. An archived one takes only `archived: false`."""
    body = object_of(call)
    if repo.is_archived and body.get("archived") is not False:
        return error(403, "Repository was archived so is read-only.")
    if isinstance(name := body.get("name"), str) and name != repo.name:
        sandbox.github.old_names[repo.full_name.lower()] = repo.id
        repo.name = name
    repo.description = body.get("description", repo.description)
    repo.is_archived = bool(body.get("archived", repo.is_archived))
    return json_answer(200, _shown(call, repo))


async def delete(call: Call, sandbox: Sandbox, repo: Repo) -> Answer:
    """DELETE /repos/{owner}/{name}: 204, and the name is free."""
    del sandbox.github.repos[repo.id]
    return Answer(204)


async def branch(call: Call, sandbox: Sandbox, repo: Repo, branch: str) -> Answer:
    """GET /repos/{owner}/{name}/branches/{branch}."""
    if repo.is_empty or branch not in repo.branches:
        return error(404, "Branch not found")
    commit = repo.objects.commits[repo.branches[branch]]
    shown = {"sha": commit.sha, "commit": {"message": commit.message, "tree": {"sha": commit.tree}}}
    return json_answer(200, {"name": branch, "commit": shown, "protected": False})


async def topics(call: Call, sandbox: Sandbox, repo: Repo) -> Answer:
    """GET /repos/{owner}/{name}/topics."""
    return json_answer(200, {"names": repo.topics})


async def set_topics(call: Call, sandbox: Sandbox, repo: Repo) -> Answer:
    """PUT /repos/{owner}/{name}/topics: replaces them all."""
    names = object_of(call).get("names")
    if not isinstance(names, list) or len(names) > MAX_TOPICS:
        return error(422, "A repository cannot have more than 20 topics.")
    if not all(isinstance(name, str) and _TOPIC.fullmatch(name) for name in names):
        return error(422, "Topics must start with a lowercase letter or number and consist of 50 characters or less.")
    repo.topics = list(names)
    return json_answer(200, {"names": repo.topics})


async def page(call: Call, sandbox: Sandbox, owner: str, name: str) -> Answer:
    """GET /github/web/{owner}/{name}: what a person sees."""
    repo = sandbox.github.find(owner, name)
    headers = {"content-type": "text/html; charset=utf-8"}
    if repo is None:
        return Answer(404, b"<!doctype html><title>GitHub (sandbox)</title><p>This is not the page.", headers)
    files = "".join(f"<li>{html.escape(path)}" for path in sorted(repo.files()))
    commits = "".join(f"<li>{html.escape(message)}" for message in reversed(repo.log()))
    title = html.escape(repo.full_name)
    text = (
        f"<!doctype html><meta charset=utf-8><title>{title} (GitHub sandbox)</title>"
        f"<h1>{title} <small>sandbox</small></h1><h2>Files</h2><ul>{files}</ul><h2>Commits</h2><ul>{commits}</ul>"
    )
    return Answer(200, text.encode(), headers)


def _shown(call: Call, repo: Repo) -> dict[str, Any]:
    template = {"template_repository": {"full_name": repo.template}} if repo.template else {}
    return {
        "id": repo.id,
        "name": repo.name,
        "full_name": repo.full_name,
        "owner": {"login": repo.owner, "type": "Organization"},
        "private": repo.is_private,
        "description": repo.description or None,
        "html_url": f"http://{call.headers['host']}/github/web/{repo.full_name}",
        "default_branch": "main",
        "archived": repo.is_archived,
        "is_template": repo.is_template,
        "topics": repo.topics,
        "created_at": repo.at.isoformat(),
        **template,
    }


ROUTES = (
    Route("POST", f"{ROOT}/generate", of_repo(generate)),
    Route("GET", ROOT, of_repo(show)),
    Route("GET", "/github/orgs/{owner}/repos", guarded(of_owner)),
    Route("GET", "/github/repositories/{number}", guarded(by_number)),
    Route("PATCH", ROOT, of_repo(change)),
    Route("DELETE", ROOT, of_repo(delete)),
    Route("GET", f"{ROOT}/branches/{{branch}}", of_repo(branch)),
    Route("GET", f"{ROOT}/topics", of_repo(topics)),
    Route("PUT", f"{ROOT}/topics", of_repo(set_topics, writes=True)),
    *github_data.ROUTES,
    *github_actions.ROUTES,
    Route("GET", "/github/web/{owner}/{name}", page),
)
