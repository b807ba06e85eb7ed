"""Provisioning, the keys of the client's project: one for browsers, and a secret one for each consumer.

Lives here: which keys there are, making each once. Not here: who uses them (`environment.py`, `onboarding_email.py`).

Each consumer has a key of its own, so that one can be revoked without stopping the others. Names are not unique at the
vendor, but the project is ours alone: what has the name is what an earlier call made.
"""

from functools import partial
from typing import Literal

from draggonnb_pipelines.domain.provisioning import Resource
from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.supabase_wire import VENDOR, ApiKey
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, Made
from draggonnb_pipelines.workflows.provisioning.supabase_access import KEY_PERMISSIONS, TOKENS_PAGE, where_to_allow
from draggonnb_pipelines.workflows.provisioning.supabase_project import ready_project

STEP = "api_keys"
# In a row's secrets.
VALUE = "value"
Kind = Literal["publishable", "secret"]
KINDS: dict[str, Kind] = {
    "publishable": "publishable",
    "secret_app": "secret",
    "secret_n8n": "secret",
    "secret_agency": "secret",
}


async def api_keys(ledger: Ledger) -> Resource:
    """The client's keys are there, each in a row of its own, its value sealed; the row of the publishable one.

    Raises:
        NotYet: the project is not ready, or a key may still come of an earlier call.
        VendorError: sorted; a missing permission names the page on which it is given.
    """
    ref = str((await ready_project(ledger)).vendor_id)
    planned = [await ledger.plan(STEP, VENDOR, name, details={"kind": kind}) for name, kind in KINDS.items()]
    find, make = partial(_find, ledger, ref), partial(_make, ledger, ref)
    made = [row if row.is_ready else await ledger.ensure(row, find=find, make=make) for row in planned]
    return made[0]


async def _find(ledger: Ledger, ref: str, resource: Resource) -> Made | None:
    with where_to_allow(ledger.stack.settings, KEY_PERMISSIONS):
        keys = await ledger.stack.supabase.api_keys(ref, reveal=True)
    kind = KINDS[resource.name]
    # Two of one name could only come of calls that met; the vendor lists the older one first.
    return next((_made(key) for key in keys if key.name == resource.name and key.kind == kind), None)


async def _make(ledger: Ledger, ref: str, resource: Resource) -> Made:
    with where_to_allow(ledger.stack.settings, KEY_PERMISSIONS):
        return _made(await ledger.stack.supabase.create_api_key(ref, KINDS[resource.name], resource.name))


def _made(key: ApiKey) -> Made:
    """What to keep of a key that was revealed.

    Raises:
        VendorError: PERMISSION, it is masked.
    """
    if key.id is None or not key.value or not key.value.isascii():
        message = f"the key {key.name} is not shown: give the access token {KEY_PERMISSIONS} at {TOKENS_PAGE}"
        raise VendorError(VENDOR, ErrorClass.PERMISSION, message)
    return Made(key.id, secrets={VALUE: key.value})
