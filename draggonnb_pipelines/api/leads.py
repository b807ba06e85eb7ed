"""POST /webhook/{slug}/leads: verify, read, store, answer.

Lives here: the order of these, and the identity of a lead's delivery. Plain Starlette: this is the one hot path.
Not here: who may send, and the storing (`webhooks.py`); a sensor finds the stored rows.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from draggonnb_pipelines.api.bodies import parse_body
from draggonnb_pipelines.api.problems import INVALID, Problem
from draggonnb_pipelines.api.webhooks import FrontDoor, accepted, as_answer, given_delivery_id, is_changed
from draggonnb_pipelines.domain.inbox import DeliveryKey, body_delivery_id
from draggonnb_pipelines.domain.lead_shapes import ReadLead, read_leads
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.submissions import SubmissionRefused
from draggonnb_pipelines.resources.inbox import sealed_delivery


class LeadWebhook:
    """The endpoint; its instance is the Starlette handler."""

    def __init__(self, door: FrontDoor) -> None:
        self._door = door

    async def handle(self, request: Request) -> Response:
        """1. who sends  2. what is sent  3. one commit  4. 202."""
        organization, key, raw = await self._door.admit(request, request.path_params["slug"])
        given_id = given_delivery_id(request)
        content_type, body = await parse_body(request, raw)
        try:
            leads = read_leads(body, organization)
        except SubmissionRefused as refused:
            detail = "Nothing was stored. Correct the named fields and send it again."
            raise Problem(INVALID, detail, faults=refused.faults) from None
        raws = [raw] if len(leads) == 1 else [json.dumps(lead.item).encode() for lead in leads]
        keys = _delivery_keys(organization, leads, given_id, raw)
        deliveries = [
            sealed_delivery(key, delivery_key, content_type, own_raw, lead.submission)
            for lead, own_raw, delivery_key in zip(leads, raws, keys, strict=True)
        ]
        stored = await self._door.store(deliveries)
        answers = [
            as_answer(one, is_changed(organization, key, one, own)) for one, own in zip(stored, raws, strict=True)
        ]
        return accepted(answers[0] if len(answers) == 1 else {"status": "accepted", "leads": answers})


def _delivery_keys(
    organization: Organization, leads: Sequence[ReadLead], given_id: str | None, raw: bytes
) -> list[DeliveryKey]:
    """A delivery's id: the header's, else the lead's own, else the body's hash and the day. Several leads in one
    request each get their place in it added to an id that they share."""
    shared = given_id or body_delivery_id(raw, datetime.now(UTC).date())
    many = len(leads) > 1
    keys = []
    for place, lead in enumerate(leads):
        own = lead.submission.delivery_id
        otherwise = f"{shared}#{place}" if many else shared
        delivery_id = own if own and (many or not given_id) else otherwise
        keys.append(DeliveryKey(organization.id, "leads", lead.submission.source, delivery_id))
    return keys
