"""Rows that stand still, over the master and all active clients: put back what can be, call people for the rest.

Lives here: the looking, the putting back, one alert for each place. Not here: what counts as stuck
(`domain/master_states.py`, `domain/tenant_states.py`), the functions that put back, which run anyway, and alerts
(`operator_alerts.py`).
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from draggonnb_pipelines.domain.master_states import MASTER_STATES
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.reports import CheckOutcome, Markdown, markdown_text
from draggonnb_pipelines.domain.stuck_states import Moving, Reaper, limit_words, places, stuck_sql
from draggonnb_pipelines.domain.tenant_states import TENANT_STATES
from draggonnb_pipelines.domain.usage import METRICS
from draggonnb_pipelines.errors import DraggonnbError, TenantUnavailable
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.ai_budgets import AI_SPEND, USAGE
from draggonnb_pipelines.workflows.inbox_batches import organizations_by_slug, reason_of
from draggonnb_pipelines.workflows.messages.notices import send_waiting
from draggonnb_pipelines.workflows.messages.open_alerts import CLIENTS_AT_ONCE, look_into_clients
from draggonnb_pipelines.workflows.operations.operator_alerts import (
    STUCK,
    Matter,
    raise_matter,
    settle_matters,
    standing_keys,
)
from draggonnb_pipelines.workflows.publishing.publish_questions import apply_answers
from draggonnb_pipelines.workflows.publishing.publish_recovery import reap
from draggonnb_pipelines.workflows.publishing.token_refresh import refresh_due

log = logging.getLogger(__name__)
NAME = "nothing_is_stuck"
MASTER_SQL, TENANT_SQL = stuck_sql(MASTER_STATES), stuck_sql(TENANT_STATES)
MOVING: Mapping[str, Moving] = {place: moving for place, _, moving in places([*MASTER_STATES, *TENANT_STATES])}
# How the keys of the alerts begin that are about clients' databases.
OF_CLIENTS = tuple(f"{STUCK}:{place}:" for place, _, _ in places(TENANT_STATES))
NAMED_CLIENTS = 20
AWAY = "databases that are away"


@dataclass
class Standing:
    """What stands still at one place: rows, since when, and whose; the master's rows are nobody's."""

    rows: int = 0
    oldest: datetime | None = None
    slugs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Look:
    """What a look found after putting back: by place, the clients that could not be looked into, what was put back."""

    standing: Mapping[str, Standing]
    away: Sequence[str]
    put_back: Sequence[str]


async def stuck_outcome(stack: Stack) -> CheckOutcome:
    """Look everywhere, put back, tell the operators of what still stands. May be repeated, and killed, at any time.

    An agency whose database is away cannot be told; the check says so, and the next look tells.
    """
    look = await look_for_stuck(stack)
    matters = [_matter(place, standing, stack.now()) for place, standing in sorted(look.standing.items())]
    matters += [_matter_of_away(look.away, stack.now())] if look.away else []
    try:
        keys = [await raise_matter(stack, matter) for matter in matters]
        if look.away:  # what stands at a client that cannot be asked is not over
            keys += [key for key in await standing_keys(stack, STUCK) if key.startswith(OF_CLIENTS)]
        await settle_matters(stack, STUCK, [key for key in keys if key])
        untold = []
    except TenantUnavailable as error:
        untold = [f"nobody could be told: {reason_of(error)}"]
    parts = [f"{place}: {_count(one.rows, 'row')}" for place, one in sorted(look.standing.items())]
    parts += [f"the databases of {', '.join(look.away)} are away"] if look.away else []
    parts += untold
    return CheckOutcome(
        NAME,
        passed=not parts,
        description="; ".join(parts) or "everything moves",
        metadata={
            "places looked at": len(MOVING),
            **({"stuck": Markdown(_table(look.standing, stack.now()))} if look.standing else {}),
            **({"put back": Markdown("\n".join(f"- {line}" for line in look.put_back))} if look.put_back else {}),
        },
    )


async def look_for_stuck(stack: Stack) -> Look:
    """One question to the master and one to each active client, eight clients at a time; where something stands that a
    function of ours puts back, it is run and the client is asked again."""
    now = stack.now()
    async with stack.master.connection() as conn:
        in_master = [row async for row in _ask(conn, MASTER_SQL, now)]
    found, away = await look_into_clients(
        stack.master, stack.tenants, None, lambda tenant: _ask(tenant.conn, TENANT_SQL, now)
    )
    reapers: dict[str, set[Reaper]] = defaultdict(set)
    for slug, row in found:
        if reaper := MOVING[row["place"]].reaper:
            reapers[slug].add(reaper)
    put_back = await _put_back(stack, reapers) if reapers else []
    standing: dict[str, Standing] = defaultdict(Standing)
    for row in in_master:
        _add(standing, None, row)
    still = [one for one in found if one[0] not in reapers]
    for slug in reapers:
        again, gone = await look_into_clients(
            stack.master, stack.tenants, slug, lambda tenant: _ask(tenant.conn, TENANT_SQL, now)
        )
        still += again
        away += gone
    for slug, row in still:
        _add(standing, slug, row)
    return Look(standing, sorted(set(away)), put_back)


async def _ask(conn: Connection, statement: str, now: datetime) -> AsyncIterator[dict[str, Any]]:
    async for row in await conn.execute(statement.encode(), {"now": now}):
        yield row


def _add(standing: dict[str, Standing], slug: str | None, row: Mapping[str, Any]) -> None:
    one = standing[row["place"]]
    one.rows += row["stuck"]
    one.oldest = min(filter(None, (one.oldest, row["oldest"])))
    if slug is not None:
        one.slugs.append(slug)


async def _put_back(stack: Stack, reapers: Mapping[str, set[Reaper]]) -> list[str]:
    """Run them; one client's trouble is its own. A line for each, in the order of the clients."""
    organizations = await organizations_by_slug(stack, list(reapers))
    permits = asyncio.Semaphore(CLIENTS_AT_ONCE)

    async def of_client(slug: str) -> list[str]:
        lines = []
        async with permits:
            for name in sorted(reapers[slug]):
                try:
                    await _REAPERS[name](stack, organizations[slug])
                    lines.append(f"{slug}: {name}")
                except (DraggonnbError, psycopg.Error, PoolTimeout) as error:
                    log.warning("%s: %s could not be put back: %s", slug, name, reason_of(error))
                    lines.append(f"{slug}: {name} could not be: {markdown_text(reason_of(error), max_chars=200)}")
        return lines

    done = await asyncio.gather(*map(of_client, sorted(reapers)))
    return [line for lines in done for line in lines]


