"""What the Messages API refuses: access, fields, tools, and JSON schemas that structured output does not take.

Messages follow the API's wording, since operators meet them in logs. Source: SDK 2.12 types, API 2026-10-21.
"""

import functools
import json
import re
from typing import Any

import jsonschema

from vendor_sandbox.claude_models import find_model
from vendor_sandbox.wire import Call

_FIELDS = frozenset(
    {
        "model", "max_tokens", "messages", "system", "tools", "tool_choice", "output_config", "thinking",
        "cache_control", "metadata", "service_tier", "stop_sequences", "inference_geo", "container", "speed", "stream",
        "context_management", "diagnostics",
    }
)  # fmt: skip
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_SEARCH_TOOLS = ("web_search_20250305", "web_search_20260209", "web_search_20260318")
_UNSUPPORTED = {
    "string": ("minLength", "maxLength"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": ("maxItems", "uniqueItems", "contains", "prefixItems"),
    "object": ("minProperties", "maxProperties", "patternProperties", "propertyNames"),
}
_SCHEMA = "output_config.format.schema"


class RequestError(Exception):
    """What is answered instead of a message."""

    def __init__(self, message: str, *, status: int = 400, error_type: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.type = error_type


def check_access(call: Call) -> None:
    """Key by Authorization: Bearer or x-api-key; keys that start with `bad` stand for revoked ones."""
    key = call.headers.get("x-api-key") or call.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if not key:
        raise RequestError("x-api-key header is required", status=401, error_type="authentication_error")
    if key.startswith("bad"):
        raise RequestError("invalid x-api-key", status=401, error_type="authentication_error")
    if "anthropic-version" not in call.headers:
        raise RequestError("anthropic-version: header is required")


def check_message(body: dict[str, Any], *, is_counting: bool = False) -> None:
    """Check the parameters of one message.

    Raises:
        RequestError: with the status and the words of the API.
    """
    required = ("model", "messages") if is_counting else ("model", "max_tokens", "messages")
    for name in required:
        if body.get(name) is None:
            raise RequestError(f"{name}: Field required")
    for name in body:
        if name not in _FIELDS:
            raise RequestError(f"{name}: Extra inputs are not permitted")
    if body.get("stream"):
        raise RequestError("stream: the sandbox answers whole messages only")
    _check_model(body, is_counting)
    _check_turns(body["messages"])
    config = body.get("output_config") or {}
    if (effort := config.get("effort")) is not None and effort not in _EFFORTS:
        raise RequestError("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
    if (output := config.get("format")) is not None:
        if output.get("type") != "json_schema" or not isinstance(output.get("schema"), dict):
            raise RequestError("output_config.format: Input should be {'type': 'json_schema', 'schema': {...}}")
        fault = _schema_fault(json.dumps(output["schema"]))
        if fault:
            raise RequestError(f"{_SCHEMA}: {fault}")
    for index, tool in enumerate(body.get("tools") or []):
        _check_tool(index, tool)


def text_of(content: Any) -> str:
    """All text of a system prompt or of a turn's content."""
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content or [] if isinstance(block, dict))


def _check_model(body: dict[str, Any], is_counting: bool) -> None:
    model = find_model(str(body["model"]))
    if model is None or model["lifecycle"] == "retired":
        raise RequestError(f"model: {body['model']}", status=404, error_type="not_found_error")
    if is_counting:
        return
    limit = body["max_tokens"]
    if not isinstance(limit, int) or limit < 1:
        raise RequestError("max_tokens: Input should be greater than or equal to 1")
    if limit > model["max_tokens"]:
        raise RequestError(
            f"max_tokens: {limit} > {model['max_tokens']}, which is the maximum allowed number of output tokens "
            f"for {body['model']}"
        )


def _check_turns(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise RequestError("messages: at least one message is required")
    for index, turn in enumerate(messages):
        if not isinstance(turn, dict) or turn.get("role") not in ("user", "assistant"):
            raise RequestError(f"messages.{index}.role: Input should be 'user' or 'assistant'")
        if not turn.get("content"):
            raise RequestError(f"messages.{index}: all messages must have non-empty content")


def _check_tool(index: int, tool: dict[str, Any]) -> None:
    kind = tool.get("type", "custom")
    if not kind.startswith("web_search"):
        return
    if kind not in _SEARCH_TOOLS or tool.get("name") != "web_search":
        raise RequestError(f"tools.{index}: Input tag '{kind}' found using 'type' does not match any known tool")
    if tool.get("allowed_domains") is not None and tool.get("blocked_domains") is not None:
        raise RequestError(f"tools.{index}: Only one of allowed_domains and blocked_domains may be specified")
    if (uses := tool.get("max_uses")) is not None and uses < 1:
        raise RequestError(f"tools.{index}.max_uses: Input should be greater than 0")


@functools.lru_cache(maxsize=256)
def _schema_fault(text: str) -> str | None:
    """Why structured output cannot take this schema, or None. Cached: a client sends few different ones."""
    schema = json.loads(text)
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return f"Invalid JSON schema: {error.message}"
    return _node_fault(schema) or _cycle_fault(schema)


def _node_fault(node: Any) -> str | None:
    if isinstance(node, list):
        return next((fault for item in node if (fault := _node_fault(item))), None)
    if not isinstance(node, dict):
        return None
    kind = node.get("type")
    if (kind == "object" or "properties" in node) and node.get("additionalProperties") is not False:
        return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    if kind == "array" and node.get("minItems", 0) > 1:
        return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    if isinstance(kind, str) and (found := [word for word in _UNSUPPORTED.get(kind, ()) if word in node]):
        return f"For '{kind}' type, properties {', '.join(found)} are not supported"
    for name, value in node.items():
        if name in ("properties", "$defs", "definitions"):
            fault = _node_fault(list(value.values()))
        elif name in ("items", "anyOf", "allOf", "oneOf", "not"):
            fault = _node_fault(value)
        else:
            fault = None
        if fault:
            return fault
    return None


def _cycle_fault(schema: dict[str, Any]) -> str | None:
    definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    uses = {
        name: set(re.findall(r'"\$ref": "#/(?:\$defs|definitions)/([^"]+)"', json.dumps(node)))
        for name, node in definitions.items()
    }
    for start in uses:
        seen, waiting = set(), list(uses[start])
        while waiting:
            name = waiting.pop()
            if name == start:
                return f"Recursive $ref is not supported: '{start}' refers to itself"
            if name not in seen:
                seen.add(name)
                waiting.extend(uses.get(name, ()))
    if '"$ref": "#"' in json.dumps(schema):
        return "Recursive $ref is not supported: '#' refers to itself"
    return None
