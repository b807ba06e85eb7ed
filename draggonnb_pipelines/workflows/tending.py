"""What every client needs from time to time, whether or not anything of theirs is due: tokens, reviews, repetitions.

Lives here: the order, and that one client's or one verb's trouble is its own. Not here: the verbs themselves.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.content.recurring_requests import make_recurring
from draggonnb_pipelines.workflows.content.reviews import tend_reviews
from draggonnb_pipelines.workflows.inbox_batches import reason_of
from draggonnb_pipelines.workflows.messages.agency_alerts import tell_agency_troubles
from draggonnb_pipelines.workflows.messages.escalation import escalate
from draggonnb_pipelines.workflows.messages.notices import send_waiting
from draggonnb_pipelines.workflows.messages.refused_addresses import tell_refusals
from draggonnb_pipelines.workflows.publishing.account_alerts import tell_all_troubles
from draggonnb_pipelines.workflows.publishing.account_checks import check_accounts, remind_reconnects
from draggonnb_pipelines.workflows.publishing.agenda import AGENDA
from draggonnb_pipelines.workflows.publishing.publish_alerts import tell_publish_troubles
from draggonnb_pipelines.workflows.publishing.publish_questions import apply_answers
from draggonnb_pipelines.workflows.publishing.token_refresh import refresh_due

ORGANIZATIONS = load_queries("organizations")
log = logging.getLogger(__name__)
CLIENTS_AT_ONCE = 8
Verb = Callable[[Stack, Organization], Awaitable[object]]
# Tokens first: what comes after may need one. Notices last: they tell what the others found.
VERBS: tuple[Verb, ...] = (
    refresh_due,
    check_accounts,
    remind_reconnects,
    apply_answers,
    make_recurring,
    tend_reviews,
    tell_publish_troubles,
    tell_agency_troubles,
    tell_all_troubles,
    tell_refusals,
    escalate,
)


@dataclass
class Tended:
    """How many clients were looked after, and what went wrong for whom."""

    clients: int = 0
    troubles: dict[str, str] = field(default_factory=dict)


async def tend_clients(stack: Stack) -> Tended:
    """Look after every active client. Each verb may be repeated at any time and tells everybody once.

    For a suspended client nothing is done but that its mails go out: the first of them says that it is suspended.
    """
    async with stack.master.connection() as conn:
        rows = [row async for row in AGENDA.agenda_of(conn, slugs=None, shards=1, shard=0)]
        suspended = [row async for row in ORGANIZATIONS.suspended_organizations(conn)]
    tended, permits = Tended(), asyncio.Semaphore(CLIENTS_AT_ONCE)

    async def tend(row: dict[str, Any], verbs: Sequence[Verb] = VERBS) -> None:
        organization = Organization(**{name: value for name, value in row.items() if name != "notes"})
        async with permits:
            for verb in verbs:
                try:
                    await verb(stack, organization)
                except (DraggonnbError, psycopg.Error) as error:
                    tended.troubles[organization.slug] = reason_of(error)
                    log.warning("%s: %s: %s", organization.slug, verb.__name__, reason_of(error))
                except Exception as error:  # what a client's own rows brought about must not stop the others
                    tended.troubles[organization.slug] = reason_of(error)
                    log.exception("%s: %s broke", organization.slug, verb.__name__)
        tended.clients += organization.is_active

    await asyncio.gather(*map(tend, rows), *(tend(row, (send_waiting,)) for row in suspended))
    return tended
