"""n8n of the sandbox, under /n8n: its public API, and the list of all its routes.

Lives here: workflows, credentials, discovery. Does not live here: the webhooks of published workflows
(`n8n_webhooks.py`), what a workflow is (`n8n_workflows.py`).
"""

import base64
import binascii
import json
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from vendor_sandbox import n8n_webhooks
from vendor_sandbox.n8n_workflows import TRIGGERS, Credential, Workflow, new_id
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Handler, Route, json_answer

_ROOT = "/n8n/api/v1"
_WRITABLE = ("name", "nodes", "connections", "settings", "staticData", "pinData", "projectId", "parentFolderId")
_REQUIRED = ("name", "nodes", "connections", "settings")
_READ_ONLY = frozenset(
    {"id", "active", "createdAt", "updatedAt", "isArchived", "versionId", "triggerCount", "meta", "tags", "shared"}
    | {"activeVersion"}
)
_SETTINGS = frozenset(
    {"saveExecutionProgress", "saveManualExecutions", "saveDataErrorExecution", "saveDataSuccessExecution"}
    | {"executionTimeout", "errorWorkflow", "timezone", "executionOrder", "callerPolicy", "callerIds"}
    | {"timeSavedPerExecution", "availableInMCP"}
)
_CREDENTIAL_ID = re.compile(r"[a-zA-Z0-9_-]{1,16}")
_WORDS = {401: "unauthorized", 403: "Forbidden", 404: "Not Found", 415: "unsupported media type"}
MAX_PAGE = 250

Work = Callable[..., Awaitable[Answer]]


def guarded(scope: str, work: Work) -> Handler:
    """The handler of an endpoint: key and scope first, then `work(call, sandbox, ...)`."""

    async def handle(call: Call, sandbox: Sandbox, **parts: str) -> Answer:
        key = call.headers.get("x-n8n-api-key", "")
        if not key:
            return error(401, "'X-N8N-API-KEY' header required")
        if key.startswith("bad"):
            return error(401, "unauthorized")
        if scope and scope not in sandbox.settings.n8n_scopes.split(","):
            return error(403, "Forbidden")
        return await work(call, sandbox, **parts)

    return handle


def of_workflow(scope: str, work: Work) -> Handler:
    """As `guarded`, for the endpoints below a workflow: `work(call, sandbox, workflow)`."""

    async def find(call: Call, sandbox: Sandbox, workflow: str) -> Answer:
        found = sandbox.n8n.workflows.get(workflow)
        return await work(call, sandbox, found) if found else error(404, "Not Found")

    return guarded(scope, find)


