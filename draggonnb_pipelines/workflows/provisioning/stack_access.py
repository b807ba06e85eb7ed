"""What our credentials must be allowed at the vendors of a client's stack, looked at before anything is made for it.

Lives here: the looks at GitHub, Vercel and n8n, and that one look serves all clients. Not here: the look at Supabase
(`supabase_access.py`), what the vendors' answers mean (`resources/*_wire.py`).

A look only reads. What a token may write no vendor but n8n tells: a right that is missing in spite of it stops the
step that needs it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.github import GitHub
from draggonnb_pipelines.resources.n8n import N8n
from draggonnb_pipelines.resources.n8n_wire import VENDOR as N8N
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.supabase_management import SupabaseManagement
from draggonnb_pipelines.resources.vercel import Vercel
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.provisioning.supabase_access import look_at_supabase

# The vendors count calls for all clients together: what one of them saw holds for the others.
GOOD_SECONDS, BAD_SECONDS = 60.0, 5.0
N8N_SCOPES = frozenset(
    {f"workflow:{verb}" for verb in ("create", "read", "list", "update", "delete", "activate", "deactivate")}
    | {f"credential:{verb}" for verb in ("create", "update", "delete")}
)


@dataclass
class _Look:
    """What the last look at one vendor found, and until when that counts."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    until: float = 0.0
    error: VendorError | None = None


_LOOKS: Mapping[str, Callable[[Stack], Awaitable[None]]] = {
    "supabase": lambda stack: look_at_supabase(stack.settings, stack.supabase),
    "github": lambda stack: look_at_github(stack.settings, stack.github),
    "vercel": lambda stack: look_at_vercel(stack.vercel),
    "n8n": lambda stack: look_at_n8n(stack.settings, stack.n8n),
}
_looks: WeakKeyDictionary[SupabaseManagement, dict[str, _Look]] = WeakKeyDictionary()


async def check_access(stack: Stack) -> None:
    """Every vendor takes our credentials, as far as reading tells. Nothing is made.

    A vendor other than Supabase that is merely away stops nobody: its own step waits for it.

    Raises:
        VendorError: the first vendor that refuses, saying what to change on which page.
    """
    looks = _looks.setdefault(stack.supabase, {vendor: _Look() for vendor in _LOOKS})
    errors = await asyncio.gather(*(_look(stack, vendor, look) for vendor, look in looks.items()))
    for vendor, error in zip(looks, errors, strict=True):
        if error and (vendor == "supabase" or not error.is_transient):
            raise error


async def look_at_github(settings: Settings, github: GitHub) -> None:
    """The token sees the owner's repositories and the template, and may read the template's Actions if it is the
    owner's.

    Raises:
        VendorError: CONFIG, AUTH or PERMISSION, with the page; others as sorted.
    """
    await github.check_access(settings.github_owner, settings.github_template)


async def look_at_vercel(vercel: Vercel) -> None:
    """The token sees the team's projects.

    Raises:
        VendorError: AUTH or PERMISSION, with the page; others as sorted.
    """
    await vercel.check_access()


async def look_at_n8n(settings: Settings, n8n: N8n) -> None:
    """The key has every scope that entries and credentials need.

    Raises:
        VendorError: AUTH or PERMISSION, with the page; others as sorted.
    """
    page = f"{settings.n8n_url}/settings/api"
    try:
        scopes = await n8n.discover()
    except VendorError as error:
        if error.error_class not in (ErrorClass.AUTH, ErrorClass.PERMISSION):
            raise
        message = f"the key is refused: make a new one at {page}"
        raise VendorError(N8N, error.error_class, message, status=error.status, code=error.code) from error
    if missing := sorted(N8N_SCOPES - scopes):
        raise VendorError(N8N, ErrorClass.PERMISSION, f"give the key {', '.join(missing)} at {page}")


async def _look(stack: Stack, vendor: str, look: _Look) -> VendorError | None:
    async with look.lock:
        if time.monotonic() >= look.until:
            try:
                await _LOOKS[vendor](stack)
                look.error = None
            except VendorError as error:
                look.error = error
            look.until = time.monotonic() + (BAD_SECONDS if look.error else GOOD_SECONDS)
    return look.error
