"""Claude, over the vendor's SDK: one question now (`ask`), or many later at half the price (`batches`).

Lives here: the calls, the sorting of every failure into our classes, and the retries. Does not live here: prompts,
and what an answer is worth: a refusal, a cut text or rubbish is an answer, and the caller judges it.
The SDK takes a second to import, so what asks nothing (publishing, payments) never imports it.
Facts: Messages API of 2026-10-21, SDK 2.12. The SDK's own retries are off: it obeys `retry-after` without bound.
"""

import asyncio
import json
import logging
import random as randomness
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from draggonnb_pipelines.errors import ErrorClass, VendorError
from draggonnb_pipelines.resources.claude_messages import (
    VENDOR,
    BatchStatus,
    ClaudeAnswer,
    ClaudeRequest,
    Prices,
    Usage,
    read_answer,
)
from draggonnb_pipelines.resources.claude_schema import strict_schema
from draggonnb_pipelines.resources.vendor_limits import VendorLimits

if TYPE_CHECKING:
    import anthropic

__all__ = ["BatchStatus", "Claude", "ClaudeAnswer", "ClaudeRequest", "Prices", "Usage", "strict_schema"]

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 600.0
MAX_ATTEMPTS = 4
MAX_WAIT_SECONDS = 60.0
MAX_CONTINUATIONS = 3
_BACKOFF_SECONDS = 1.0

T = TypeVar("T")