async def _free_ledger(stack: Stack, organization: Organization) -> None:
    async with stack.tenants.open(organization) as tenant:
        await reap(stack, tenant)


async def _free_reservations(stack: Stack, organization: Organization) -> None:
    async with stack.tenants.open(organization) as tenant:
        for metric in (*METRICS, AI_SPEND):
            await USAGE.release_expired(tenant.conn, metric=metric, now=stack.now())


_REAPERS: Mapping[Reaper, Callable[[Stack, Organization], Awaitable[object]]] = {
    "outbox": send_waiting,
    "publish_ledger": _free_ledger,
    "answers": apply_answers,
    "tokens": refresh_due,
    "reservations": _free_reservations,
}


def _matter(place: str, standing: Standing, now: datetime) -> Matter:
    moving, oldest = MOVING[place], standing.oldest or now
    whose = f" of {_count(len(standing.slugs), 'client')}" if standing.slugs else ""
    return Matter(
        STUCK,
        place,
        oldest,
        f"Stuck: {_count(standing.rows, 'row')}{whose}, {place}",
        (
            *((f"Clients: {_named(standing.slugs)}.",) if standing.slugs else ()),
            f"The oldest could have moved on at {oldest:%Y-%m-%d %H:%M} UTC; the limit is {limit_words(moving.limit)}.",
            f"Moved on by: {moving.moved_by}.",
            f"What to do: {moving.remedy}.",
        ),
    )


def _matter_of_away(slugs: Sequence[str], now: datetime) -> Matter:
    return Matter(
        STUCK,
        AWAY,
        now,
        f"The databases of {_count(len(slugs), 'client')} are away",
        (f"Clients: {_named(slugs)}.", "Nothing of theirs is worked on and nothing is lost: draggonnb doctor."),
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _named(slugs: Sequence[str]) -> str:
    more = f" and {len(slugs) - NAMED_CLIENTS} more" if len(slugs) > NAMED_CLIENTS else ""
    return ", ".join(sorted(slugs)[:NAMED_CLIENTS]) + more


def _table(standing: Mapping[str, Standing], now: datetime) -> str:
    lines = ["| where | rows | clients | for | limit | what to do |", "|---|---:|---|---:|---|---|"]
    for place, one in sorted(standing.items()):
        hours = (now - (one.oldest or now)) / timedelta(hours=1)
        moving = MOVING[place]
        lines.append(
            f"| {markdown_text(place)} | {one.rows} | {_named(one.slugs)} | {hours:.1f} h "
            f"| {limit_words(moving.limit)} | {markdown_text(moving.remedy)} |"
        )
    return "\n".join(lines)
