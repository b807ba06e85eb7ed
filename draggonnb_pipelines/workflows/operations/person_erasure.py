"""A person's wish to be forgotten by an organization (POPIA s 24, GDPR Art. 17), with a certificate.

Lives here: the order, and that it can be cut off anywhere and said again. Not here: whose rows they are and how they
are emptied (`person_rows.py`, `person_inbox.py`), the certificate's words (`person_certificate.py`), a client that
leaves as a whole (`workflows/provisioning/erasure.py`).
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.persons import Identity
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.postgres import Connection
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.operations.client_copies import copies_of
from draggonnb_pipelines.workflows.operations.erasure_slips import write_slip
from draggonnb_pipelines.workflows.operations.person_certificate import certificate_of
from draggonnb_pipelines.workflows.operations.person_inbox import NAME as INBOX
from draggonnb_pipelines.workflows.operations.person_inbox import Deliveries, deliveries_of, refuse_work_in_hand
from draggonnb_pipelines.workflows.operations.person_logins import erase_logins
from draggonnb_pipelines.workflows.operations.person_places_master import MASTER_PLACES
from draggonnb_pipelines.workflows.operations.person_places_tenant import TENANT_PLACES
from draggonnb_pipelines.workflows.operations.person_rows import (
    PERSONS,
    Found,
    Subject,
    count_rows,
    empty_rows,
    places_here,
    search_longer,
    subject_from,
    subject_of,
)

ORGANIZATIONS = load_queries("organizations")
PURPOSE = "person"


@dataclass(frozen=True)
class Survey:
    """What an organization holds of a person: rows by place, and deliveries in the inbox."""

    subject: Subject
    found: tuple[Found, ...]
    deliveries: Deliveries

    @property
    def erasable(self) -> int:
        """Rows that an erasure would empty or delete."""
        return len(self.deliveries.ids) + sum(one.rows for one in self.found if not one.place.kept)

    @property
    def kept(self) -> list[Found]:
        return [one for one in self.found if one.place.kept]


def fingerprint_of(stack: Stack, organization: Organization, address: str) -> str:
    """By which an address is known again without being stored: 43 characters, under the organization's own key."""
    return stack.tenants.key(organization).derive_token(PURPOSE, address)


def open_subject(stack: Stack, organization: Organization, row: Mapping[str, Any]) -> Subject:
    """Whom an erasure that is under way is about.

    Args:
        row: of `person_erasures`, with `subject_sealed`.
    """
    return subject_from(stack.tenants.key(organization).open(row["subject_sealed"], _context(organization.id)))


async def survey(
    stack: Stack,
    organization: Organization,
    identity: Identity,
    known: Subject | None = None,
    typed: Identity | None = None,
) -> Survey:
    """Look everywhere in one organization; nothing is changed.

    Args:
        known: whom an erasure that was cut off has found before.
        typed: of the identity, by which people of the organization are found; None: all of it.

    Raises:
        TenantUnavailable: its database does not answer.
    """
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        await search_longer(tenant.conn)
        subject = await subject_of(tenant.conn, identity, typed)
        if known is not None:
            subject |= known
        parameters = subject.parameters(organization.id, stack.now())
        found = await count_rows(tenant.conn, await places_here(tenant.conn, TENANT_PLACES), parameters)
        key = tenant.key
    async with stack.master.connection() as conn:
        found += await count_rows(conn, MASTER_PLACES, parameters)
        deliveries = await deliveries_of(conn, organization, key, subject)
    return Survey(subject, tuple(found), deliveries)


async def erase_person(
    stack: Stack, organization: Organization, identity: Identity, *, by: str, fingerprint: str | None = None
) -> dict[str, Any] | None:
    """Forget one person in one organization, and return the certificate; again, only that. None: they are unknown.

    1. who it is, stored sealed before anything is emptied  2. the inbox, and what the master database says in the clear
    3. the login at the vendor  4. the client's database, in one transaction  5. the certificate; with it goes what was
    stored in 1

    Args:
        identity: of one address, as the person gave it.
        fingerprint: of that address, where an earlier erasure of theirs is taken up by whatever is known of them.

    Raises:
        OperatorError: the person is the only owner of a client that is served, or is being worked on right now, or the
            vendor did not delete the login.
        TenantUnavailable: its database does not answer; say it again.
    """
    fingerprint = fingerprint or fingerprint_of(stack, organization, identity.only_address)
    typed = _typed(stack, organization, identity, fingerprint)
    row = await _newest(stack, organization, fingerprint)
    known = open_subject(stack, organization, row) if row and row["state"] == "erasing" else None
    seen = await survey(stack, organization, identity, known, typed)
    if known is None and not seen.erasable:
        return row["certificate"] if row else await _nothing_to_erase(stack, organization, fingerprint, seen, by)
    if seen.subject.is_only_owner:
        raise OperatorError(
            f"the person is the only owner of {organization.slug}, which would then belong to nobody",
            remedy=f"let the client name another owner first, or end it: draggonnb tenant offboard {organization.slug}",
        )
    row = await _begin(stack, organization, fingerprint, seen.subject, by)
    await _empty_master(stack, organization, row["id"], seen)
    logins = await erase_logins(stack, organization, seen.subject, typed)
    await _empty_tenant(stack, organization, row["id"], seen.subject, by)
    return await _end(stack, organization, fingerprint, seen, logins, by)


