"""GET /reports/{token}: a weekly report for whoever was sent its address, and its charts and PDF below it.

Lives here: serving what is stored. Not here: what a token stands for (`workflows/analytics/report_links.py`), writing
the report (`workflows/analytics/weekly_reports.py`), what all public pages have in common (`pages.py`).
"""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from draggonnb_pipelines.api import pages
from draggonnb_pipelines.sql import load_queries
from draggonnb_pipelines.workflows.analytics.report_links import open_link
from draggonnb_pipelines.workflows.analytics.report_pages import FILES_MARK

REPORTS = load_queries("reports")
router = APIRouter(tags=["reports"])


@router.head("/reports/{token}", include_in_schema=False)
@router.get("/reports/{token}", response_class=HTMLResponse)
async def show_report(request: Request, token: str) -> Response:
    """The newest version of the week, as it was stored."""
    if refusal := pages.throttle(request, "report"):
        return refusal
    try:
        row = await _row(request, token, "report_page")
    except pages.UNAVAILABLE as error:
        return pages.unavailable("report", error)
    if row is None:
        return pages.message("report", "unknown", 404)
    return pages.document(row["html"].replace(FILES_MARK, f"/reports/{token}/"), images="'self'")


@router.head("/reports/{token}/{name}", include_in_schema=False)
@router.get("/reports/{token}/{name}", response_class=Response, responses={200: {"content": {"image/png": {}}}})
async def show_file(request: Request, token: str, name: str) -> Response:
    """A chart or the PDF of the newest version."""
    if refusal := pages.throttle(request, "report"):
        return refusal
    try:
        row = await _row(request, token, "report_file", name=name)
    except pages.UNAVAILABLE as error:
        return pages.unavailable("report", error)
    if row is None:
        return pages.message("report", "unknown", 404)
    return pages.download(bytes(row["content"]), row["content_type"], name)


async def _row(request: Request, token: str, query: str, **values: str) -> dict[str, Any] | None:
    link = await open_link(request.app.state.master, request.app.state.tenants, token)
    if link is None or "\0" in "".join(values.values()):
        return None
    async with request.app.state.tenants.open(link.organization) as tenant:
        return await getattr(REPORTS, query)(tenant.conn, week_start=link.week_start, **values)
