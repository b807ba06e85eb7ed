"""Provisioning, the first step: the client's own Supabase project, healthy, with a database that takes our password.

Lives here: making it once, waiting for it, knowing our own. Not here: its tables (`tenant_schema.py`), its keys
(`api_keys.py`), the vendor's answers (`resources/supabase_management.py`).

A project carries no mark of ours, and names may be there twice. The proof is the password: it was stored before the
call and nobody else has it, so a database that takes it is the one that we asked for.
"""

import contextlib
import secrets
from datetime import timedelta
from functools import partial

import psycopg

from draggonnb_pipelines.domain.provisioning import Resource, project_name
from draggonnb_pipelines.errors import DraggonnbError, ErrorClass, NeedsReview, VendorError
from draggonnb_pipelines.resources.project_database import project_dsn, takes_password
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.supabase_wire import VENDOR, Project
from draggonnb_pipelines.workflows.provisioning.stack_access import check_access
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, Made, NameTaken, NotYet
from draggonnb_pipelines.workflows.provisioning.supabase_access import (
    DATABASE_PERMISSIONS,
    PROJECT_PERMISSIONS,
    where_to_allow,
)

STEP = "supabase_project"
PASSWORD = "db_pass"
# Usually 1 to 3 minutes.
COMES_UP_WITHIN = timedelta(minutes=15)
# Between the vendor's clock and ours.
CLOCK_SKEW = timedelta(minutes=5)
# From these it does not come back by itself.
ENDS = frozenset({"INIT_FAILED", "INACTIVE", "PAUSING", "PAUSE_FAILED", "RESTORE_FAILED", "GOING_DOWN", "REMOVED"})
# US dollars a month and project (supabase.com/pricing, November 2026); larger ones are by agreement.
MONTHLY_USD = {"nano": 0, "micro": 10, "small": 15, "medium": 60, "large": 110, "xlarge": 210, "2xlarge": 410}


async def supabase_project(ledger: Ledger) -> Resource:
    """The project that holds the client's data: its ref is the row's `vendor_id`, its password among the secrets.

    1. the intent, with the password  2. the guard: what every vendor lets us do, and the name  3. the call
    4. until it is healthy  5. the password opens its database

    Raises:
        NotYet: it is coming up.
        NameTaken: a project of this name is somebody else's.
        NeedsReview: it failed, was paused or deleted there, or is not up after `COMES_UP_WITHIN`.
        VendorError: sorted; a missing permission or a full quota names the page on which it is changed.
    """
    settings = ledger.stack.settings
    resource = await ledger.plan(
        STEP,
        VENDOR,
        project_name(ledger.client.slug),
        details={"organization": settings.supabase_organization, "region": settings.supabase_region},
        secrets={PASSWORD: secrets.token_urlsafe(32)},
        monthly_cents=100 * MONTHLY_USD.get(settings.supabase_size, 0),
    )
    if resource.is_ready:
        return resource
    return await ledger.ensure(resource, find=partial(_find, ledger), make=partial(_make, ledger))


async def ready_project(ledger: Ledger) -> Resource:
    """The row of the project, for the steps that work in it.

    Raises:
        NotYet: it is not ready.
    """
    name = project_name(ledger.client.slug)
    with contextlib.suppress(LookupError):
        project = await ledger.resource(STEP, name)
        if project.is_ready:
            return project
    raise NotYet(f"the project {name} is not ready", ledger.stack.settings.provision_poll_seconds)


async def dsn_of_project(stack: Stack, ref: str, password: str) -> str:
    """The DSN of a project's database, through its pooler.

    Raises:
        VendorError: sorted.
    """
    with where_to_allow(stack.settings, DATABASE_PERMISSIONS):
        address = await stack.supabase.database_address(ref)
    return project_dsn(address, password, is_sandboxed="supabase" in stack.settings.sandboxed_vendors)


