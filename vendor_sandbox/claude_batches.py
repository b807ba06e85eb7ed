"""Message batches: POST, list, get, results (JSONL, out of order), cancel.

A batch ends `claude_batch_seconds` after it was made; its answers are written when somebody reads the results. A
fault script on the route `BATCH /anthropic/v1/messages` takes one step per request of a batch, with the request as
the text to match: rubbish, truncated, refusal, errored, expired.
"""

import hashlib
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from vendor_sandbox.claude import answer_message, error_answer, error_body
from vendor_sandbox.claude_requests import RequestError, check_access, check_message
from vendor_sandbox.state import Sandbox
from vendor_sandbox.wire import Answer, Call, Route, json_answer

REQUESTS_MAX = 100_000
PAGE_MAX = 1000
_CUSTOM_ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")


@dataclass
class Batch:
    """One batch. `results` stays None until it is read for the first time after the end."""

    id: str
    requests: list[dict[str, Any]]
    created_at: datetime
    ends_at: datetime
    cancelled_at: datetime | None = None
    results: dict[str, dict[str, Any]] | None = field(default=None, repr=False)

    @property
    def has_ended(self) -> bool:
        return datetime.now(UTC) >= self.ends_at


async def create_batch(call: Call, sandbox: Sandbox) -> Answer:
    """POST /v1/messages/batches. A request that is wrong inside fails later, on its own, as with the vendor."""
    try:
        check_access(call)
        requests = _requests(call)
    except RequestError as error:
        return error_answer(error.status, error.type, str(error))
    now = datetime.now(UTC)
    digest = hashlib.sha256(f"{time.monotonic_ns()}".encode()).hexdigest()[:22]
    ends_at = now + timedelta(seconds=sandbox.settings.claude_batch_seconds)
    batch = Batch(f"msgbatch_01{digest}", requests, now, ends_at)
    sandbox.batches[batch.id] = batch
    return json_answer(200, _described(batch, sandbox, call))


async def list_batches(call: Call, sandbox: Sandbox) -> Answer:
    """GET /v1/messages/batches: newest first; `after_id` goes to older ones, `before_id` to newer."""
    try:
        check_access(call)
    except RequestError as error:
        return error_answer(error.status, error.type, str(error))
    batches: list[Batch] = list(reversed(sandbox.batches.values()))
    ids = [batch.id for batch in batches]
    limit = min(int(call.query.get("limit") or 20), PAGE_MAX)
    if (after := call.query.get("after_id")) in ids:
        batches = batches[ids.index(after) + 1 :]
        page, has_more = batches[:limit], len(batches) > limit
    elif (before := call.query.get("before_id")) in ids:
        batches = batches[: ids.index(before)]
        page, has_more = batches[-limit:], len(batches) > limit
    else:
        page, has_more = batches[:limit], len(batches) > limit
    return json_answer(
        200,
        {
            "data": [_described(batch, sandbox, call) for batch in page],
            "has_more": has_more,
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        },
    )


async def get_batch(call: Call, sandbox: Sandbox, batch: str) -> Answer:
    """GET /v1/messages/batches/{id}."""
    found = _find(call, sandbox, batch)
    return found if isinstance(found, Answer) else json_answer(200, _described(found, sandbox, call))


async def cancel_batch(call: Call, sandbox: Sandbox, batch: str) -> Answer:
    """POST …/cancel: what is not done yet ends as `canceled`."""
    found = _find(call, sandbox, batch)
    if isinstance(found, Answer):
        return found
    if not found.has_ended and found.cancelled_at is None:
        found.cancelled_at = datetime.now(UTC)
    return json_answer(200, _described(found, sandbox, call))


async def get_results(call: Call, sandbox: Sandbox, batch: str) -> Answer:
    """GET …/results: one JSON object a line, in an order of its own."""
    found = _find(call, sandbox, batch)
    if isinstance(found, Answer):
        return found
    if not found.has_ended:
        return error_answer(404, "not_found_error", "results are not available until processing of the batch has ended")
    results = _results(found, sandbox)

    async def lines() -> AsyncIterator[bytes]:
        for custom_id in sorted(results, key=lambda name: hashlib.sha256(f"{found.id}{name}".encode()).digest()):
            line = {"custom_id": custom_id, "result": results[custom_id]}
            yield json.dumps(line, ensure_ascii=False).encode() + b"\n"

    return Answer(200, headers={"content-type": "application/x-jsonl"}, stream=lines())


