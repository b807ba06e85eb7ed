"""The content workflow's writing: Claude's variants, held against the rules, stored as one post.

One question for each request; a second one names the faults of the first answer. What is still wrong then is stored
as a blocked post, for a person to mend. Not here: asking and paying (`generation.py`), the steps around it
(`content.py`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.brand_rules import check_brand, near_duplicates, same_slot
from draggonnb_pipelines.domain.content import (
    TITLE_CHARS,
    ContentAnswer,
    ContentStage,
    ContentWork,
    Finding,
    answer_type,
    is_blocked,
    limits_in_words,
    post_id_for,
    to_mend,
    usage_key,
)
from draggonnb_pipelines.domain.content_requests import Schedule
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.domain.post_formatting import format_post
from draggonnb_pipelines.domain.post_rules import Draft, check_post, format_of, rule_for
from draggonnb_pipelines.domain.publishing import Platform
from draggonnb_pipelines.domain.reports import markdown_text
from draggonnb_pipelines.domain.wall_time import Resolved, as_text
from draggonnb_pipelines.errors import NeedsReview
from draggonnb_pipelines.prompts import Prompt, fence, load_prompt
from draggonnb_pipelines.resources.claude import ClaudeRequest, strict_schema
from draggonnb_pipelines.resources.postgres import TenantDb
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.ai_budgets import Subject
from draggonnb_pipelines.workflows.billing import usage
from draggonnb_pipelines.workflows.content.content import METRIC, park, request_rows, reserve_generations
from draggonnb_pipelines.workflows.content.content_batches import ContentBatch, Outcome
from draggonnb_pipelines.workflows.content.content_checks import CONTENT, Desk, as_media, planned_time, read_desk
from draggonnb_pipelines.workflows.generation import Asker, Generation, build_request
from draggonnb_pipelines.workflows.inbox_steps import Walk, gather_outcomes

SAID_LATELY = timedelta(days=90)


@cache
def content_prompt(platforms: tuple[Platform, ...] = tuple(Platform)) -> Prompt:
    return load_prompt("content", strict_schema(answer_type(platforms)))


@dataclass(frozen=True)
class Written:
    """One answer as it would be published, and what the checks say about it."""

    title: str
    drafts: Mapping[Platform, Draft]
    findings: tuple[Finding, ...]
    generation: Generation[ContentAnswer]
    tokens: int
    cost_usd: Decimal


async def generate_posts(stack: Stack, batch: ContentBatch, *, asker: Asker | None = None) -> list[Outcome]:
    """Write each accepted request's post; a request that has its post already keeps it, and nothing is paid twice."""
    asker = asker or Asker(stack)

    async def of_tenant(organization: Organization, works: list[ContentWork]) -> list[Outcome]:
        ids = [work.request_id for work in works]
        async with stack.tenants.open(organization) as tenant:
            await reserve_generations(stack, tenant, ids)  # again: the first reservation may have expired in a queue
            desk = await read_desk(tenant)
            rows = await request_rows(tenant, ids)

        async def one(work: ContentWork) -> Outcome:
            row = rows[work.request_id]
            if row["status"] != "received":
                status = row["post_status"] or row["status"]
                return Outcome(work, columns={"post": status}, needs_review=row["status"] == "needs_review")
            written = await _write(stack, asker, desk, row)
            return await _store(stack, desk, work, row, written)

        return await gather_outcomes(works, one)

    await batch.begin(ContentStage.GENERATED)
    walk = Walk(stack, batch, ContentStage.GENERATED, park=park)
    return await walk.over(await batch.works(), of_tenant)


async def _write(stack: Stack, asker: Asker, desk: Desk, row: Mapping[str, Any]) -> Written:
    """Ask; where the answer breaks a rule, ask once more with the faults named."""
    async with stack.tenants.open(desk.organization) as tenant:
        since = stack.now() - SAID_LATELY
        recent = CONTENT.recent_variants(
            tenant.conn, since=since, platform_ids=row["platform_ids"], post_id=post_id_for(row["id"])
        )
        earlier = [(earlier["id"], earlier["variants"]) async for earlier in recent]
    first = await _ask(asker, desk, row, earlier, build_question(stack, desk, row))
    mend = to_mend(first.findings)
    if not mend:
        return first
    try:
        second = await _ask(asker, desk, row, earlier, build_question(stack, desk, row, first, mend))
    except NeedsReview as error:
        # What was written is worth more to a person than nothing.
        unmended = Finding("not_mended", "warn", None, error.reason)
        return replace(first, findings=(*first.findings, unmended))
    # A likeness is not worth mending at the price of a broken rule.
    better = first if is_blocked(second.findings) and not is_blocked(first.findings) else second
    return replace(better, tokens=first.tokens + second.tokens, cost_usd=first.cost_usd + second.cost_usd)