def error(status: int, message: str, **more: str) -> Answer:
    return json_answer(status, {"message": message, **more})


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status."""
    return error(status, _WORDS.get(status, f"scripted {kind}")) if status >= 400 else json_answer(status, {})


async def create(call: Call, sandbox: Sandbox) -> Answer:
    """POST /workflows: 200. Nothing keeps a name from being there twice."""
    body, refused = _definition(call)
    if refused:
        return refused
    workflow = Workflow(body)
    sandbox.n8n.workflows[workflow.id] = workflow
    return json_answer(200, _shown(workflow))


async def find(call: Call, sandbox: Sandbox) -> Answer:
    """GET /workflows?name=&active=&limit=&cursor=: `name` is sought anywhere in a name."""
    try:
        place = json.loads(base64.b64decode(call.query["cursor"], validate=True)) if "cursor" in call.query else {}
        limit, offset = int(place.get("limit", call.query.get("limit", 100))), int(place.get("offset", 0))
    except (ValueError, binascii.Error, AttributeError):
        return error(400, "An invalid cursor was provided")
    if not 1 <= limit <= MAX_PAGE:
        return error(400, f"request/query/limit must be <= {MAX_PAGE}")
    name, active = call.query.get("name", "").lower(), call.query.get("active")
    found = [
        workflow
        for workflow in sandbox.n8n.workflows.values()
        if name in workflow.name.lower() and active in (None, str(workflow.published is not None).lower())
    ]
    end = offset + limit
    is_more = len(found) > end
    cursor = base64.b64encode(json.dumps({"limit": limit, "offset": end}).encode()).decode() if is_more else None
    return json_answer(200, {"data": [_shown(one) for one in found[offset:end]], "nextCursor": cursor})


async def show(call: Call, sandbox: Sandbox, workflow: Workflow) -> Answer:
    """GET /workflows/{id}."""
    return json_answer(200, _shown(workflow))


async def update(call: Call, sandbox: Sandbox, workflow: Workflow) -> Answer:
    """PUT /workflows/{id}?publishIfActive=: a published one is published anew, unless told otherwise."""
    body, refused = _definition(call)
    if refused:
        return refused
    before, workflow.definition = workflow.definition, body
    if workflow.published is not None and call.query.get("publishIfActive", "true") == "true":
        if sandbox.n8n.has_conflict(workflow):
            workflow.definition = before
            return _conflict()
        workflow.published = body["nodes"]
    workflow.version = str(uuid.uuid4())
    return json_answer(200, _shown(workflow))


async def publish(call: Call, sandbox: Sandbox, workflow: Workflow) -> Answer:
    """POST /workflows/{id}/publish: 200, also where it is published; 409 where a webhook's path is taken."""
    if call.fault_kind == "review_pending":
        message = "Publishing is blocked by an open workflow review"
        return error(409, message, reason="review_pending", workflowReviewRequestId=new_id())
    if workflow.is_archived:
        return error(400, "Cannot activate an archived workflow.")
    nodes = workflow.definition["nodes"]
    if not any(node.get("type") in TRIGGERS for node in nodes):
        return error(400, "Workflow cannot be activated because it has no trigger node.")
    if sandbox.n8n.has_conflict(workflow):
        return _conflict()
    workflow.published = nodes
    return json_answer(200, _shown(workflow))


async def unpublish(call: Call, sandbox: Sandbox, workflow: Workflow) -> Answer:
    """POST /workflows/{id}/unpublish: 200."""
    workflow.published = None
    return json_answer(200, _shown(workflow))


async def archive(call: Call, sandbox: Sandbox, workflow: Workflow) -> Answer:
    """POST /workflows/{id}/archive: 200, and it is unpublished."""
    workflow.published, workflow.is_archived = None, True
    return json_answer(200, _shown(workflow))


async def add_credential(call: Call, sandbox: Sandbox) -> Answer:
    """POST /credentials: 200; 409 where the id is taken."""
    body = _object(call)
    credential_id = body.get("id", new_id())
    if not isinstance(credential_id, str) or not _CREDENTIAL_ID.fullmatch(credential_id):
        return error(400, 'request/body/id must match pattern "^[a-zA-Z0-9_-]+$"')
    if refused := _credential_fault(body):
        return refused
    if credential_id in sandbox.n8n.credentials:
        return error(409, f'Credential with ID "{credential_id}" already exists.')
    credential = Credential(credential_id, body["name"], body["type"], body["data"])
    sandbox.n8n.credentials[credential_id] = credential
    return json_answer(200, _credential(credential))


async def change_credential(call: Call, sandbox: Sandbox, credential: str) -> Answer:
    """PATCH /credentials/{id}: 200."""
    found, body = sandbox.n8n.credentials.get(credential), _object(call)
    if found is None:
        return error(404, "Credential not found")
    merged = {"name": found.name, "type": found.type, "data": found.data} | body
    if refused := _credential_fault(merged):
        return refused
    found.name, found.type, found.data = merged["name"], merged["type"], merged["data"]
    return json_answer(200, _credential(found))


