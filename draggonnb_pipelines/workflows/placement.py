"""The Postgres servers that clients' databases are on: known by name, and where the next client goes.

Lives here: which servers there are, how one is reached, what it is. Does not live here: changing the list
(`server_list.py`), moving a client from one to another (`operations/moves.py`), and opening a client's database
(`resources/postgres.py`), which needs the organization's row alone: it carries its server's DSN, sealed for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.postgres import (
    Connection,
    MasterDb,
    dsn_for,
    long_connection,
    sealed_dsn_context,
    server_dsn_context,
)
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.sql import load_queries

PLACEMENT = load_queries("placement")
ORGANIZATIONS = load_queries("organizations")
MASTERS_OWN = "master"
# How the comment begins of what a restore or a move has made.
OUR_MARK = "draggonnb: "
VERSIONS = range(15, 19)


@dataclass(frozen=True)
class Server:
    """One of our servers. `dsn` leads to it, whichever database it names."""

    name: str
    dsn: str

    def sealed_for(self, organization_id: UUID, vault: Vault) -> bytes | None:
        """What an organization's row carries of it; nothing for the master's own server."""
        if self.name == MASTERS_OWN:
            return None
        return vault.seal(self.dsn.encode(), sealed_dsn_context(organization_id))


@dataclass(frozen=True)
class Reading:
    """What a server says of itself. `system_id` is None where our role may not ask."""

    version: int
    system_id: str | None


async def server_of(
    conn: Connection, vault: Vault, name: str, *, masters_dsn: str, until_commit: bool = False
) -> Server:
    """The server of this name; with `until_commit` nobody changes its row before this transaction ends.

    Raises:
        OperatorError: there is none.
        SealBroken: its DSN rests on a key that is not here.
    """
    ask = PLACEMENT.server_kept if until_commit else PLACEMENT.server_of_name
    row = await ask(conn, name=name)
    if row is None:
        raise no_server(name)
    return opened(row, vault, masters_dsn)


async def emptiest_server(conn: Connection, vault: Vault, *, masters_dsn: str) -> Server:
    """Where a new client goes: of the servers that are open to new ones, the one with the fewest.

    Raises:
        OperatorError: none is open.
        SealBroken: as `server_of`.
    """
    row = await PLACEMENT.emptiest_server(conn)
    if row is None:
        raise OperatorError("no database server takes new clients", remedy="draggonnb server open NAME")
    return opened(row, vault, masters_dsn)


async def all_servers(master: MasterDb, vault: Vault) -> list[Server]:
    """The master's own first. Raises SealBroken, as `server_of`."""
    async with master.connection() as conn:
        return [opened(row, vault, master.dsn) async for row in PLACEMENT.servers(conn)]


async def read_server(dsn: str) -> Reading:
    """Ask a server what it is.

    Raises:
        OperatorError: it does not answer, or is of a version that we do not know.
    """
    try:
        async with long_connection(dsn_for(dsn, "postgres")) as conn:
            version = conn.info.server_version // 10_000
            try:
                found = await (
                    await conn.execute("select system_identifier::text as id from pg_control_system()")
                ).fetchone()
                system_id = str(found["id"]) if found else None
            except psycopg.errors.InsufficientPrivilege:
                system_id = None
    except psycopg.OperationalError as error:
        raise OperatorError(
            f"no connection to the database server {_where(dsn)}: {' '.join(str(error).split())}",
            remedy="is it up, and are host, user and password right? It needs a database `postgres`",
        ) from error
    if version not in VERSIONS:
        raise OperatorError(
            f"{_where(dsn)} is Postgres {version}", remedy=f"use Postgres {VERSIONS.start} to {VERSIONS.stop - 1}"
        )
    return Reading(version, system_id)


async def refuse_moving(master: MasterDb, organization: Organization) -> None:
    """Raises OperatorError where the organization's database is on its way to another server."""
    async with master.connection() as conn:
        move = await PLACEMENT.open_move(conn, organization_id=organization.id)
    if move is not None:
        raise OperatorError(
            f"the database of {organization.slug} is being moved to {move['to_server']}",
            remedy=f"end that first: draggonnb tenant move {organization.slug} --to {move['to_server']}"
            f" (or --to {move['from_server']}, to give it up)",
        )


def opened(row: Mapping[str, Any], vault: Vault, masters_dsn: str) -> Server:
    """The server of a row with its id, name and sealed DSN. Raises SealBroken, as `server_of`."""
    if row["name"] == MASTERS_OWN:
        return Server(row["name"], masters_dsn)
    return Server(row["name"], vault.open(row["dsn_sealed"], server_dsn_context(row["id"])).decode())


def no_server(name: str) -> OperatorError:
    """What whoever names one that is not in the list is told."""
    return OperatorError(f"no database server has the name {name!r}", remedy="`draggonnb server list` shows all")


def _where(dsn: str) -> str:
    parts = conninfo_to_dict(dsn)
    return " ".join(f"{key}={parts[key]}" for key in ("host", "port", "user") if key in parts)
