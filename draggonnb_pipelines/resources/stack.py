"""Everything that the workflows need, opened once per event loop and closed together.

Not here: who opens it. Runs do through `bindings.py`, the CLI and the tests directly.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.resources.claude import Claude, Prices
from draggonnb_pipelines.resources.github import GitHub
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.mail import Mailer
from draggonnb_pipelines.resources.n8n import N8n
from draggonnb_pipelines.resources.payfast import PayFast
from draggonnb_pipelines.resources.platforms import Adapter, build_platforms
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.resources.storage import MediaStorage
from draggonnb_pipelines.resources.supabase_management import SupabaseManagement
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.resources.vendor_limits import VendorLimits, rates_of
from draggonnb_pipelines.resources.vendors import build_github, build_n8n, build_payfast, build_supabase, build_vercel
from draggonnb_pipelines.resources.vercel import Vercel
from draggonnb_pipelines.resources.whatsapp import WhatsApp
from draggonnb_pipelines.settings import SANDBOX_SECRET, Settings

if TYPE_CHECKING:
    from draggonnb_pipelines.resources.supabase_auth import SupabaseAuth


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Stack:
    """The databases and the vendors' clients of one event loop, and the clock.

    `kept` is closed with the stack, before the rest: a step may leave there what is to outlive it.
    """

    settings: Settings
    vault: Vault
    master: MasterDb
    tenants: Tenants
    door: HttpDoor
    claude: Claude
    whatsapp: WhatsApp
    mailer: Mailer
    storage: MediaStorage
    platforms: Mapping[Platform, Adapter]
    payfast: PayFast
    supabase: SupabaseManagement
    github: GitHub
    vercel: Vercel
    n8n: N8n
    kept: AsyncExitStack = field(default_factory=AsyncExitStack)
    now: Callable[[], datetime] = utc_now

    def supabase_auth(self, ref: str, secret_key: str) -> "SupabaseAuth":
        """The Auth of one client's Supabase project."""
        from draggonnb_pipelines.resources.supabase_auth import SupabaseAuth  # heavy, and few runs need it

        return SupabaseAuth(self.door, project_url=self.settings.supabase_project_url(ref), key=secret_key)


@asynccontextmanager
async def open_stack(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> AsyncIterator[Stack]:
    """Open all of it; nothing is called before a workflow calls it."""
    vault = Vault(settings.keys)
    async with AsyncExitStack() as opened:
        master = await opened.enter_async_context(MasterDb(settings.dsn, name=vault.session_name))
        tenants = await opened.enter_async_context(
            Tenants(settings.dsn, vault, max_connections=settings.tenant_connections)
        )
        limits = VendorLimits(master, rates_of(settings))
        door = await opened.enter_async_context(
            HttpDoor(user_agent=settings.research_user_agent, connect_to=settings.connect_to, limits=limits)
        )
        claude = await opened.enter_async_context(
            Claude(
                base_url=settings.claude_base_url,
                api_key=settings.claude_key,
                prices=Prices(
                    input_usd_per_mtok=settings.claude_input_usd_per_mtok,
                    output_usd_per_mtok=settings.claude_output_usd_per_mtok,
                    web_search_usd_per_1000=settings.claude_web_search_usd_per_1000,
                ),
                concurrency=settings.claude_concurrency,
                limits=limits,
            )
        )
        whatsapp = WhatsApp(
            door,
            base_url=settings.whatsapp_url,
            token=settings.whatsapp_key,
            phone_number_id=settings.whatsapp_phone_number_id,
        )
        host, port = settings.smtp_address
        mailer = Mailer(
            host=host,
            port=port,
            user=settings.smtp_user,
            password=settings.smtp_password.get_secret_value() if settings.smtp_password else None,
            starttls=settings.smtp_starttls and settings.smtp_host is not None,
            sender=settings.mail_from,
        )
        key = settings.storage_key.get_secret_value() if settings.storage_key else SANDBOX_SECRET
        storage = MediaStorage(door, base_url=settings.storage_url, key=key)
        platforms = build_platforms(settings, door, storage)
        yield Stack(
            settings=settings,
            vault=vault,
            master=master,
            tenants=tenants,
            door=door,
            claude=claude,
            whatsapp=whatsapp,
            mailer=mailer,
            storage=storage,
            platforms=platforms,
            payfast=build_payfast(settings, door, now),
            supabase=build_supabase(settings, door),
            github=build_github(settings, door),
            vercel=build_vercel(settings, door),
            n8n=build_n8n(settings, door),
            kept=await opened.enter_async_context(AsyncExitStack()),
            now=now,
        )
