"""Builds the clients of the vendors that payments and clients' stacks need, from the settings.

Not here: social networks (`platforms.py`), who keeps the clients open (`stack.py`).
"""

from collections.abc import Callable
from datetime import datetime

from draggonnb_pipelines.resources.github import GitHub
from draggonnb_pipelines.resources.http import HttpDoor
from draggonnb_pipelines.resources.n8n import N8n
from draggonnb_pipelines.resources.payfast import PayFast
from draggonnb_pipelines.resources.supabase_management import SupabaseManagement
from draggonnb_pipelines.resources.vercel import Vercel
from draggonnb_pipelines.settings import Settings


def build_payfast(settings: Settings, door: HttpDoor, now: Callable[[], datetime]) -> PayFast:
    merchant_id, merchant_key, passphrase = settings.payfast_account
    return PayFast(
        door,
        process_url=settings.payfast_process_url,
        validate_url=settings.payfast_validate_url,
        api_url=settings.payfast_api_url,
        merchant_id=merchant_id,
        merchant_key=merchant_key,
        passphrase=passphrase,
        testing=settings.payfast_testing,
        now=now,
    )


def build_supabase(settings: Settings, door: HttpDoor) -> SupabaseManagement:
    return SupabaseManagement(door, base_url=settings.supabase_management_url, token=settings.supabase_token)


def build_github(settings: Settings, door: HttpDoor) -> GitHub:
    return GitHub(door, base_url=settings.github_url, token=settings.github_key)


def build_vercel(settings: Settings, door: HttpDoor) -> Vercel:
    return Vercel(
        door,
        base_url=settings.vercel_url,
        token=settings.vercel_key,
        team_id=settings.vercel_team_id,
        site_url=settings.vercel_site_url,
    )


def build_n8n(settings: Settings, door: HttpDoor) -> N8n:
    return N8n(door, base_url=settings.n8n_url, api_key=settings.n8n_key)
