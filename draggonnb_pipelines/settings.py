"""Every setting, in one place, read from the environment (prefix `DRAGGONNB_`) and from `.env`.

Lives here: names, defaults, bounds, and the choice between a vendor and its sandbox. `.env.example` documents
each variable. Does not live here: anything an operator changes per client (the master database holds that).
"""

import hashlib
import os
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from draggonnb_pipelines.domain.itn import ITN_SOURCES, Network
from draggonnb_pipelines.errors import OperatorError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
SANDBOX_SECRET = "sandbox"
LEAST_SETTLE_SECONDS = 90.0
# In the form of a real one, since the Supabase CLI takes no other.
SANDBOX_SUPABASE_TOKEN = "sbp_" + "0" * 40
# PayFast publishes these for its own sandbox; ours takes them too.
PAYFAST_SANDBOX_MERCHANT_ID = "10000100"
PAYFAST_SANDBOX_MERCHANT_KEY = "46f0cd694581a"
PAYFAST_SANDBOX_PASSPHRASE = "jt7NOE43FZPn"


def _split(value: object) -> object:
    """A list as the environment writes it: with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Settings(BaseSettings):
    """All settings of one installation. Build it with `load_settings`, which explains what is wrong."""

    model_config = SettingsConfigDict(
        env_prefix="DRAGGONNB_", env_file=PROJECT_ROOT / ".env", env_ignore_empty=True, extra="ignore"
    )

    # --- where things are
    state_dir: Path = PROJECT_ROOT / ".draggonnb"
    postgres_dir: Path | None = None
    master_dsn: str | None = None
    master_keys: SecretStr | None = None
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8080, ge=1, le=65535)
    api_workers: int = Field(default=1, ge=1, le=16)
    ui_port: int = Field(default=3000, ge=1, le=65535)
    sandbox_port: int = Field(default=8190, ge=1, le=65534)
    public_base_url: str | None = None
    api_rate_per_minute: int = Field(default=1200, ge=1)
    trusted_proxies: Annotated[list[str], NoDecode, BeforeValidator(_split)] = []

    # --- Claude
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str | None = None
    claude_model: str = "claude-sonnet-5-5"
    claude_effort: str = Field(default="medium", pattern="^(low|medium|high|xhigh|max)$")
    claude_max_tokens: int = Field(default=8000, ge=256, le=64000)
    claude_input_usd_per_mtok: float = Field(default=2.0, ge=0)
    claude_output_usd_per_mtok: float = Field(default=10.0, ge=0)
    claude_web_search_usd_per_1000: float = Field(default=10.0, ge=0)
    claude_web_search_max_uses: int = Field(default=3, ge=0, le=10)
    claude_concurrency: int = Field(default=128, ge=1, le=1000)
    lead_budget_usd: float = Field(default=0.60, gt=0)
    content_budget_usd: float = Field(default=0.30, gt=0)
    organization_monthly_ai_budget_usd: float = Field(default=50.0, gt=0)
    usd_zar: float = Field(default=18.0, gt=0)

    # --- WhatsApp Cloud API
    whatsapp_token: SecretStr | None = None
    whatsapp_base_url: str | None = None
    whatsapp_phone_number_id: str = "100000000000001"
    whatsapp_business_account_id: str | None = None
    whatsapp_app_secret: SecretStr | None = None
    whatsapp_verify_token: SecretStr | None = None
    whatsapp_language: str = "en"
    graph_version: str = Field(default="v25.0", pattern=r"^v\d+\.\d+$")

    # --- social networks
    meta_app_id: str | None = None
    meta_app_secret: SecretStr | None = None
    linkedin_client_id: str | None = None
    linkedin_client_secret: SecretStr | None = None
    linkedin_version: str = Field(default="202607", pattern=r"^\d{6}$")
    x_client_id: str | None = None
    x_client_secret: SecretStr | None = None
    publish_clients_at_once: int = Field(default=16, ge=1, le=200)
    publish_settle_seconds: float = Field(default=120.0, ge=0)
    publish_ahead_seconds: float = Field(default=5.0, ge=0, le=30)
    storage_base_url: str | None = None
    storage_key: SecretStr | None = None

    # --- PayFast
    payfast_merchant_id: str | None = None
    payfast_merchant_key: SecretStr | None = None
    payfast_passphrase: SecretStr | None = None
    payfast_sandbox: bool = False
    payfast_sources: Annotated[list[Network], NoDecode, BeforeValidator(_split)] = []

    # --- Supabase
    supabase_access_token: SecretStr | None = None
    supabase_organization_slug: str | None = None
    supabase_region: str = "eu-west-1"
    supabase_size: str = Field(default="micro", pattern=r"^(nano|micro|small|medium|(\d{1,2})?x?large)$")

    # --- GitHub, Vercel, n8n
    github_token: SecretStr | None = None
    github_owner: str = "draggonnb"
    github_template: str = Field(default="draggonnb/client-template", pattern=r"^[\w.-]+/[\w.-]+$")
    vercel_token: SecretStr | None = None
    vercel_team_id: str | None = None
    vercel_domain: str = "draggonnb.app"
    n8n_base_url: str | None = None
    n8n_api_key: SecretStr | None = None

    # --- mail
    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_starttls: bool = True
    mail_from: str = "DraggonnB <hello@draggonnb.example>"

    # --- company research
    research_user_agent: str = "DraggonnBBot/1.0 (+https://draggonnb.app/bot)"
    research_timeout_seconds: float = Field(default=20.0, gt=0, le=120)
    research_page_max_bytes: int = Field(default=2_000_000, ge=10_000)
    research_max_pages: int = Field(default=4, ge=1, le=10)
    research_connect_to: dict[str, str] = {}

    # --- the inbox and its runs
    batch_size: int = Field(default=500, ge=1, le=5000)
    lease_seconds: int = Field(default=60, ge=5)
    max_attempts: int = Field(default=5, ge=1)
    retry_base_seconds: float = Field(default=15.0, gt=0)
    shards: int = Field(default=1, ge=1, le=64)
    tenant_connections: int = Field(default=20, ge=1, le=200)
    notification_lease_seconds: int = Field(default=90, ge=10)
    notification_settle_seconds: int = Field(default=600, ge=1)
    sensor_interval_seconds: int = Field(default=5, ge=1)
    asset_event_keep_days: int = Field(default=90, ge=7)
    reprocess_poll_seconds: int = Field(default=300, ge=1)
    claude_batch_wait_seconds: float = Field(default=900, ge=0, le=1100)

    @model_validator(mode="after")
    def _real_whatsapp_needs_its_secrets(self) -> Self:
        if self.whatsapp_token and not self.whatsapp_app_secret:
            raise ValueError(
                "DRAGGONNB_WHATSAPP_APP_SECRET is needed with DRAGGONNB_WHATSAPP_TOKEN: it signs the webhooks"
            )
        return self

    @model_validator(mode="after")
    def _secrets_need_their_ids(self) -> Self:
        """A secret without its id would send the sandbox's id to the real vendor."""
        for secret, needed in (
            ("meta_app_secret", "meta_app_id"),
            ("linkedin_client_secret", "linkedin_client_id"),
            ("x_client_secret", "x_client_id"),
            ("storage_key", "storage_base_url"),
        ):
            if getattr(self, secret) and not getattr(self, needed):
                raise ValueError(f"DRAGGONNB_{needed.upper()} is needed with DRAGGONNB_{secret.upper()}")
            if secret != "storage_key" and getattr(self, secret) and self.publish_settle_seconds < LEAST_SETTLE_SECONDS:
                raise ValueError(
                    f"DRAGGONNB_PUBLISH_SETTLE_SECONDS must be {LEAST_SETTLE_SECONDS:.0f} at least with real networks: "
                    "a call may be that long under way"
                )
        return self

    @model_validator(mode="after")
    def _real_payfast_needs_all_three(self) -> Self:
        if self.payfast_merchant_key and not (self.payfast_merchant_id and self.payfast_passphrase):
            raise ValueError(
                "DRAGGONNB_PAYFAST_MERCHANT_ID and DRAGGONNB_PAYFAST_PASSPHRASE are needed with "
                "DRAGGONNB_PAYFAST_MERCHANT_KEY: PayFast takes subscriptions only with a passphrase"
            )
        return self

    @model_validator(mode="after")
    def _real_supabase_needs_its_organization(self) -> Self:
        if self.supabase_access_token and not self.supabase_organization_slug:
            raise ValueError(
                "DRAGGONNB_SUPABASE_ORGANIZATION_SLUG is needed with DRAGGONNB_SUPABASE_ACCESS_TOKEN:"
                " that organization holds the projects"
            )
        return self

    @model_validator(mode="after")
    def _real_n8n_needs_its_address(self) -> Self:
        if self.n8n_api_key and not self.n8n_base_url:
            raise ValueError("DRAGGONNB_N8N_BASE_URL is needed with DRAGGONNB_N8N_API_KEY: every n8n has its own")
        return self

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
        OperatorError: names each variable that is wrong, and why.
    """
    try:
        return Settings(**overrides)  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        faults = "; ".join(
            f"DRAGGONNB_{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" if fault["loc"] else fault["msg"]
            for fault in error.errors()
        )
        raise OperatorError(f"settings: {faults}", remedy="correct it in the environment or in .env") from error
