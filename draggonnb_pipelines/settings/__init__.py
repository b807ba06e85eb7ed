"""Every setting, in one place, read from the environment (prefix `DRAGGONNB_`) and from `.env`.

Lives here: what follows from the settings: addresses and keys, and the choice between a vendor and its sandbox. The
variables themselves are in `fields.py`, and `.env.example` documents each. Does not live here: anything an operator
changes per client (the master database holds that).
"""

import hashlib
import io
import os
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path

from dotenv.parser import parse_stream
from pydantic import ValidationError

from draggonnb_pipelines.domain.itn import ITN_SOURCES, Network
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.settings.fields import PROJECT_ROOT, Fields

__all__ = ["PROJECT_ROOT", "SANDBOX_SECRET", "Settings", "load_settings"]

SANDBOX_SECRET = "sandbox"
# In the form of a real one, since the Supabase CLI takes no other.
SANDBOX_SUPABASE_TOKEN = "sbp_" + "0" * 40
# PayFast publishes these for its own sandbox; ours takes them too.
PAYFAST_SANDBOX_MERCHANT_ID = "10000100"
PAYFAST_SANDBOX_MERCHANT_KEY = "46f0cd694581a"
PAYFAST_SANDBOX_PASSPHRASE = "jt7NOE43FZPn"


