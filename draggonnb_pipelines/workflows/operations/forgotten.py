"""Persons who are to stay forgotten: what was cut off goes on, and whom a backup brought back is forgotten again.

Lives here: finding them, every night. Not here: the erasure itself (`person_erasure.py`).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.persons import Identity, identity_from
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.operations.person_erasure import (
    erase_person,
    fingerprint_of,
    open_subject,
)
from draggonnb_pipelines.workflows.operations.person_rows import PERSONS

BY = "retention"


async def forget_again(stack: Stack, organization: Organization) -> int:
    """Forget them, and return how many there were. Who wrote to the organization after their erasure is left alone.

    Raises:
        OperatorError: somebody is being worked on right now; the next night goes on.
        TenantUnavailable: its database does not answer.
    """
    async with stack.master.connection() as conn:
        cut_off = [row async for row in PERSONS.open_erasures(conn, organization_id=organization.id)]
        rows = PERSONS.erasures_of(conn, organization_id=organization.id)
        erased: dict[str, datetime] = {row["fingerprint"]: row["finished_at"] async for row in rows}
    wanted = [(_typed(stack, organization, row), row["requested_by"]) for row in cut_off]
    wanted += [(identity, BY) for identity in await _returned(stack, organization, erased)]
    for identity, by in wanted:
        await erase_person(stack, organization, identity, by=by)
    return len(wanted)


def _typed(stack: Stack, organization: Organization, row: dict[str, Any]) -> Identity:
    """The one address by which the erasure was asked for, out of all that were found with it."""
    subject = open_subject(stack, organization, row)
    [typed] = [
        one
        for one in _one_by_one(subject.identity)
        if fingerprint_of(stack, organization, one.only_address) == row["fingerprint"]
    ]
    return typed


async def _returned(stack: Stack, organization: Organization, erased: dict[str, datetime]) -> list[Identity]:
    if not erased:
        return []
    found = []
    async with stack.tenants.open(organization) as tenant:
        async for row in PERSONS.known_addresses(tenant.conn, before=max(erased.values())):
            for one in _one_by_one(identity_from([row["email"]], [row["phone"]])):
                erased_at = erased.get(fingerprint_of(stack, organization, one.only_address))
                if erased_at is not None and row["created_at"] < erased_at:
                    found.append(one)
    return found


def _one_by_one(identity: Identity) -> Iterator[Identity]:
    for email in sorted(identity.emails):
        yield Identity(emails=frozenset({email}))
    for phone in sorted(identity.phones):
        yield Identity(phones=frozenset({phone}))
