"""What is older than its retention goes, every night, in every database.

Lives here: the deleting in bounded batches, the report, and the check that nothing is left. Not here: what goes when
(`domain/retention.py`), Dagster's own events (`event_retention.py`), backups (`backups.py`).

Each batch is a transaction of its own, so no writer waits long, and a run that is killed has lost nothing: what it left
is still older than its retention.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psycopg
from psycopg import sql

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import CheckOutcome, Markdown, markdown_text
from draggonnb_pipelines.domain.retention import RULES, Rule
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.inbox_batches import reason_of
from draggonnb_pipelines.workflows.operations.forgotten import forget_again
from draggonnb_pipelines.workflows.operations.person_export import drop_old_exports
from draggonnb_pipelines.workflows.operations.person_rows import organizations_known

BATCH_ROWS = 5_000
CLIENTS_AT_ONCE = 8
# A night may be missed; what is left after two is nobody's work any more.
GRACE = timedelta(days=2)
log = logging.getLogger(__name__)


@dataclass
class Kept:
    """What a night did: rows by rule, persons who were forgotten (again), their exports that were deleted, and what
    went wrong for whom."""

    rows: Counter[str] = field(default_factory=Counter)
    forgotten: int = 0
    exports: int = 0
    clients: int = 0
    troubles: dict[str, str] = field(default_factory=dict)

    def table(self) -> Markdown:
        """For the run's page."""
        lines = ["| what | rows |", "|---|---|", *(f"| {name} | {n} |" for name, n in sorted(self.rows.items()))]
        return Markdown("\n".join(lines))


async def keep_retention(stack: Stack, *, batch_rows: int = BATCH_ROWS) -> Kept:
    """Delete and empty what is older than its rule allows, and forget whom a cut or a backup has left; may be
    repeated, and killed, at any time.

    One client's trouble is its own and is named; the others go on.
    """
    kept, permits = Kept(), asyncio.Semaphore(CLIENTS_AT_ONCE)
    now = stack.now()
    async with stack.master.connection() as conn:
        kept.rows.update(await _apply(conn, _rules("master"), now, batch_rows))

    async def one(organization: Organization) -> None:
        async with permits:
            try:
                async with stack.tenants.open(organization) as tenant:
                    kept.rows.update(await _apply(tenant.conn, _rules("tenant"), now, batch_rows))
                kept.forgotten += await forget_again(stack, organization)
                kept.clients += 1
            except (DraggonnbError, psycopg.Error) as error:
                kept.troubles[organization.slug] = reason_of(error)
                log.warning("retention of %s: %s", organization.slug, reason_of(error))

    await asyncio.gather(*map(one, await organizations_known(stack, None)))
    kept.exports = await asyncio.to_thread(drop_old_exports, stack, now)
    return kept


async def retention_outcome(stack: Stack) -> CheckOutcome:
    """Whether anything is left that should have gone two days ago, in any database."""
    over: Counter[str] = Counter()
    away: dict[str, str] = {}
    permits, before = asyncio.Semaphore(CLIENTS_AT_ONCE), stack.now() - GRACE
    async with stack.master.connection() as conn:
        over.update(await _overdue(conn, _rules("master"), before))

    async def one(organization: Organization) -> None:
        async with permits:
            try:
                async with stack.tenants.open(organization) as tenant:
                    over.update(await _overdue(tenant.conn, _rules("tenant"), before))
            except (DraggonnbError, psycopg.Error) as error:
                away[organization.slug] = reason_of(error)

    await asyncio.gather(*map(one, await organizations_known(stack, None)))
    return _outcome(over, away)


def _outcome(over: Counter[str], away: dict[str, str]) -> CheckOutcome:
    lines = [
        "| what | in how many databases |",
        "|---|---|",
        *(f"| {name} | {n} |" for name, n in sorted(over.items())),
    ]
    lines += [
        f"| {markdown_text(slug)} | not looked into: {markdown_text(why)} |" for slug, why in sorted(away.items())
    ]
    said = f"{len(over)} kinds of rows are older than their retention" if over else "nothing is older than it may be"
    return CheckOutcome(
        "nothing_outlives_its_retention",
        not over and not away,
        f"{said}; {len(away)} databases could not be looked into: run keep_retention" if over or away else said,
        metadata={"older": Markdown("\n".join(lines))} if over or away else {},
    )


def _rules(database: str) -> list[Rule]:
    return [rule for rule in RULES if rule.database == database]


async def _apply(conn: Connection, rules: Sequence[Rule], now: datetime, batch_rows: int) -> Counter[str]:
    done: Counter[str] = Counter()
    for rule in rules:
        statement = _statement(rule)
        values = {"before": now - timedelta(days=rule.days), "batch_rows": batch_rows}
        while touched := (await conn.execute(statement, values)).rowcount:
            done[rule.name] += touched
            if touched < batch_rows:
                break
    return done


async def _overdue(conn: Connection, rules: Iterable[Rule], before: datetime) -> list[str]:
    """The names of the rules by which something should have gone."""
    names = []
    for rule in rules:
        query = sql.SQL("select 1 from {} t where ").format(sql.Identifier(rule.table)) + _is_over(rule)
        cursor = await conn.execute(query + sql.SQL(" limit 1"), {"before": before - timedelta(days=rule.days)})
        if await cursor.fetchone():
            names.append(rule.name)
    return names


def _statement(rule: Rule) -> sql.Composed:
    table = sql.Identifier(rule.table)
    chosen = (
        sql.SQL("select t.ctid from {} t where ").format(table)
        + _is_over(rule)
        + sql.SQL(" limit %(batch_rows)s for update skip locked")
    )
    if rule.empties:
        pairs = [sql.Identifier(column) + sql.SQL(" = ") + sql.SQL(value) for column, value in rule.empties.items()]
        change = sql.SQL("update {} set ").format(table) + sql.SQL(", ").join(pairs)
    else:
        change = sql.SQL("delete from {}").format(table)
    return change + sql.SQL(" where ctid = any(array(") + chosen + sql.SQL("))")


def _is_over(rule: Rule) -> sql.Composed:
    column = sql.Identifier("t", rule.column)
    return column + sql.SQL(" < %(before)s and (") + sql.SQL(rule.where) + sql.SQL(")")
