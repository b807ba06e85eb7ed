"""/api/health and /docs: only what was probed, and readable without the internet."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from draggonnb_pipelines.api.health import Health
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources import inbox
from draggonnb_pipelines.resources.postgres import MasterDb
from draggonnb_pipelines.settings import Settings
from tests.api.conftest import Api, ServeApi, token_of
from tests.sandbox_process import Sandbox
from tests.servers import database_down


async def test_health_tells_what_it_probed_and_claims_no_more(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    await http.post("/webhook/draggonnb/leads", json={"email": "a@b.example"}, headers=token_of(agency))

    answer = await http.get("/api/health")

    assert answer.status_code == 200
    body = answer.json()
    assert body["services"] == {
        "database": "connected",
        "claude": "unreachable",
        "whatsapp": "unreachable",
        "mail": "unreachable",
        "meta": "unreachable",
        "linkedin": "unreachable",
        "x": "unreachable",
        "storage": "unreachable",
        "supabase": "unreachable",
        "payfast": "unreachable",
        "github": "unreachable",
        "vercel": "unreachable",
        "n8n": "unreachable",
    }
    # The database of Dagster's daemon is not there either, so that nothing would be done about the lead.
    assert body["status"] == "unhealthy"
    assert body["why"][0] == "Dagster's database does not answer"
    assert body["why"][1:] == [f"{name} is out of reach" for name in body["services"] if name != "database"]
    social = ["meta", "linkedin", "x", "storage"]
    assert body["sandbox"] == ["claude", "whatsapp", "mail", *social, "supabase", "payfast", "github", "vercel", "n8n"]
    assert set(body["metrics"]) == {"active_clients", "monthly_posts", "system_uptime", "uptime_seconds"}
    assert (body["metrics"]["monthly_posts"], body["metrics"]["system_uptime"]) == (0, "100.0%")


async def test_health_counts_what_waits_and_who_is_active(
    serve_api: ServeApi, agency: Organization, outsider: Organization, sandbox: Sandbox
) -> None:
    with serve_api() as first:
        async with httpx.AsyncClient(base_url=first.url) as http:
            await http.post("/webhook/draggonnb/leads", json={"email": "a@b.example"}, headers=token_of(agency))
        first.execute("update inbox set received_at = now() - interval '20 minutes'")
    with serve_api(sandbox_port=sandbox.port) as second:
        async with httpx.AsyncClient(base_url=second.url) as http:
            body = (await http.get("/api/health")).json()

    assert body["services"]["claude"] == body["services"]["mail"] == "sandbox"
    assert body["metrics"]["active_clients"] == 2
    assert (body["inbox"]["waiting"], body["inbox"]["dead"]) == (1, 0)
    assert 1200 <= body["inbox"]["oldest_seconds"] < 1300
    assert body["tenants"] == {"sampled": 2, "answering": 2}
    assert body["outbox"] == {"waiting": 0, "oldest_seconds": None}
    assert body["publishing"] == {"clients_due": 0, "oldest_due_seconds": None}


async def test_health_is_503_while_the_master_database_is_down_and_recovers(
    api_settings: Settings, postgres_dsn: str
) -> None:
    async with MasterDb(api_settings.dsn) as master:
        health = Health(api_settings, master, keep_seconds=0)
        await health.refresh()
        before = health.report()
        with database_down(postgres_dsn, api_settings.dsn):
            await health.refresh()
            during = health.report()

    assert before[0] == 200
    assert (during[0], during[1]["status"]) == (503, "down")
    body = json.loads(json.dumps(during[1]))
    assert body["services"]["database"] == "unreachable"
    assert body["metrics"]["active_clients"] is None
    assert body["metrics"]["system_uptime"] == "50.0%"


async def test_leads_are_told_to_come_again_while_the_master_database_is_down(
    api: Api, http: httpx.AsyncClient, agency: Organization, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "WRITE_TIMEOUT_SECONDS", 0.5)
    await http.post("/webhook/draggonnb/leads", json={"email": "a@b.example"}, headers=token_of(agency))

    with database_down(postgres_dsn, api.master_dsn):
        lead = await http.post("/webhook/draggonnb/leads", json={"email": "c@d.example"}, headers=token_of(agency))

    assert (lead.status_code, lead.headers["retry-after"]) == (503, "5")
    assert lead.json()["type"] == "/docs#unavailable"
    assert len(api.inbox()) == 1


async def test_the_docs_describe_every_route_without_loading_anything(http: httpx.AsyncClient) -> None:
    page, document = await http.get("/docs"), (await http.get("/openapi.json")).json()

    assert set(document["paths"]) == {
        "/alerts/{token}",
        "/api/health",
        "/api/usage-metrics",
        "/checkouts/{token}",
        "/checkouts/{token}/cancelled",
        "/checkouts/{token}/thanks",
        "/invoices/{token}",
        "/proposals/{token}",
        "/proposals/{token}/accept",
        "/proposals/{token}/plans",
        "/reports/{token}",
        "/reports/{token}/{name}",
        "/reviews/{token}",
        "/unsubscribe/{token}",
        "/webhook/{slug}/analytics",
        "/webhook/{slug}/generate-content",
        "/webhook/{slug}/leads",
        "/webhook/{slug}/notifications",
        "/webhooks/mail/bounces",
        "/webhooks/payfast",
        "/webhooks/whatsapp",
    }
    assert page.status_code == 200
    for path in document["paths"]:
        assert path in page.text
    assert 'id="invalid-lead"' in page.text
    assert "<script" not in page.text
    assert "http://" not in page.text.replace("http://www.w3.org", "")
    assert "https://" not in page.text


def test_the_api_does_not_import_dagster() -> None:
    code = "import sys, draggonnb_pipelines.api.app; print([m for m in sys.modules if m.startswith('dagster')])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_a_missing_setting_is_one_line_and_exit_code_two(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "DRAGGONNB_STATE_DIR": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-m", "draggonnb_pipelines.api"], capture_output=True, text=True, env=environment
    )

    assert done.returncode == 2
    assert "DRAGGONNB_MASTER_DSN" in done.stderr
    assert "Traceback" not in done.stderr
