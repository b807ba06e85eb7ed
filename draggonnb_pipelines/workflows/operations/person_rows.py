"""One person in one organization: whose rows they are, and reading, counting and emptying them place by place.

Lives here: the subject, and the statements that the places become. Not here: the places (`person_places*.py`), the
sealed bodies of the inbox (`person_inbox.py`), what is done with it (`person_export.py`, `person_erasure.py`).
"""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from psycopg import sql

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.persons import Identity, identity_from
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.operations.person_places import Place

PERSONS = load_queries("persons")
# A tenant's whole log of answers may have to be searched.
SEARCH_TIMEOUT = "15min"
# An address leads to a contact, whose enquiries name another address, and so on; people have few.
MAX_ADDRESS_STEPS = 5


@dataclass(frozen=True)
class Subject:
    """One person as one organization knows them: addresses, the ids of their own rows, and of their logins
    at the vendor."""

    identity: Identity
    contacts: frozenset[UUID] = frozenset()
    leads: frozenset[UUID] = frozenset()
    deals: frozenset[UUID] = frozenset()
    activities: frozenset[UUID] = frozenset()
    users: frozenset[UUID] = frozenset()
    logins: frozenset[UUID] = frozenset()
    is_only_owner: bool = False

    def __or__(self, other: Self) -> "Subject":
        ids: dict[str, Any] = {name: getattr(self, name) | getattr(other, name) for name in _IDS}
        is_only_owner = self.is_only_owner or other.is_only_owner
        return replace(self, identity=self.identity | other.identity, is_only_owner=is_only_owner, **ids)

    def parameters(self, organization_id: UUID, now: datetime) -> dict[str, Any]:
        """What the places ask for."""
        ids = {name: sorted(getattr(self, name)) for name in _IDS}
        return {
            **ids,
            "addresses": self.identity.addresses,
            "pattern": self.identity.pattern,
            "organization": organization_id,
            "now": now,
        }

    def as_json(self) -> bytes:
        """To be sealed while an erasure is under way."""
        ids = {name: sorted(map(str, getattr(self, name))) for name in _IDS}
        return json.dumps(
            {"emails": sorted(self.identity.emails), "phones": sorted(self.identity.phones), **ids}
        ).encode()


_IDS = tuple(one.name for one in fields(Subject) if one.name not in ("identity", "is_only_owner"))


def subject_from(stored: bytes) -> Subject:
    """What `as_json` gave."""
    read = json.loads(stored)
    ids: dict[str, Any] = {name: frozenset(map(UUID, read.get(name, ()))) for name in _IDS}
    return Subject(Identity(frozenset(read["emails"]), frozenset(read["phones"])), **ids)


@dataclass(frozen=True)
class Found:
    """How many rows of a place are the person's, or speak of them."""

    place: Place
    rows: int


async def organizations_known(stack: Stack, slug: str | None) -> list[Organization]:
    """The organizations whose data can be read, or the one.

    Raises:
        OperatorError: no organization has this slug, or its key is destroyed.
    """
    async with stack.master.connection() as conn:
        rows = [row async for row in PERSONS.organizations_with_keys(conn, slug=slug)]
    if slug is not None and not rows:
        raise OperatorError(
            f"no organization {slug!r} whose data can be read", remedy="`draggonnb tenant list` shows all"
        )
    return [Organization(**row) for row in rows]


