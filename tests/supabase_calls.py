"""Supabase's APIs as tests call them by hand, against the sandbox: no adapter of ours in between."""

import time
from typing import Any

import httpx
import psycopg

from tests.sandbox_process import Sandbox

TOKEN = "sbp_" + "a" * 40


def management(
    sandbox: Sandbox, method: str, path: str, body: Any = None, *, token: str = TOKEN, **headers: str
) -> httpx.Response:
    sent = {"authorization": f"Bearer {token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.request(method, f"{sandbox.url}/supabase/v1{path}", json=body, headers=sent, timeout=20)


def auth(
    sandbox: Sandbox, ref: str, method: str, path: str, body: Any = None, *, key: str, **headers: str
) -> httpx.Response:
    sent = {"apikey": key, "authorization": f"Bearer {key}"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    url = path if path.startswith("http") else f"{sandbox.url}/supabase/projects/{ref}/auth/v1{path}"
    return httpx.request(method, url, json=body, headers=sent, timeout=20)


def body_of(called: str, **change: Any) -> dict[str, Any]:
    body = {
        "name": called,
        "organization_slug": "sandbox-org",
        "db_pass": "correct-horse-battery",
        "region_selection": {"type": "specific", "code": "eu-west-1"},
        "desired_instance_size": "micro",
        **change,
    }
    return {field: value for field, value in body.items() if value is not None}


def new_project(sandbox: Sandbox, name: str = "kloof-coffee-db") -> str:
    """Make a project and wait until it is up; its ref."""
    answer = management(sandbox, "POST", "/projects", body_of(name))
    assert answer.status_code == 201, answer.text
    ref = answer.json()["ref"]
    wait_for(sandbox, ref, "ACTIVE_HEALTHY")
    return ref


def wait_for(sandbox: Sandbox, ref: str, status: str) -> None:
    deadline = time.monotonic() + 20
    while (seen := public(sandbox)[ref]["status"]) != status:
        assert time.monotonic() < deadline, f"{ref} is {seen}, not {status}"
        time.sleep(0.02)


def public(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """All projects, by ref, seen without being counted as a call."""
    return {project["ref"]: project for project in sandbox.public("supabase")}


def secret_key(sandbox: Sandbox, ref: str) -> str:
    keys = management(sandbox, "GET", f"/projects/{ref}/api-keys?reveal=true").json()
    return next(key["api_key"] for key in keys if key["type"] == "secret")


def databases(server_dsn: str, ref: str) -> list[str]:
    """What the server has of a project: its database and its role."""
    with psycopg.connect(server_dsn) as conn:
        query = (
            "select datname from pg_database where datname = %(database)s"
            " union all select rolname from pg_roles where rolname = %(role)s"
        )
        rows = conn.execute(query, {"database": f"supabase_{ref}", "role": f"postgres.{ref}"})
        return [row[0] for row in rows]
