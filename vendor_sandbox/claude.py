"""The Anthropic Messages API under /anthropic: messages, count_tokens, models, and the wire form of its errors.

Lives here: routes, the envelope of an answer, usage, rate-limit headers, and Claude's own ways to fail. Not here: what
a request may hold (claude_requests.py), batches (claude_batches.py), what the answer says (claude_writer.py).
"""

import asyncio
import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from vendor_sandbox import claude_search, claude_writer
from vendor_sandbox.claude_models import MODELS, find_model
from vendor_sandbox.claude_requests import RequestError, check_access, check_message, text_of
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route, json_answer

CHARS_PER_TOKEN = 4
CACHE_MIN_TOKENS = 1024
REQUESTS_PER_MINUTE = 4000
TOKENS_PER_MINUTE = 2_000_000
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_REFUSAL_TEXT = "I can't help with this request."


async def create_message(call: Call, sandbox: Sandbox) -> Answer:
    """POST /v1/messages."""
    try:
        check_access(call)
        body = _body(call)
        check_message(body)
    except RequestError as error:
        return error_answer(error.status, error.type, str(error))
    await asyncio.sleep(sandbox.settings.claude_latency_seconds)
    refused = _refused(call.fault_kind)
    if refused:
        return refused
    return json_answer(200, answer_message(body, sandbox, call.fault or {}), _headers(body))


async def count_tokens(call: Call, sandbox: Sandbox) -> Answer:
    """POST /v1/messages/count_tokens."""
    try:
        check_access(call)
        body = _body(call)
        check_message(body, is_counting=True)
    except RequestError as error:
        return error_answer(error.status, error.type, str(error))
    return json_answer(200, {"input_tokens": _input_tokens(body)}, _headers(body))


async def list_models(call: Call, sandbox: Sandbox) -> Answer:
    """GET /v1/models: the whole list on one page."""
    try:
        check_access(call)
    except RequestError as error:
        return error_answer(error.status, error.type, str(error))
    page = {"data": MODELS, "has_more": False, "first_id": MODELS[0]["id"], "last_id": MODELS[-1]["id"]}
    return json_answer(200, page, _headers({}))


async def get_model(call: Call, sandbox: Sandbox, model: str) -> Answer:
    """GET /v1/models/{id}."""
    try:
        check_access(call)
    except RequestError as error:
        return error_answer(error.status, error.type, str(error))
    found = find_model(model)
    return json_answer(200, found, _headers({})) if found else error_answer(404, "not_found_error", f"model: {model}")


