"""A client's whole tenant in a sandbox project: schema, rows, people who sign in at its Auth, and requests as they make
them.

Not here: assertions.
"""

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString, cast

import httpx
import psycopg
from psycopg.conninfo import make_conninfo

from draggonnb_pipelines.resources.migrations import migrate, seed_tenant
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.sql import TENANT_MIGRATIONS
from tests.sandbox_process import Sandbox
from tests.supabase_calls import auth, management, new_project

ROLES = ("owner", "admin", "editor", "approver", "viewer")
PASSWORD = "correct-horse-battery"
MODULES = ("ecommerce", "real_estate")
_DB_PASS = "correct-horse-battery"  # as `tests.supabase_calls.body_of` has it


@dataclass
class Tenant:
    """`dsn` is the project's own database as its owner; `keys` are API keys by type."""

    sandbox: Sandbox
    ref: str
    dsn: str
    keys: dict[str, str]
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    @property
    def url(self) -> str:
        return f"{self.sandbox.url}/supabase/projects/{self.ref}"

    def close(self) -> None:
        self.client.close()

    def ask_auth(self, method: str, path: str, body: Any = None, *, key: str = "publishable", **headers: str) -> Any:
        answer = auth(self.sandbox, self.ref, method, path, body, key=self.keys[key], **headers)
        assert answer.is_success, answer.text
        return answer.json()

    def add_person(self, email: str) -> str:
        """Somebody with a password and a confirmed address; their id in Auth."""
        person = {"email": email, "password": PASSWORD, "email_confirm": True}
        return self.ask_auth("POST", "/admin/users", person, key="secret")["id"]

    def sign_in(self, email: str) -> str:
        """The access token of a new session."""
        credentials = {"email": email, "password": PASSWORD}
        return self.ask_auth("POST", "/token?grant_type=password", credentials)["access_token"]

    def rest(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        key: str | None = None,
        **headers: str,
    ) -> httpx.Response:
        """A request to /rest/v1 with the publishable key, and with a session's token if one is given."""
        sent = {"apikey": key or self.keys["publishable"]}
        sent |= {"authorization": f"Bearer {token}"} if token else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, f"{self.url}/rest/v1{path}", json=body, headers=sent)


def new_tenant(sandbox: Sandbox, server_dsn: str, slug: str) -> Tenant:
    """A project with the schema of today, both industry modules, and its organization; nobody is in it."""
    ref = new_project(sandbox, f"{slug}-db")
    dsn = make_conninfo(dsn_for(server_dsn, f"supabase_{ref}"), user=f"postgres.{ref}", password=_DB_PASS)
    migrate(dsn, TENANT_MIGRATIONS, modules=MODULES)
    seed_tenant(dsn)
    with psycopg.connect(dsn) as conn:
        conn.execute(
            "insert into organizations (id, slug, name) values (%s, %s, %s)", [uuid.uuid4(), slug, slug.title()]
        )
    keys = management(sandbox, "GET", f"/projects/{ref}/api-keys?reveal=true").json()
    legacy = {key["name"]: key["api_key"] for key in keys if key["type"] == "legacy"}
    return Tenant(sandbox, ref, dsn, {key["type"]: key["api_key"] for key in keys if key["type"] != "legacy"} | legacy)


def add_people(tenant: Tenant) -> dict[str, str]:
    """One person of each role, one who was deactivated, one whom the organization does not know; their addresses."""
    addresses = {name: f"{name}@kloof.example" for name in (*ROLES, "inactive", "stranger")}
    ids = {name: tenant.add_person(address) for name, address in addresses.items()}
    with psycopg.connect(tenant.dsn) as conn:
        for name in (*ROLES, "inactive"):
            conn.execute(
                "insert into users (email, role, auth_user_id, is_active) values (%s, %s, %s, %s)",
                [addresses[name], "owner" if name == "inactive" else name, ids[name], name != "inactive"],
            )
        for table, columns, values in (
            ("notifications", "type, message, event_key", "'usage_alert', 'Nearly full', 'usage:80'"),
            ("user_permissions", "permission", "'reports.read'"),
            ("notification_preferences", "event, channel, mode", "'*', 'email', 'now'"),
        ):
            statement = f"insert into {table} (user_id, {columns}) select id, {values} from users"
            conn.execute(cast(LiteralString, statement))
    return addresses


def fill(tenant: Tenant) -> None:
    """The rows of `tenant_rows.sql`."""
    text = (Path(__file__).parent / "tenant_rows.sql").read_text(encoding="utf-8")
    with psycopg.connect(tenant.dsn) as conn:
        conn.execute(cast(LiteralString, text))
