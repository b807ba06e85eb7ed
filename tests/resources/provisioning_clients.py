"""GitHub, Vercel and n8n as this room's tests build them, against the sandbox or a server of their own."""

from datetime import UTC, datetime
from typing import Any

import httpx

from draggonnb_pipelines.resources.github import GitHub
from draggonnb_pipelines.resources.github_wire import Repository
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.n8n import N8n
from draggonnb_pipelines.resources.vercel import Vercel
from draggonnb_pipelines.resources.vercel_wire import Project
from tests.sandbox_process import Sandbox

TEMPLATE = "draggonnb/client-template"
NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


def github(door: HttpDoor, base: str, *, token: str = "sandbox") -> GitHub:
    return GitHub(door, base_url=f"{base}/github", token=token, now=lambda: NOW)


def vercel(door: HttpDoor, base: str, *, token: str = "sandbox", team_id: str | None = None) -> Vercel:
    site = f"{base}/vercel/sites/{{host}}"
    return Vercel(door, base_url=f"{base}/vercel", token=token, team_id=team_id, site_url=site, now=lambda: NOW)


def n8n(door: HttpDoor, base: str, *, api_key: str = "sandbox") -> N8n:
    return N8n(door, base_url=f"{base}/n8n", api_key=api_key)


async def client_repo(door: HttpDoor, sandbox: Sandbox, name: str = "draggonnb-kloof") -> Repository:
    """A repository whose copy of the template has arrived."""
    sandbox.settings(github_copy_seconds=0.0)
    return await github(door, sandbox.url).create_from_template(TEMPLATE, "draggonnb", name)


async def client_project(door: HttpDoor, sandbox: Sandbox, name: str = "kloof") -> Project:
    """A project on such a repository."""
    sandbox.settings(vercel_build_seconds=0.0)
    repo = await client_repo(door, sandbox, f"draggonnb-{name}")
    return await vercel(door, sandbox.url).create_project(name, repo.full_name)


async def visit(url: str, *, method: str = "GET", body: Any = None, headers: Any = None) -> httpx.Response:
    """What somebody outside gets: a visitor of a site, a caller of a webhook."""
    async with httpx.AsyncClient() as browser:
        return await browser.request(method, url, json=body, headers=headers)


def asked(sandbox: Sandbox, vendor: str, method: str) -> list[str]:
    """The paths of one method in the journal, in order."""
    return [entry["path"] for entry in sandbox.journal(vendor) if entry["method"] == method]


def entry_workflow(path: str = "kloof/generate-content", *, name: str = "crmm:kloof:content", **change: Any) -> Any:
    """A client's entry workflow: a webhook with header authentication, and the node that answers it."""
    node = {
        "id": "1",
        "name": "Webhook",
        "type": "n8n-nodes-base.webhook",
        "typeVersion": 2.1,
        "position": [0, 0],
        "webhookId": "5f2b8e0c-7a51-4a0c-9f57-0d6a4b7f3c11",
        "parameters": {
            "httpMethod": "POST",
            "path": path,
            "authentication": "headerAuth",
            "responseMode": "responseNode",
            "options": {},
        },
        "credentials": {"httpHeaderAuth": {"id": "crmm000000000001", "name": "kloof"}},
        **change,
    }
    answer = {
        "id": "2",
        "name": "Answer",
        "type": "n8n-nodes-base.respondToWebhook",
        "typeVersion": 1.4,
        "position": [200, 0],
        "parameters": {"respondWith": "json", "responseBody": '{"taken": true}', "options": {"responseCode": 202}},
    }
    return {
        "name": name,
        "nodes": [{key: value for key, value in node.items() if value is not None}, answer],
        "connections": {"Webhook": {"main": [[{"node": "Answer", "type": "main", "index": 0}]]}},
        "settings": {"executionOrder": "v1"},
    }
