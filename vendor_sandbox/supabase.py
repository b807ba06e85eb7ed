"""Supabase's Management API of the sandbox, under /supabase/v1, and the list of all its routes.

Lives here: organizations, regions, the life of a project from COMING_UP to its deletion, its health. Does not live
here: tokens and limits (`supabase_access.py`), keys and Auth settings (`supabase_keys.py`), SQL and migrations
(`supabase_sql.py`), the projects' own Auth (`supabase_auth.py`) and Data API (`supabase_rest.py`).
"""

import asyncio
import logging
from typing import Any

import psycopg

from vendor_sandbox import supabase_databases, supabase_keys, supabase_sql
from vendor_sandbox.state import Sandbox
from vendor_sandbox.supabase_access import ROOT, error, guarded, no_server, object_of, of_project, scripted_error
from vendor_sandbox.supabase_projects import ORGANIZATION, Project
from vendor_sandbox.wire import Answer, Call, Route, json_answer

__all__ = ["ROUTES", "scripted_error"]

log = logging.getLogger(__name__)
SERVICES = ("auth", "db", "db_postgres_user", "pooler", "realtime", "rest", "storage", "pg_bouncer")
REGIONS = {
    "eu-west-1": "West EU (Ireland)",
    "eu-west-2": "West Europe (London)",
    "eu-west-3": "West EU (Paris)",
    "eu-central-1": "Central EU (Frankfurt)",
    "us-east-1": "East US (North Virginia)",
    "ap-southeast-1": "Southeast Asia (Singapore)",
}
SMART_GROUPS = {"emea": "eu-central-1", "americas": "us-east-1", "apac": "ap-southeast-1"}
SIZES = ("nano", "micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
MAX_PAGE = 100
_FIELDS = {
    *("db_pass", "name", "organization_slug", "organization_id", "region", "region_selection", "plan", "kps_enabled"),
    *("desired_instance_size", "template_url", "high_availability"),
}


async def organizations(call: Call, sandbox: Sandbox) -> Answer:
    """GET /v1/organizations."""
    return json_answer(200, [ORGANIZATION])


async def regions(call: Call, sandbox: Sandbox) -> Answer:
    """GET /v1/projects/available-regions?organization_slug=."""
    if call.query.get("organization_slug") != ORGANIZATION["slug"]:
        return error(404, "Organization not found")
    groups = [{"name": code.upper(), "code": code, "type": "smartGroup"} for code in SMART_GROUPS]
    specific = [{"name": name, "code": code, "type": "specific", "provider": "AWS"} for code, name in REGIONS.items()]
    everything = {"smartGroup": groups, "specific": specific}
    return json_answer(200, {"recommendations": {"smartGroup": groups[0], "specific": specific[:2]}, "all": everything})


async def create(call: Call, sandbox: Sandbox) -> Answer:
    """POST /v1/projects: 201 and COMING_UP. Nothing keeps a name from being there twice."""
    body = object_of(call)
    if body is None:
        return error(400, "Invalid JSON")
    region, size = _region(body), body.get("desired_instance_size", "micro")
    if (refused := _refusal(body)) or region is None or size not in SIZES:
        return error(400, refused or "region_selection or desired_instance_size: Invalid option")
    if body["organization_slug"] != ORGANIZATION["slug"]:
        return error(404, "Organization not found")
    if sandbox.settings.postgres_dsn is None:
        return no_server()
    limit = sandbox.settings.supabase_project_limit
    if len(sandbox.supabase.projects) >= limit:
        return error(
            400,
            "The following organization members have reached their maximum limits for the number of active"
            " free projects within organizations where they are an administrator or owner:"
            f" sandbox ({limit} project limit).",
        )
    project = sandbox.supabase.add(body["name"], region, size)
    sandbox.start(_bring_up(sandbox, sandbox.settings.postgres_dsn, project, body["db_pass"]))
    return json_answer(201, _shown(project))


async def everything(call: Call, sandbox: Sandbox) -> Answer:
    """GET /v1/projects: all of them, without pages."""
    return json_answer(200, [_detailed(sandbox, project) for project in sandbox.supabase.projects.values()])


async def find(call: Call, sandbox: Sandbox, slug: str) -> Answer:
    """GET /v1/organizations/{slug}/projects?search=&limit=&offset=&statuses=, newest first."""
    if slug != ORGANIZATION["slug"]:
        return error(404, "Organization not found")
    limit, offset = int(call.query.get("limit", MAX_PAGE)), int(call.query.get("offset", 0))
    if not 1 <= limit <= MAX_PAGE:
        return error(400, "limit: Too big: expected number to be <=100")
    statuses = [status for status in call.query.get("statuses", "").split(",") if status]
    search = call.query.get("search", "").lower()
    oldest_first = list(sandbox.supabase.projects.values())
    ordered = oldest_first if call.query.get("sort") == "created_asc" else reversed(oldest_first)
    found = [
        project
        for project in ordered
        if search in project.name.lower() and (not statuses or project.status in statuses)
    ]
    page = [_listed(project) for project in found[offset : offset + limit]]
    pagination = {"count": len(found), "limit": limit, "offset": offset}
    return json_answer(200, {"projects": page, "pagination": pagination})


async def show(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """GET /v1/projects/{ref}."""
    return json_answer(200, _detailed(sandbox, project))


async def delete(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """DELETE /v1/projects/{ref}: the database is gone when the answer comes."""
    del sandbox.supabase.projects[project.ref]
    await sandbox.postgrest.stop(project.ref)
    if sandbox.settings.postgres_dsn:
        await supabase_databases.drop(sandbox.settings.postgres_dsn, project.ref)
    return json_answer(200, {"id": project.number, "ref": project.ref, "name": project.name})


async def pause(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """POST /v1/projects/{ref}/pause: PAUSING, then INACTIVE."""
    if project.status != "ACTIVE_HEALTHY":
        return error(400, f"Project can not be paused while it is {project.status}")
    project.status = "PAUSING"
    sandbox.start(_switch(sandbox, project, is_on=False))
    return Answer(200)


async def restore(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """POST /v1/projects/{ref}/restore: RESTORING, then ACTIVE_HEALTHY."""
    if project.status != "INACTIVE":
        return error(400, f"Project can not be restored while it is {project.status}")
    project.status = "RESTORING"
    sandbox.start(_switch(sandbox, project, is_on=True))
    return Answer(200)


async def health(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """GET /v1/projects/{ref}/health?services=auth,db."""
    names = [name for name in call.query.get("services", "").split(",") if name]
    if not names or any(name not in SERVICES for name in names):
        return error(400, "services: Invalid option")
    known = {"ACTIVE_HEALTHY": "ACTIVE_HEALTHY", "COMING_UP": "COMING_UP", "RESTORING": "COMING_UP"}
    status = known.get(project.status, "UNHEALTHY")
    fault = {"error": "connection refused"} if status == "UNHEALTHY" else {}
    services = [{"name": name, "healthy": status == "ACTIVE_HEALTHY", "status": status, **fault} for name in names]
    return json_answer(200, services)


async def drop_all(sandbox: Sandbox) -> None:
    """Drop the databases of all projects, before they are forgotten."""
    await sandbox.postgrest.stop_all()
    for project in sandbox.supabase.projects.values():
        if sandbox.settings.postgres_dsn:
            await supabase_databases.drop(sandbox.settings.postgres_dsn, project.ref)


async def _bring_up(sandbox: Sandbox, dsn: str, project: Project, db_pass: str) -> None:
    """Make the database, and take the time that it takes."""
    ready = asyncio.get_running_loop().time() + sandbox.settings.supabase_project_seconds
    try:
        await supabase_databases.create(dsn, project.ref, db_pass)
    except psycopg.Error as fault:
        log.warning("supabase project %s: %s", project.ref, fault)
        project.status = "INIT_FAILED"
        return
    await asyncio.sleep(max(0.0, ready - asyncio.get_running_loop().time()))
    if project.ref not in sandbox.supabase.projects:
        await supabase_databases.drop(dsn, project.ref)  # deleted while it came up
    project.status = "ACTIVE_HEALTHY"


async def _switch(sandbox: Sandbox, project: Project, *, is_on: bool) -> None:
    if not is_on:
        await sandbox.postgrest.stop(project.ref)
    if sandbox.settings.postgres_dsn:
        await supabase_databases.allow_connections(sandbox.settings.postgres_dsn, project.ref, is_on)
    await asyncio.sleep(sandbox.settings.supabase_project_seconds)
    project.status = "ACTIVE_HEALTHY" if is_on else "INACTIVE"


def _refusal(body: dict[str, Any]) -> str | None:
    if unknown := sorted(set(body) - _FIELDS):
        return f"Unrecognized key(s) in object: {', '.join(unknown)}"
    for field in ("db_pass", "name", "organization_slug"):
        if not isinstance(body.get(field), str) or not body[field]:
            return f"{field}: Required"
    return "name: String must contain at most 256 character(s)" if len(body["name"]) > 256 else None


def _region(body: dict[str, Any]) -> str | None:
    """The region of a new project; None for one that there is not."""
    selection = body.get("region_selection")
    if selection is None:
        return body.get("region", "us-east-1")
    if not isinstance(selection, dict):
        return None
    code = str(selection.get("code"))
    if selection.get("type") == "smartGroup":
        return SMART_GROUPS.get(code)
    return code if code in REGIONS and selection.get("type") == "specific" else None


def _shown(project: Project) -> dict[str, Any]:
    return {
        "id": project.ref,
        "ref": project.ref,
        "organization_id": ORGANIZATION["slug"],
        "organization_slug": ORGANIZATION["slug"],
        "name": project.name,
        "region": project.region,
        "created_at": project.at.isoformat(),
        "status": project.status,
    }


def _detailed(sandbox: Sandbox, project: Project) -> dict[str, Any]:
    dsn = sandbox.settings.postgres_dsn
    host = supabase_databases.address(dsn)[0] if dsn else ""
    database = {"host": host, "version": "17.6.1.054", "postgres_engine": "17", "release_channel": "ga"}
    return {**_shown(project), "database": database}


def _listed(project: Project) -> dict[str, Any]:
    """As the organization's list has it: other names, and no organization."""
    database = {
        "infra_compute_size": project.size,
        "region": project.region,
        "status": project.status,
        "cloud_provider": "AWS",
        "identifier": project.ref,
        "type": "PRIMARY",
    }
    return {
        "ref": project.ref,
        "name": project.name,
        "cloud_provider": "AWS",
        "region": project.region,
        "is_branch": False,
        "status": project.status,
        "inserted_at": project.at.isoformat(),
        "databases": [database],
    }


ROUTES = (
    Route("GET", f"{ROOT}/organizations", guarded(organizations)),
    Route("GET", f"{ROOT}/organizations/{{slug}}/projects", guarded(find)),
    Route("GET", f"{ROOT}/projects/available-regions", guarded(regions)),
    Route("POST", f"{ROOT}/projects", guarded(create)),
    Route("GET", f"{ROOT}/projects", guarded(everything)),
    Route("GET", f"{ROOT}/projects/{{ref}}", of_project(show)),
    Route("DELETE", f"{ROOT}/projects/{{ref}}", of_project(delete)),
    Route("POST", f"{ROOT}/projects/{{ref}}/pause", of_project(pause)),
    Route("POST", f"{ROOT}/projects/{{ref}}/restore", of_project(restore)),
    Route("GET", f"{ROOT}/projects/{{ref}}/health", of_project(health)),
    *supabase_keys.ROUTES,
    *supabase_sql.ROUTES,
)