def build_question(
    stack: Stack,
    desk: Desk,
    row: Mapping[str, Any],
    draft: Written | None = None,
    faults: Sequence[Finding] = (),
) -> ClaudeRequest:
    """The question about one request. The request's id stands in it: asked again it is the same question, and two
    requests in the same words still get a post each."""
    platforms = tuple(Platform(platform) for platform in row["platform_ids"])
    media = as_media(row["media"])
    brand = desk.brand.model_dump(mode="json") if desk.brand else {}
    values = {
        "organization": fence(desk.organization.name),
        "country": desk.rules["country"],
        "platforms": platforms,
        "limits": [limits_in_words(platform, rule_for(platform, format_of(platform, media))) for platform in platforms],
        "request_id": row["id"],
        "request": _block(
            {
                "organization": desk.organization.name,
                "brief": row["brief"],
                "pictures": [one["alt"] or one["path"] for one in row["media"]],
                "goes_out": row["schedule"].get("publish_at", ""),
            }
        ),
        "brand": _block(brand),
        "template": _block(_template(desk, row)) if row["template"] else "",
        "draft": _block(draft.generation.answer.model_dump(mode="json")) if draft else "",
        "faults": _block([f"{fault.platform}: {fault.reason}" for fault in faults]),
    }
    return build_request(stack.settings, content_prompt(platforms), "post", values)


async def _ask(
    asker: Asker,
    desk: Desk,
    row: Mapping[str, Any],
    earlier: Sequence[tuple[UUID, Mapping[str, Any]]],
    question: ClaudeRequest,
) -> Written:
    platforms = tuple(Platform(platform) for platform in row["platform_ids"])
    subject = Subject(content_request_id=row["id"])
    generation = await asker.ask(desk.organization, subject, question, answer_type(platforms))
    drafts, findings = {}, []
    for platform in platforms:
        draft = format_post(platform, generation.answer.variant(platform), as_media(row["media"]))
        drafts[platform] = draft
        findings += _findings(platform, draft, desk, row, earlier)
    title = " ".join(generation.answer.title.split())[:TITLE_CHARS]
    return Written(title, drafts, tuple(findings), generation, generation.tokens, generation.cost_usd)


def _findings(
    platform: Platform,
    draft: Draft,
    desk: Desk,
    row: Mapping[str, Any],
    earlier: Sequence[tuple[UUID, Mapping[str, Any]]],
) -> list[Finding]:
    """What the platform's rules, the brand's and the client's own earlier posts have against a draft."""
    findings = [Finding("platform_rule", "block", platform, fault.message) for fault in check_post(platform, draft)]
    words = "\n".join(part for part in (draft.text, *draft.thread, draft.first_comment) if part)
    if desk.brand:
        sources = [row["brief"], row["prompt_template"] or ""]
        for found in check_brand(words, desk.brand, sources=sources):
            reason = f"“{found.excerpt}”: {found.reason}" if found.excerpt else found.reason
            findings.append(Finding(found.rule, found.severity, platform, reason))
    said = [(post_id, variants.get(platform, {}).get("text", "")) for post_id, variants in earlier]
    for post_id, likeness in near_duplicates(draft.text, said)[:1]:
        reason = f"{likeness:.0%} the same words as post {post_id} of the last {SAID_LATELY.days} days"
        findings.append(Finding("near_duplicate", "warn", platform, reason))
    return findings


