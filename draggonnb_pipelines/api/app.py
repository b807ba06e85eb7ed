"""The assembly: one FastAPI application from the settings.

Lives here: what is opened for how long, routes, and the net under everything. Not here: any endpoint's work.
"""

import asyncio
import contextlib
import logging
import re
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from uuid import uuid4

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from draggonnb_pipelines.api import (
    alerts,
    bounces,
    checkouts,
    health,
    invoices,
    metrics,
    payfast,
    proposals,
    reports,
    reviews,
    unsubscribe,
    usage,
    whatsapp,
)
from draggonnb_pipelines.api.analytics import AnalyticsWebhook
from draggonnb_pipelines.api.api_calls import ApiCalls
from draggonnb_pipelines.api.content import ContentWebhook
from draggonnb_pipelines.api.docs import docs_page, openapi_document, with_webhooks
from draggonnb_pipelines.api.headers import SafeHeaders
from draggonnb_pipelines.api.health import Health
from draggonnb_pipelines.api.leads import LeadWebhook
from draggonnb_pipelines.api.notifications import NotificationsWebhook
from draggonnb_pipelines.api.problems import INTERNAL, Problem, answer_http_error, answer_problem
from draggonnb_pipelines.api.security import RateLimiter, Receivers
from draggonnb_pipelines.api.webhooks import ORGANIZATIONS_PER_ADDRESS, FrontDoor
from draggonnb_pipelines.logs import about
from draggonnb_pipelines.resources.inbox import InboxWriter
from draggonnb_pipelines.resources.postgres import MasterDb, Tenants
from draggonnb_pipelines.resources.vault import Vault
from draggonnb_pipelines.settings import Settings

