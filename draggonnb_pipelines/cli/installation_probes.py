"""The doctor's probes of this machine: Python, packages, the state directory, the master keys' file.

Does not live here: anything behind a connection (`database_probes.py`, `service_probes.py`, `network_probes.py`).
"""

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version

from draggonnb_pipelines.cli.findings import Finding, fault, note, ok
from draggonnb_pipelines.settings import Settings

PYTHONS = ((3, 11), (3, 13))  # first and last, as pyproject.toml's requires-python
PACKAGES = ("draggonnb-pipelines", "dagster", "dagster-postgres", "psycopg", "anthropic", "httpx", "typer")
LEAST_FREE_BYTES = 1_000_000_000
LITTLE_FREE_BYTES = 5_000_000_000


def python() -> Finding:
    what = f"{platform.python_version()} at {sys.executable}"
    if PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        return ok("Python", what)
    return fault("Python", what, "use Python 3.11, 3.12 or 3.13: `make setup` finds one")


def packages() -> Finding:
    """Asks for the versions without importing: Dagster alone costs a second."""
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return fault("packages", f"not installed: {', '.join(missing)}", "make setup")
    return ok("packages", ", ".join(found))


def state_directory(settings: Settings) -> Finding:
    """Whether the state directory can be written; it is not made by looking at it."""
    check, directory = "state directory", settings.state_dir.resolve()
    nearest = next(path for path in (directory, *directory.parents) if path.exists())
    remedy = "give it to the user that runs draggonnb, or set DRAGGONNB_STATE_DIR to another folder"
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return fault(check, f"{directory} cannot be written by this user", remedy)
    free = shutil.disk_usage(nearest).free
    what = f"{directory}, {free / 1e9:.1f} GB free" + ("" if directory.exists() else ", made at the first start")
    if free < LEAST_FREE_BYTES:
        return fault(check, what, "free some space: Postgres stops when the disk is full")
    return note(check, what, "a busy day writes some GB") if free < LITTLE_FREE_BYTES else ok(check, what)


def canary(settings: Settings) -> Finding:
    """Whether a post of our own proves each hour that publishing works."""
    if settings.canary_account is None:
        remedy = "connect an account that is for nothing else and set DRAGGONNB_CANARY_ACCOUNT: docs/monitoring.md"
        return note("canary", "none flies: nothing is published to see whether publishing works", remedy)
    return ok("canary", f"flies hourly, by account {settings.canary_account}")


def sandbox(settings: Settings) -> Finding:
    """Said loudly: an installation that seems to work while nobody gets anything is the worst kind."""
    if not settings.sandboxed_vendors:
        return ok("vendors", "all real")
    variables = {
        "claude": "DRAGGONNB_ANTHROPIC_API_KEY",
        "whatsapp": "DRAGGONNB_WHATSAPP_TOKEN",
        "mail": "DRAGGONNB_SMTP_HOST",
        "meta": "DRAGGONNB_META_APP_SECRET",
        "linkedin": "DRAGGONNB_LINKEDIN_CLIENT_SECRET",
        "x": "DRAGGONNB_X_CLIENT_SECRET",
        "storage": "DRAGGONNB_STORAGE_KEY",
        "supabase": "DRAGGONNB_SUPABASE_ACCESS_TOKEN",
        "payfast": "DRAGGONNB_PAYFAST_MERCHANT_KEY",
        "github": "DRAGGONNB_GITHUB_TOKEN",
        "vercel": "DRAGGONNB_VERCEL_TOKEN",
        "n8n": "DRAGGONNB_N8N_API_KEY",
    }
    names = ", ".join(settings.sandboxed_vendors)
    unset = ", ".join(variables[vendor] for vendor in settings.sandboxed_vendors)
    return note(
        "vendors", f"SANDBOX: {names}: no real vendor is called, nobody gets anything", f"to go live set {unset}"
    )
