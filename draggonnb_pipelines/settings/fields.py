"""The settings as the environment gives them: names, defaults, bounds, and what needs what.

Not here: what follows from them, such as a vendor's address or its sandbox's (`settings/__init__.py`).
"""

from pathlib import Path
from typing import Annotated, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from draggonnb_pipelines.domain.itn import Network

PROJECT_ROOT = Path(__file__).resolve().parent.parent.parent
LEAST_SETTLE_SECONDS = 90.0


def _split(value: object) -> object:
    """A list as the environment writes it: with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Fields(BaseSettings):
    """Every variable, with its default and its bounds."""

    model_config = SettingsConfigDict(
        env_prefix="DRAGGONNB_", env_file=PROJECT_ROOT / ".env", env_ignore_empty=True, extra="ignore"
    )

    # --- where things are
    state_dir: Path = PROJECT_ROOT / ".draggonnb"
    postgres_dir: Path | None = None
    backup_dir: Path | None = None
    master_dsn: str | None = None
    master_keys: SecretStr | None = None
    dagster_pg_url: str | None = None
    celery_broker: str | None = Field(default=None, pattern=r"^(rediss?://.|amqps?://.|filesystem:///.)")
    celery_slots: int = Field(default=5, ge=1, le=64)
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8080, ge=1, le=65535)
    api_workers: int = Field(default=1, ge=1, le=16)
    ui_port: int = Field(default=3000, ge=1, le=65535)
    ui_view_port: int = Field(default=3001, ge=1, le=65535)
    sandbox_port: int = Field(default=8190, ge=1, le=65534)
    public_base_url: str | None = None
    api_rate_per_minute: int = Field(default=1200, ge=1)
    trusted_proxies: Annotated[list[str], NoDecode, BeforeValidator(_split)] = []

    # --- watching
    log_format: str = Field(default="text", pattern="^(text|json)$")
    metrics_token: SecretStr | None = Field(default=None, min_length=20, max_length=200)
    canary_account: UUID | None = None
    watch_ping_url: str | None = Field(default=None, pattern=r"^https?://", max_length=500)

    # --- the MCP server
    mcp_token: SecretStr | None = Field(default=None, min_length=32, max_length=200)

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
    claude_requests_per_minute: int | None = Field(default=None, ge=1, le=100_000)
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

    # --- setting clients up
    provision_clients_at_once: int = Field(default=32, ge=1, le=500)
    provision_patience_seconds: float = Field(default=240.0, ge=0)
    provision_settle_seconds: float = Field(default=120.0, ge=0)
    provision_poll_seconds: float = Field(default=5.0, gt=0)

    # --- what stands on invoices
    seller_name: str = "DraggonnB"
    seller_address: str = ""
    seller_vat_number: str | None = None

    # --- mail
    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_starttls: bool = True
    mail_from: str = "DraggonnB <hello@draggonnb.example>"
    mail_bounce_token: SecretStr | None = Field(default=None, min_length=20, max_length=200)

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
    notification_lease_seconds: int = Field(default=240, ge=10)
    notification_settle_seconds: int = Field(default=600, ge=1)
    escalate_after_minutes: int = Field(default=240, ge=5, le=10080)
    sensor_interval_seconds: int = Field(default=5, ge=1)
    asset_event_keep_days: int = Field(default=14, ge=7)
    run_keep_days: int = Field(default=14, ge=7, le=3650)
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