def answer_message(body: dict[str, Any], sandbox: Sandbox, fault: dict[str, Any]) -> dict[str, Any]:
    """The message for a checked request: the same request gives the same text, under a new id."""
    seed = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    kind = fault.get("kind", "")
    found = claude_search.search(body, seed, sandbox.settings.claude_max_searches, fault)
    text = claude_writer.write(body, seed, found, sandbox.settings, too_long=kind == "content_too_long")
    stop_reason, stop_details = "end_turn", None
    if kind == "rubbish":
        text = fault.get("text", "Here is what I found about the company:\n\n- it seems to be a business\n- {not json")
    elif kind == "truncated":
        text, stop_reason = text[: max(1, len(text) * 3 // 5)], "max_tokens"
    elif kind == "refusal":
        found, text, stop_reason = None, _REFUSAL_TEXT, "refusal"
        category = fault.get("category", "general_harms")
        stop_details = {"type": "refusal", "category": category, "explanation": "This request was declined."}
    elif len(text) > body["max_tokens"] * CHARS_PER_TOKEN:
        text, stop_reason = text[: body["max_tokens"] * CHARS_PER_TOKEN], "max_tokens"
    content = found.blocks if found else []
    if kind == "pause_turn":
        stop_reason = "pause_turn"
        content = content or [{"type": "text", "text": "I am still looking into this."}]
    else:
        content = [*content, {"type": "text", "text": text}]
    return {
        "id": "msg_01" + _fresh_id(seed),
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "stop_details": stop_details,
        "usage": _usage(body, content, found.searches if found else 0, sandbox),
    }


def error_body(error_type: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """An error as it also stands in batch results."""
    error: dict[str, Any] = {"type": error_type, "message": message}
    if details:
        error["details"] = details
    return {"type": "error", "error": error, "request_id": "req_01" + _fresh_id(message)}


def error_answer(status: int, error_type: str, message: str, details: dict[str, Any] | None = None) -> Answer:
    content = error_body(error_type, message, details)
    return json_answer(status, content, {"request-id": content["request_id"]})


def scripted_error(status: int, kind: str) -> Answer:
    """The error that a fault script asks for by its status."""
    if kind == "expired_token":
        return error_answer(401, "authentication_error", "invalid x-api-key")
    if status < 400:
        return json_answer(status, {})
    message = "Number of requests has exceeded your rate limit" if status == 429 else f"scripted status {status}"
    return error_answer(status, _ERROR_TYPES.get(status, "api_error"), message)


def _refused(kind: str) -> Answer | None:
    if kind == "overloaded":
        return error_answer(529, "overloaded_error", "Overloaded")
    if kind == "spend_limit":
        message = "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."
        return error_answer(429, "rate_limit_error", message, {"error_code": "enforced_spend_limit_reached"})
    return None


def _body(call: Call) -> dict[str, Any]:
    try:
        body = call.json
    except ValueError as error:
        raise RequestError(f"The request body is not valid JSON: {error}") from error
    if not isinstance(body, dict):
        raise RequestError("Input should be a valid dictionary")
    return body


def _usage(body: dict[str, Any], content: list[dict[str, Any]], searches: int, sandbox: Sandbox) -> dict[str, Any]:
    total = _input_tokens(body)
    cached, is_known = _cached_tokens(body, sandbox)
    results = sum(len(json.dumps(block)) for block in content if block["type"] == "web_search_tool_result")
    written = sum(len(json.dumps(block)) for block in content if block["type"] != "web_search_tool_result")
    return {
        "input_tokens": total - cached + results // CHARS_PER_TOKEN,
        "output_tokens": max(1, written // CHARS_PER_TOKEN),
        "cache_creation_input_tokens": 0 if is_known else cached,
        "cache_read_input_tokens": cached if is_known else 0,
        "server_tool_use": {"web_search_requests": searches, "web_fetch_requests": 0} if searches else None,
        "service_tier": "standard",
    }


def _input_tokens(body: dict[str, Any]) -> int:
    texts = [text_of(body.get("system")), *(text_of(message.get("content")) for message in body["messages"])]
    extra = [body[name] for name in ("tools", "output_config") if body.get(name)]
    return max(1, (sum(map(len, texts)) + len(json.dumps(extra))) // CHARS_PER_TOKEN)


def _cached_tokens(body: dict[str, Any], sandbox: Sandbox) -> tuple[int, bool]:
    """Tokens up to the system prompt's cache breakpoint, and whether this prefix was cached before."""
    system = body.get("system")
    if not isinstance(system, list) or not any(block.get("cache_control") for block in system):
        return 0, False
    last = max(index for index, block in enumerate(system) if block.get("cache_control"))
    prefix = text_of(system[: last + 1])
    if len(prefix) // CHARS_PER_TOKEN < CACHE_MIN_TOKENS:
        return 0, False
    key = f"{body['model']}\0{prefix}"
    is_known = key in sandbox.cached_prefixes
    sandbox.cached_prefixes.add(key)
    return len(prefix) // CHARS_PER_TOKEN, is_known


def _headers(body: dict[str, Any]) -> dict[str, str]:
    now = datetime.now(UTC)
    reset = (now.replace(second=0, microsecond=0) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    headers = {"request-id": "req_01" + _fresh_id(""), "anthropic-organization-id": "sandbox"}
    for name, limit in (
        ("requests", REQUESTS_PER_MINUTE),
        ("tokens", TOKENS_PER_MINUTE),
        ("input-tokens", TOKENS_PER_MINUTE),
        ("output-tokens", TOKENS_PER_MINUTE),
    ):
        headers[f"anthropic-ratelimit-{name}-limit"] = str(limit)
        headers[f"anthropic-ratelimit-{name}-remaining"] = str(limit - 1)
        headers[f"anthropic-ratelimit-{name}-reset"] = reset
    return headers


def _fresh_id(seed: str) -> str:
    return hashlib.sha256(f"{seed}{time.monotonic_ns()}".encode()).hexdigest()[:22]


ROUTES = (
    Route("POST", "/anthropic/v1/messages", create_message),
    Route("POST", "/anthropic/v1/messages/count_tokens", count_tokens),
    Route("GET", "/anthropic/v1/models", list_models),
    Route("GET", "/anthropic/v1/models/{model}", get_model),
)
