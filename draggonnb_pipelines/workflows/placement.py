"""The Postgres servers that clients' databases are on: known by name, and where the next client goes.

Lives here: the list of servers, how one is reached, putting one into the list. Does not live here: moving a client
from one to another (`operations/moves.py`), and opening a client's database (`resources/postgres.py`), which needs the
organization's row alone: it carries its server's DSN, sealed for it.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

from draggonnb_pipelines.domain.organizations import Organization, check_slug
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.migrations import ensure_tenant_template
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


async def server_of(conn: Connection, vault: Vault, name: str, *, masters_dsn: str) -> Server:
    """The server of this name.

    Raises:
        OperatorError: there is none.
        SealBroken: its DSN rests on a key that is not here.
    """
    row = await PLACEMENT.server_of_name(conn, name=name)
    if row is None:
        raise OperatorError(f"no database server has the name {name!r}", remedy="`draggonnb server list` shows all")
    return _opened(row, vault, masters_dsn)


async def emptiest_server(conn: Connection, vault: Vault, *, masters_dsn: str) -> Server:
    """Where a new client goes: of the servers that are open to new ones, the one with the fewest.

    Raises:
        OperatorError: none is open.
        SealBroken: as `server_of`.
    """
    row = await PLACEMENT.emptiest_server(conn)
    if row is None:
        raise OperatorError("no database server takes new clients", remedy="draggonnb server open NAME")
    return _opened(row, vault, masters_dsn)


async def all_servers(master: MasterDb, vault: Vault) -> list[Server]:
    """The master's own first. Raises SealBroken, as `server_of`."""
    async with master.connection() as conn:
        return [_opened(row, vault, master.dsn) async for row in PLACEMENT.servers(conn)]


async def put_server(
    master: MasterDb, vault: Vault, name: str, dsn: str, *, by: str, note: str = "", is_open: bool = True
) -> bool:
    """Take a server into the list, with the roles and the template that clients' databases need; or give one that is in
    it another way there, such as a new password, for its clients too. True if it is new.

    Raises:
        OperatorError: it cannot be reached, may not be used, or is another one than the name has stood for.
    """
    _checked_name(name)
    reading = await read_server(dsn)
    await asyncio.to_thread(ensure_tenant_template, dsn)
    masters = await read_server(master.dsn)
    async with master.connection() as conn, conn.transaction():
        known = await PLACEMENT.server_of_name(conn, name=name)
        twin = await PLACEMENT.server_of_system(conn, system_id=reading.system_id, name=name)
        if twin or (reading.system_id is not None and reading.system_id == masters.system_id):
            other = twin["name"] if twin else MASTERS_OWN
            raise OperatorError(f"this is the server {other!r}", remedy="each server is in the list once")
        server_id = known["id"] if known else uuid4()
        is_put = await PLACEMENT.put_server(
            conn,
            id=server_id,
            name=name,
            dsn_sealed=vault.seal(dsn.encode(), server_dsn_context(server_id)),
            system_id=reading.system_id,
            note=note,
            is_open=is_open,
        )
        if is_put is None:
            raise OperatorError(
                f"{name!r} is another server: what is there now is not what was there before",
                remedy="give it a name of its own, and move the clients: draggonnb tenant move SLUG --to NAME",
            )
        clients = await _reseal_clients(conn, vault, Server(name, dsn))
        action = "server.dsn_changed" if known else "server.added"
        await audit_server(conn, by, action, name, {"clients": clients} if known else {"is_open": is_open})
    return known is None


async def open_server(master: MasterDb, name: str, *, is_open: bool, by: str) -> bool:
    """Let new clients be placed on it, or not any more; who is there stays. False if it was so already.

    Raises:
        OperatorError: no server has this name.
    """
    async with master.connection() as conn, conn.transaction():
        if await PLACEMENT.server_of_name(conn, name=name) is None:
            raise OperatorError(f"no database server has the name {name!r}", remedy="`draggonnb server list` shows all")
        changed = await PLACEMENT.set_open(conn, name=name, is_open=is_open)
        if changed:
            await audit_server(conn, by, "server.opened" if is_open else "server.closed", name, {})
    return changed is not None


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


async def audit_server(conn: Connection, by: str, action: str, name: str, metadata: Mapping[str, object]) -> None:
    await ORGANIZATIONS.audit(conn, actor=by, action=action, resource=f"server:{name}", metadata=json.dumps(metadata))


async def _reseal_clients(conn: Connection, vault: Vault, server: Server) -> int:
    clients = [row["id"] async for row in PLACEMENT.clients_on(conn, name=server.name)]
    for client in clients:
        await PLACEMENT.reseal_client(conn, id=client, dsn_sealed=server.sealed_for(client, vault))
    return len(clients)


def _opened(row: Mapping[str, Any], vault: Vault, masters_dsn: str) -> Server:
    if row["dsn_sealed"] is None:
        return Server(row["name"], masters_dsn)
    return Server(row["name"], vault.open(row["dsn_sealed"], server_dsn_context(row["id"])).decode())


def _checked_name(name: str) -> None:
    if name == MASTERS_OWN:
        raise OperatorError(
            "`master` is the server of the master database", remedy="DRAGGONNB_MASTER_DSN says where that is"
        )
    try:
        check_slug(name)
    except ValueError as error:
        raise OperatorError(str(error).replace("slug", "name", 1), remedy="such as pg-2") from error


def _where(dsn: str) -> str:
    parts = conninfo_to_dict(dsn)
    return " ".join(f"{key}={parts[key]}" for key in ("host", "port", "user") if key in parts)