class Claude:
    """The vendor's client. One per event loop; an async context manager.

    Args:
        base_url, api_key: the vendor's, or the sandbox's.
        prices: of the model that is set; every answer carries its cost.
        concurrency: questions in flight at once; waiting for a retry holds no place.
        limits: shared with all other processes; None: questions wait for nobody.
        sleep, random: injectable, so that tests neither wait nor gamble.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        prices: Prices,
        concurrency: int = 64,
        limits: VendorLimits | None = None,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        self.prices = prices
        self._places = asyncio.Semaphore(concurrency)
        self._sleep = sleep
        self._random = random
        self._concurrency = concurrency
        self._limits = limits
        self._base_url = base_url
        self._api_key = api_key
        self._read_timeout_seconds = read_timeout_seconds

    @cached_property
    def _sdk(self) -> "anthropic.AsyncAnthropic":
        import anthropic
        import httpx2

        timeout = httpx2.Timeout(self._read_timeout_seconds, connect=CONNECT_TIMEOUT_SECONDS)
        connections = self._concurrency + 4
        http_client = anthropic.DefaultAioHttpClient(
            timeout=timeout,
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
            follow_redirects=False,
            # A proxy of the environment is for the internet; it cannot reach our own loopback.
            mounts={"all://127.0.0.1": None, "all://localhost": None},
        )
        return anthropic.AsyncAnthropic(
            api_key=self._api_key,
            base_url=self._base_url,
            max_retries=0,
            timeout=timeout,
            http_client=http_client,
            open_telemetry=False,  # spans would carry what leads wrote
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        if "_sdk" in self.__dict__:
            await self._sdk.close()

    def estimate_usd(self, request: ClaudeRequest) -> Decimal:
        """What the question may cost at most (see `ClaudeRequest.estimate_usd`): reserve this much before asking."""
        return request.estimate_usd(self.prices)

    async def ask(self, request: ClaudeRequest) -> ClaudeAnswer:
        """Ask, wait, and return whatever Claude said, with its usage and cost.

        A question has no outside effect, so a lost answer is asked again (it costs again: there is nothing to find).
        A paused turn is sent back up to three times, as long as what it has cost stays below the estimate.

        Raises:
            VendorError: no answer could be had; RETRY after four attempts, THROTTLED when the wait is over a minute.
        """
        body = request.body()
        turns: list[dict[str, Any]] = []
        answer: ClaudeAnswer | None = None
        while True:
            try:
                turn, request_id = await self._with_retries(partial(self._create, body))
            except VendorError:
                if answer is None:
                    raise
                # The paused turn was paid for: its cost must reach the ledger, so it is the answer.
                logger.warning("claude: a paused turn could not be continued")
                return answer
            turns.append(turn)
            answer = read_answer(turns, self.prices, request_id=request_id)
            if answer.stop_reason != "pause_turn" or len(turns) > MAX_CONTINUATIONS:
                return answer
            if answer.cost_usd >= self.estimate_usd(request):
                return answer
            body = {**body, "messages": [*body["messages"], {"role": "assistant", "content": turn.get("content")}]}

    async def submit_batch(self, requests: Mapping[str, ClaudeRequest]) -> str:
        """Hand in many questions under our own ids (`custom_id`: 1 to 64 of A-Z a-z 0-9 _ -); the vendor's batch id.

        Raises:
            VendorError: AMBIGUOUS when the batch may exist; write the intent first and ask `find_batch`.
        """
        from draggonnb_pipelines.resources.claude_batches import submit

        return await self._with_retries(partial(submit, self._sdk, requests))

    async def batch_status(self, batch_id: str) -> BatchStatus:
        """Whether the batch has ended, and how many of its questions stand where."""
        from draggonnb_pipelines.resources.claude_batches import status

        return await self._with_retries(partial(status, self._sdk, batch_id))

    async def batch_answers(self, batch_id: str) -> AsyncIterator[tuple[str, ClaudeAnswer | VendorError]]:
        """The answers of an ended batch, in no order, one by one; a question that failed brings its sorted error."""
        from draggonnb_pipelines.resources.claude_batches import answers

        async for custom_id, answer in answers(self._sdk, batch_id, self.prices):
            yield custom_id, answer

    async def find_batch(self, created_after: datetime, custom_ids: set[str] | frozenset[str]) -> str | None:
        """The batch that a lost `submit_batch` made, or None if there surely is none (see `claude_batches.find`)."""
        from draggonnb_pipelines.resources.claude_batches import find

        return await self._with_retries(partial(find, self._sdk, created_after, custom_ids))

    async def list_models(self) -> list[dict[str, Any]]:
        """The vendor's models with `id`, `lifecycle` (active, deprecated, retired) and `retires_at`."""

        async def read() -> list[dict[str, Any]]:
            return [model.to_dict(mode="json") async for model in self._sdk.models.list(limit=100)]

        return await self._with_retries(read)

    async def _create(self, body: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
        """One call. The raw body is kept: typed models would drop blocks that this SDK does not know yet."""
        response = await self._sdk.messages.with_raw_response.create(**body)
        request_id = response.headers.get("request-id")
        try:
            message = json.loads(await response.read())
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise VendorError(
                VENDOR, ErrorClass.RETRY, "the answer is no JSON object", status=200, request_id=request_id
            )
        return message, request_id

    async def _with_retries(self, call: Callable[[], Awaitable[T]]) -> T:
        from draggonnb_pipelines.resources.claude_errors import SDK_ERRORS, sorted_error

        attempt = 0
        while True:
            attempt += 1
            try:
                async with self._places:
                    if self._limits:
                        await self._limits.admit(VENDOR, max_wait_seconds=MAX_WAIT_SECONDS)
                    return await call()
            except VendorError as error:
                failure = error  # ours, such as a silence that is kept already: nothing that Claude has just said
            except SDK_ERRORS as error:
                failure = sorted_error(error)
                if self._limits:
                    await self._limits.note(failure)
            wait = self._wait_seconds(failure, attempt)
            if wait is None:
                raise failure
            logger.info("claude: %s, attempt %d, again in %.1f s", failure.message, attempt, wait)
            await self._sleep(wait)

    def _wait_seconds(self, failure: VendorError, attempt: int) -> float | None:
        """How long to wait before the next attempt; None: no more attempts."""
        asked = failure.retry_after_seconds or 0.0
        if not failure.is_transient or attempt >= MAX_ATTEMPTS or asked > MAX_WAIT_SECONDS:
            return None
        backoff = self._random() * min(MAX_WAIT_SECONDS, _BACKOFF_SECONDS * 2**attempt)
        return min(MAX_WAIT_SECONDS, asked + backoff)
