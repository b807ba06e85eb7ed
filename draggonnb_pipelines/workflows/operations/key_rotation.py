"""A new master key takes over: what rests on older ones is sealed again, while everything runs.

Lives here: counting by key, resealing in batches, and who else works with which keys. Not here: which columns there
are (`sealed_columns.py`), the verbs (`cli/keys.py`).

Each value names its key, so the database itself says what is left: a rotation that was killed is done by doing it
again. A value is replaced only where it is still the one that was read; who wrote it meanwhile wrote it under a key of
its own, and it is looked at anew.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg.sql import SQL, Composed, Identifier

from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.postgres import Connection, MasterDb
from draggonnb_pipelines.resources.vault import SESSION_PREFIX, SealBroken, Vault
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.operations.sealed_columns import UNDER_MASTER_KEYS, SealedColumn

KEYS = load_queries("keys")
BATCH_ROWS = 500
_NO_ENVELOPE = "?"  # app.sealing_key() of what is no sealed value
_FIRST = UUID(int=0)

_COUNT = """
select app.sealing_key({column}) as key_id, count(*) as rows from {table} where {column} is not null group by 1
"""
_BATCH = """
select id, {column} as sealed from {table}
where id > %(after)s and {column} is not null and app.sealing_key({column}) <> %(current)s
order by id limit %(row_limit)s
"""
_REPLACE = """
update {table} t set {column} = n.resealed
from unnest(%(ids)s::uuid[], %(read)s::bytea[], %(resealed)s::bytea[]) as n (id, read, resealed)
where t.id = n.id and t.{column} = n.read
"""


@dataclass
class Rotation:
    """What a rotation did: values resealed, and those that no configured key opens, by column."""

    resealed: int = 0
    unopened: Counter[str] = field(default_factory=Counter)


async def rows_by_key(master: MasterDb) -> dict[str, Counter[str]]:
    """How many values rest on each key: key id -> column -> rows. `?` stands for what is no envelope."""
    found: dict[str, Counter[str]] = {}
    async with master.connection() as conn:
        for sealed in UNDER_MASTER_KEYS:
            for row in await (await conn.execute(_of(_COUNT, sealed))).fetchall():
                found.setdefault(row["key_id"], Counter())[sealed.name] = row["rows"]
    return found


async def keys_in_use(master: MasterDb) -> list[str]:
    """The ids of the master keys on which values of this database rest; during a rotation several."""
    return sorted(set(await rows_by_key(master)) - {_NO_ENVELOPE})


async def backups_by_key(master: MasterDb) -> dict[str, int]:
    """How many kept backups of the master database need each key: for the file, or for values in its dump. A rotation
    does not touch files."""
    async with master.connection() as conn:
        return {row["key_id"]: row["rows"] async for row in KEYS.backups_by_key(conn)}


async def other_holders(master: MasterDb) -> list[tuple[str, ...]]:
    """The keys of each other session in the master database, as fingerprints; the first is what it seals with."""
    async with master.connection() as conn:
        rows = [row async for row in KEYS.key_holders(conn, prefix=SESSION_PREFIX)]
    return [tuple(row["name"].removeprefix(SESSION_PREFIX).split()) for row in rows for _ in range(row["sessions"])]


async def reseal_all(
    master: MasterDb, vault: Vault, *, on_progress: Callable[[int], None] = lambda _: None
) -> Rotation:
    """Seal under the current master key whatever rests on another one.

    Args:
        on_progress: is told how many values were looked at since it was last told.

    Raises:
        OperatorError: a process at work does not hold the current key. What was resealed until then stays so.
    """
    done = Rotation()
    for sealed in UNDER_MASTER_KEYS:
        after = _FIRST
        while True:
            await _refuse_strangers(master, vault)
            async with master.connection() as conn:
                rows = await _batch(conn, sealed, after, vault.current_key_id)
                done.resealed += await _replace(conn, vault, sealed, rows, done.unopened)
            on_progress(len(rows))
            if len(rows) < BATCH_ROWS:
                break
            after = rows[-1]["id"]
    return done


async def _refuse_strangers(master: MasterDb, vault: Vault) -> None:
    current = vault.fingerprints[vault.current_key_id]
    strangers = [held for held in await other_holders(master) if current not in held]
    if strangers:
        raise OperatorError(
            f"{len(strangers)} database sessions are of processes that do not hold the key {vault.current_key_id!r}",
            remedy="give every process the same DRAGGONNB_MASTER_KEYS, restart it, and rotate again",
        )


async def _batch(conn: Connection, sealed: SealedColumn, after: UUID, current: str) -> list[dict[str, Any]]:
    values = {"after": after, "current": current, "row_limit": BATCH_ROWS}
    return await (await conn.execute(_of(_BATCH, sealed), values)).fetchall()


async def _replace(
    conn: Connection, vault: Vault, sealed: SealedColumn, rows: list[dict[str, Any]], unopened: Counter[str]
) -> int:
    fresh: dict[UUID, tuple[bytes, bytes]] = {}
    for row in rows:
        try:
            fresh[row["id"]] = row["sealed"], vault.reseal(row["sealed"], sealed.context(row["id"]))
        except SealBroken:
            unopened[sealed.name] += 1
    values: Mapping[str, Any] = {
        "ids": list(fresh),
        "read": [read for read, _ in fresh.values()],
        "resealed": [resealed for _, resealed in fresh.values()],
    }
    return (await conn.execute(_of(_REPLACE, sealed), values)).rowcount if fresh else 0


def _of(statement: str, sealed: SealedColumn) -> Composed:
    names = {"table": Identifier(sealed.table), "column": Identifier(sealed.column)}
    return SQL(statement).format(**names)  # pyright: ignore[reportArgumentType]