async def _store(stack: Stack, desk: Desk, work: ContentWork, row: Mapping[str, Any], written: Written) -> Outcome:
    """The post, the request's end and the used generation in one transaction."""
    post_id, now = post_id_for(row["id"]), stack.now()
    platforms = list(written.drafts)
    async with stack.tenants.open(desk.organization) as tenant, tenant.conn.transaction():
        await CONTENT.lock_slots(tenant.conn)
        others = await _held_times(tenant, row, now)
        at = _goes_out(desk, row, others, now)
        close = same_slot(at.utc, others.items()) if at else []
        findings = [
            *written.findings,
            *(Finding(found.rule, found.severity, None, found.reason) for found in close),
            *(Finding("platform_left_out", "warn", None, fault["detail"]) for fault in row["faults"]),
        ]
        status = "blocked" if is_blocked(findings) else "in_review"
        is_new = await CONTENT.store_post(
            tenant.conn,
            id=post_id,
            title=written.title,
            content=written.drafts[platforms[0]].text,
            variants=Jsonb({platform: _stored_variant(draft) for platform, draft in written.drafts.items()}),
            media=Jsonb(row["media"]),
            platform_ids=row["platform_ids"],
            status=status,
            scheduled_for=at.utc if at else now,
            scheduled_local=as_text(at) if at else None,
            time_zone=desk.organization.timezone,
            request_id=row["id"],
            request_key=usage_key(row["id"]),
            template_id=row["template_id"],
            generation_id=written.generation.id,
            findings=Jsonb([asdict(finding) for finding in findings]),
        )
        if is_new and status == "in_review" and not desk.rules["requires_approval"]:
            await CONTENT.approve_stored(tenant.conn, id=post_id, now=now)
            status = "approved"
        await CONTENT.close_request(tenant.conn, id=row["id"])
        await usage.commit(tenant, METRIC, [usage_key(row["id"])])
    goes_out = as_text(at) if at else "as soon as approved"
    columns: dict[str, object] = {"post": status, "platforms": ", ".join(platforms), "goes out": goes_out}
    return Outcome(
        work,
        columns={**columns, "findings": ", ".join(dict.fromkeys(finding.rule for finding in findings)) or "none"},
        preview=_preview(written),
        needs_review=status == "blocked",
        tokens=written.tokens,
        cost_usd=written.cost_usd,
    )


async def _held_times(tenant: TenantDb, row: Mapping[str, Any], now: datetime) -> dict[UUID, datetime]:
    rows = CONTENT.taken_times(tenant.conn, since=now, platform_ids=row["platform_ids"], post_id=post_id_for(row["id"]))
    return {held["id"]: held["scheduled_for"] async for held in rows}


def _goes_out(desk: Desk, row: Mapping[str, Any], held: Mapping[UUID, datetime], now: datetime) -> Resolved | None:
    """The named time, the next free slot, or None for as soon as it is approved.

    Raises:
        NeedsReview: the slots have filled up since the request was accepted.
    """
    schedule = Schedule(**row["schedule"])
    if schedule.as_soon_as_approved:
        return None
    planned = planned_time(schedule, row["source"], desk.organization.timezone, row["received_at"])
    if planned:
        return planned
    platforms = [Platform(platform) for platform in row["platform_ids"]]
    slot = desk.free_slot(platforms, now, list(held.values()))
    if slot is None:
        raise NeedsReview(f"no posting slot is free for {', '.join(platforms)} within 60 days")
    return slot


def _template(desk: Desk, row: Mapping[str, Any]) -> dict[str, Any]:
    """The client's template with its places filled, and what it wants of the platforms asked for."""
    text = row["prompt_template"]
    voice = desk.brand.voice if desk.brand else ""
    for place, value in (("subject", "the brief"), ("organization", desk.organization.name), ("voice", voice)):
        text = text.replace(f"{{{place}}}", value)
    wishes = {name: row["platform_config"][name] for name in row["platform_ids"] if name in row["platform_config"]}
    return {"name": row["template"], "what": text, "platforms": wishes}


def _block(value: Any) -> str:
    """Data for a fence, in a fixed order for a stable hash."""
    return fence(json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1))


def _stored_variant(draft: Draft) -> dict[str, Any]:
    return {"text": draft.text, "first_comment": draft.first_comment, "thread": list(draft.thread)}


def _preview(written: Written) -> str:
    """The variants as an operator reads them in the UI; the model's text is escaped."""
    parts = [f"**{markdown_text(written.title)}**"]
    parts += [f"*{platform}*: {markdown_text(draft.text)}" for platform, draft in written.drafts.items()]
    parts += [f"- {finding.severity}: {markdown_text(finding.reason)}" for finding in written.findings]
    return "\n\n".join(parts)
