"""GET /api/usage-metrics: how far an organization's plan is used, for its app and its automations.

Lives here: the answer's shape. Not here: who may ask (`webhooks.py`: as for the webhooks), and what is counted
(`workflows/billing/usage_reading.py`).
"""

from typing import Any

import psycopg
from fastapi import APIRouter, Header, Query
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from draggonnb_pipelines.api.api_calls import ApiCalls
from draggonnb_pipelines.api.problems import UNAVAILABLE, Problem
from draggonnb_pipelines.api.webhooks import FrontDoor
from draggonnb_pipelines.domain.usage import METRICS, MetricUse, zone_of
from draggonnb_pipelines.errors import TenantUnavailable
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.workflows.billing.usage_reading import read_usage

router = APIRouter(tags=["usage"])


@router.get("/api/usage-metrics")
async def usage_metrics(
    request: Request,
    organization: str = Query(default="", description="The organization's slug."),
    token: str = Header(alias="X-Webhook-Token", default=""),
) -> Response:
    """The five metrics as they stand now, this call included. Months are those of the organization's zone."""
    state = request.app.state
    door: FrontDoor = state.front_door
    calls: ApiCalls = state.api_calls
    master: MasterDb = state.master
    tenants: Tenants = state.tenants
    # Never refused for the plan: who is over a limit needs the numbers most.
    asking, _, _ = await door.admit(request, organization)
    await calls.flush()
    try:
        async with tenants.open(asking) as tenant:
            usage = await read_usage(master, tenant, state.now())
    except (TenantUnavailable, psycopg.OperationalError, PoolTimeout):
        raise Problem(UNAVAILABLE, "The database does not answer; ask again.", retry_after_seconds=5) from None
    body = {
        "organization": asking.slug,
        "plan": usage.plan_key,
        "timezone": asking.timezone,
        "metrics": [_shown(use, asking.timezone) for use in usage.metrics],
    }
    return JSONResponse(body, headers={"cache-control": "no-store"})


def _shown(use: MetricUse, timezone: str) -> dict[str, Any]:
    """`limit` and `remaining` are null where nothing is limited, `resets_at` for what lasts."""
    resets_at = use.resets_at(zone_of(timezone))
    return {
        "metric": use.metric,
        "name": METRICS[use.metric],
        "used": use.used,
        "reserved": use.reserved,
        "limit": use.limit,
        "remaining": None if use.limit is None else max(0, use.limit - use.taken),
        "percent": use.percent,
        "period_start": use.period_start.isoformat() if resets_at else None,
        "resets_at": resets_at.isoformat() if resets_at else None,
    }
