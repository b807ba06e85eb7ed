"""Keys and settings of Supabase projects, as the Management API of the sandbox has them.

Lives here: API keys, the settings of a project's Auth. Does not live here: what a key opens
(`supabase_auth_access.py`).
"""

import hashlib
import re
from typing import Any

from vendor_sandbox.state import Sandbox
from vendor_sandbox.supabase_access import ROOT, error, object_of, of_project
from vendor_sandbox.supabase_projects import ApiKey, Project
from vendor_sandbox.wire import Answer, Call, Route, json_answer

_KEY_NAME = re.compile(r"[a-z_][a-z0-9_]{3,63}")


async def list_keys(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """GET /v1/projects/{ref}/api-keys?reveal=."""
    return json_answer(200, [_key(key, is_revealed=call.query.get("reveal") == "true") for key in project.keys])


async def create_key(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """POST /v1/projects/{ref}/api-keys?reveal= {"type", "name"}."""
    body = object_of(call) or {}
    kind, name = body.get("type"), body.get("name")
    if kind not in ("publishable", "secret") or not isinstance(name, str) or not _KEY_NAME.fullmatch(name):
        return error(400, "type or name: Invalid input")
    return json_answer(201, _key(project.add_key(kind, name), is_revealed=call.query.get("reveal") == "true"))


async def delete_key(call: Call, sandbox: Sandbox, project: Project, key_id: str) -> Answer:
    """DELETE /v1/projects/{ref}/api-keys/{id}."""
    for key in project.keys:
        if key.id == key_id and key.type != "legacy":
            project.keys.remove(key)
            return json_answer(200, _key(key, is_revealed=False))
    return error(404, "API key not found")


async def auth_config(call: Call, sandbox: Sandbox, project: Project) -> Answer:
    """GET and PATCH /v1/projects/{ref}/config/auth. The SMTP password comes back as a hash."""
    if call.method == "PATCH":
        body = object_of(call)
        unknown = sorted(set(body or {}) - set(project.auth_config))
        if body is None or unknown:
            return error(400, f"Unrecognized key(s) in object: {', '.join(unknown)}")
        if isinstance(body.get("smtp_port"), int):
            return error(400, "smtp_port: Expected string, received number")
        project.auth_config.update(body)
    shown = dict(project.auth_config)
    if shown["smtp_pass"]:
        shown["smtp_pass"] = hashlib.sha256(shown["smtp_pass"].encode()).hexdigest()
    return json_answer(200, shown)


def _key(key: ApiKey, *, is_revealed: bool) -> dict[str, Any]:
    is_shown = is_revealed or key.type != "secret"
    return {
        "id": key.id,
        "name": key.name,
        "type": key.type,
        "api_key": key.api_key if is_shown else f"{key.api_key[:15]}{'·' * 16}",
        "prefix": key.api_key[:15],
        "hash": hashlib.sha256(key.api_key.encode()).hexdigest(),
        "inserted_at": key.at.isoformat(),
        "updated_at": key.at.isoformat(),
    }


ROUTES = (
    Route("GET", f"{ROOT}/projects/{{ref}}/api-keys", of_project(list_keys)),
    Route("POST", f"{ROOT}/projects/{{ref}}/api-keys", of_project(create_key)),
    Route("DELETE", f"{ROOT}/projects/{{ref}}/api-keys/{{key_id}}", of_project(delete_key)),
    Route("GET", f"{ROOT}/projects/{{ref}}/config/auth", of_project(auth_config)),
    Route("PATCH", f"{ROOT}/projects/{{ref}}/config/auth", of_project(auth_config)),
)
