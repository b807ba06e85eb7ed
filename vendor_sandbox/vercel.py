"""Vercel's REST API of the sandbox, under /vercel, and the list of all its routes.

Lives here: projects, their environment and domains. Does not live here: the token (`vercel_access.py`), deployments and
the sites that they serve (`vercel_deployments.py`).
"""

import re
import secrets
from typing import Any

from vendor_sandbox import vercel_deployments
from vendor_sandbox.state import Sandbox
from vendor_sandbox.vercel_access import error, guarded, object_of, of_project, scripted_error
from vendor_sandbox.vercel_projects import Project, Variable
from vendor_sandbox.wire import Answer, Call, Route, json_answer

__all__ = ["ROUTES", "scripted_error"]

MAX_PAGE = 100
_NAME = re.compile(r"(?!.*---)[a-z0-9][a-z0-9._-]{0,99}")
_KEY = re.compile(r"[A-Za-z_]\w{0,255}", re.ASCII)
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_TYPES = ("plain", "encrypted", "sensitive")
_TARGETS = frozenset({"production", "preview", "development"})


async def create(call: Call, sandbox: Sandbox) -> Answer:
    """POST /v11/projects: 200. The repository must be one of the sandbox's GitHub."""
    body = object_of(call)
    name, link = body.get("name"), body.get("gitRepository") or {}
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return error(400, "bad_request", "Project names can be up to 100 characters long and must be lowercase.")
    repo_name = str(link.get("repo"))
    owner, _, short = repo_name.partition("/")
    repo = sandbox.github.find(owner, short)
    if link.get("type") != "github" or repo is None:
        return error(
            400,
            "bad_request",
            "To link a GitHub repository, you need to install the GitHub integration first.",
            action="Install GitHub App",
            link="https://github.com/apps/vercel",
            repo=repo_name,
        )
    if sandbox.vercel.find(name):
        return error(409, "conflict", f"Project with name '{name}' already exists. Please choose a different name.")
    project = Project(name, repo.full_name, repo.id, body.get("framework"))
    sandbox.vercel.projects[project.id] = project
    return json_answer(200, _shown(project))


async def everything(call: Call, sandbox: Sandbox) -> Answer:
    """GET /v10/projects?limit=&from=: newest first; `from` is what `pagination.next` said."""
    newest_first = list(reversed(sandbox.vercel.projects.values()))
    limit, start = min(int(call.query.get("limit", 20)), MAX_PAGE), int(call.query.get("from", 0))
    end = start + limit
    pagination = {
        "count": len(newest_first[start:end]),
        "next": str(end) if len(newest_first) > end else None,
        "prev": str(start) if start else None,
    }
    projects = [_shown(project) for project in newest_first[start:end]]
    return json_answer(200, {"projects": projects, "pagination": pagination})


