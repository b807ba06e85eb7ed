"""GET /docs and the OpenAPI document: for people who send us leads and requests, without a script or foreign assets.

Lives here: the reading page made from the OpenAPI document, and the description of the plain routes in it.
Not here: what the endpoints do.
"""

from functools import cache
from pathlib import Path
from typing import Any, get_args

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse

from draggonnb_pipelines.api.problems import KINDS, THROTTLED, Problem
from draggonnb_pipelines.api.security import RateLimiter, network_of
from draggonnb_pipelines.domain.content_requests import BRIEF_CHARS, MAX_MEDIA
from draggonnb_pipelines.domain.message_requests import (
    LINK_CHARS,
    MAX_CONTACTS,
    MAX_EMAILS,
    MESSAGE_CHARS,
    TITLE_CHARS,
    Role,
)
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.workflows.leads.proposal_page import stylesheet

_ANSWER = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "status": {"const": "accepted"},
        "duplicate": {"type": "boolean", "description": "This delivery was stored before; the id is the first one's."},
        "changed": {"type": "boolean", "description": "It came again with another body; the first one is kept."},
    },
}
_LEAD = {
    "type": "object",
    "description": "A web form. Fields that are not named here are kept with the lead.",
    "properties": {
        "name": {"type": "string"},
        "email": {"type": "string", "format": "email"},
        "phone": {"type": "string", "description": "With country code, or as dialled in the organization's country."},
        "company": {"type": "string"},
        "website": {"type": "string"},
        "message": {"type": "string", "maxLength": 10000},
        "source": {"type": "string"},
        "consent": {"type": "boolean"},
        "consent_text": {"type": "string", "description": "The words beside the tick box."},
        "delivery_id": {"type": "string"},
    },
    "anyOf": [{"required": ["email"]}, {"required": ["phone"]}],
}
_META = {
    "type": "object",
    "description": "Meta's lead object with its answers, or its webhook envelope around such objects.",
    "required": ["field_data"],
    "properties": {
        "id": {"type": "string"},
        "created_time": {"type": "string"},
        "field_data": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "values": {"type": "array"}}},
        },
    },
}
_N8N = {
    "type": "object",
    "description": "From an automation: one lead, or up to 100 under `leads`, or a list of such objects.",
    "properties": {"organization_id": {"type": "string"}, "source": {"type": "string"}, "lead": _LEAD},
}
_CONTENT = {
    "type": "object",
    "description": "What to post. Other names than these are refused.",
    "required": ["brief"],
    "additionalProperties": False,
    "properties": {
        "brief": {"type": "string", "minLength": BRIEF_CHARS[0], "maxLength": BRIEF_CHARS[1]},
        "platforms": {
            "type": "array",
            "items": {"enum": [platform.value for platform in Platform]},
            "description": "Without it: all that are connected and can take it.",
        },
        "template": {"type": "string", "description": "The name of one of the organization's templates."},
        "media": {
            "type": "array",
            "maxItems": MAX_MEDIA,
            "items": {
                "type": "object",
                "required": ["path"],
                "properties": {"path": {"type": "string"}, "alt": {"type": "string"}},
            },
        },
        "publish_at": {
            "type": "string",
            "examples": ["2026-12-01T09:00"],
            "description": "Wall time of the organization, or with an offset; at most a year ahead.",
        },
        "next_free_slot": {"type": "boolean", "default": True},
        "as_soon_as_approved": {"type": "boolean"},
        "requested_by": {"type": "string", "format": "email", "description": "Who is told what became of it."},
        "source": {"type": "string"},
        "delivery_id": {"type": "string"},
    },
}


_MESSAGE = {
    "type": "object",
    "description": "What to say, and to whom. Other names than these are refused.",
    "required": ["event", "title", "message", "to"],
    "additionalProperties": False,
    "properties": {
        "event": {"type": "string", "pattern": "^[a-z_]{2,60}$", "description": "Your own name for what happened."},
        "title": {"type": "string", "maxLength": TITLE_CHARS},
        "message": {"type": "string", "maxLength": MESSAGE_CHARS},
        "link": {"type": "string", "format": "uri", "maxLength": LINK_CHARS},
        "to": {
            "type": "object",
            "description": "At least one of them.",
            "additionalProperties": False,
            "properties": {
                "emails": {
                    "type": "array",
                    "maxItems": MAX_EMAILS,
                    "items": {"type": "string", "format": "email"},
                    "description": "Of active people and of contacts of the organization.",
                },
                "roles": {"type": "array", "items": {"enum": list(get_args(Role))}},
                "contacts": {"type": "array", "maxItems": MAX_CONTACTS, "items": {"type": "string", "format": "uuid"}},
            },
        },
        "category": {
            "enum": ["service", "marketing"],
            "default": "service",
            "description": "Marketing reaches those alone who agreed to it.",
        },
        "delivery_id": {"type": "string", "maxLength": 200},
    },
}
_NUMBERS = {
    "type": "object",
    "description": "Nothing is to be said; an empty body is taken too.",
    "additionalProperties": False,
    "properties": {"delivery_id": {"type": "string"}},
}
_NUMBERS_ANSWER = {
    "type": "object",
    "properties": {
        **_ANSWER["properties"],
        "numbers_from": {
            "type": "string",
            "format": "date-time",
            "description": "From then on it is worked on: at once, or an hour after the last time.",
        },
    },
}


