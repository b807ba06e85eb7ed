"""The memory of the sandbox's Supabase: projects with their keys and settings.

Lives here: what a project is, its API keys, which settings of Auth it starts with. Does not live here: its database
(`supabase_databases.py`), the APIs (`supabase.py`, `supabase_auth.py`).
"""

import base64
import hashlib
import hmac
import json
import secrets
import string
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from vendor_sandbox.supabase_tokens import Signer

ORGANIZATION = {"id": "sandbox-org", "slug": "sandbox-org", "name": "Sandbox"}
_ALPHABET = string.ascii_letters + string.digits
_AUTH_CONFIG: dict[str, Any] = {
    "site_url": "http://localhost:3000",
    "uri_allow_list": "",
    "disable_signup": False,
    "jwt_exp": 3600,
    "external_email_enabled": True,
    "external_phone_enabled": False,
    "external_anonymous_users_enabled": False,
    "mailer_autoconfirm": False,
    "mailer_otp_exp": 3600,
    "mailer_otp_length": 6,
    "mailer_secure_email_change_enabled": True,
    "mailer_subjects_invite": "You have been invited",
    "mailer_subjects_confirmation": "Confirm Your Signup",
    "mailer_subjects_recovery": "Reset Your Password",
    "mailer_subjects_magic_link": "Your Magic Link",
    "mailer_templates_invite_content": None,
    "mailer_templates_confirmation_content": None,
    "mailer_templates_recovery_content": None,
    "mailer_templates_magic_link_content": None,
    "smtp_admin_email": None,
    "smtp_host": None,
    "smtp_port": None,
    "smtp_user": None,
    "smtp_pass": None,
    "smtp_sender_name": None,
    "smtp_max_frequency": 60,
    "rate_limit_email_sent": 2,
    "rate_limit_verify": 30,
    "rate_limit_token_refresh": 150,
    "password_min_length": 6,
    "password_required_characters": "",
}


@dataclass
class ApiKey:
    """`role` is what the key's bearer is to Auth and the Data API."""

    name: str
    type: str
    api_key: str
    role: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Project:
    """One project; `status` in the vendor's words."""

    ref: str
    name: str
    region: str
    size: str
    number: int
    status: str = "COMING_UP"
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    auth_config: dict[str, Any] = field(default_factory=lambda: dict(_AUTH_CONFIG))
    keys: list[ApiKey] = field(default_factory=list)
    signer: Signer = field(default_factory=Signer)

    @classmethod
    def new(cls, name: str, region: str, size: str, number: int) -> "Project":
        project = cls("".join(secrets.choice(string.ascii_lowercase) for _ in range(20)), name, region, size, number)
        for role in ("anon", "service_role"):
            project.keys.append(ApiKey(role, "legacy", _jwt(project.ref, role), role, id=role))
        project.add_key("publishable", "default")
        project.add_key("secret", "default")
        return project

    def add_key(self, kind: str, name: str) -> ApiKey:
        body = "".join(secrets.choice(_ALPHABET) for _ in range(22))
        value = f"sb_{kind}_{body}_{hashlib.sha256(body.encode()).hexdigest()[:8]}"
        key = ApiKey(name, kind, value, "anon" if kind == "publishable" else "service_role")
        self.keys.append(key)
        return key

    def role_of(self, api_key: str) -> str | None:
        return next((key.role for key in self.keys if hmac.compare_digest(key.api_key, api_key)), None)

    def public(self) -> dict[str, Any]:
        """As /_sandbox/public shows it: no secrets."""
        return {
            "kind": "supabase",
            "ref": self.ref,
            "name": self.name,
            "region": self.region,
            "size": self.size,
            "status": self.status,
            "at": self.at.isoformat(),
        }


class SupabaseMemory:
    """All projects that are not removed, by ref, and how often each scope was called."""

    def __init__(self) -> None:
        self.projects: dict[str, Project] = {}
        self.windows: dict[tuple[str, str], tuple[float, int]] = defaultdict(lambda: (0.0, 0))
        self.last_number = 0

    def add(self, name: str, region: str, size: str) -> Project:
        self.last_number += 1
        project = Project.new(name, region, size, self.last_number)
        self.projects[project.ref] = project
        return project

    def count_call(self, token: str, scope: str, window_seconds: float = 60.0) -> tuple[int, int]:
        """Count one call; how many the window has now, and in how many seconds it ends."""
        started, count = self.windows[token, scope]
        now = time.monotonic()
        if now - started >= window_seconds:
            started, count = now, 0
        self.windows[token, scope] = started, count + 1
        return count + 1, max(1, round(window_seconds - (now - started)))

    def clear(self) -> None:
        self.projects.clear()
        self.windows.clear()


def _jwt(ref: str, role: str) -> str:
    """A legacy key: ten years, signed by a secret that nobody keeps, since keys are recognized as a whole."""
    now = int(time.time())
    claims = {"iss": "supabase", "ref": ref, "role": role, "iat": now, "exp": now + 315_360_000}
    body = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    signature = hmac.new(secrets.token_bytes(32), body.encode(), hashlib.sha256).digest()
    return f"{body}.{_base64(signature)}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
