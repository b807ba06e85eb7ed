"""Deployments of the sandbox's Vercel, and the sites that they serve.

Lives here: building a commit of the sandbox's GitHub, lists, build logs, the page that a visitor sees. Does not live
here: how a build goes on with time (`vercel_projects.py`), projects (`vercel.py`).
"""

import html
import secrets
from typing import Any

from vendor_sandbox.state import Sandbox
from vendor_sandbox.vercel_access import error, guarded, object_of
from vendor_sandbox.vercel_projects import Deployment, Project
from vendor_sandbox.wire import Answer, Call, Route, json_answer

MAX_PAGE = 100


async def create(call: Call, sandbox: Sandbox) -> Answer:
    """POST /v13/deployments: 200 and QUEUED. The fault `build_failed` lets the build end in ERROR."""
    body = object_of(call)
    source, name = body.get("gitSource"), body.get("name")
    project = sandbox.vercel.find(str(body.get("project", name)))
    if not isinstance(name, str) or not isinstance(source, dict) or source.get("type") != "github":
        return error(400, "bad_request", "Invalid request: name and gitSource are needed.")
    if project is None:
        return error(404, "not_found", "Project not found.")
    if not _is_there(sandbox, source):
        return error(400, "incorrect_git_source_info", "The provided GitHub repository or commit can't be found.")
    deployment = Deployment(
        project.id,
        f"{project.name}-{secrets.token_hex(5)}-sandbox.vercel.app",
        source["sha"],
        str(source.get("ref", "main")),
        source["repoId"],
        body.get("target"),
        {str(key): str(value) for key, value in (body.get("meta") or {}).items()},
        sandbox.settings.vercel_build_seconds,
        call.fault_kind == "build_failed",
    )
    sandbox.vercel.add_deployment(deployment)
    return json_answer(200, _shown(project, deployment))


async def find(call: Call, sandbox: Sandbox) -> Answer:
    """GET /v7/deployments?projectId=&sha=&limit=&until=, newest first; pages are cut by creation time."""
    query = call.query
    limit = int(query.get("limit", 20))
    if not 1 <= limit <= MAX_PAGE:
        return error(400, "bad_request", "Invalid request: `limit` should be <= 100.")
    until = int(query["until"]) if "until" in query else None
    matching = [
        one
        for one in sandbox.vercel.newest_first(query.get("projectId"))
        if query.get("sha") in (None, one.sha) and (until is None or one.created < until)
    ]
    page = matching[:limit]
    is_more = len(matching) > limit
    pagination = {"count": len(page), "next": page[-1].created if is_more else None, "prev": None}
    return json_answer(200, {"deployments": [_listed(one) for one in page], "pagination": pagination})


async def show(call: Call, sandbox: Sandbox, deployment: str) -> Answer:
    """GET /v13/deployments/{idOrUrl}."""
    found = _find(sandbox, deployment)
    if found is None:
        return error(404, "not_found", "The deployment could not be found.")
    return json_answer(200, _shown(sandbox.vercel.projects[found.project], found))


async def events(call: Call, sandbox: Sandbox, deployment: str) -> Answer:
    """GET /v3/deployments/{idOrUrl}/events?direction=&limit=."""
    found = _find(sandbox, deployment)
    if found is None:
        return error(404, "not_found", "The deployment could not be found.")
    state = found.state
    lines = [f"Cloning commit {found.sha[:7]}"] if state != "QUEUED" else []
    lines += ['Running "npm run build"'] if state in ("BUILDING", "READY", "ERROR") else []
    lines += {"READY": ["Build Completed"], "ERROR": ['Error: Command "npm run build" exited with 1']}.get(state, [])
    entries = [
        {"type": "stdout", "created": found.created + index, "payload": {"deploymentId": found.id, "text": f"{line}\n"}}
        for index, line in enumerate(lines)
    ]
    if call.query.get("direction") == "backward":
        entries.reverse()
    limit = int(call.query.get("limit", 100))
    return json_answer(200, entries if limit < 0 else entries[:limit])


async def visit(call: Call, sandbox: Sandbox, host: str) -> Answer:
    """What a visitor of a deployment or a domain sees: a page with the project's name and commit. Where the setting
    `vercel_apps` has `domain=address`, the app itself is at that address: it asks for its files from the root of its
    host, so it cannot be shown below this path."""
    headers = {"content-type": "text/html; charset=utf-8", "server": "Vercel"}
    found = sandbox.vercel.serving(host)
    if found is None:
        return Answer(
            404,
            b"The deployment could not be found on Vercel.\n\nDEPLOYMENT_NOT_FOUND\n",
            {"content-type": "text/plain; charset=utf-8", "x-vercel-error": "DEPLOYMENT_NOT_FOUND"},
        )
    apps = dict(entry.strip().split("=", 1) for entry in sandbox.settings.vercel_apps.split(",") if "=" in entry)
    if host in apps:
        rest = call.path.removeprefix(f"/vercel/sites/{host}") or "/"
        query = f"?{call.raw_query}" if call.raw_query else ""
        # What is behind a # stays with the browser, which takes it along.
        return Answer(307, headers={**headers, "location": f"{apps[host]}{rest}{query}"})
    name = html.escape(sandbox.vercel.projects[found.project].name)
    text = f"<!doctype html><meta charset=utf-8><title>{name}</title><h1>{name}</h1><p>commit {found.sha}"
    return Answer(200, text.encode(), {**headers, "x-matched-path": "/"})


def _is_there(sandbox: Sandbox, source: dict[str, Any]) -> bool:
    repo_id, sha = source.get("repoId"), source.get("sha")
    repo = sandbox.github.repos.get(repo_id) if isinstance(repo_id, int) else None
    return repo is not None and not repo.is_empty and sha in repo.objects.commits


def _find(sandbox: Sandbox, id_or_host: str) -> Deployment | None:
    by_host = (one for one in sandbox.vercel.deployments.values() if one.host == id_or_host)
    return sandbox.vercel.deployments.get(id_or_host) or next(by_host, None)


def _listed(deployment: Deployment) -> dict[str, Any]:
    """As a list has it: `uid` for `id`."""
    return {
        "uid": deployment.id,
        "url": deployment.host,
        "created": deployment.created,
        "state": deployment.state,
        "readyState": deployment.state,
        "target": deployment.target,
        "meta": deployment.meta | {"githubCommitSha": deployment.sha},
    }


def _shown(project: Project, deployment: Deployment) -> dict[str, Any]:
    state = deployment.state
    fault = {"errorCode": "BUILD_FAILED", "errorMessage": 'Command "npm run build" exited with 1'}
    return {
        "id": deployment.id,
        "url": deployment.host,
        "name": project.name,
        "projectId": project.id,
        "createdAt": deployment.created,
        "readyState": state,
        "status": state,
        "target": deployment.target,
        "gitSource": {"type": "github", "repoId": deployment.repo_id, "ref": deployment.ref, "sha": deployment.sha},
        "meta": deployment.meta | {"githubCommitSha": deployment.sha},
        **(fault if state == "ERROR" else {}),
    }


ROUTES = (
    Route("POST", "/vercel/v13/deployments", guarded(create)),
    Route("GET", "/vercel/v7/deployments", guarded(find)),
    Route("GET", "/vercel/v13/deployments/{deployment}", guarded(show)),
    Route("GET", "/vercel/v3/deployments/{deployment}/events", guarded(events)),
    Route("GET", "/vercel/sites/{host}", visit),
    Route("GET", "/vercel/sites/{host}/*", visit),
)
