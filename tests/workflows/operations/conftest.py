"""A master database of a test's own with its organizations, whose databases it may lose, and a folder of backups."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.database_names import drop
from draggonnb_pipelines.resources.stack import Stack, open_stack
from draggonnb_pipelines.workflows.operations.restores import FRESH, KEPT
from tests.conftest import MakeOrganization
from tests.sandbox_process import Sandbox
from tests.workflows.backup_work import rows, settings_of


@pytest.fixture
async def backup_stack(master_dsn: str, sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Stack]:
    async with open_stack(settings_of(master_dsn, tmp_path, sandbox.port)) as stack:
        yield stack
    for row in rows(master_dsn, "select database_name from organizations where database_name > ''"):
        for suffix in (KEPT, FRESH):
            await drop(master_dsn, f"{row['database_name']}{suffix}")


@pytest.fixture
async def client(make_organization: MakeOrganization) -> Organization:
    return await make_organization("kloof-coffee")


@pytest.fixture
async def bystander(make_organization: MakeOrganization) -> Organization:
    """A second client, to which nothing may happen."""
    return await make_organization("outsider")