async def _find(ledger: Ledger, resource: Resource) -> Made | None:
    stack = ledger.stack
    if resource.attempted_at is None:
        await check_access(stack)
    with where_to_allow(stack.settings, PROJECT_PERMISSIONS):
        if resource.vendor_id:
            return await _known(ledger, resource, resource.vendor_id)
        named = await stack.supabase.find_projects(stack.settings.supabase_organization, resource.name)
    if not named:
        return None
    if resource.attempted_at is None:
        raise NameTaken(VENDOR, resource.name, "it was there before we made any")
    assert resource.created_at is not None
    for project in named:
        # Of ours, one that is not up yet cannot be told from a stranger's: it is waited for.
        if project.created_at >= resource.created_at - CLOCK_SKEW and await _is_opened(ledger, resource, project):
            return _made(stack, project)
    raise NameTaken(VENDOR, resource.name, "its database does not take our password")


async def _known(ledger: Ledger, resource: Resource, ref: str) -> Made:
    """The project of which we had the answer."""
    try:
        project = await ledger.stack.supabase.project(ref)
    except VendorError as error:
        if error.status != 404:
            raise
        raise NeedsReview(f"the project {ref} was made for us and is gone: it was deleted at Supabase") from error
    if not await _is_opened(ledger, resource, project):
        raise NeedsReview(f"the project {ref} does not take the password with which it was made")
    return _made(ledger.stack, project)


async def _make(ledger: Ledger, resource: Resource) -> Made:
    stack, settings = ledger.stack, ledger.stack.settings
    with where_to_allow(stack.settings, PROJECT_PERMISSIONS):
        project = await stack.supabase.create_project(
            resource.name,
            settings.supabase_organization,
            resource.secrets[PASSWORD],
            settings.supabase_region,
            settings.supabase_size,
        )
    await ledger.note(resource, _made(stack, project))
    raise NotYet(f"the project {project.ref} is coming up", settings.provision_poll_seconds)


async def _is_opened(ledger: Ledger, resource: Resource, project: Project) -> bool:
    """Whether our password opens this project's database, which can be told once it is up.

    Raises:
        NotYet, NeedsReview: it is not up.
    """
    stack, ref = ledger.stack, project.ref
    if project.status in ENDS:
        raise NeedsReview(f"the project {ref} is {project.status} at {_page(stack, ref)}: restore or delete it there")
    if not project.is_healthy:
        raise _later(ledger, resource, f"the project {ref} is {project.status}")
    if ill := [one.name for one in await stack.supabase.health(ref) if not one.is_healthy]:
        raise _later(ledger, resource, f"of the project {ref} these are not healthy yet: {', '.join(ill)}")
    try:
        return await takes_password(await dsn_of_project(stack, ref, resource.secrets[PASSWORD]))
    except psycopg.OperationalError as error:
        raise _later(ledger, resource, f"the database of the project {ref} cannot be reached yet") from error
    except VendorError as error:
        if error.error_class is not ErrorClass.RETRY or error.status is not None:
            raise
        raise _later(ledger, resource, f"the project {ref} has no address yet") from error


def _later(ledger: Ledger, resource: Resource, reason: str) -> DraggonnbError:
    assert resource.attempted_at is not None
    if ledger.stack.now() - resource.attempted_at > COMES_UP_WITHIN:
        minutes = COMES_UP_WITHIN.total_seconds() / 60
        return NeedsReview(f"{reason}, more than {minutes:.0f} minutes after it was asked for")
    return NotYet(reason, ledger.stack.settings.provision_poll_seconds)


def _made(stack: Stack, project: Project) -> Made:
    url = stack.settings.supabase_project_url(project.ref)
    return Made(project.ref, url=_page(stack, project.ref), details={"region": project.region, "project_url": url})


def _page(stack: Stack, ref: str) -> str:
    """Where a person looks at the project; a sandbox has no such page."""
    if "supabase" in stack.settings.sandboxed_vendors:
        return stack.settings.supabase_project_url(ref)
    return f"https://supabase.com/dashboard/project/{ref}"