async def subject_of(conn: Connection, said: Identity, typed: Identity | None = None) -> Subject:
    """Whom an address belongs to in a client's database; addresses that their own rows name are added.

    Somebody of the organization is found by the address that was typed alone: a number that a contact shares with them,
    such as a company's, makes them nobody else's.

    Args:
        typed: of what is said; None: all of it.
    """
    asked = _asked(said if typed is None else typed)
    users = [row async for row in PERSONS.users_of(conn, **asked)]
    identity = said | identity_from([row["email"] for row in users], [row["phone_e164"] for row in users])
    contacts: list[dict[str, Any]] = []
    for _ in range(MAX_ADDRESS_STEPS):
        contacts = [row async for row in PERSONS.contacts_of(conn, **_asked(identity))]
        theirs = identity_from(
            [one for row in contacts for one in (row["email_normalized"], *row["emails"])],
            [one for row in contacts for one in (row["phone_e164"], *row["phones"])],
        )
        if identity | theirs == identity:
            break
        identity |= theirs
    ids = [row["id"] for row in contacts]
    return Subject(
        identity,
        contacts=frozenset(ids),
        leads=await _ids(PERSONS.leads_of(conn, contacts=ids)),
        deals=await _ids(PERSONS.deals_of(conn, contacts=ids)),
        activities=await _ids(PERSONS.activities_of(conn, contacts=ids)),
        users=frozenset(row["id"] for row in users),
        logins=frozenset(row["auth_user_id"] for row in users if row["auth_user_id"]),
        is_only_owner=any(row["is_owner"] and row["is_last"] for row in users),
    )


def _asked(identity: Identity) -> dict[str, list[str]]:
    return {"emails": sorted(identity.emails), "phones": sorted(identity.phones)}


async def places_here(conn: Connection, places: Sequence[Place]) -> list[Place]:
    """Those whose table this database has: industry modules are not installed everywhere."""
    tables = {row["name"] async for row in PERSONS.installed_tables(conn)}
    return [place for place in places if place.table in tables]


async def search_longer(conn: Connection) -> None:
    """In this transaction: a look through all answers may take its time."""
    await conn.execute(sql.SQL("set local statement_timeout = {}").format(sql.Literal(SEARCH_TIMEOUT)))


async def count_rows(conn: Connection, places: Iterable[Place], parameters: dict[str, Any]) -> list[Found]:
    """How many rows each place has, the empty ones left out."""
    found = []
    for place in places:
        query = sql.SQL("select count(*) as n from {} t where ").format(sql.Identifier(place.table))
        cursor = await conn.execute(query + _condition(place), parameters)
        row = await cursor.fetchone()
        assert row is not None, "an aggregate always has a row"
        if row["n"]:
            found.append(Found(place, row["n"]))
    return found


async def read_rows(conn: Connection, place: Place, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a place as JSON objects, without what no export shows."""
    query = sql.SQL("select to_jsonb(t) - %(hidden)s::text[] as row from {} t where ").format(
        sql.Identifier(place.table)
    )
    cursor = await conn.execute(query + _condition(place), parameters | {"hidden": list(place.hidden)})
    return [row["row"] for row in await cursor.fetchall()]


async def empty_rows(conn: Connection, places: Iterable[Place], parameters: dict[str, Any]) -> dict[str, int]:
    """Empty or delete; rows by place, where there were any. The same again finds nothing left to do."""
    counts = {}
    for place in places:
        if place.kept:
            continue
        done = await conn.execute(_deletion(place) if place.is_deleted else _emptying(place), parameters)
        if done.rowcount:
            counts[place.name] = done.rowcount
    return counts


def _condition(place: Place) -> sql.Composed:
    return sql.SQL("(") + sql.SQL(place.where) + sql.SQL(")")


def _deletion(place: Place) -> sql.Composed:
    return sql.SQL("delete from {} t where ").format(sql.Identifier(place.table)) + _condition(place)


def _emptying(place: Place) -> sql.Composed:
    columns = [sql.Identifier(column) for column in place.empties]
    values = [sql.SQL(value) for value in place.empties.values()]
    pairs = [column + sql.SQL(" = ") + value for column, value in zip(columns, values, strict=True)]
    return (
        sql.SQL("update {} t set ").format(sql.Identifier(place.table))
        + sql.SQL(", ").join(pairs)
        + sql.SQL(" where ")
        + _condition(place)
        + sql.SQL(" and row(")
        + sql.SQL(", ").join(sql.SQL("t.") + column for column in columns)
        + sql.SQL(") is distinct from row(")
        + sql.SQL(", ").join(values)
        + sql.SQL(")")
    )


async def _ids(rows: AsyncIterator[dict[str, Any]]) -> frozenset[UUID]:
    return frozenset([row["id"] async for row in rows])
