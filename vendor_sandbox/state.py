"""What the sandbox remembers: settings, fault scripts, the journal, and each vendor's own memory.

One object per process, handed to every handler. `reset` brings it back to how it started.
"""

import asyncio
import dataclasses
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vendor_sandbox.faults import FaultScripts
from vendor_sandbox.github_repos import GitHubMemory
from vendor_sandbox.journal import Journal
from vendor_sandbox.n8n_workflows import N8nMemory
from vendor_sandbox.payfast_books import PayFastBooks
from vendor_sandbox.social import SocialNetworks
from vendor_sandbox.supabase_postgrest import PostgrestServers
from vendor_sandbox.supabase_projects import SupabaseMemory
from vendor_sandbox.vercel_projects import VercelMemory


@dataclass
class SandboxSettings:
    """What POST /_sandbox/settings may change."""

    claude_latency_seconds: float = 0.15
    claude_batch_seconds: float = 2.0
    claude_unsupported_quote_rate: float = 1 / 6
    claude_obeys_injection: bool = False
    claude_max_searches: int = 2
    whatsapp_latency_seconds: float = 0.0
    whatsapp_status_seconds: float = 0.3
    whatsapp_retry_seconds: float = 0.5
    whatsapp_app_secret: str = "sandbox-app-secret"
    mail_latency_seconds: float = 0.0
    website_latency_seconds: float = 0.0
    social_latency_seconds: float = 0.0
    social_lag_seconds: float = 0.0
    social_refuses_duplicates: bool = True
    social_window_limit: int = 100
    social_window_seconds: float = 900.0
    social_clock_ahead_seconds: float = 0.0
    instagram_container_seconds: float = 0.5
    instagram_quota_total: int = 50
    facebook_app_percent: float = 1.0
    x_token_seconds: float = 7200.0
    x_processing_seconds: float = 0.5
    x_app_daily_limit: int = 10_000
    linkedin_versions: str = "202601,202602,202603,202604,202605,202606,202607,202610"
    payfast_merchant_id: str = "10000100"
    payfast_merchant_key: str = "46f0cd694581a"
    payfast_passphrase: str = "jt7NOE43FZPn"
    payfast_retry_seconds: float = 0.5
    webhook_base: str | None = None
    postgres_dsn: str | None = None
    supabase_project_seconds: float = 1.0
    supabase_project_limit: int = 1000
    supabase_rate_per_minute: int = 120
    github_copy_seconds: float = 1.0
    github_rate_per_hour: int = 5000
    vercel_build_seconds: float = 2.0
    vercel_verified_apexes: str = "draggonnb.app"
    vercel_dns: str = ""
    vercel_apps: str = ""
    n8n_scopes: str = (
        "workflow:create,workflow:read,workflow:list,workflow:update,workflow:delete,workflow:activate,"
        "workflow:deactivate,credential:create,credential:update,credential:delete"
    )

    def update(self, values: dict[str, Any]) -> None:
        """Change settings by name.

        Raises:
            ValueError: a name is unknown or a value has the wrong type; nothing is changed then.
        """
        kinds = {field.name: field.type for field in dataclasses.fields(self)}
        for name, value in values.items():
            if name not in kinds:
                raise ValueError(f"setting {name!r} is unknown; there are: {', '.join(sorted(kinds))}")
            wanted = (int, float) if kinds[name] is float else kinds[name]
            is_number_for_flag = isinstance(value, bool) and kinds[name] is not bool
            if not isinstance(value, wanted) or is_number_for_flag:  # pyright: ignore[reportArgumentType]
                raise ValueError(f"setting {name!r} wants {kinds[name]}, not {value!r}")
        for name, value in values.items():
            setattr(self, name, value)


class Sandbox:
    """The state of one running sandbox."""

    def __init__(
        self,
        *,
        settings: SandboxSettings | None = None,
        journal_file: Path | None = None,
        postgrest: Path | None = None,
        github_template: Mapping[str, bytes] | None = None,
    ) -> None:
        self._first_settings = settings or SandboxSettings()
        self.settings = dataclasses.replace(self._first_settings)
        self.faults = FaultScripts()
        self.journal = Journal(journal_file)
        self.public: list[dict[str, Any]] = []
        self.mailbox: dict[tuple[str, str], dict[str, Any]] = {}
        self.batches: dict[str, Any] = {}
        self.cached_prefixes: set[str] = set()
        self.whatsapp_templates: dict[str, str] = {}
        self.social = SocialNetworks()
        self.supabase = SupabaseMemory()
        self.postgrest = PostgrestServers(postgrest)
        self.payfast = PayFastBooks()
        self.github = GitHubMemory(github_template)
        self.vercel = VercelMemory()
        self.n8n = N8nMemory()
        self._tasks: set[asyncio.Task[None]] = set()

    def reset(self) -> None:
        """Forget everything, also the webhooks that are still to be sent."""
        for task in self._tasks:
            task.cancel()
        self.settings = dataclasses.replace(self._first_settings)
        self.faults.clear()
        self.journal.clear()
        self.public.clear()
        self.mailbox.clear()
        self.batches.clear()
        self.cached_prefixes.clear()
        self.whatsapp_templates.clear()
        self.social.clear()
        self.supabase.clear()
        self.payfast.clear()
        self.github.clear()
        self.vercel.clear()
        self.n8n.clear()

    async def stop_work(self) -> None:
        """End what runs in the background, and wait for its end: a database that is being made cannot be dropped."""
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background until it is done or the sandbox is reset."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
