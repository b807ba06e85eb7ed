"""The page of a weekly report: for who has its address, with its charts and its PDF, and nothing for anybody else."""

import logging
import os
import shutil
from typing import Any

import httpx
import pytest
from playwright.async_api import async_playwright
from psycopg.types.json import Jsonb

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import Tenants
from draggonnb_pipelines.workflows.analytics import report_pages
from draggonnb_pipelines.workflows.analytics.report_links import report_token
from tests.api.conftest import Api, ServeApi
from tests.workflows.report_work import WEEK, content

CHROMIUM = os.environ.get("DRAGGONNB_CHROMIUM") or shutil.which("chromium")


async def store(tenants: Tenants, organization: Organization, told: dict[str, Any], version: int = 1) -> None:
    """A report as the weekly run stores it."""
    charts = report_pages.charts(told)
    files = [(f"{name}.png", "image/png", png) for name, png in charts.items()]
    files.append(("report.pdf", "application/pdf", report_pages.pdf(told, charts)))
    async with tenants.open(organization) as tenant, tenant.conn.transaction():
        cursor = await tenant.conn.execute(
            "insert into analytics_snapshots (period, period_start, period_end, version, metrics)"
            " values ('week', %s, %s::date + 7, %s, '{}') returning id",
            (WEEK, WEEK, version),
        )
        snapshot = await cursor.fetchone()
        assert snapshot is not None
        cursor = await tenant.conn.execute(
            "insert into weekly_reports (week_start, version, snapshot_id, content, html) values (%s, %s, %s, %s, %s)"
            " returning id",
            (WEEK, version, snapshot["id"], Jsonb(told), report_pages.page_html(told)),
        )
        report = await cursor.fetchone()
        assert report is not None
        for name, kind, data in files:
            await tenant.conn.execute(
                "insert into report_files (report_id, name, content_type, content) values (%s, %s, %s, %s)",
                (report["id"], name, kind, data),
            )


@pytest.fixture
async def token(agency: Organization, tenants: Tenants) -> str:
    await store(tenants, agency, content())
    return report_token(tenants, agency, WEEK)


async def test_the_address_shows_the_report_with_its_charts_and_pdf_and_nobody_keeps_it(
    http: httpx.AsyncClient, token: str
) -> None:
    page = await http.get(f"/reports/{token}")

    assert page.status_code == 200
    assert "Your posts reached 12\u00a0345 people" in page.text
    assert "report-file:" not in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert policy.endswith("; img-src 'self'; frame-ancestors 'none'")
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert page.headers["referrer-policy"] == "no-referrer"
    for name, kind, first in (
        ("days.png", "image/png", b"\x89PNG"),
        ("weeks.png", "image/png", b"\x89PNG"),
        ("times.png", "image/png", b"\x89PNG"),
        ("report.pdf", "application/pdf", b"%PDF"),
    ):
        assert f"/reports/{token}/{name}" in page.text
        file = await http.get(f"/reports/{token}/{name}")
        assert (file.status_code, file.headers["content-type"], file.content[: len(first)]) == (200, kind, first)
        assert file.headers["cache-control"] == "no-store"
    assert (await http.head(f"/reports/{token}")).content == b""


async def test_a_corrected_week_is_shown_in_its_newest_version(
    http: httpx.AsyncClient, agency: Organization, tenants: Tenants, token: str
) -> None:
    before = (await http.get(f"/reports/{token}/report.pdf")).content
    await store(tenants, agency, content(changes={"gained.reach.value": [12000, 12345]}), version=2)

    page = await http.get(f"/reports/{token}")

    assert "Corrected figures" in page.text
    assert (await http.get(f"/reports/{token}/report.pdf")).content != before


async def test_any_other_address_shows_nothing(
    http: httpx.AsyncClient, agency: Organization, outsider: Organization, tenants: Tenants, token: str
) -> None:
    proof = token.rpartition(".")[2]
    foreign = report_token(tenants, outsider, WEEK)
    wrong = [
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        token[:-1],
        token + "A",
        f"outsider.{WEEK}.{proof}",
        f"draggonnb.2026-11-09.{proof}",
        f"draggonnb.20261116.{proof}",
        f"nobody.{WEEK}.{proof}",
        f"draggonnb.{WEEK}.",
        foreign,  # a right proof, and no report of that week
        "%00",
        f"a%00b.{WEEK}.{proof}",
        "é",
        "x" * 5000,
    ]

    for address in wrong:
        for path in (f"/reports/{address}", f"/reports/{address}/report.pdf"):
            answer = await http.get(path)
            assert answer.status_code == 404, path
            assert "We cannot find this report" in answer.text
            assert "12\u00a0345" not in answer.text
    for name in ("other.png", "..%2f..%2fsecret", "%00", "report.pdf%00"):
        assert (await http.get(f"/reports/{token}/{name}")).status_code == 404


async def test_who_has_left_shows_no_reports_any_more(
    http: httpx.AsyncClient, api: Api, agency: Organization, token: str
) -> None:
    api.execute("update organizations set status = 'closed' where id = %s", agency.id)

    assert (await http.get(f"/reports/{token}")).status_code == 404
    assert (await http.get(f"/reports/{token}/days.png")).status_code == 404


async def test_a_database_that_is_away_is_said_to_be_and_the_report_comes_again(
    http: httpx.AsyncClient, api: Api, agency: Organization, token: str
) -> None:
    api.execute("update organizations set database_name = 'gone_for_a_while' where id = %s", agency.id)
    away = await http.get(f"/reports/{token}")
    api.execute("update organizations set database_name = %s where id = %s", agency.database_name, agency.id)

    assert (away.status_code, away.headers["retry-after"]) == (503, "30")
    assert (await http.get(f"/reports/{token}")).status_code == 200


async def test_who_asks_too_often_waits_and_no_log_has_the_address(
    serve_api: ServeApi, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "draggonnb_pipelines.api.app")
    with serve_api(api_rate_per_minute=2) as api:
        async with httpx.AsyncClient(base_url=api.url) as client:
            answers = [(await client.get(f"/reports/{token}/days.png")).status_code for _ in range(4)]

    assert (answers[0], answers[-1]) == (200, 429)
    assert "/reports/{token}" in caplog.text
    assert token not in caplog.text


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed, and DRAGGONNB_CHROMIUM names none")
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1000, "light")])
async def test_the_page_fits_the_screen_and_shows_all_of_its_charts(
    api: Api, token: str, width: int, scheme: Any
) -> None:
    async with async_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = await browser.new_page(viewport={"width": width, "height": 740}, color_scheme=scheme)
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("requestfailed", lambda request: troubles.append(request.url))
        page.on("response", lambda answer: troubles.append(answer.url) if answer.status >= 400 else None)

        await page.goto(f"{api.url}/reports/{token}")

        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        shown = await page.evaluate(
            "[...document.images].map(image => [image.naturalWidth, image.width <= innerWidth])"
        )
        assert shown == [[1120, True]] * 3
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(18, 22, 26)" if scheme == "dark" else "rgb(245, 243, 238)")
        assert [trouble for trouble in troubles if not trouble.endswith("/favicon.ico")] == []
        await browser.close()
