"""One master database with two organizations for all tests of the workflows, emptied before each of them."""

import asyncio
import dataclasses
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from pydantic import SecretStr

from draggonnb_pipelines import prompts
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.resources.postgres import MasterDb, dsn_for
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.leads import lead_analyses, proposals
from draggonnb_pipelines.workflows.leads.lead_reports import report_step
from draggonnb_pipelines.workflows.organizations import NewOrganization, create_organization
from tests.conftest import MASTER_KEYS, MakeOrganization
from tests.sandbox_process import Sandbox
from tests.workflows.app_desk import AppDesk, app_desk_of
from tests.workflows.client_desk import OWNER, Desk, desk_of
from tests.workflows.lead_work import deliver, enquiry, impatient_claude, work_through
from tests.workflows.post_reviews import add_people, remove_people

LOADED = (lead_analyses.competitors_prompt, lead_analyses.business_prompt, proposals.proposal_prompt)
# What the workflows write, children before parents.
TENANT_TABLES = (
    "weekly_reports",
    "analytics_snapshots",
    "platform_metrics",
    "alerts",
    "refused_addresses",
    "notification_preferences",
    "publish_attempts",
    "content_queue",
    "review_decisions",
    "consents",
    "lead_events",
    "notification_deliveries",
    "notifications",
    "social_posts",
    "social_accounts",
    "proposals",
    "lead_analyses",
    "ai_generation_log",
    "content_requests",
    "recurring_requests",
    "brand_rules",
    "posting_slots",
    "evidence",
    "company_profiles",
    "activities",
    "deals",
    "client_custom_fields",
    "contacts",
    "leads",
    "usage_reservations",
    "usage_counters",
    "client_usage_metrics",
)
MASTER_TABLES = (
    "analytics_agenda",
    "client_weeks",
    "agency_reports",
    "message_templates",
    "inbox",
    "proposal_links",
    "asset_ledger",
    "message_batches",
    "reprocessings",
    "publishing_agenda",
    "app_quotas",
    "vendor_limits",
    "review_links",
    "stack_resources",
    "api_calls",
    "person_erasures",
)
RULES_AS_THEY_WERE = (
    "update organizations set late_posts = default, late_after_minutes = default, skips_public_holidays = default"
)


@dataclass(frozen=True)
class World:
    """A master database and its organizations; cloning new ones for each test would take most of the time."""

    dsn: str
    agency: Organization
    outsider: Organization

    def empty(self) -> None:
        databases = [(self.agency.database_name, TENANT_TABLES), (self.outsider.database_name, TENANT_TABLES)]
        for name, tables in [(None, MASTER_TABLES), *databases]:
            dsn = dsn_for(self.dsn, name) if name else self.dsn
            with psycopg.connect(dsn) as conn:
                for table in tables:
                    conn.execute(SQL("delete from {}").format(Identifier(table)))
                if name:
                    conn.execute(RULES_AS_THEY_WERE)


@pytest.fixture(scope="session")
def world(postgres_dsn: str, master_template: str, tenant_template: str) -> Iterator[World]:
    name = f"test_workflows_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        conn.execute(SQL("create database {} template {}").format(Identifier(name), Identifier(master_template)))
    dsn = dsn_for(postgres_dsn, name)
    made = asyncio.run(_create(dsn, "draggonnb", "outsider"))
    yield World(dsn, *made)
    with psycopg.connect(postgres_dsn, autocommit=True) as conn:
        for database in [*(organization.database_name for organization in made), name]:
            assert database is not None
            conn.execute(SQL("drop database {} with (force)").format(Identifier(database)))


async def _create(dsn: str, *slugs: str) -> list[Organization]:
    prefix = f"test_{uuid.uuid4().hex[:8]}_"
    made = []
    async with MasterDb(dsn, max_connections=2) as master:
        for slug in slugs:
            new = NewOrganization(slug, slug.title(), f"sales@{slug}.example", "+27821234567")
            created = await create_organization(
                new, master=master, vault=Vault(MASTER_KEYS), server_dsn=dsn, prefix=prefix
            )
            made.append(created.organization)
    return made


@pytest.fixture
def agency(world: World) -> Organization:
    return world.agency


@pytest.fixture
def outsider(world: World) -> Organization:
    """A second tenant that must stay empty whatever a test does to the first."""
    return world.outsider


@pytest.fixture
async def stack(world: World, sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Stack]:
    """Everything that the workflows need, on emptied databases and a sandbox that answers at once."""
    world.empty()
    sandbox.settings(claude_latency_seconds=0.0, claude_batch_seconds=0.0)
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        master_dsn=world.dsn,
        master_keys=SecretStr(MASTER_KEYS),
        sandbox_port=sandbox.port,
        retry_base_seconds=0.001,
        notification_settle_seconds=1,
        claude_batch_wait_seconds=0,
        state_dir=tmp_path,
    )
    async with open_stack(settings) as opened, impatient_claude(opened) as claude:
        yield dataclasses.replace(opened, claude=claude)


@pytest.fixture
def change_prompt(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Another beginning of one prompt, as after a deployment; no words: the text as it was."""
    read = prompts._read
    changed: dict[str, str] = {}

    def change(name: str, words: str) -> None:
        changed[name] = f"{words} " if words else ""
        for load in LOADED:
            load.cache_clear()

    monkeypatch.setattr(prompts, "_read", lambda name: changed.get(name, "") + read(name))
    yield change
    for load in LOADED:
        load.cache_clear()


@pytest.fixture
async def keys(stack: Stack, agency: Organization) -> list[PartitionKey]:
    """One lead that went all the way, and the partition that it belongs to."""
    await deliver(stack, agency, enquiry("walmer-dental.example", phone="082 123 4567"), "form-1")
    worked = await work_through(stack)
    assert worked.problems == {}
    found = await worked.batch.keys()
    await report_step(stack, "leads", "run-1", found, worked.outcomes["capture_leads"])
    return found


@pytest.fixture
async def people(stack: Stack, agency: Organization) -> AsyncIterator[None]:
    """One person of each role beside the owner, and an approver who has left."""
    await add_people(stack, agency)
    yield
    await remove_people(stack, agency)


@pytest.fixture
async def desk(sandbox: Sandbox, master_dsn: str, make_organization: MakeOrganization) -> AsyncIterator[Desk]:
    """A client that is being set up, in a master database of its own, beside the agency."""
    agency = await make_organization("draggonnb", name="DraggonnB", owner_email="sales@draggonnb.example")
    organization = await make_organization("kloof-coffee", owner_email=OWNER)
    async with desk_of(sandbox, master_dsn, agency, organization) as opened:
        yield opened


@pytest.fixture
async def app_desk(world: World, sandbox: Sandbox) -> AsyncIterator[AppDesk]:
    """The outsider as a client that is being set up: its database stands, the rest is to come."""
    world.empty()
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        master_dsn=world.dsn,
        master_keys=SecretStr(MASTER_KEYS),
        sandbox_port=sandbox.port,
    )
    async with app_desk_of(sandbox, settings, world.agency, world.outsider) as opened:
        yield opened