def fingerprints_of(stack: Stack, organization: Organization, identity: Identity) -> list[str]:
    """Of all their addresses."""
    return [fingerprint_of(stack, organization, one.only_address) for one in identity.one_by_one()]


def _typed(stack: Stack, organization: Organization, identity: Identity, fingerprint: str) -> Identity:
    """The one address by which the erasure was asked for; nothing where it is not among these."""
    for one in identity.one_by_one():
        if fingerprint_of(stack, organization, one.only_address) == fingerprint:
            return one
    return Identity()


async def _newest(stack: Stack, organization: Organization, fingerprint: str) -> dict[str, Any] | None:
    async with stack.master.connection() as conn:
        return await PERSONS.newest_erasure(conn, organization_id=organization.id, fingerprint=fingerprint)


def _context(organization_id: UUID) -> str:
    return f"person_erasures:{organization_id}"


async def _begin(
    stack: Stack, organization: Organization, fingerprint: str, subject: Subject, by: str
) -> dict[str, Any]:
    sealed = stack.tenants.key(organization).seal(subject.as_json(), _context(organization.id))
    async with stack.master.connection() as conn:
        await PERSONS.begin_erasure(
            conn,
            id=uuid4(),
            organization_id=organization.id,
            fingerprint=fingerprint,
            subject_sealed=sealed,
            requested_by=by,
            now=stack.now(),
        )
    row = await _newest(stack, organization, fingerprint)
    assert row is not None, "it was just begun"
    return row


async def _empty_master(stack: Stack, organization: Organization, erasure_id: UUID, seen: Survey) -> None:
    ids = seen.deliveries.ids
    async with stack.master.connection() as conn:
        async with conn.transaction():
            counts = await empty_rows(conn, MASTER_PLACES, seen.subject.parameters(organization.id, stack.now()))
            if emptied := await PERSONS.empty_deliveries(conn, ids=ids, now=stack.now()):
                counts[INBOX] = emptied
            await PERSONS.add_counts(conn, id=erasure_id, counts=Jsonb(counts))
        await refuse_work_in_hand(conn, ids, seen.subject)


async def _empty_tenant(stack: Stack, organization: Organization, erasure_id: UUID, subject: Subject, by: str) -> None:
    """All of it or nothing; the entry in the audit log tells a repetition what was done."""
    async with stack.tenants.open(organization) as tenant, tenant.conn.transaction():
        await search_longer(tenant.conn)
        places = await places_here(tenant.conn, TENANT_PLACES)
        counts = await empty_rows(tenant.conn, places, subject.parameters(organization.id, stack.now()))
        if counts:
            await _audit(tenant.conn, by, erasure_id, {"rows": counts})


async def _end(
    stack: Stack, organization: Organization, fingerprint: str, seen: Survey, logins: int | None, by: str
) -> dict[str, Any]:
    row = await _newest(stack, organization, fingerprint)
    assert row is not None, "it was begun"
    async with stack.tenants.open(organization) as tenant:
        entries = PERSONS.counts_in_tenant(tenant.conn, resource=_resource(row["id"]))
        counts = [row["counts"], *[entry["counts"] async for entry in entries]]
    certificate = certificate_of(
        organization,
        row,
        fingerprint,
        _sum([*counts, {"logins": logins}] if logins else counts),
        seen.kept,
        seen.deliveries.unreadable,
        stack.now(),
        has_login_elsewhere=bool(seen.subject.users) and logins is None,
        copies=[copy.words for copy in await copies_of(stack, organization)],
    )
    others = fingerprints_of(stack, organization, seen.subject.identity)
    await write_slip(stack, row, certificate, others, stack.now())
    async with stack.master.connection() as conn, conn.transaction():
        ended = await PERSONS.end_erasure(
            conn, id=row["id"], certificate=Jsonb(certificate), also_known_by=others, now=stack.now()
        )
        if ended:
            await _audit(conn, by, row["id"], {"organization": organization.slug})
    if ended:
        return certificate
    other = await _newest(stack, organization, fingerprint)  # somebody else was quicker with the same
    assert other is not None, "it was ended"
    return other["certificate"]


async def _nothing_to_erase(
    stack: Stack, organization: Organization, fingerprint: str, seen: Survey, by: str
) -> dict[str, Any] | None:
    """Where all that there is must be kept, a certificate says so; nothing is stored about it."""
    if not seen.kept:
        return None
    row = {"id": uuid4(), "requested_by": by, "created_at": stack.now()}
    copies = [copy.words for copy in await copies_of(stack, organization)]
    return certificate_of(
        organization, row, fingerprint, {}, seen.kept, seen.deliveries.unreadable, stack.now(), copies=copies
    )


def _sum(counts: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update({name: int(rows) for name, rows in one.items()})
    return dict(total)


def _resource(erasure_id: UUID) -> str:
    return f"person_erasure:{erasure_id}"


async def _audit(conn: Connection, by: str, erasure_id: UUID, metadata: Mapping[str, Any]) -> None:
    await ORGANIZATIONS.audit(
        conn, actor=by, action="person.erased", resource=_resource(erasure_id), metadata=json.dumps(metadata)
    )
