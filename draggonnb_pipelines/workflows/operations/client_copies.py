"""Databases on our servers that hold a client's data besides the one that serves.

Lives here: what restores and moves call them, and finding them all, so that an erasure forgets none. Does not live
here: making them (`restores.py`, `moves.py`), dropping them (`workflows/provisioning/erasure.py`, and each `drop_old`).
"""

from dataclasses import dataclass
from uuid import UUID

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.database_names import databases, databases_marked
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.resources.table_figures import Figures, digest_of
from draggonnb_pipelines.workflows.placement import MASTERS_OWN, ORGANIZATIONS, OUR_MARK, Server, all_servers

KEPT, FRESH = "_before_restore", "_restoring"


@dataclass(frozen=True)
class Copy:
    """One of them, on one of our servers."""

    name: str
    server: Server

    @property
    def words(self) -> str:
        return self.name if self.server.name == MASTERS_OWN else f"{self.name} on the server {self.server.name}"


def mark_of(organization_id: UUID) -> str:
    """The comment on a database that was made out of a client's backup, whatever its name is."""
    return f"{OUR_MARK}restored from a backup of organization {organization_id}"


def moved_mark(organization_id: UUID, made_with: Figures | None = None) -> str:
    """The comment on both databases of a move, the old and the new; on the new one with what it was made with, so that
    one can see whether it was written to since."""
    mark = f"{OUR_MARK}moved, of organization {organization_id}"
    return mark if made_with is None else f"{mark}, made with {digest_of(made_with)}"


async def copies_of(stack: Stack, organization: Organization) -> list[Copy]:
    """The one that serves left out: put aside by a restore or a move, half made by one, or restored `--into`.

    Raises:
        OperatorError: a server does not answer, so nobody can say what is there.
    """
    async with stack.master.connection() as conn:
        now = await ORGANIZATIONS.place_of(conn, id=organization.id)
    found: list[Copy] = []
    for server in await all_servers(stack.master, stack.vault):
        serving = now["database_name"] if now["server"] == server.name else None
        names = await _of_client_on(server, organization.id, now["database_name"])
        found += [Copy(name, server) for name in sorted(names - {serving})]
    return found


async def names_on(server: Server) -> set[str]:
    """Of all databases there. Raises OperatorError, as `copies_of`."""
    try:
        return await databases(server.dsn)
    except psycopg.OperationalError as error:
        raise _does_not_answer(server) from error


async def _of_client_on(server: Server, organization_id: UUID, name: str | None) -> set[str]:
    there = await names_on(server)
    try:
        marked = {
            *await databases_marked(server.dsn, mark_of(organization_id)),
            *await databases_marked(server.dsn, moved_mark(organization_id)),
        }
    except psycopg.OperationalError as error:
        raise _does_not_answer(server) from error
    return marked | ({name + suffix for suffix in (KEPT, FRESH)} & there if name else set())


def _does_not_answer(server: Server) -> OperatorError:
    return OperatorError(
        f"the database server {server.name} does not answer", remedy="what it has of the client is not known"
    )
