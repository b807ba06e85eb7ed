"""A database row as a client of the MCP server sees it, foreign text fenced.

Lives here: which columns are told. Not here: the shapes (`answers.py`), the queries (`reading.py`, `writing.py`).
"""

from collections.abc import Mapping
from typing import Any

from draggonnb_pipelines.domain.analyses import BusinessAnalysis, CompetitorAnalysis
from draggonnb_pipelines.domain.usage import METRICS, MetricUse
from draggonnb_pipelines.mcp_server import answers
from draggonnb_pipelines.mcp_server.fences import Fence
from draggonnb_pipelines.workflows.messages.open_alerts import STEPS

MESSAGE_CHARS = 600
Row = Mapping[str, Any]


def organization(row: Row, fence: Fence) -> answers.OrganizationRow:
    return answers.OrganizationRow(
        slug=row["slug"],
        name=fence(row["name"]),
        status=row["status"],
        plan=row["plan_key"],
        deliveries_waiting=row["waiting"],
        created_at=row["created_at"],
    )


def lead(row: Row, fence: Fence) -> answers.LeadRow:
    return answers.LeadRow(
        id=row["id"],
        received_at=row["received_at"],
        status=row["status"],
        source=fence(row["source"]),
        name=fence(row["contact_name"]),
        company=fence(row["company_name"]),
        website=fence(row["website"]),
        message=fence(row["message"], max_chars=MESSAGE_CHARS),
        rule_score=row["rule_score"],
        model_score=row["model_score"],
        review_reason=fence(row["review_reason"]),
        is_analysed=row["is_analysed"],
    )


def business(row: Row, fence: Fence) -> answers.BusinessView:
    stored = BusinessAnalysis.model_validate(row["content"])
    return answers.BusinessView(
        version=row["version"],
        summary=fence(stored.summary),
        sector=fence(stored.sector),
        company_size=stored.company_size,
        strengths=[answers.ClaimView(text=fence(one.text), is_supported=one.is_supported) for one in stored.strengths],
        weaknesses=[
            answers.ClaimView(text=fence(one.text), is_supported=one.is_supported) for one in stored.weaknesses
        ],
        quick_wins=[
            answers.QuickWinView(
                title=fence(win.title),
                why=fence(win.why),
                first_steps=[fence(step) for step in win.first_steps],
                effort=win.effort,
                impact=win.impact,
                is_supported=win.is_supported,
            )
            for win in stored.quick_wins
        ],
        score=stored.lead_score.score,
        score_reasons=[fence(reason) for reason in stored.lead_score.reasons],
    )


def competitors(row: Row, fence: Fence) -> answers.CompetitorsView:
    stored = CompetitorAnalysis.model_validate(row["content"])
    return answers.CompetitorsView(
        version=row["version"],
        market_note=fence(stored.market_note),
        competitors=[
            answers.CompetitorView(
                name=fence(one.name),
                url=fence(one.url),
                positioning=fence(one.positioning),
                is_supported=one.is_supported,
            )
            for one in stored.competitors
        ],
    )


def resource(row: Row, fence: Fence) -> answers.ResourceRow:
    cents = 0 if row["state"] == "removed" else row["monthly_cents"]
    return answers.ResourceRow(
        step=row["step"],
        vendor=row["vendor"],
        name=row["name"],
        state=row["state"],
        url=fence(row["url"]),
        attempts=row["attempts"],
        monthly_usd=cents / 100,
        last_error=fence(row["last_error"]),
        created_at=row["created_at"],
        ready_at=row["ready_at"],
    )


def queue_row(row: Row, fence: Fence) -> answers.QueueRow:
    return answers.QueueRow(
        id=row["id"],
        network=row["platform_id"],
        account=fence(row["account"]),
        status=row["status"],
        publish_at=row["publish_at"],
        published_at=row["published_at"],
        seconds_late=row["lateness_seconds"],
        words=fence(row["payload"]["text"], max_chars=MESSAGE_CHARS),
        url=fence(row["platform_url"]),
        reason=fence(row["question"] or row["last_error"]),
    )


def question(slug: str, row: Row, fence: Fence) -> answers.QuestionRow:
    return answers.QuestionRow(
        organization=slug,
        id=row["id"],
        network=row["platform_id"],
        account=fence(row["account"]),
        publish_at=row["publish_at"],
        words=fence(row["payload"]["text"], max_chars=MESSAGE_CHARS),
        question=fence(row["question"]),
    )


def delivery(row: Row, fence: Fence) -> answers.InboxRow:
    return answers.InboxRow(
        id=row["id"],
        organization=row["slug"],
        topic=row["topic"],
        source=fence(row["source"]),
        delivery_id=fence(row["delivery_id"]),
        state=row["state"],
        stage=row["stage"],
        attempts=row["attempts"],
        received_at=row["received_at"],
        last_error=fence(row["last_error"]),
        lead_id=row["lead_id"],
    )


def metric(use: MetricUse) -> answers.MetricRow:
    return answers.MetricRow(
        metric=use.metric,
        name=METRICS[use.metric],
        used=use.used,
        reserved=use.reserved,
        limit=use.limit,
        percent=use.percent,
        period_start=use.period_start,
        period_end=use.period_end,
    )


def alert(slug: str, row: Row, fence: Fence) -> answers.AlertRow:
    return answers.AlertRow(
        organization=slug,
        id=row["id"],
        event=row["event"],
        subject=fence(row["subject"]),
        since=row["created_at"],
        told=STEPS[min(row["level"], len(STEPS) - 1)],
        next_at=row["escalate_at"],
    )
