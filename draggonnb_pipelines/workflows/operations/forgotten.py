"""Persons who are to stay forgotten: what was cut off goes on, and whom a backup brought back is forgotten again.

Lives here: finding them, every night. Not here: the erasure itself (`person_erasure.py`).
"""

from typing import Any

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.persons import Identity, identity_from
from draggonnb_pipelines.errors import OperatorError
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
        OperatorError: somebody is being worked on right now, or cannot be forgotten yet; all others are, and the next
            night goes on.
        TenantUnavailable: its database does not answer.
    """
    async with stack.master.connection() as conn:
        cut_off = [row async for row in PERSONS.open_erasures(conn, organization_id=organization.id)]
        erased = [row async for row in PERSONS.erasures_of(conn, organization_id=organization.id)]
    wanted = [
        (row["fingerprint"], open_subject(stack, organization, row).identity, row["requested_by"]) for row in cut_off
    ]
    wanted += [(*one, BY) for one in (await _returned(stack, organization, erased)).items()]
    faults: list[OperatorError] = []
    for fingerprint, identity, by in wanted:
        try:
            await erase_person(stack, organization, identity, by=by, fingerprint=fingerprint)
        except OperatorError as error:
            faults.append(error)
    if faults:
        raise OperatorError(
            f"{len(faults)} of {len(wanted)} persons are not forgotten yet: {faults[0].message}",
            remedy=faults[0].remedy,
        )
    return len(wanted)


async def _returned(stack: Stack, organization: Organization, erased: list[dict[str, Any]]) -> dict[str, Identity]:
    """What is here of those who were forgotten, by the fingerprint of the address that they gave then."""
    if not erased:
        return {}
    by_address: dict[str, list[dict[str, Any]]] = {}
    for row in erased:
        for fingerprint in {row["fingerprint"], *row["also_known_by"]}:
            by_address.setdefault(fingerprint, []).append(row)
    found: dict[str, Identity] = {}
    async with stack.tenants.open(organization) as tenant:
        async for known in PERSONS.known_addresses(tenant.conn, before=max(row["finished_at"] for row in erased)):
            for one in identity_from([known["email"]], [known["phone"]]).one_by_one():
                address = fingerprint_of(stack, organization, one.only_address)
                for row in by_address.get(address, ()):
                    # Somebody of the organization is known by the address that they gave themselves alone.
                    is_theirs = not known["is_user"] or address == row["fingerprint"]
                    if is_theirs and known["since"] < row["finished_at"]:
                        found[row["fingerprint"]] = found.get(row["fingerprint"], Identity()) | one
    return found
