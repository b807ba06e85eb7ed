"""What a light verb works with: the opened installation, its master database, its vault, its tenants.

Does not live here: starting the database server and finding the keys (`installation.py`).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from draggonnb_pipelines.cli.installation import open_installation
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.migrations import pending
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings, load_settings
from draggonnb_pipelines.sql import MASTER_MIGRATIONS, load_queries

if TYPE_CHECKING:
    from draggonnb_pipelines.resources.stack import Stack

ORGANIZATIONS = load_queries("organizations")
T = TypeVar("T")


@dataclass(frozen=True)
class Session:
    """One verb's view of the installation."""

    settings: Settings
    master: MasterDb
    vault: Vault
    tenants: Tenants

    async def organization(self, slug: str) -> Organization:
        """Raises OperatorError where there is none."""
        async with self.master.connection() as conn:
            row = await ORGANIZATIONS.get_organization(conn, slug=slug)
        if row is None:
            raise OperatorError(f"no organization has the slug {slug!r}", remedy="`draggonnb tenant list` shows all")
        return Organization(**row)


@contextlib.contextmanager
def installation(*, try_keys: bool = True) -> Iterator[Settings]:
    """The settings with a database that answers and has the current schema.

    The embedded database is migrated when it is behind. A server of the operator's is only ever migrated by
    `migrate` and `up`: other machines may still run the release before.

    Args:
        try_keys: see `open_installation`.

    Raises:
        OperatorError: no server, no keys or wrong ones, or a schema that is behind.
    """
    settings = load_settings()
    is_embedded = settings.master_dsn is None
    with open_installation(settings, migrate_master=is_embedded, try_keys=try_keys) as opened:
        if not is_embedded and (missing := pending(opened.dsn, MASTER_MIGRATIONS)):
            raise OperatorError(
                f"the master database lacks {len(missing)} migrations, the first is {missing[0]}",
                remedy="draggonnb migrate",
            )
        yield opened


def run_on_stack(work: Callable[["Stack"], Awaitable[T]]) -> T:
    """Run a verb that needs the vendors' clients too, on a stack that is opened for it; what it returns."""
    from draggonnb_pipelines.resources.stack import open_stack  # a quarter of a second that other verbs are spared

    async def run(settings: Settings) -> T:
        async with open_stack(settings) as stack:
            return await work(stack)

    with installation() as settings:
        return asyncio.run(run(settings))


@contextlib.asynccontextmanager
async def session(settings: Settings) -> AsyncIterator[Session]:
    """Open master and tenants on the settings of an installation."""
    vault = Vault(settings.keys)
    async with (
        MasterDb(settings.dsn, max_connections=2, name=vault.session_name) as master,
        Tenants(settings.dsn, vault, max_connections=8) as tenants,
    ):
        yield Session(settings, master, vault, tenants)
