"""POST /webhook/{slug}/analytics: a client asks for fresh numbers.

Lives here: the identity of such a wish, and when its numbers come. Not here: who may send, and the storing
(`webhooks.py`), taking wishes up (`workflows/analytics/fresh_numbers.py`).
"""

from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

import psycopg
from psycopg_pool import PoolTimeout
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response

from draggonnb_pipelines.api.bodies import parse_body
from draggonnb_pipelines.api.problems import INVALID_NUMBERS, UNAVAILABLE, Problem
from draggonnb_pipelines.api.security import signed_at
from draggonnb_pipelines.api.webhooks import FrontDoor, accepted, as_answer, given_delivery_id, is_changed
from draggonnb_pipelines.domain.fresh_numbers import API_SOURCE, TOPIC, read_numbers_request, taken_up_at
from draggonnb_pipelines.domain.inbox import DeliveryKey
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.submissions import SubmissionRefused
from draggonnb_pipelines.resources.inbox import sealed_delivery
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.workflows.analytics.fresh_numbers import FRESH


class AnalyticsWebhook:
    """The endpoint; its instance is the Starlette handler."""

    def __init__(self, door: FrontDoor, master: MasterDb, *, now: Callable[[], datetime]) -> None:
        self._door = door
        self._master = master
        self._now = now

    async def handle(self, request: Request) -> Response:
        """1. who asks  2. one commit  3. 202 with `numbers_from`, the moment from which it is worked on."""
        organization, key, raw = await self._door.admit(request, request.path_params["slug"], within_plan=True)
        given_id = given_delivery_id(request)
        content_type, body = await _body(request, raw)
        try:
            wish = read_numbers_request(body)
        except SubmissionRefused as refused:
            detail = "Nothing was stored. Correct the named fields and send it again, or send {}."
            raise Problem(INVALID_NUMBERS, detail, faults=refused.faults) from None
        # Bodies of wishes are all alike, so that their bytes tell nothing apart; of signed ones the moment does.
        delivery_id = given_id or wish.delivery_id or _signed_id(request) or str(uuid4())
        delivery_key = DeliveryKey(organization.id, TOPIC, API_SOURCE, delivery_id)
        [stored] = await self._door.store([sealed_delivery(key, delivery_key, content_type, raw, wish)])
        answer = as_answer(stored, is_changed(organization, key, stored, raw))
        return accepted(answer | {"numbers_from": await self._numbers_from(organization)})

    async def _numbers_from(self, organization: Organization) -> str:
        now = self._now()
        try:
            async with self._master.connection() as conn:
                row = await FRESH.last_taken(conn, organization_id=organization.id, now=now)
        except (psycopg.OperationalError, PoolTimeout):
            # It is stored; the repeat that this asks for is recognised by its delivery id, or served together with it.
            raise Problem(UNAVAILABLE, "The database does not answer; ask again.", retry_after_seconds=5) from None
        # One at work has begun already: what was asked for now gets its turn after the pause.
        last_taken_at = now if row["is_at_work"] else row["last_taken_at"]
        return taken_up_at(last_taken_at, now).isoformat(timespec="seconds")


def _signed_id(request: Request) -> str | None:
    moment = signed_at(request.headers)
    return f"signed:{moment}" if moment else None


async def _body(request: Request, raw: bytes) -> tuple[str, JsonValue]:
    """Nothing at all is a wish too."""
    return ("application/json", {}) if not raw.strip() else await parse_body(request, raw)
