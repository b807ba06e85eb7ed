"""Questions to Claude: asked once, kept before anything acts on the answer, and never beyond the budget.

`Asker.ask` finds a stored answer by the hash of the question, or asks now and stores. While reprocessing it collects
what is missing instead (`AnswerPending`), so that one message batch can answer it all at half the price
(`message_batches.py`). Not here: the prompts' content and what an answer means (`lead_analyses.py`, `proposals.py`),
and what may be spent (`ai_budgets.py`).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb
from pydantic import BaseModel, ValidationError

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.errors import DraggonnbError, ErrorClass, NeedsReview, VendorError
from draggonnb_pipelines.prompts import Prompt
from draggonnb_pipelines.resources.claude import ClaudeAnswer, ClaudeRequest
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.settings import Settings
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.ai_budgets import Subject, reserve_spend, settle_spend

GENERATIONS = load_queries("generations")
BATCH_RESERVATION_SECONDS = 26 * 3600  # batches end within 24 hours
# Of one live question with its retries: a slow one must not hold up the batch that it is part of.
ASK_SECONDS = 600
WAIT_INCLUDED = "the wait for its place (DRAGGONNB_CLAUDE_REQUESTS_PER_MINUTE) included"
RUBBISH_RETRIES = 1
PATIENCE_WITH_RUBBISH = timedelta(days=1)  # for so long a request for reprocessing is taken up again

AnswerT = TypeVar("AnswerT", bound=BaseModel)


class AnswerPending(DraggonnbError):
    """The answer comes with a message batch; the step is walked again then."""


@dataclass(frozen=True)
class Generation(Generic[AnswerT]):
    """A usable answer: checked against its type, stored under `id`."""

    id: UUID
    answer: AnswerT
    searched_urls: tuple[str, ...]
    model: str
    tokens: int
    cost_usd: Decimal
    was_stored: bool


@dataclass(frozen=True)
class Missing:
    """A question without a usable answer: whose it is, what fits it, and the money held for it."""

    organization: Organization
    subject: Subject
    request: ClaudeRequest
    answer_type: type[BaseModel]
    reservation_id: UUID

    @property
    def custom_id(self) -> str:
        """Its name in a message batch (64 characters at most): the same whenever this organization asks this."""
        return _custom_id(self.organization, self.request)


@dataclass
class Asker:
    """Asks for one step. With `collects`, missing answers are gathered in `missing` and not asked for."""

    stack: Stack
    collects: bool = False
    missing: list[Missing] = field(default_factory=list)
    _turns: dict[tuple[UUID, str], asyncio.Lock] = field(default_factory=dict)

    async def ask(
        self, organization: Organization, subject: Subject, request: ClaudeRequest, answer_type: type[AnswerT]
    ) -> Generation[AnswerT]:
        """A usable answer to this very question.

        Raises:
            AnswerPending: collected for a message batch.
            NeedsReview: refused, unusable at every try, or over the budget.
            BudgetHeld: questions under way hold what is left of the budget.
            VendorError: Claude cannot be had now; sorted by class.
        """
        turn = self._turns.setdefault((organization.id, request.request_hash), asyncio.Lock())
        async with turn:  # two subjects may ask the very same: the second finds the first one's answer
            async with self.stack.tenants.open(organization) as tenant:
                stored = await GENERATIONS.usable_answer(tenant.conn, request_hash=request.request_hash)
            if stored:
                return _from_stored(stored, answer_type)
            if self.collects:
                await self._collect(organization, subject, request, answer_type)
                raise AnswerPending(f"{request.purpose}: waits for a message batch")
            return await self._ask_now(organization, subject, request, answer_type)

    async def _collect(
        self, organization: Organization, subject: Subject, request: ClaudeRequest, answer_type: type[BaseModel]
    ) -> None:
        key = _custom_id(organization, request)
        async with self.stack.tenants.open(organization) as tenant:
            since = self.stack.now() - PATIENCE_WITH_RUBBISH
            vain = await GENERATIONS.unusable_in_batches(tenant.conn, request_hash=request.request_hash, since=since)
            if vain["answers"] > RUBBISH_RETRIES or vain["stop_reason"] == "refusal":
                raise NeedsReview(
                    f"Claude's {request.purpose} answer: unusable in {vain['answers']} message batches, "
                    f"the last one ended with {vain['stop_reason']}"
                )
            reservation = await reserve_spend(
                self.stack,
                tenant,
                subject,
                request,
                key=key,
                lease_seconds=BATCH_RESERVATION_SECONDS,
                in_batch=True,
            )
        self.missing.append(Missing(organization, subject, request, answer_type, reservation))

    async def _ask_now(
        self, organization: Organization, subject: Subject, request: ClaudeRequest, answer_type: type[AnswerT]
    ) -> Generation[AnswerT]:
        fault = ""
        for _ in range(1 + RUBBISH_RETRIES):
            async with self.stack.tenants.open(organization) as tenant:
                reservation = await reserve_spend(self.stack, tenant, subject, request, key=str(uuid4()))
            try:
                async with asyncio.timeout(ASK_SECONDS):
                    answer = await self.stack.claude.ask(request)
            except TimeoutError as error:
                await self._release(organization, reservation)
                slow = f"no answer to the {request.purpose} within {ASK_SECONDS} s, {WAIT_INCLUDED}"
                raise VendorError("claude", ErrorClass.RETRY, slow) from error
            except BaseException:
                await asyncio.shield(self._release(organization, reservation))
                raise
            checked, fault = judge(answer, answer_type)
            async with self.stack.tenants.open(organization) as tenant, tenant.conn.transaction():
                await GENERATIONS.lock_question(tenant.conn, request_hash=request.request_hash)
                is_usable = checked is not None
                generation_id = await store_answer(self.stack, tenant, subject, request, answer, usable=is_usable)
                await settle_spend(tenant, reservation, answer.cost_usd)
            if checked is not None:
                assert generation_id is not None, "only a message batch's answer can be known already"
                return _generation(generation_id, checked, answer)
            if answer.stop_reason == "refusal":
                break
        raise NeedsReview(f"Claude's {request.purpose} answer: {fault}")

    async def _release(self, organization: Organization, reservation: UUID) -> None:
        async with self.stack.tenants.open(organization) as tenant:
            await settle_spend(tenant, reservation, Decimal(0))


def build_request(
    settings: Settings, prompt: Prompt, purpose: str, values: Mapping[str, Any], *, web_search_max_uses: int = 0
) -> ClaudeRequest:
    """The question exactly as it goes over the wire; equal inputs make an equal hash."""
    system, user = prompt.render(**values)
    return ClaudeRequest(
        purpose=purpose,
        prompt_name=prompt.name,
        prompt_hash=prompt.hash,
        model=settings.claude_model,
        system=system,
        content=user,
        schema=dict(prompt.schema),
        max_tokens=settings.claude_max_tokens,
        effort=settings.claude_effort,
        web_search_max_uses=web_search_max_uses,
    )


def judge(answer: ClaudeAnswer, answer_type: type[AnswerT]) -> tuple[AnswerT | None, str]:
    """The typed answer, or None and what is wrong with it."""
    if answer.stop_reason == "refusal":
        return None, "Claude refused"
    if answer.stop_reason != "end_turn":
        return None, f"it is cut short ({answer.stop_reason})"
    if answer.parsed is None:
        return None, "it is not JSON"
    try:
        return answer_type.model_validate(answer.parsed), ""
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors()[:5])
        return None, f"it does not fit its schema: {wrong}"


async def store_answer(
    stack: Stack,
    tenant: TenantDb,
    subject: Subject,
    request: ClaudeRequest,
    answer: ClaudeAnswer,
    *,
    usable: bool,
    message_batch_id: UUID | None = None,
) -> UUID | None:
    """Record what was asked, answered and paid, usable or not, before anything acts on it.

    Returns the new row's id, or None where this message batch's answer was recorded before.
    """
    usage = answer.usage
    stored = await GENERATIONS.store_answer(
        tenant.conn,
        request_hash=request.request_hash,
        usable=usable,
        purpose=request.purpose,
        prompt_name=request.prompt_name,
        prompt_hash=request.prompt_hash,
        model=answer.model,
        prompt=Jsonb(request.body()),
        output=Jsonb({"parsed": answer.parsed, "text": answer.text, "searched_urls": searched_urls(answer)}),
        stop_reason=answer.stop_reason,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_creation_tokens=usage.cache_creation_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        web_searches=usage.web_searches,
        cost_usd=answer.cost_usd,
        cost_zar=answer.cost_usd * Decimal(str(stack.settings.usd_zar)),
        vendor_request_id=answer.request_id,
        message_batch_id=message_batch_id,
        lead_id=subject.lead_id,
        content_request_id=subject.content_request_id,
    )
    return stored["id"] if stored else None


def searched_urls(answer: ClaudeAnswer) -> list[str]:
    """Addresses that the web search really returned; an address outside this list was not found by searching."""
    return [result["url"] for result in answer.web_search_results]


def _from_stored(row: Mapping[str, Any], answer_type: type[AnswerT]) -> Generation[AnswerT]:
    output = row["output"]
    return Generation(
        id=row["id"],
        answer=answer_type.model_validate(output["parsed"]),
        searched_urls=tuple(output["searched_urls"]),
        model=row["model"],
        tokens=0,
        cost_usd=Decimal(0),
        was_stored=True,
    )


def _generation(generation_id: UUID, checked: AnswerT, answer: ClaudeAnswer) -> Generation[AnswerT]:
    usage = answer.usage
    return Generation(
        id=generation_id,
        answer=checked,
        searched_urls=tuple(searched_urls(answer)),
        model=answer.model,
        tokens=usage.input_tokens + usage.output_tokens + usage.cache_creation_tokens + usage.cache_read_tokens,
        cost_usd=answer.cost_usd,
        was_stored=False,
    )


def _custom_id(organization: Organization, request: ClaudeRequest) -> str:
    return f"{organization.id.hex[:20]}-{request.request_hash[:40]}"
