"""The production webhooks of published workflows, under /n8n/webhook.

Lives here: finding the node, its header authentication, n8n's wording, and the one kind of workflow that is carried
out: an HTTP Request node between webhook and answer forwards what came in. Everything else is remembered and goes
nowhere. Does not live here: who may publish which path (`n8n_workflows.py`).
"""

import hmac
import json
from datetime import UTC, datetime
from typing import Any

import aiohttp

from vendor_sandbox.n8n_workflows import Workflow
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route, json_answer

_ROOT = "/n8n/webhook/"
_HTTP_REQUEST = "n8n-nodes-base.httpRequest"
_IN_WORKFLOW = "Error in workflow"
_HINT = (
    "The workflow must be active for a production URL to run successfully. You can activate the workflow using the"
    " toggle in the top-right of the editor. Note that unlike test URL calls, production URL calls aren't shown on the"
    " canvas (only in the executions list)"
)


async def receive(call: Call, sandbox: Sandbox) -> Answer:
    """Any method on /webhook/{path}: 200 where a published workflow has it and the header is right."""
    path = call.path.removeprefix(_ROOT).rstrip("/")
    there = {method: (node, workflow) for method, known, node, workflow in sandbox.n8n.serving() if _fits(known, path)}
    if call.method not in there:
        return _unknown(call.method, path, sorted(there))
    node, workflow = there[call.method]
    if refused := _refused(call, sandbox, node):
        return refused
    workflow.received.append({"path": path, "at": datetime.now(UTC).isoformat(), "body": _readable(call)})
    forward = next((one for one in workflow.published or [] if one["type"] == _HTTP_REQUEST), None)
    forwarded = await _forwarded(call, sandbox, forward) if forward else None
    mode = (node.get("parameters") or {}).get("responseMode", "onReceived")
    if mode != "responseNode":
        return json_answer(200, {"message": "Workflow was started"})
    return _responded(workflow) if forward is None else forwarded or json_answer(500, {"message": _IN_WORKFLOW})


def _refused(call: Call, sandbox: Sandbox, node: dict[str, Any]) -> Answer | None:
    """Plain text: 500 where the node's credential is missing, 403 where the header is not what it says."""
    if (node.get("parameters") or {}).get("authentication", "none") != "headerAuth":
        return None
    named = ((node.get("credentials") or {}).get("httpHeaderAuth") or {}).get("id")
    credential = sandbox.n8n.credentials.get(str(named))
    if credential is None:
        return Answer(500, b"No authentication data defined on node!")
    sent = call.headers.get(str(credential.data["name"]).lower(), "")
    if not hmac.compare_digest(sent.encode(), str(credential.data["value"]).encode()):
        return Answer(403, b"Authorization data is wrong!")
    return None


async def _forwarded(call: Call, sandbox: Sandbox, node: dict[str, Any]) -> Answer | None:
    """What an HTTP Request node gets for the webhook's body, with its credential's header; None for silence."""
    named = ((node.get("credentials") or {}).get("httpHeaderAuth") or {}).get("id")
    credential = sandbox.n8n.credentials.get(str(named))
    headers = {str(credential.data["name"]): str(credential.data["value"])} if credential else {}
    headers["content-type"] = "application/json"
    if delivery_id := call.headers.get("x-delivery-id"):
        headers["x-delivery-id"] = delivery_id
    url, body = str(node["parameters"]["url"]), json.dumps(_readable(call)).encode()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as client:
        try:
            async with client.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                kind = answer.headers.get("content-type", "application/json; charset=utf-8")
                return Answer(answer.status, await answer.read(), {"content-type": kind})
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


def _responded(workflow: Workflow) -> Answer:
    """What the workflow's Respond to Webhook node says."""
    node = next((one for one in workflow.published or [] if one["type"] == "n8n-nodes-base.respondToWebhook"), {})
    parameters = node.get("parameters") or {}
    status = int((parameters.get("options") or {}).get("responseCode", 200))
    body = parameters.get("responseBody", "{}")
    return Answer(status, str(body).encode(), {"content-type": "application/json; charset=utf-8"})


def _unknown(method: str, path: str, others: list[str]) -> Answer:
    if others:
        known = " or ".join(filter(None, (", ".join(others[:-1]), others[-1])))
        message = f"This webhook is not registered for {method} requests. Did you mean to make a {known} request?"
        return json_answer(404, {"code": 404, "message": message})
    message = f'The requested webhook "{method} {path}" is not registered.'
    return json_answer(404, {"code": 404, "message": message, "hint": _HINT})


def _fits(known: str, path: str) -> bool:
    """`:part` of a path stands for one segment."""
    parts, asked = known.split("/"), path.split("/")
    return len(parts) == len(asked) and all(
        part.startswith(":") or part == one for part, one in zip(parts, asked, strict=True)
    )


def _readable(call: Call) -> Any:
    try:
        return call.json
    except ValueError:
        return call.body.decode("utf-8", "replace")


ROUTES = tuple(Route(method, f"{_ROOT}*", receive) for method in ("DELETE", "GET", "PATCH", "POST", "PUT"))
