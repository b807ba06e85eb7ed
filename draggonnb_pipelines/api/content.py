"""POST /webhook/{slug}/generate-content: verify, read, store, answer.

Lives here: the identity of a request for content. Not here: who may send, and the storing (`webhooks.py`), what a
request may say (`domain/content_requests.py`), and whether its accounts and files exist: the run looks, and tells
whoever asked.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from draggonnb_pipelines.api.bodies import parse_body
from draggonnb_pipelines.api.problems import INVALID_CONTENT, Problem
from draggonnb_pipelines.api.webhooks import FrontDoor, accepted, as_answer, given_delivery_id, is_changed
from draggonnb_pipelines.domain.content_requests import TOPIC, read_request
from draggonnb_pipelines.domain.inbox import DeliveryKey, body_delivery_id
from draggonnb_pipelines.domain.submissions import SubmissionRefused
from draggonnb_pipelines.resources.inbox import sealed_delivery


class ContentWebhook:
    """The endpoint; its instance is the Starlette handler."""

    def __init__(self, door: FrontDoor, *, now: Callable[[], datetime]) -> None:
        self._door = door
        self._now = now

    async def handle(self, request: Request) -> Response:
        """1. who sends  2. what is asked for  3. one commit  4. 202."""
        organization, key, raw = await self._door.admit(request, request.path_params["slug"], within_plan=True)
        given_id = given_delivery_id(request)
        content_type, body = await parse_body(request, raw)
        try:
            submission = read_request(body, organization, now=self._now())
        except SubmissionRefused as refused:
            detail = "Nothing was stored. Correct the named fields and send it again."
            raise Problem(INVALID_CONTENT, detail, faults=refused.faults) from None
        delivery_id = given_id or submission.delivery_id or body_delivery_id(raw, datetime.now(UTC).date())
        delivery_key = DeliveryKey(organization.id, TOPIC, submission.source, delivery_id)
        [stored] = await self._door.store([sealed_delivery(key, delivery_key, content_type, raw, submission)])
        return accepted(as_answer(stored, is_changed(organization, key, stored, raw)))