async def delete_credential(call: Call, sandbox: Sandbox, credential: str) -> Answer:
    """DELETE /credentials/{id}: 200 with what was deleted."""
    found = sandbox.n8n.credentials.pop(credential, None)
    return json_answer(200, _credential(found)) if found else error(404, "Not Found")


async def discover(call: Call, sandbox: Sandbox) -> Answer:
    """GET /discover: what the key may do."""
    scopes = [scope for scope in sandbox.settings.n8n_scopes.split(",") if scope]
    return json_answer(200, {"scopes": scopes, "resources": {}, "filters": {}, "specUrl": "/api/v1/openapi.yml"})


def _definition(call: Call) -> tuple[dict[str, Any], Answer | None]:
    """A workflow as it may be sent, or n8n's refusal."""
    body = _object(call)
    for name in body:
        if name in _READ_ONLY:
            return body, error(400, f"request/body/{name} is read-only")
        if name not in (*_WRITABLE, "nodeGroups"):
            return body, error(400, "request/body must NOT have additional properties")
    for name in _REQUIRED:
        if name not in body:
            return body, error(400, f"request/body must have required property '{name}'")
    if not isinstance(body["name"], str) or not isinstance(body["nodes"], list):
        return body, error(400, "request/body/nodes must be array")
    if not isinstance(body["settings"], dict) or not set(body["settings"]) <= _SETTINGS:
        return body, error(400, "request/body/settings must NOT have additional properties")
    return body, None


def _credential_fault(body: dict[str, Any]) -> Answer | None:
    if body.get("type") != "httpHeaderAuth":
        return error(400, "req.body.type is not a known type")
    if not isinstance(body.get("name"), str) or not isinstance(body.get("data"), dict):
        return error(400, "request/body must have required property 'data'")
    missing = [name for name in ("name", "value") if name not in body["data"]]
    return error(400, f'request.body.data requires property "{missing[0]}"') if missing else None


def _object(call: Call) -> dict[str, Any]:
    try:
        body = call.json
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _conflict() -> Answer:
    return error(409, "There is a conflict with one of the webhooks.")


def _shown(workflow: Workflow) -> dict[str, Any]:
    return {
        **workflow.definition,
        "id": workflow.id,
        "active": workflow.published is not None,
        "isArchived": workflow.is_archived,
        "versionId": workflow.version,
        "activeVersionId": workflow.version if workflow.published is not None else None,
        "createdAt": workflow.at.isoformat(),
        "updatedAt": workflow.at.isoformat(),
    }


def _credential(credential: Credential) -> dict[str, Any]:
    """Without its data."""
    at = credential.at.isoformat()
    return {"id": credential.id, "name": credential.name, "type": credential.type, "createdAt": at, "updatedAt": at}


_OF_WORKFLOW = f"{_ROOT}/workflows/{{workflow}}"
ROUTES = (
    Route("POST", f"{_ROOT}/workflows", guarded("workflow:create", create)),
    Route("GET", f"{_ROOT}/workflows", guarded("workflow:list", find)),
    Route("GET", _OF_WORKFLOW, of_workflow("workflow:read", show)),
    Route("PUT", _OF_WORKFLOW, of_workflow("workflow:update", update)),
    Route("POST", f"{_OF_WORKFLOW}/publish", of_workflow("workflow:activate", publish)),
    Route("POST", f"{_OF_WORKFLOW}/unpublish", of_workflow("workflow:deactivate", unpublish)),
    Route("POST", f"{_OF_WORKFLOW}/archive", of_workflow("workflow:delete", archive)),
    Route("POST", f"{_ROOT}/credentials", guarded("credential:create", add_credential)),
    Route("PATCH", f"{_ROOT}/credentials/{{credential}}", guarded("credential:update", change_credential)),
    Route("DELETE", f"{_ROOT}/credentials/{{credential}}", guarded("credential:delete", delete_credential)),
    Route("GET", f"{_ROOT}/discover", guarded("", discover)),
    *n8n_webhooks.ROUTES,
)
