"""Claude's message batches: hand in, look, fetch, and find again after a crash.

Lives here: the four calls and the reconcile. Does not live here: retries (`claude.py`), and the intent row that must
be committed before a batch is handed in (the workflow's).
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import anthropic
from anthropic.types.messages import MessageBatch

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.claude_errors import (
    SDK_ERRORS,
    sorted_batch_failure,
    sorted_error,
    sorted_error_of_submission,
)
from draggonnb_pipelines.resources.claude_messages import (
    VENDOR,
    BatchStatus,
    ClaudeAnswer,
    ClaudeRequest,
    Prices,
    read_answer,
)

MAX_REQUESTS = 100_000
_CLOCK_SKEW = timedelta(minutes=2)
_LOOK_AGAIN_SECONDS = 61.0  # over the minute that `claude.py` waits itself: the caller comes back later


async def submit(sdk: anthropic.AsyncAnthropic, requests: Mapping[str, ClaudeRequest]) -> str:
    """Create the batch; its id. AMBIGUOUS where it may have been created all the same."""
    if not 1 <= len(requests) <= MAX_REQUESTS:
        raise VendorError(VENDOR, ErrorClass.INPUT, f"a batch has 1 to {MAX_REQUESTS} requests, not {len(requests)}")
    entries: list[Any] = [{"custom_id": key, "params": request.body()} for key, request in requests.items()]
    try:
        return (await sdk.messages.batches.create(requests=entries)).id
    except SDK_ERRORS as error:
        raise sorted_error_of_submission(error) from error


async def status(sdk: anthropic.AsyncAnthropic, batch_id: str) -> BatchStatus:
    return _status(await sdk.messages.batches.retrieve(batch_id))


async def answers(
    sdk: anthropic.AsyncAnthropic, batch_id: str, prices: Prices
) -> AsyncIterator[tuple[str, ClaudeAnswer | VendorError]]:
    """Stream the results. A stream that breaks raises RETRY: read it again, results stay for 29 days."""
    async for line in _results(sdk, batch_id):
        result = line.get("result") or {}
        yield str(line.get("custom_id")), _answer(result, prices)


async def find(
    sdk: anthropic.AsyncAnthropic, created_after: datetime, custom_ids: set[str] | frozenset[str]
) -> str | None:
    """The batch with exactly these custom ids, created since `created_after` (less two minutes of clock skew).

    The vendor's list does not show custom ids, and results exist only once a batch has ended. So a candidate is a
    batch with the right number of requests, and only its results prove that it is ours:
    - ended, and its results name exactly our ids: found;
    - no candidate at all: None, there is surely none, and it may be handed in again;
    - a candidate that is still being worked on: RETRY with code `batch_in_progress`; neither adopt nor resend yet;
    - a candidate whose results are gone: AMBIGUOUS with code `batch_unverifiable`; a person decides.
    """
    unproven: VendorError | None = None
    async for batch in sdk.messages.batches.list(limit=100):
        if batch.created_at < created_after - _CLOCK_SKEW:
            break
        if _status(batch).total != len(custom_ids):
            continue
        if batch.processing_status != "ended":
            unproven = VendorError(
                VENDOR,
                ErrorClass.RETRY,
                f"batch {batch.id} may be ours and has not ended",
                code="batch_in_progress",
                retry_after_seconds=_LOOK_AGAIN_SECONDS,
                existing_id=batch.id,
            )
        elif batch.results_url is None:
            unproven = unproven or VendorError(
                VENDOR,
                ErrorClass.AMBIGUOUS,
                f"batch {batch.id} may be ours and has no results to tell",
                code="batch_unverifiable",
                existing_id=batch.id,
            )
        elif {str(line.get("custom_id")) async for line in _results(sdk, batch.id)} == custom_ids:
            return batch.id
    if unproven:
        raise unproven
    return None


async def _results(sdk: anthropic.AsyncAnthropic, batch_id: str) -> AsyncIterator[dict[str, Any]]:
    try:
        lines = await sdk.messages.batches.results(batch_id)
        try:
            async for line in lines:
                yield line.to_dict(mode="json", warnings=False)
        finally:
            await lines.close()
    except anthropic.APIError as error:
        raise sorted_error(error) from error
    except (*SDK_ERRORS, ValueError) as error:
        raise VendorError(
            VENDOR, ErrorClass.RETRY, f"results of batch {batch_id} are not to be had yet or were cut"
        ) from error


def _answer(result: dict[str, Any], prices: Prices) -> ClaudeAnswer | VendorError:
    kind = result.get("type")
    if kind == "succeeded" and isinstance(result.get("message"), dict):
        return read_answer([result["message"]], prices, request_id=None, batch=True)
    if kind == "errored":
        failure = result.get("error") or {}
        return sorted_batch_failure(str((failure.get("error") or {}).get("type")), failure.get("request_id"))
    return VendorError(VENDOR, ErrorClass.RETRY, f"not answered in the batch: {kind}", code=str(kind))


def _status(batch: MessageBatch) -> BatchStatus:
    counts = batch.request_counts.to_dict()
    return BatchStatus(
        ended=batch.processing_status == "ended",
        counts={str(key): value for key, value in counts.items() if isinstance(value, int)},
    )
