"""A client by its slug, for what is done to a stack as a whole: abort, suspend, resume, offboard, erase.

Not here: the steps that set it up (`provisioning.py`).
"""

from uuid import uuid4

from draggonnb_pipelines.domain.organizations import AGENCY_SLUG, Organization
from draggonnb_pipelines.domain.provisioning import Client
from draggonnb_pipelines.errors import OperatorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.provisioning.stack_ledger import PROVISIONING, Ledger


async def ledger_of(stack: Stack, slug: str) -> Ledger:
    """The ledger of one client, under a run id of its own.

    Raises:
        OperatorError: there is no such client, or it is the agency itself.
    """
    async with stack.master.connection() as conn:
        rows = [row async for row in PROVISIONING.clients_of(conn, slugs=[slug])]
    if not rows:
        raise OperatorError(f"no organization has the slug {slug!r}", remedy="`draggonnb tenant list` shows all")
    if slug == AGENCY_SLUG:
        raise OperatorError(f"{slug} is the agency itself", remedy="name a client")
    row = rows[0]
    organization = Organization(**{name: row[name] for name in Organization.__dataclass_fields__})
    client = Client(organization, row["plan_key"], row["owner_name"], row["owner_email"], row["owner_phone"])
    return Ledger(stack, client, f"operator-{uuid4()}")
