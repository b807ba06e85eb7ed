"""What the tests of backups share: settings, some data of a client, and plain questions to databases.

Not here: fixtures (`operations/conftest.py`) and assertions.
"""

import dataclasses
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row
from pydantic import SecretStr

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import dsn_for, long_connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.table_figures import Figures, table_figures
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.workflows.operations.backup_sources import folder_of
from tests.conftest import MASTER_KEYS

BY = "operator:test"


def settings_of(dsn: str, folder: Path, sandbox_port: int) -> Settings:
    return Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue]
        master_dsn=dsn,
        master_keys=SecretStr(MASTER_KEYS),
        state_dir=folder,
        sandbox_port=sandbox_port,
    )


def at(stack: Stack, now: datetime) -> Stack:
    """The same stack at another time."""
    return dataclasses.replace(stack, now=lambda: now)


def rows(dsn: str, query: LiteralString, *values: Any) -> list[dict[str, Any]]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        cursor = conn.cursor(row_factory=dict_row).execute(query, values)
        return cursor.fetchall() if cursor.description else []


def dsn_of(stack: Stack, organization: Organization) -> str:
    assert organization.database_name is not None
    return dsn_for(stack.master.dsn, organization.database_name)


def add_people(stack: Stack, organization: Organization, *names: str) -> None:
    """Contacts of the client."""
    for name in names:
        query = "insert into contacts (name, email) values (%s, %s)"
        rows(dsn_of(stack, organization), query, name, f"{name.lower()}@walmer.example")


def people(stack: Stack, organization: Organization) -> list[str]:
    return [row["name"] for row in rows(dsn_of(stack, organization), "select name from contacts order by 1")]


def files(stack: Stack) -> list[str]:
    return sorted(path.name for path in folder_of(stack.settings).glob("*.backup"))


def file_of(stack: Stack, slug: str) -> Path:
    """The newest file of a client, or of `master`."""
    return max(folder_of(stack.settings).glob(f"{slug}-2*.backup"))


def master_actions(stack: Stack, prefix: str = "backup.") -> list[str]:
    found = rows(stack.master.dsn, "select action from audit_log where starts_with(action, %s) order by id", prefix)
    return [row["action"] for row in found]


async def figures(dsn: str) -> Figures:
    """All tables but the audit log, to which a restore adds its own entry."""
    async with long_connection(dsn) as conn, conn.transaction():
        found = await table_figures(conn)
    return {name: figure for name, figure in found.items() if not name.startswith("public.audit_")}
