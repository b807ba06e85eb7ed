"""GET /metrics: what GET /api/health knows, and how requests fare, in Prometheus' text format.

Lives here: the names of the metrics, who may read them. Not here: the probes and what they amount to (`health.py`), the
counting of each request (`app.LastNet`).

Names and units follow https://prometheus.io/docs/practices/naming/. No label holds a client, a person or a path with a
token: routes are labelled by their template.
"""

import hmac
import ipaddress
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from draggonnb_pipelines.api.health import Health
from draggonnb_pipelines.api.problems import REFUSED, UNAUTHORIZED, Problem

# Set before this module is imported where several processes answer: each counts in a file there.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
STATUSES = ("healthy", "degraded", "unhealthy", "down")
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
router = APIRouter(tags=["operations"])

REQUESTS = Counter("draggonnb_http_requests", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "draggonnb_http_request_duration_seconds",
    "How long requests took.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)


def share_counts(folder: Path) -> None:
    """For several processes on one port: each counts in a file of its own there. Files of earlier starts are removed.
    Call it before the processes start."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.db"):
        old.unlink(missing_ok=True)
    os.environ[SHARED_FOLDER] = str(folder.resolve())


def count_request(scope: Mapping[str, Any], status: int, seconds: float) -> None:
    """Count one answered request under its route's template; what no route takes shares one label."""
    route = _template(scope)
    method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE") else "other"
    REQUESTS.labels(method, route, str(status or 500)).inc()
    SECONDS.labels(route).observe(seconds)


def _template(scope: Mapping[str, Any]) -> str:
    """FastAPI notes its own routes; of the plain ones it notes the endpoint alone."""
    route, endpoint = scope.get("route"), scope.get("endpoint")
    if route is None and endpoint is not None:
        route = next((one for one in scope["app"].router.routes if getattr(one, "endpoint", None) is endpoint), None)
    return getattr(route, "path", "none")


class HealthFigures(Collector):
    """The newest report of `Health`, as gauges; what is not known is left out, since missing is not zero."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        self._report = report

    def collect(self) -> Iterable[Metric]:
        report = self._report
        figures, inbox, publishing, outbox = (report[key] for key in ("metrics", "inbox", "publishing", "outbox"))
        yield _by("health_status", "1 for the present status.", "status", {s: s == report["status"] for s in STATUSES})
        vendors = {name: state in ("connected", "sandbox") for name, state in report["services"].items()}
        yield _by("service_up", "Whether the database and each vendor's door can be reached.", "service", vendors)
        yield from _plain("active_clients", "Active organizations.", figures["active_clients"])
        yield from _plain("posts_this_month", "Posts published in this calendar month (UTC).", figures["monthly_posts"])
        yield from _plain("inbox_waiting", "Deliveries that wait or are worked on.", inbox["waiting"])
        # Nothing waits: the oldest has waited for no time, so that an alert on it ends.
        if inbox["waiting"] is not None:
            yield from _plain("inbox_oldest_seconds", "Age of the oldest such delivery.", inbox["oldest_seconds"] or 0)
            late = publishing["oldest_due_seconds"] or 0
            yield from _plain("publishing_oldest_due_seconds", "How long the oldest due post has waited.", late)
        yield from _plain("inbox_dead", "Deliveries that were given up.", inbox["dead"])
        yield from _plain("publishing_clients_due", "Clients with something due.", publishing["clients_due"])
        yield from _plain("tenants_sampled", "Clients' databases asked last.", report["tenants"]["sampled"])
        yield from _plain("tenants_answering", "Those of them that answered.", report["tenants"]["answering"])
        yield from _plain("outbox_waiting", "Messages of sampled clients that could go out.", outbox["waiting"])
        oldest = outbox["oldest_seconds"] or 0
        yield from _plain("outbox_oldest_seconds", "How long the oldest of them has waited.", oldest)
        yield from _dagster(report["dagster"])


def _dagster(dagster: Mapping[str, Any]) -> Iterator[Metric]:
    yield from _plain("daemon_up", "1 while all of Dagster's daemons beat.", dagster["daemon"] == "alive")
    if dagster["code_location"] != "unknown":
        yield from _plain("code_location_up", "1 while sensors tick.", dagster["code_location"] == "loaded")
    beats = dagster["heartbeat_seconds"]
    yield _by("daemon_heartbeat_age_seconds", "Since each daemon's heartbeat.", "daemon", beats)
    late = {name: one["is_late"] for name, one in dagster["schedules"].items()}
    yield _by("instigator_late", "1 while a schedule or sensor has missed its time.", "name", late)


def _plain(name: str, words: str, value: float | None) -> Iterator[Metric]:
    if value is not None:
        yield GaugeMetricFamily(f"draggonnb_{name}", words, value=float(value))


def _by(name: str, words: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"draggonnb_{name}", words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], float(value))
    return family


def may_read(request: Request) -> bool:
    """With a token set: whoever brings it. Without: this machine alone, and no request that a proxy passed on.

    Raises:
        Problem: 401 for a wrong or missing token.
    """
    token = request.app.state.settings.metrics_token
    if token is not None:
        expected = f"Bearer {token.get_secret_value()}".encode()
        given = request.headers.get("authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, expected):
            raise Problem(UNAUTHORIZED, "Send DRAGGONNB_METRICS_TOKEN as a bearer token.")
        return True
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """All metrics; with several processes their requests are added up, whichever of them answers."""
    if not may_read(request):
        raise Problem(REFUSED, "Ask from this machine, or set DRAGGONNB_METRICS_TOKEN.")
    probes: Health = request.app.state.health
    await probes.refresh()
    figures = CollectorRegistry()
    figures.register(HealthFigures(probes.report()[1]))
    counted = REGISTRY
    if os.environ.get(SHARED_FOLDER):
        counted = CollectorRegistry()
        MultiProcessCollector(counted)
    body = generate_latest(figures) + generate_latest(counted)
    return Response(body, 200, {"cache-control": "no-store", "content-type": CONTENT_TYPE_PLAIN_0_0_4})
