"""POST /webhook/{slug}/notifications: an organization's own automation sends a message to its people or contacts.

Lives here: the identity of such a request. Not here: who may send, and the storing (`webhooks.py`), what a request may
say (`domain/message_requests.py`), whether the people exist and agreed (`workflows/messages/message_requests.py`, the
outbox).
"""

from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from draggonnb_pipelines.api.bodies import parse_body
from draggonnb_pipelines.api.problems import INVALID_MESSAGE, Problem
from draggonnb_pipelines.api.webhooks import FrontDoor, accepted, as_answer, given_delivery_id, is_changed
from draggonnb_pipelines.domain.inbox import DeliveryKey, body_delivery_id
from draggonnb_pipelines.domain.message_requests import API_SOURCE, TOPIC, read_message
from draggonnb_pipelines.domain.submissions import SubmissionRefused
from draggonnb_pipelines.resources.inbox import sealed_delivery


class NotificationsWebhook:
    """The endpoint; its instance is the Starlette handler."""

    def __init__(self, door: FrontDoor, *, now: Callable[[], datetime]) -> None:
        self._door = door
        self._now = now

    async def handle(self, request: Request) -> Response:
        """1. who sends  2. what is to be said  3. one commit  4. 202."""
        organization, key, raw = await self._door.admit(request, request.path_params["slug"], within_plan=True)
        given_id = given_delivery_id(request)
        content_type, body = await parse_body(request, raw)
        try:
            message = read_message(body)
        except SubmissionRefused as refused:
            detail = "Nothing was stored. Correct the named fields and send it again."
            raise Problem(INVALID_MESSAGE, detail, faults=refused.faults) from None
        delivery_id = given_id or message.delivery_id or body_delivery_id(raw, self._now().date())
        delivery_key = DeliveryKey(organization.id, TOPIC, API_SOURCE, delivery_id)
        [stored] = await self._door.store([sealed_delivery(key, delivery_key, content_type, raw, message)])
        return accepted(as_answer(stored, is_changed(organization, key, stored, raw)))
