"""WhatsApp Cloud API under /graph: template messages and signed status webhooks; the templates are next door.

A message that was accepted is public at once; its statuses (sent, delivered) go to `{webhook_base}/webhooks/whatsapp`
in the background, also when the client's connection was dropped: that is the only way to find out.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import re
import time
from datetime import UTC, datetime
from typing import Any

import aiohttp

from vendor_sandbox.graph import graph_error
from vendor_sandbox.state import Sandbox
from vendor_sandbox.whatsapp_templates import check_template, check_token, filled, list_templates
from vendor_sandbox.wire import Answer, Call, Route, json_answer

WEBHOOK_ATTEMPTS = 6
_TO = re.compile(r"^\+?[1-9]\d{7,14}$")
_STATUS_CODES = {401: (190, "OAuthException"), 429: (130429, "OAuthException"), 403: (10, "OAuthException")}
_numbers = itertools.count(1)


async def send_message(call: Call, sandbox: Sandbox, version: str, phone: str) -> Answer:
    """POST /{version}/{phone_number_id}/messages."""
    refused = check_token(call)
    if refused:
        return refused
    try:
        body = call.json
    except ValueError:
        return graph_error(400, 100, "(#100) The request body is not valid JSON")
    refused = _check_message(body, sandbox)
    if refused:
        return refused
    await asyncio.sleep(sandbox.settings.whatsapp_latency_seconds)
    digits = body["to"].lstrip("+")
    message_id = "wamid." + hashlib.sha256(f"{time.monotonic_ns()}{next(_numbers)}".encode()).hexdigest()[:40].upper()
    template = body["template"]
    sandbox.public.append(
        {
            "kind": "whatsapp",
            "id": message_id,
            "to": digits,
            "template": template["name"],
            "language": template["language"]["code"],
            "parameters": _parameters(template),
            "text": filled(template["name"], _parameters(template)),
            "callback_data": body.get("biz_opaque_callback_data"),
            "phone_number_id": phone,
            "at": datetime.now(UTC).isoformat(),
        }
    )
    if sandbox.settings.webhook_base and call.fault_kind != "no_status":
        statuses = ["sent", "failed"] if call.fault_kind == "undeliverable" else ["sent", "delivered"]
        callback = body.get("biz_opaque_callback_data")
        sandbox.start(_send_statuses(sandbox, phone, digits, message_id, callback, statuses))
    content = {
        "messaging_product": "whatsapp",
        "contacts": [{"input": body["to"], "wa_id": digits}],
        "messages": [{"id": message_id, "message_status": "accepted"}],
    }
    return json_answer(200, content, {"facebook-api-version": version})


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status."""
    if status < 400:
        return json_answer(status, {})
    if kind == "expired_token":
        return graph_error(401, 190, "Error validating access token: Session has expired.")
    code, error_type = _STATUS_CODES.get(status, (131000, "OAuthException"))
    message = "(#130429) Rate limit hit" if code == 130429 else f"(#{code}) Something went wrong"
    return graph_error(status, code, message, details="scripted", error_type=error_type)


def _check_message(body: Any, sandbox: Sandbox) -> Answer | None:
    """The rules of a template message, in the order in which Meta applies them."""
    if not isinstance(body, dict) or body.get("messaging_product") != "whatsapp":
        return graph_error(400, 100, "(#100) The parameter messaging_product is required.")
    to = body.get("to")
    if not isinstance(to, str) or not _TO.match(to):
        return graph_error(400, 100, "(#100) Invalid parameter", details="to: not a valid phone number")
    if body.get("type") != "template" or not isinstance(body.get("template"), dict):
        return graph_error(400, 131047, "(#131047) Re-engagement message", details="only templates open a conversation")
    template = body["template"]
    parameters = _parameters(template)
    refused = check_template(sandbox, str(template.get("name")), _language(template), len(parameters))
    if refused:
        return refused
    if any(not isinstance(text, str) or not text.strip() for text in parameters):
        return graph_error(400, 131008, "(#131008) Required parameter is missing", details="text of a parameter")
    if any(re.search(r"[\n\t]| {5,}", text) for text in parameters):
        details = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
        return graph_error(400, 100, "(#100) Invalid parameter", details=details)
    if len(str(body.get("biz_opaque_callback_data") or "")) > 512:
        return graph_error(400, 100, "(#100) Invalid parameter", details="biz_opaque_callback_data: too long")
    return None


def _language(template: dict[str, Any]) -> str:
    return str((template.get("language") or {}).get("code"))


def _parameters(template: dict[str, Any]) -> list[Any]:
    return [
        parameter.get("text")
        for component in template.get("components") or []
        if component.get("type") == "body"
        for parameter in component.get("parameters") or []
    ]


async def _send_statuses(
    sandbox: Sandbox, phone: str, to: str, message_id: str, callback: str | None, statuses: list[str]
) -> None:
    settings = sandbox.settings
    for status in statuses:
        await asyncio.sleep(settings.whatsapp_status_seconds)
        entry: dict[str, Any] = {
            "id": message_id,
            "status": status,
            "timestamp": str(int(time.time())),
            "recipient_id": to,
        }
        if callback is not None:
            entry["biz_opaque_callback_data"] = callback
        if status == "failed":
            entry["errors"] = [
                {"code": 131026, "title": "Message undeliverable", "error_data": {"details": "Unable to deliver."}}
            ]
        value = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "27110000000", "phone_number_id": phone},
            "statuses": [entry],
        }
        change = {"field": "messages", "value": value}
        body = {"object": "whatsapp_business_account", "entry": [{"id": "200000000000002", "changes": [change]}]}
        await _post_webhook(f"{settings.webhook_base}/webhooks/whatsapp", json.dumps(body).encode(), sandbox)


async def _post_webhook(url: str, raw: bytes, sandbox: Sandbox) -> None:
    """Post until the receiver answers 200, a few times, as Meta does for longer."""
    secret = sandbox.settings.whatsapp_app_secret.encode()
    signature = "sha256=" + hmac.new(secret, raw, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-hub-signature-256": signature}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as client:
        for attempt in range(WEBHOOK_ATTEMPTS):
            try:
                async with client.post(url, data=raw, headers=headers) as answer:
                    if answer.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass
            await asyncio.sleep(sandbox.settings.whatsapp_retry_seconds * 2**attempt)


ROUTES = (
    Route("POST", "/graph/{version}/{phone}/messages", send_message),
    Route("GET", "/graph/{version}/{waba}/message_templates", list_templates),
)