class Settings(Fields):
    """All settings of one installation. Build it with `load_settings`, which explains what is wrong."""

    @cached_property
    def sandboxed_vendors(self) -> tuple[str, ...]:
        """The vendors without credentials: these talk to the sandbox on loopback, and every surface says so."""
        missing = {
            "claude": self.anthropic_api_key is None,
            "whatsapp": self.whatsapp_token is None,
            "mail": self.smtp_host is None,
            "meta": self.meta_app_secret is None,
            "linkedin": self.linkedin_client_secret is None,
            "x": self.x_client_secret is None,
            "storage": self.storage_key is None,
            "supabase": self.supabase_access_token is None,
            "payfast": self.payfast_merchant_key is None,
            "github": self.github_token is None,
            "vercel": self.vercel_token is None,
            "n8n": self.n8n_api_key is None,
        }
        return tuple(vendor for vendor, is_missing in missing.items() if is_missing)

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def claude_base_url(self) -> str:
        if "claude" in self.sandboxed_vendors:
            return f"{self.sandbox_url}/anthropic"
        return self.anthropic_base_url or "https://api.anthropic.com"

    @property
    def claude_key(self) -> str:
        return self.anthropic_api_key.get_secret_value() if self.anthropic_api_key else SANDBOX_SECRET

    @property
    def whatsapp_url(self) -> str:
        if "whatsapp" in self.sandboxed_vendors:
            return f"{self.sandbox_url}/graph/{self.graph_version}"
        return self.whatsapp_base_url or f"https://graph.facebook.com/{self.graph_version}"

    @property
    def whatsapp_key(self) -> str:
        return self.whatsapp_token.get_secret_value() if self.whatsapp_token else SANDBOX_SECRET

    @property
    def whatsapp_signing_secret(self) -> str | None:
        """What signs WhatsApp's webhooks. None: nothing can be proven, so none are taken. There is no default, since
        the address is public; `installation.open_installation` makes one for the sandbox."""
        return self.whatsapp_app_secret.get_secret_value() if self.whatsapp_app_secret else None

    @property
    def graph_url(self) -> str:
        """Facebook pages and Instagram."""
        if "meta" in self.sandboxed_vendors:
            return f"{self.sandbox_url}/graph/{self.graph_version}"
        return f"https://graph.facebook.com/{self.graph_version}"

    @property
    def facebook_web_url(self) -> str:
        """Where a post's public page is, by its id."""
        sandbox = f"{self.sandbox_url}/graph/public"
        return sandbox if "meta" in self.sandboxed_vendors else "https://www.facebook.com"

    @property
    def linkedin_url(self) -> str:
        return f"{self.sandbox_url}/linkedin" if "linkedin" in self.sandboxed_vendors else "https://api.linkedin.com"

    @property
    def linkedin_login_url(self) -> str:
        return f"{self.sandbox_url}/linkedin" if "linkedin" in self.sandboxed_vendors else "https://www.linkedin.com"

    @property
    def x_url(self) -> str:
        return f"{self.sandbox_url}/x" if "x" in self.sandboxed_vendors else "https://api.x.com"

    @property
    def x_web_url(self) -> str:
        return f"{self.sandbox_url}/x" if "x" in self.sandboxed_vendors else "https://x.com"

    @property
    def storage_url(self) -> str:
        """The Supabase Storage API that holds the clients' media."""
        if "storage" in self.sandboxed_vendors:
            return f"{self.sandbox_url}/supabase/storage/v1"
        return (self.storage_base_url or "").rstrip("/")

    @property
    def payfast_process_url(self) -> str:
        """Where a client's browser posts a checkout."""
        return f"{self._payfast_pages}/eng/process"

    @property
    def payfast_validate_url(self) -> str:
        return f"{self._payfast_pages}/eng/query/validate"

    @property
    def payfast_api_url(self) -> str:
        return f"{self.sandbox_url}/payfast/api" if "payfast" in self.sandboxed_vendors else "https://api.payfast.co.za"

    @property
    def payfast_testing(self) -> bool:
        """Whether the account is one of PayFast's sandbox, or of ours."""
        return self.payfast_sandbox or "payfast" in self.sandboxed_vendors

    @property
    def payfast_account(self) -> tuple[str, str, str]:
        """Merchant id, merchant key, passphrase."""
        if self.payfast_merchant_id and self.payfast_merchant_key and self.payfast_passphrase:
            key, passphrase = self.payfast_merchant_key.get_secret_value(), self.payfast_passphrase.get_secret_value()
            return self.payfast_merchant_id, key, passphrase
        return PAYFAST_SANDBOX_MERCHANT_ID, PAYFAST_SANDBOX_MERCHANT_KEY, PAYFAST_SANDBOX_PASSPHRASE

    @property
    def payfast_networks(self) -> tuple[Network, ...]:
        """Where notices of payments may come from; our own machine only while our sandbox plays PayFast."""
        own = ("127.0.0.1/32", "::1/128") if "payfast" in self.sandboxed_vendors else ()
        return (*ITN_SOURCES, *self.payfast_sources, *map(ip_network, own))

    @property
    def _payfast_pages(self) -> str:
        if "payfast" in self.sandboxed_vendors:
            return f"{self.sandbox_url}/payfast"
        return "https://sandbox.payfast.co.za" if self.payfast_sandbox else "https://www.payfast.co.za"

    @property
    def supabase_management_url(self) -> str:
        return f"{self.sandbox_url}/supabase" if "supabase" in self.sandboxed_vendors else "https://api.supabase.com"

    @property
    def supabase_token(self) -> str:
        return self.supabase_access_token.get_secret_value() if self.supabase_access_token else SANDBOX_SUPABASE_TOKEN

    @property
    def supabase_organization(self) -> str:
        """The slug of the organization at Supabase that holds the clients' projects."""
        return self.supabase_organization_slug or "sandbox-org"

    def supabase_project_url(self, ref: str) -> str:
        """Where a project's own APIs are: Auth below /auth/v1."""
        sandbox = f"{self.sandbox_url}/supabase/projects/{ref}"
        return sandbox if "supabase" in self.sandboxed_vendors else f"https://{ref}.supabase.co"

    @property
    def github_url(self) -> str:
        return f"{self.sandbox_url}/github" if "github" in self.sandboxed_vendors else "https://api.github.com"

    @property
    def github_key(self) -> str:
        return self.github_token.get_secret_value() if self.github_token else SANDBOX_SECRET

    @property
    def vercel_url(self) -> str:
        return f"{self.sandbox_url}/vercel" if "vercel" in self.sandboxed_vendors else "https://api.vercel.com"

    @property
    def vercel_key(self) -> str:
        return self.vercel_token.get_secret_value() if self.vercel_token else SANDBOX_SECRET

    @property
    def vercel_site_url(self) -> str:
        """Where a deployed site answers, with {host} for its name: the sandbox has no names of its own."""
        return f"{self.sandbox_url}/vercel/sites/{{host}}" if "vercel" in self.sandboxed_vendors else "https://{host}"

    @property
    def n8n_url(self) -> str:
        """The instance: its API below /api/v1, its webhooks below /webhook."""
        return f"{self.sandbox_url}/n8n" if "n8n" in self.sandboxed_vendors else (self.n8n_base_url or "").rstrip("/")

    @property
    def n8n_key(self) -> str:
        return self.n8n_api_key.get_secret_value() if self.n8n_api_key else SANDBOX_SECRET

    @property
    def smtp_address(self) -> tuple[str, int]:
        return (self.smtp_host, self.smtp_port) if self.smtp_host else ("127.0.0.1", self.sandbox_port + 1)

    @property
    def connect_to(self) -> dict[str, str]:
        """Host suffix -> ip:port for company research; the sandbox serves `.example` while Claude is sandboxed."""
        sandbox = {"example": f"127.0.0.1:{self.sandbox_port}"} if "claude" in self.sandboxed_vendors else {}
        return sandbox | self.research_connect_to

    @property
    def base_url(self) -> str:
        """Where clients reach our pages; links in proposals and notifications start with it."""
        return (self.public_base_url or f"http://{self.api_host}:{self.api_port}").rstrip("/")

    @property
    def keys(self) -> str:
        """Master keys as the vault takes them. `processes.prepare` provides them before anything asks."""
        if self.master_keys is None:
            raise OperatorError(
                "DRAGGONNB_MASTER_KEYS is not set",
                remedy="set it to id:base64 of 32 random bytes, for example k1:$(openssl rand -base64 32)",
            )
        return self.master_keys.get_secret_value()

    @property
    def dsn(self) -> str:
        """The master database. `processes.prepare` provides it when the embedded server is used."""
        if self.master_dsn is None:
            raise OperatorError(
                "DRAGGONNB_MASTER_DSN is not set and no embedded server was started",
                remedy="start through the draggonnb command, or set DRAGGONNB_MASTER_DSN=postgresql://user@host/db",
            )
        return self.master_dsn

    @property
    def embedded_postgres_dir(self) -> Path:
        """The embedded server's directory: short, traversable, never under a home (the server chmods parents)."""
        if self.postgres_dir:
            return self.postgres_dir
        uid = os.getuid() if hasattr(os, "getuid") else 0
        digest = hashlib.sha256(str(self.state_dir.resolve()).encode()).hexdigest()[:12]
        return Path(f"/var/tmp/draggonnb-{uid}-{digest}")  # noqa: S108 - the server checks that it is ours


