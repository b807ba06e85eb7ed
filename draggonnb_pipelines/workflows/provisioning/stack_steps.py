"""What several steps of provisioning do alike: read what an earlier one made, wait for a vendor with a limit.

Not here: the ledger itself (`stack_ledger.py`), the steps (a module each).
"""

import hashlib
from dataclasses import dataclass
from typing import NoReturn

from draggonnb_pipelines.domain.client_config import public_variables
from draggonnb_pipelines.domain.provisioning import Resource, host_name, project_name
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, NotYet

APP_KEY = "secret_app"
PUBLISHABLE_KEY = "publishable"
WAIT_SECONDS = 600.0


@dataclass(frozen=True)
class AppAccess:
    """With what the client's app reaches its database: `public` is in every visitor's browser, the key never."""

    ref: str
    public: dict[str, str]
    secret_key: str


async def app_access(ledger: Ledger) -> AppAccess:
    """From the rows of the Supabase project and its keys.

    Raises:
        LookupError: those steps are not done.
    """
    client, stack = ledger.client, ledger.stack
    project = await earlier(ledger, "supabase_project", project_name(client.slug))
    publishable = await earlier(ledger, "api_keys", PUBLISHABLE_KEY)
    secret = await earlier(ledger, "api_keys", APP_KEY)
    ref = str(project.vendor_id)
    public = public_variables(
        client.organization,
        supabase_url=stack.settings.supabase_project_url(ref),
        publishable_key=publishable.secrets["value"],
        site_url=stack.vercel.site(host_name(client.slug, stack.settings.vercel_domain)),
    )
    return AppAccess(ref, public, secret.secrets["value"])


async def earlier(ledger: Ledger, step: str, name: str) -> Resource:
    """What an earlier step made.

    Raises:
        LookupError: it is not ready: half a value would be written down at the next vendor.
    """
    resource = await ledger.resource(step, name)
    if not resource.is_ready:
        raise LookupError(f"{ledger.client.slug}: {step} {name} is {resource.state}, not ready")
    return resource


def wait(
    ledger: Ledger, resource: Resource, reason: str, *, then: DraggonnbError, seconds: float = WAIT_SECONDS
) -> NoReturn:
    """Ask again soon; once `seconds` have passed since the call that made it, it is trouble.

    Raises:
        NotYet: there is time left.
        DraggonnbError: `then`, there is none.
    """
    began = resource.attempted_at or resource.created_at
    if began is not None and (ledger.stack.now() - began).total_seconds() > seconds:
        raise then
    raise NotYet(reason, ledger.stack.settings.provision_poll_seconds)


def digest(value: str) -> str:
    """By which a value that cannot be read back is known to be the same: SHA-256. Keep it sealed all the same."""
    return hashlib.sha256(value.encode()).hexdigest()