TENANT_CONNECTIONS = 5  # for proposal and review pages alone; the webhook opens no tenant
REQUEST_ID = "x-request-id"
_PLAIN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
log = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(settings: Settings, *, now: Callable[[], datetime] = utc_now) -> FastAPI:
    """The application; it connects to the master database when it starts, and to a tenant for a public page."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        vault = Vault(settings.keys)
        async with (
            MasterDb(settings.dsn, name=vault.session_name) as master,
            Tenants(settings.dsn, vault, max_connections=TENANT_CONNECTIONS) as tenants,
            ApiCalls(master, now=now) as calls,
        ):
            receivers = Receivers(master, vault)
            writer = InboxWriter(master)
            door = FrontDoor(receivers, writer, calls, per_minute=settings.api_rate_per_minute)
            probes = Health(settings, master)
            app.state.settings, app.state.now = settings, now
            app.state.master, app.state.tenants = master, tenants
            app.state.receivers, app.state.writer, app.state.health = receivers, writer, probes
            app.state.api_calls, app.state.front_door = calls, door
            app.state.page_limiter = RateLimiter(settings.api_rate_per_minute)
            # Meta's few addresses bring the statuses of all organizations.
            app.state.whatsapp_limiter = RateLimiter(settings.api_rate_per_minute * ORGANIZATIONS_PER_ADDRESS)
            app.state.vault, app.state.payfast_limits = vault, payfast.Limits(settings.api_rate_per_minute)
            app.state.lead_webhook = LeadWebhook(door)
            app.state.content_webhook = ContentWebhook(door, now=now)
            app.state.analytics_webhook = AnalyticsWebhook(door, master, now=now)
            app.state.notifications_webhook = NotificationsWebhook(door, now=now)
            watch = asyncio.create_task(probes.watch())
            try:
                yield
            finally:
                watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watch
                await writer.close()

    app = FastAPI(
        title="DraggonnB CRMM",
        version=version("draggonnb-pipelines"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # served by a route of ours, as often as the pages
    )
    # Plain routes, outside FastAPI's dependency machinery: this is the hot path, and it reads its own body.
    app.router.routes.append(Route("/webhook/{slug}/leads", _receive_leads, methods=["POST"]))
    app.router.routes.append(Route("/webhook/{slug}/generate-content", _receive_content, methods=["POST"]))
    app.router.routes.append(Route("/webhook/{slug}/analytics", _receive_analytics, methods=["POST"]))
    app.router.routes.append(Route("/webhook/{slug}/notifications", _receive_notifications, methods=["POST"]))
    app.router.routes.append(Route("/docs", docs_page, methods=["GET"]))
    app.router.routes.append(Route("/openapi.json", openapi_document, methods=["GET"]))
    app.include_router(whatsapp.router)
    app.include_router(payfast.router)
    app.include_router(alerts.router)
    app.include_router(proposals.router)
    app.include_router(checkouts.router)
    app.include_router(invoices.router)
    app.include_router(reports.router)
    app.include_router(reviews.router)
    app.include_router(unsubscribe.router)
    app.include_router(bounces.router)
    app.include_router(usage.router)
    app.include_router(health.router)
    app.include_router(metrics.router)
    # The tokens of public pages stand in paths: the server's own log of paths stays off, whoever starts the server.
    logging.getLogger("uvicorn.access").disabled = True
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(HTTPException, answer_http_error)
    app.add_middleware(LastNet)
    app.add_middleware(SafeHeaders, is_public_by_tls=settings.base_url.startswith("https:"))
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)
    with_webhooks(app)
    return app


async def _receive_leads(request: Request) -> Response:
    webhook: LeadWebhook = request.app.state.lead_webhook
    return await webhook.handle(request)


async def _receive_content(request: Request) -> Response:
    webhook: ContentWebhook = request.app.state.content_webhook
    return await webhook.handle(request)


async def _receive_analytics(request: Request) -> Response:
    webhook: AnalyticsWebhook = request.app.state.analytics_webhook
    return await webhook.handle(request)


async def _receive_notifications(request: Request) -> Response:
    webhook: NotificationsWebhook = request.app.state.notifications_webhook
    return await webhook.handle(request)


class LastNet:
    """Logs and counts each request, without its query and its secrets and under an id that the answer carries too
    (`X-Request-ID`), and turns what nobody expected into problem details.

    The traceback's frames are logged, the exception's text is not: it may quote a row or a body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope)
        with about(request_id=request_id):
            await self._handle(scope, receive, send, request_id)

    async def _handle(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        status = 0
        began = time.perf_counter()

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", []), (REQUEST_ID.encode(), request_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except Exception as error:
            frames = "".join(traceback.format_tb(error.__traceback__))
            log.error("unexpected %s at %s %s\n%s", type(error).__name__, scope["method"], _path(scope), frames)
            if not status:
                await Problem(INTERNAL, INTERNAL.remedy).response()(scope, receive, noting_send)
        took = time.perf_counter() - began
        metrics.count_request(scope, status, took)
        level = logging.DEBUG if status < 400 else logging.INFO
        if log.isEnabledFor(level):
            log.log(level, "%s %s %d %.1f ms", scope["method"], _path(scope), status, took * 1000)


def request_id_of(scope: Scope) -> str:
    """The id that the sender or a proxy gave the request, if it is plain; else a new one."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID.encode() and _PLAIN_ID.fullmatch(value):
            return value.decode()
    return uuid4().hex


def _path(scope: Scope) -> str:
    """The path without what is secret in it: the token of a public page."""
    first, _, rest = scope["path"].lstrip("/").partition("/")
    if first in ("alerts", "proposals", "reviews", "checkouts", "invoices", "reports", "unsubscribe") and rest:
        last = rest.partition("/")[2]
        return f"/{first}/{{token}}" + (f"/{last}" if last in ("accept", "plans", "thanks", "cancelled") else "")
    # An address that is none of ours may be one of them, mistyped: with a token.
    is_ours = first in ("api", "docs", "metrics", "openapi.json", "webhook", "webhooks") and scope["path"].isprintable()
    return scope["path"][:120] if is_ours else "(no address of ours)"
