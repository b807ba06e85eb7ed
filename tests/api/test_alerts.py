"""The alert page: opening it changes nothing, its button answers once, and only its own reader's link counts."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from psycopg.rows import DictRow, dict_row

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.postgres import Tenants, dsn_for
from draggonnb_pipelines.workflows.messages.acknowledgements import alert_token
from tests.api.conftest import Api, ServeApi

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
OURS, THEIRS = "sales@draggonnb.example", "sales@outsider.example"
TenantRows = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def tenant_rows(api: Api) -> TenantRows:
    def ask(organization: Organization, query: str, *values: object) -> list[dict[str, Any]]:
        dsn = dsn_for(api.master_dsn, str(organization.database_name))
        connect = psycopg.Connection[DictRow].connect
        with connect(dsn, autocommit=True, row_factory=dict_row) as conn:
            cursor = conn.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    return ask


@pytest.fixture
def alert(api: Api, outsider: Organization, tenant_rows: TenantRows) -> UUID:
    """An alert of the outsider, with words that are no markup."""
    api.clock.moment = NOW
    [row] = tenant_rows(
        outsider,
        "insert into alerts (event_key, event, subject, lines, link, created_at, escalate_at)"
        " values ('k', 'publish_failed', 'A post <b>failed</b>', '[\"Why: <script>x</script>\"]',"
        " 'https://app.example/posts/1', %s, %s) returning id",
        NOW,
        NOW,
    )
    return row["id"]


def path(tenants: Tenants, organization: Organization, alert_id: UUID, email: str, home: Organization) -> str:
    return f"/alerts/{alert_token(tenants.key(organization), organization, alert_id, email, home)}"


async def test_the_page_shows_the_alert_and_reading_it_changes_nothing(
    http: httpx.AsyncClient, tenants: Tenants, outsider: Organization, alert: UUID, tenant_rows: TenantRows
) -> None:
    address = path(tenants, outsider, alert, THEIRS, outsider)

    page, head = await http.get(address), await http.head(address)

    assert (page.status_code, head.status_code) == (200, 200)
    assert "A post &lt;b&gt;failed&lt;/b&gt;" in page.text
    assert "<script" not in page.text
    assert 'href="https://app.example/posts/1"' in page.text
    assert "I am seeing to it" in page.text
    assert "10:00 (Africa/Johannesburg)" in page.text
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert tenant_rows(outsider, "select acknowledged_at from alerts") == [{"acknowledged_at": None}]


async def test_the_button_answers_once_however_often_it_is_pressed(
    api: Api,
    http: httpx.AsyncClient,
    tenants: Tenants,
    agency: Organization,
    outsider: Organization,
    alert: UUID,
    tenant_rows: TenantRows,
) -> None:
    first = path(tenants, outsider, alert, THEIRS, outsider)
    other = path(tenants, outsider, alert, OURS, agency)

    answers = await asyncio.gather(*(http.post(first) for _ in range(5)))
    late = await http.post(other)
    mine, elses = await http.get(first), await http.get(other)

    assert {answer.status_code for answer in (*answers, late)} == {303}
    assert answers[0].headers["location"] == f"{first}#answer"
    assert "Seen to by you" in mine.text
    assert f"Seen to by {THEIRS}" in elses.text
    assert "I am seeing to it" not in mine.text
    assert tenant_rows(outsider, "select acknowledged_by, acknowledged_at from alerts") == [
        {"acknowledged_by": THEIRS, "acknowledged_at": NOW}
    ]
    audited = tenant_rows(outsider, "select actor from audit_log where action = 'alert.acknowledged'")
    assert audited == [{"actor": f"alert_link:{THEIRS}"}]
    assert api.rows("select actor from audit_log where action = 'alert.acknowledged'") == []
    assert tenant_rows(agency, "select count(*) as n from alerts") == [{"n": 0}]


async def test_the_agencys_link_answers_in_its_name(
    api: Api,
    http: httpx.AsyncClient,
    tenants: Tenants,
    agency: Organization,
    outsider: Organization,
    alert: UUID,
    tenant_rows: TenantRows,
) -> None:
    assert (await http.post(path(tenants, outsider, alert, OURS, agency))).status_code == 303

    assert tenant_rows(outsider, "select acknowledged_by from alerts") == [{"acknowledged_by": "DraggonnB"}]
    assert api.rows("select actor from audit_log where action = 'alert.acknowledged'") == [
        {"actor": f"alert_link:{OURS}"}
    ]


@pytest.mark.parametrize("change", ["other slug", "other bytes", "nothing", "long", "nul"])
async def test_what_is_no_token_of_ours_finds_nothing(
    http: httpx.AsyncClient, tenants: Tenants, agency: Organization, outsider: Organization, alert: UUID, change: str
) -> None:
    address = path(tenants, outsider, alert, THEIRS, outsider)
    wrong = {
        "other slug": address.replace("outsider.", "draggonnb."),
        "other bytes": address[:-6] + "AAAAAA",
        "nothing": "/alerts/outsider",
        "long": "/alerts/outsider." + "a" * 3000,
        "nul": "/alerts/outsider%00.abc",
    }[change]

    answers = [await http.get(wrong), await http.post(wrong)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert "We cannot find this alert" in answers[0].text


async def test_who_is_no_active_person_there_is_refused(
    http: httpx.AsyncClient,
    tenants: Tenants,
    agency: Organization,
    outsider: Organization,
    alert: UUID,
    tenant_rows: TenantRows,
) -> None:
    tenant_rows(agency, "update users set is_active = false")
    addresses = [path(tenants, outsider, alert, OURS, agency), path(tenants, outsider, alert, OURS, outsider)]

    answers = [await http.post(address) for address in addresses]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert tenant_rows(outsider, "select acknowledged_at from alerts") == [{"acknowledged_at": None}]


async def test_who_asks_too_often_waits(serve_api: ServeApi, agency: Organization) -> None:
    with serve_api(api_rate_per_minute=2) as slow:
        async with httpx.AsyncClient(base_url=slow.url, timeout=20) as http:
            codes = [(await http.get("/alerts/outsider.abc")).status_code for _ in range(3)]

    assert codes == [404, 404, 429]


async def test_while_the_clients_database_is_away_nothing_is_answered(
    api: Api, http: httpx.AsyncClient, tenants: Tenants, outsider: Organization, alert: UUID
) -> None:
    address = path(tenants, outsider, alert, THEIRS, outsider)
    api.execute("update organizations set database_name = 'no_such_database' where slug = 'outsider'")
    try:
        answer = await http.post(address)
    finally:
        api.execute("update organizations set database_name = %s where slug = 'outsider'", outsider.database_name)

    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
