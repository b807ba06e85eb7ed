"""The list of our Postgres servers, as operators change it.

Lives here: taking a server in, another way to it, a cluster in another one's place, opening and closing it to new
clients, taking it out. Does not live here: what a server is and where clients go (`placement.py`), moving them
(`operations/moves.py`).
"""

import asyncio
import json
from collections.abc import Mapping
from uuid import uuid4

import psycopg

from draggonnb_pipelines.domain.organizations import check_slug
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.database_names import databases, databases_marked
from draggonnb_pipelines.resources.migrations import ensure_tenant_template
from draggonnb_pipelines.resources.postgres import Connection, MasterDb, server_dsn_context
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.workflows.placement import (
    MASTERS_OWN,
    ORGANIZATIONS,
    OUR_MARK,
    PLACEMENT,
    Server,
    no_server,
    opened,
    read_server,
)


async def put_server(
    master: MasterDb,
    vault: Vault,
    name: str,
    dsn: str,
    *,
    by: str,
    note: str = "",
    is_open: bool = True,
    is_replaced: bool = False,
) -> bool:
    """Take a server into the list, with the roles and the template that clients' databases need; or give one that is in
    it another way there, such as a new password, for its clients too. True if it is new.

    Args:
        is_open: whether new clients are placed on it. One that is closed is not opened by this.
        is_replaced: the name stands for another cluster from now on, such as after pg_upgrade or a lost disk. It has
            the databases of all who are on it, or of nobody: then they are restored into it.

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
        if is_replaced:
            await _check_replacement(conn, name, dsn)
        server_id = known["id"] if known else uuid4()
        is_put = await PLACEMENT.put_server(
            conn,
            id=server_id,
            name=name,
            dsn_sealed=vault.seal(dsn.encode(), server_dsn_context(server_id)),
            system_id=reading.system_id,
            note=note,
            is_open=is_open,
            is_replaced=is_replaced,
        )
        if is_put is None:
            raise OperatorError(
                f"{name!r} is another server: what is there now is not what was there before",
                remedy="another one needs a name of its own; one that was built anew or upgraded: --replaced",
            )
        clients = await _reseal_clients(conn, vault, Server(name, dsn))
        if known is None:
            await _audit(conn, by, "server.added", name, {"is_open": is_open})
        else:
            action = "server.replaced" if is_replaced else "server.dsn_changed"
            await _audit(conn, by, action, name, {"clients": clients, "is_open": is_open and known["is_open"]})
    return known is None


async def remove_server(master: MasterDb, vault: Vault, name: str, *, by: str, is_lost: bool = False) -> None:
    """Take a server out of the list: it is not migrated any more, and no erasure looks for anything on it.

    Args:
        is_lost: its disks are gone, and what moves have left there with them; it is not asked.

    Raises:
        OperatorError: there is none of this name or it is the master's, a client is on it or on its way to or from it,
            or it has databases that were restored or moved there, or does not answer.
        SealBroken: as `server_of`.
    """
    if name == MASTERS_OWN:
        raise OperatorError("`master` is the server of the master database", remedy="it stays in the list")
    async with master.connection() as conn, conn.transaction():
        row = await PLACEMENT.lock_server(conn, name=name)
        if row is None:
            raise no_server(name)
        tied = [
            f"{tie['slug']} {tie['reason']}" async for tie in PLACEMENT.tied_to_server(conn, name=name, is_lost=is_lost)
        ]
        if not tied and not is_lost:
            tied = [f"it has {database}" for database in await _copies_on(opened(row, vault, master.dsn))]
        if tied:
            raise OperatorError(
                f"{name} stays in the list: {'; '.join(tied[:5])}{'; …' if len(tied) > 5 else ''}",
                remedy="draggonnb tenant move SLUG --to NAME, then draggonnb tenant drop-old SLUG (if its disks are"
                " gone: --lost); what a restore --into has made is dropped by hand",
            )
        await PLACEMENT.remove_server(conn, name=name)
        await _audit(conn, by, "server.removed", name, {"is_lost": is_lost})


async def open_server(master: MasterDb, name: str, *, is_open: bool, by: str) -> bool:
    """Let new clients be placed on it, or not any more; who is there stays. False if it was so already.

    Raises:
        OperatorError: no server has this name.
    """
    async with master.connection() as conn, conn.transaction():
        if await PLACEMENT.server_of_name(conn, name=name) is None:
            raise no_server(name)
        changed = await PLACEMENT.set_open(conn, name=name, is_open=is_open)
        if changed:
            await _audit(conn, by, "server.opened" if is_open else "server.closed", name, {})
    return changed is not None


async def _check_replacement(conn: Connection, name: str, dsn: str) -> None:
    """Raises OperatorError where the new cluster has the databases of some who are on it, and not of all."""
    if await PLACEMENT.server_of_name(conn, name=name) is None:
        raise no_server(name)
    there = await databases(dsn)
    # Of who is being moved it has another name.
    wanted = {row["database_name"] async for row in PLACEMENT.clients_on(conn, name=name) if row["held_since"] is None}
    if (missing := sorted(wanted - there)) and (found := wanted & there | await databases_marked(dsn, OUR_MARK)):
        raise OperatorError(
            f"what is there now has {len(found)} databases of clients, but not {', '.join(missing[:5])}",
            remedy="bring all of them back, or none, and then each by `draggonnb backup restore SLUG`",
        )


async def _copies_on(server: Server) -> list[str]:
    try:
        return sorted(await databases_marked(server.dsn, OUR_MARK))
    except psycopg.OperationalError as error:
        raise OperatorError(
            f"the database server {server.name} does not answer: what it has is not known",
            remedy=f"if its disks are gone for ever: draggonnb server remove {server.name} --lost",
        ) from error


async def _reseal_clients(conn: Connection, vault: Vault, server: Server) -> int:
    clients = [row["id"] async for row in PLACEMENT.clients_on(conn, name=server.name)]
    for client in clients:
        await PLACEMENT.reseal_client(conn, id=client, dsn_sealed=server.sealed_for(client, vault))
    return len(clients)


async def _audit(conn: Connection, by: str, action: str, name: str, metadata: Mapping[str, object]) -> None:
    await ORGANIZATIONS.audit(conn, actor=by, action=action, resource=f"server:{name}", metadata=json.dumps(metadata))


def _checked_name(name: str) -> None:
    if name == MASTERS_OWN:
        raise OperatorError(
            "`master` is the server of the master database", remedy="DRAGGONNB_MASTER_DSN says where that is"
        )
    try:
        check_slug(name)
    except ValueError as error:
        raise OperatorError(str(error).replace("slug", "name", 1), remedy="such as pg-2") from error