def _requests(call: Call) -> list[dict[str, Any]]:
    try:
        requests = call.json["requests"]
    except (ValueError, TypeError, KeyError) as error:
        raise RequestError("requests: Field required") from error
    if not isinstance(requests, list) or not 1 <= len(requests) <= REQUESTS_MAX:
        raise RequestError(f"requests: List should have between 1 and {REQUESTS_MAX} items")
    seen: set[str] = set()
    for index, request in enumerate(requests):
        custom_id = request.get("custom_id")
        if not isinstance(custom_id, str) or not _CUSTOM_ID.match(custom_id):
            raise RequestError(f"requests.{index}.custom_id: String should match pattern '{_CUSTOM_ID.pattern}'")
        if custom_id in seen:
            raise RequestError(f"requests.{index}.custom_id: Duplicate custom_id found: {custom_id}")
        if not isinstance(request.get("params"), dict):
            raise RequestError(f"requests.{index}.params: Field required")
        seen.add(custom_id)
    return requests


def _find(call: Call, sandbox: Sandbox, batch_id: str) -> Batch | Answer:
    try:
        check_access(call)
    except RequestError as error:
        return error_answer(error.status, error.type, str(error))
    found = sandbox.batches.get(batch_id)
    return found or error_answer(404, "not_found_error", f"Message Batch {batch_id} not found.")


def _described(batch: Batch, sandbox: Sandbox, call: Call) -> dict[str, Any]:
    counts = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    if batch.has_ended:
        for result in _results(batch, sandbox).values():
            counts[result["type"]] += 1
    else:
        counts["processing"] = len(batch.requests)
    status = "ended" if batch.has_ended else "canceling" if batch.cancelled_at else "in_progress"
    base = f"http://{call.headers.get('host', '127.0.0.1')}/anthropic/v1/messages/batches"
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": counts,
        "created_at": batch.created_at.isoformat(),
        "expires_at": (batch.created_at + timedelta(hours=24)).isoformat(),
        "ended_at": batch.ends_at.isoformat() if batch.has_ended else None,
        "archived_at": None,
        "cancel_initiated_at": batch.cancelled_at.isoformat() if batch.cancelled_at else None,
        "results_url": f"{base}/{batch.id}/results" if batch.has_ended else None,
    }


def _results(batch: Batch, sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    if batch.results is None:
        batch.results = {request["custom_id"]: _result(batch, request, sandbox) for request in batch.requests}
    return batch.results


def _result(batch: Batch, request: dict[str, Any], sandbox: Sandbox) -> dict[str, Any]:
    if batch.cancelled_at:
        return {"type": "canceled"}
    params = request["params"]
    fault = sandbox.faults.take("BATCH", "/anthropic/v1/messages", content=json.dumps(request, ensure_ascii=False))
    kind = fault["kind"] if fault else ""
    if kind == "expired":
        return {"type": "expired"}
    if kind in ("errored", "overloaded"):
        return {"type": "errored", "error": error_body("api_error", "Internal server error")}
    try:
        check_message(params)
    except RequestError as error:
        return {"type": "errored", "error": error_body(error.type, str(error))}
    message = answer_message(params, sandbox, fault or {})
    message["usage"]["service_tier"] = "batch"
    return {"type": "succeeded", "message": message}


ROUTES = (
    Route("POST", "/anthropic/v1/messages/batches", create_batch),
    Route("GET", "/anthropic/v1/messages/batches", list_batches),
    Route("GET", "/anthropic/v1/messages/batches/{batch}", get_batch),
    Route("GET", "/anthropic/v1/messages/batches/{batch}/results", get_results),
    Route("POST", "/anthropic/v1/messages/batches/{batch}/cancel", cancel_batch),
)