async def show(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """GET /v9/projects/{idOrName}."""
    return json_answer(200, _shown(project))


async def delete(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """DELETE /v9/projects/{idOrName}: 204, its deployments with it."""
    del sandbox.vercel.projects[project.id]
    for one in sandbox.vercel.newest_first(project.id):
        del sandbox.vercel.deployments[one.id]
    return Answer(204)


async def set_env(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """POST /v10/projects/{idOrName}/env?upsert=true: 201 also where some entries of a list failed."""
    try:
        body: Any = call.json
    except ValueError:
        body = None
    entries: list[Any] = body if isinstance(body, list) else [body]
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        return error(400, "bad_request", "Invalid request: should be object or array.")
    created: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        code = _set(project, entry, is_upsert=call.query.get("upsert") == "true")
        if code is None:
            created.append({"key": entry["key"], "target": entry["target"], "type": entry["type"]})
        else:
            message = "Another environment variable with the same name exists, or this one is not valid."
            failed.append({"error": {"code": code, "message": message, "key": str(entry.get("key"))}})
    if failed and not isinstance(body, list):
        return error(400, failed[0]["error"]["code"], failed[0]["error"]["message"])
    return json_answer(201, {"created": created, "failed": failed})


async def env(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """GET /v10/projects/{idOrName}/env: plain values only; what is sensitive is never told."""
    envs = [
        {"id": one.id, "key": one.key, "type": one.type, "target": list(one.target)}
        | ({"value": one.value} if one.type == "plain" else {})
        for one in project.env
    ]
    return json_answer(200, {"envs": envs})


async def add_domain(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """POST /v10/projects/{idOrName}/domains: verified at once below an apex that the team has proven."""
    name = object_of(call).get("name")
    if not isinstance(name, str) or not _DOMAIN.fullmatch(name):
        return error(400, "invalid_domain", "The domain is not valid.")
    if taken := sandbox.vercel.owner_of(name):
        return error(
            409,
            "domain_already_in_use",
            f"Cannot add {name} since it's already in use by one of your projects.",
            projectId=project.id,
            domain={"name": name, "projectId": taken.id},
        )
    apexes = _listed(sandbox.settings.vercel_verified_apexes)
    project.domains[name] = any(name == apex or name.endswith(f".{apex}") for apex in apexes)
    project.proofs[name] = f"vc-domain-verify={name},{secrets.token_hex(10)}"
    return json_answer(200, _domain(project, name))


async def domain(call: Call, sandbox: Sandbox, project: Project, domain: str) -> Answer:
    """GET /v9/projects/{idOrName}/domains/{domain}."""
    if domain not in project.domains:
        return error(404, "not_found", f'The domain "{domain}" is not assigned to "{project.name}".')
    return json_answer(200, _domain(project, domain))


async def verify(call: Call, sandbox: Sandbox, project: Project, domain: str) -> Answer:
    """POST /v9/projects/{idOrName}/domains/{domain}/verify: 400 until the setting `vercel_dns` names the domain."""
    if domain not in project.domains:
        return error(404, "not_found", f'The domain "{domain}" is not assigned to "{project.name}".')
    if not project.domains[domain] and domain not in _listed(sandbox.settings.vercel_dns):
        return error(400, "missing_txt_record", f"The TXT record of _vercel.{domain} was not found.")
    project.domains[domain] = True
    return json_answer(200, _domain(project, domain))


async def config(call: Call, sandbox: Sandbox, domain: str) -> Answer:
    """GET /v6/domains/{domain}/config: whether its DNS leads to Vercel."""
    settings = sandbox.settings
    known = [*_listed(settings.vercel_verified_apexes), *_listed(settings.vercel_dns)]
    is_here = any(domain == name or domain.endswith(f".{name}") for name in known)
    return json_answer(200, {"configuredBy": "CNAME" if is_here else None, "misconfigured": not is_here})


def _set(project: Project, entry: dict[str, Any], *, is_upsert: bool) -> str | None:
    key, value, kind, targets = (entry.get(name) for name in ("key", "value", "type", "target"))
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        return "INVALID_KEY"
    if not isinstance(value, str) or kind not in _TYPES or not isinstance(targets, list) or not targets:
        return "BAD_REQUEST"
    if not set(targets) <= _TARGETS or (kind == "sensitive" and "development" in targets):
        return "BAD_REQUEST"
    return project.set_variable(Variable(key, value, kind, tuple(targets)), is_upsert=is_upsert)


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _domain(project: Project, name: str) -> dict[str, Any]:
    is_verified = project.domains[name]
    challenge = {
        "type": "TXT",
        "domain": f"_vercel.{name}",
        "value": project.proofs[name],
        "reason": "pending_domain_verification",
    }
    shown = {"name": name, "apexName": ".".join(name.split(".")[-2:]), "projectId": project.id, "verified": is_verified}
    return shown | ({} if is_verified else {"verification": [challenge]})


def _shown(project: Project) -> dict[str, Any]:
    owner, _, repo = project.repo.partition("/")
    link = {"type": "github", "org": owner, "repo": repo, "repoId": project.repo_id, "productionBranch": "main"}
    return {"id": project.id, "name": project.name, "framework": project.framework, "link": link, "targets": {}}


_OF_PROJECT = "projects/{project}"
ROUTES = (
    Route("POST", "/vercel/v11/projects", guarded(create)),
    Route("GET", "/vercel/v10/projects", guarded(everything)),
    Route("GET", f"/vercel/v9/{_OF_PROJECT}", of_project(show)),
    Route("DELETE", f"/vercel/v9/{_OF_PROJECT}", of_project(delete)),
    Route("POST", f"/vercel/v10/{_OF_PROJECT}/env", of_project(set_env)),
    Route("GET", f"/vercel/v10/{_OF_PROJECT}/env", of_project(env)),
    Route("POST", f"/vercel/v10/{_OF_PROJECT}/domains", of_project(add_domain)),
    Route("GET", f"/vercel/v9/{_OF_PROJECT}/domains/{{domain}}", of_project(domain)),
    Route("POST", f"/vercel/v9/{_OF_PROJECT}/domains/{{domain}}/verify", of_project(verify)),
    Route("GET", "/vercel/v6/domains/{domain}/config", guarded(config)),
    *vercel_deployments.ROUTES,
)
