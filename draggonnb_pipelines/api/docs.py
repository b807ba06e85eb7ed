"""GET /docs and the OpenAPI document: for people who send us leads, without a script or an asset from elsewhere.

Lives here: the reading page made from the OpenAPI document, and the description of the plain routes in it.
Not here: what the endpoints do.
"""

from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from draggonnb_pipelines.api.problems import KINDS
from draggonnb_pipelines.workflows.proposal_page import stylesheet

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


def lead_webhook_operation() -> dict[str, Any]:
    """The OpenAPI description of the one route that FastAPI does not know."""
    media = {"schema": {"oneOf": [_LEAD, _META, _N8N]}}
    codes = (400, 401, 403, 404, 408, 413, 415, 422, 429, 503)
    problems = {str(code): {"description": _problem_title(code)} for code in codes}
    header = {"in": "header", "schema": {"type": "string"}}
    return {
        "tags": ["webhooks"],
        "summary": "Receive Leads",
        "description": "Stores one to a hundred leads and answers when they are safe. Send X-Webhook-Token, or sign "
        "the body: X-Draggonnb-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of `t.body`>. Repeating a request with "
        "the same X-Delivery-Id gives the same id.",
        "parameters": [
            {"name": "slug", "in": "path", "required": True, "schema": {"type": "string"}},
            {"name": "X-Webhook-Token", **header},
            {"name": "X-Draggonnb-Signature", **header},
            {"name": "X-Delivery-Id", **header},
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": media,
                "application/x-www-form-urlencoded": {"schema": _LEAD},
                "multipart/form-data": {"schema": _LEAD},
            },
        },
        "responses": {
            "202": {"description": "Stored", "content": {"application/json": {"schema": _ANSWER}}},
            **problems,
        },
    }


def _problem_title(status: int) -> str:
    return "; ".join(kind.title for kind in KINDS if kind.status == status)


def with_lead_webhook(app: FastAPI) -> None:
    """Make /openapi.json complete."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        document["paths"].setdefault("/webhook/{slug}/leads", {"post": lead_webhook_operation()})
        return document

    app.openapi = openapi


async def docs_page(request: Request) -> HTMLResponse:
    """The same document for reading."""
    html = _environment().get_template("docs.html.j2").render(api=request.app.openapi(), kinds=KINDS)
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    return HTMLResponse(html, headers={"content-security-policy": policy, "x-content-type-options": "nosniff"})


@cache
def _environment() -> Environment:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    env = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    env.globals |= {"stylesheet": stylesheet}
    return env
