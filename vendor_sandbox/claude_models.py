"""The models that the sandbox knows, in the form of GET /v1/models."""

from typing import Any

_ON, _OFF = {"supported": True}, {"supported": False}
_CAPABILITIES: dict[str, Any] = {
    "batch": _ON,
    "citations": _ON,
    "code_execution": _ON,
    "context_management": {
        "supported": True,
        "clear_thinking_20251015": _ON,
        "clear_tool_uses_20250919": _ON,
        "compact_20260112": _ON,
    },
    "effort": {"supported": True, "low": _ON, "medium": _ON, "high": _ON, "xhigh": _ON, "max": _ON},
    "image_input": _ON,
    "pdf_input": _ON,
    "server_tools": {"supported": True, "code_execution": _ON, "web_search": _ON, "web_fetch": _ON},
    "structured_outputs": _ON,
    "thinking": {"supported": True, "types": {"adaptive": _ON, "enabled": _OFF}},
}


def _model(name: str, title: str, created: str, lifecycle: str = "active", **dates: str) -> dict[str, Any]:
    return {
        "type": "model",
        "id": name,
        "display_name": title,
        "created_at": f"{created}T00:00:00Z",
        "lifecycle": lifecycle,
        "deprecated_at": dates.get("deprecated_at"),
        "retires_at": dates.get("retires_at"),
        "line": name.split("-")[1],
        "max_input_tokens": 1_000_000,
        "max_tokens": 64_000,
        "capabilities": _CAPABILITIES,
    }


MODELS = [
    _model("claude-sonnet-5-5", "Claude Sonnet 5.5", "2026-09-29"),
    _model("claude-haiku-5-5", "Claude Haiku 5.5", "2026-10-15"),
    _model("claude-opus-5-5", "Claude Opus 5.5", "2026-09-29"),
    _model("claude-fable-5-2", "Claude Fable 5.2", "2026-10-15"),
    _model("claude-sonnet-5", "Claude Sonnet 5", "2026-04-21"),
    _model("claude-opus-5", "Claude Opus 5", "2026-04-21"),
    _model("claude-opus-4-8", "Claude Opus 4.8", "2026-02-17"),
    _model("claude-haiku-4-5", "Claude Haiku 4.5", "2025-10-15"),
    _model(
        "claude-sonnet-4-5",
        "Claude Sonnet 4.5",
        "2025-09-29",
        "deprecated",
        deprecated_at="2026-05-30T00:00:00Z",
        retires_at="2026-11-30T00:00:00Z",
    ),
    _model(
        "claude-sonnet-4-20250514",
        "Claude Sonnet 4",
        "2025-05-22",
        "retired",
        deprecated_at="2026-01-15T00:00:00Z",
        retires_at="2026-06-15T00:00:00Z",
    ),
    _model(
        "claude-opus-4-20250514",
        "Claude Opus 4",
        "2025-05-22",
        "retired",
        deprecated_at="2026-01-15T00:00:00Z",
        retires_at="2026-06-15T00:00:00Z",
    ),
]
_BY_ID = {model["id"]: model for model in MODELS}


def find_model(name: str) -> dict[str, Any] | None:
    return _BY_ID.get(name)