def lead_webhook_operation() -> dict[str, Any]:
    """The OpenAPI description of a route that FastAPI does not know."""
    return _webhook_operation(
        "Receive Leads",
        "Stores one to a hundred leads and answers when they are safe.",
        {"oneOf": [_LEAD, _META, _N8N]},
        _LEAD,
    )


def content_webhook_operation() -> dict[str, Any]:
    """The OpenAPI description of a route that FastAPI does not know."""
    return _webhook_operation(
        "Generate Content",
        "Asks for a post: it is written for each platform, checked, approved where the organization wants that, and "
        "scheduled. Answers when the request is safe; whoever asked is told by e-mail what became of it.",
        _CONTENT,
        _CONTENT,
    )


def notifications_webhook_operation() -> dict[str, Any]:
    """The OpenAPI description of a route that FastAPI does not know."""
    return _webhook_operation(
        "Send Notification",
        "Sends a message of the organization's own to its people, by role or address, or to its contacts. Addresses "
        "must be known: of an active person or of a contact. Marketing reaches those alone who agreed to it.",
        _MESSAGE,
    )


def analytics_webhook_operation() -> dict[str, Any]:
    """The OpenAPI description of a route that FastAPI does not know."""
    return _webhook_operation(
        "Ask For Fresh Numbers",
        "Has the numbers of recent posts read anew, at most once an hour: what comes meanwhile is taken and served "
        "together, and the answer says from when on.",
        _NUMBERS,
        answer=_NUMBERS_ANSWER,
    )


def _webhook_operation(
    summary: str,
    description: str,
    schema: dict[str, Any],
    form: dict[str, Any] | None = None,
    *,
    answer: dict[str, Any] = _ANSWER,
) -> dict[str, Any]:
    """`form`: what a web form may send, where one can say it at all."""
    codes = (400, 401, 403, 404, 408, 413, 415, 422, 429, 503)
    problems = {str(code): {"description": _problem_title(code)} for code in codes}
    header = {"in": "header", "schema": {"type": "string"}}
    kinds = ("application/x-www-form-urlencoded", "multipart/form-data") if form else ()
    return {
        "tags": ["webhooks"],
        "summary": summary,
        "description": f"{description} Send X-Webhook-Token, or sign "
        "the body: X-Draggonnb-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of `t.body`>. Repeating a request with "
        "the same X-Delivery-Id (signed: the same `delivery_id` in the body) gives the same id.",
        "parameters": [
            {"name": "slug", "in": "path", "required": True, "schema": {"type": "string"}},
            {"name": "X-Webhook-Token", **header},
            {"name": "X-Draggonnb-Signature", **header},
            {"name": "X-Delivery-Id", **header},
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema}} | {kind: {"schema": form} for kind in kinds},
        },
        "responses": {
            "202": {"description": "Stored", "content": {"application/json": {"schema": answer}}},
            **problems,
        },
    }


def _problem_title(status: int) -> str:
    return "; ".join(kind.title for kind in KINDS if kind.status == status)


def with_webhooks(app: FastAPI) -> None:
    """Make /openapi.json complete."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        document["paths"].setdefault("/webhook/{slug}/leads", {"post": lead_webhook_operation()})
        document["paths"].setdefault("/webhook/{slug}/generate-content", {"post": content_webhook_operation()})
        document["paths"].setdefault("/webhook/{slug}/analytics", {"post": analytics_webhook_operation()})
        document["paths"].setdefault("/webhook/{slug}/notifications", {"post": notifications_webhook_operation()})
        return document

    app.openapi = openapi


async def openapi_document(request: Request) -> JSONResponse:
    """The document for programs."""
    _throttle(request)
    return JSONResponse(request.app.openapi())


async def docs_page(request: Request) -> HTMLResponse:
    """The same document for reading."""
    _throttle(request)
    html = _environment().get_template("docs.html.j2").render(api=request.app.openapi(), kinds=KINDS)
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    return HTMLResponse(html, headers={"content-security-policy": policy, "x-content-type-options": "nosniff"})


def _throttle(request: Request) -> None:
    """As often as the pages; making the reading page is some milliseconds of work."""
    limiter: RateLimiter = request.app.state.page_limiter
    if wait := limiter.seconds_to_wait(network_of(request.client.host if request.client else None)):
        raise Problem(THROTTLED, f"Too many requests; come again in {wait} s.", retry_after_seconds=wait)


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    env = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    env.globals |= {"stylesheet": stylesheet}
    return env