def load_settings(**overrides: object) -> Settings:
    """Read and check all settings.

    Raises:
        OperatorError: names each variable that is wrong, and why; or the line of `.env` that cannot be read.
    """
    env_file = overrides.get("_env_file", PROJECT_ROOT / ".env")
    if isinstance(env_file, Path):
        _check_env_file(env_file)
    try:
        return Settings(**overrides)  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        faults = "; ".join(
            f"DRAGGONNB_{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" if fault["loc"] else fault["msg"]
            for fault in error.errors()
        )
        raise OperatorError(f"settings: {faults}", remedy="correct it in the environment or in .env") from error


def _check_env_file(path: Path) -> None:
    """Refuse a file that was cut off or written over. What cannot be read of it would be left at its default: without
    DRAGGONNB_MASTER_DSN an empty embedded server would take the place of the operator's."""
    remedy = "write the file anew, from its backup or .env.example; what runs goes on with what it was started with"
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}", remedy=remedy) from None
    except UnicodeDecodeError:
        raise OperatorError(f"{path} is no text", remedy=remedy) from None
    if not text.strip("\0 \n"):
        raise OperatorError(f"{path} is empty", remedy=f"{remedy}; or delete it, if it is not needed")
    lines = [binding.original.line for binding in parse_stream(io.StringIO(text)) if binding.error or "\0" in text]
    if lines:
        raise OperatorError(f"{path}, line {lines[0]}, cannot be read; it is not name=value", remedy=remedy)
