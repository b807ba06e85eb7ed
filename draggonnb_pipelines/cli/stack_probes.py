"""The doctor's probes of PayFast and of the vendors of clients' stacks: Supabase, GitHub, Vercel, n8n.

They only read. Does not live here: what is looked at (`workflows/provisioning/stack_access.py`,
`supabase_access.py`), the other vendors (`network_probes.py`, `service_probes.py`).
"""

from collections.abc import Awaitable
from datetime import UTC, datetime

from draggonnb_pipelines.cli.findings import Finding, fault, ok
from draggonnb_pipelines.cli.service_probes import vendor_check, vendor_remedy
from draggonnb_pipelines.errors import VendorError
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.vendors import build_github, build_n8n, build_payfast, build_supabase, build_vercel
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.provisioning.stack_access import look_at_github, look_at_n8n, look_at_vercel
from draggonnb_pipelines.workflows.provisioning.supabase_access import look_at_supabase


async def payfast(settings: Settings) -> Finding:
    async with _door(settings) as door:
        ping = build_payfast(settings, door, lambda: datetime.now(UTC)).ping()
        variables = "DRAGGONNB_PAYFAST_MERCHANT_ID, _MERCHANT_KEY and _PASSPHRASE, and this computer's clock"
        return await _finding("payfast", "PayFast", settings, ping, "it takes the credentials", variables)


async def supabase(settings: Settings) -> Finding:
    async with _door(settings) as door:
        look = look_at_supabase(settings, build_supabase(settings, door))
        what = f"organization {settings.supabase_organization}, projects in {settings.supabase_region}"
        return await _finding("supabase", "Supabase", settings, look, what, "DRAGGONNB_SUPABASE_*")


async def github(settings: Settings) -> Finding:
    async with _door(settings) as door:
        look = look_at_github(settings, build_github(settings, door))
        what = f"owner {settings.github_owner}, template {settings.github_template}"
        return await _finding("github", "GitHub", settings, look, what, "DRAGGONNB_GITHUB_*")


async def vercel(settings: Settings) -> Finding:
    async with _door(settings) as door:
        look = look_at_vercel(build_vercel(settings, door))
        return await _finding("vercel", "Vercel", settings, look, "it shows the team's projects", "DRAGGONNB_VERCEL_*")


async def n8n(settings: Settings) -> Finding:
    async with _door(settings) as door:
        look = look_at_n8n(settings, build_n8n(settings, door))
        return await _finding("n8n", "n8n", settings, look, "the key has every scope", "DRAGGONNB_N8N_*")


async def _finding(
    vendor: str, name: str, settings: Settings, look: Awaitable[None], what: str, variables: str
) -> Finding:
    check = vendor_check(vendor, name, settings)
    try:
        await look
    except VendorError as error:
        return fault(check, str(error), vendor_remedy(vendor, settings, variables))
    return ok(check, what)


def _door(settings: Settings) -> HttpDoor:
    # Its retries come at once: a probe has no time for back-off.
    return HttpDoor(user_agent=settings.research_user_agent, randomness=lambda: 0.0)
