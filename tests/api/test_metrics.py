"""/metrics: what Prometheus reads, who may read it, and that nobody is named in it. And the id of each request."""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.settings import Settings
from tests.api.conftest import Api, ServeApi, token_of
from tests.dagster_storage import dagster_storage

TOKEN = "a-token-for-prometheus-alone"


def samples(text: str) -> dict[tuple[str, ...], float]:
    """(name, label values...) -> value."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_what_health_knows_is_there_as_gauges(
    serve_api: ServeApi, api_settings: Settings, agency: Organization, outsider: Organization, tmp_path: Path
) -> None:
    with dagster_storage(api_settings, tmp_path) as storage:
        storage.beat()
        storage.sensor("lead_inbox", ticked_seconds_ago=4)
        with serve_api() as api:
            async with httpx.AsyncClient(base_url=api.url) as http:
                await http.post("/webhook/draggonnb/leads", json={"email": "a@b.example"}, headers=token_of(agency))
            api.execute("update inbox set received_at = now() - interval '20 minutes'")
        with serve_api() as api:
            async with httpx.AsyncClient(base_url=api.url) as http:
                answer = await http.get("/metrics")

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = samples(answer.text)
    assert found["draggonnb_health_status", "degraded"] == 1
    assert found["draggonnb_health_status", "unhealthy"] == found["draggonnb_health_status", "down"] == 0
    assert found["draggonnb_service_up", "database"] == 1
    assert found["draggonnb_service_up", "payfast"] == 0
    assert (found["draggonnb_active_clients",], found["draggonnb_inbox_waiting",]) == (2, 1)
    assert 1200 <= found["draggonnb_inbox_oldest_seconds",] < 1300
    assert (found["draggonnb_tenants_sampled",], found["draggonnb_tenants_answering",]) == (2, 2)
    assert (found["draggonnb_daemon_up",], found["draggonnb_code_location_up",]) == (1, 1)
    assert found["draggonnb_daemon_heartbeat_age_seconds", "SENSOR"] < 30
    assert found["draggonnb_instigator_late", "lead_inbox"] == 0
    assert found["draggonnb_publishing_oldest_due_seconds",] == 0


async def test_requests_are_counted_by_route_and_nobody_is_named(
    api: Api, http: httpx.AsyncClient, agency: Organization
) -> None:
    before = samples((await http.get("/metrics")).text)

    await http.post("/webhook/draggonnb/leads", json={"email": "a@b.example"}, headers=token_of(agency))
    await http.get("/proposals/a-token-that-nobody-may-read")
    await http.get("/there/is/no-such-page")
    text = (await http.get("/metrics")).text

    after, name = samples(text), "draggonnb_http_requests_total"
    new = {
        key[1:]: value - before.get(key, 0)
        for key, value in after.items()
        if key[0] == name and value != before.get(key, 0)
    }
    assert new == {
        ("POST", "/webhook/{slug}/leads", "202"): 1,
        ("GET", "/proposals/{token}", "404"): 1,
        ("GET", "none", "404"): 1,
        ("GET", "/metrics", "200"): 1,
    }
    for secret in ("draggonnb/leads", "kloof", "a-token-that-nobody", "no-such-page", "a@b.example"):
        assert secret not in text


async def test_with_a_token_only_its_bearer_reads(serve_api: ServeApi) -> None:
    with serve_api(metrics_token=SecretStr(TOKEN)) as api:
        async with httpx.AsyncClient(base_url=api.url) as http:
            without = await http.get("/metrics")
            wrong = await http.get("/metrics", headers={"authorization": f"Bearer {TOKEN}x"})
            right = await http.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})

    assert (without.status_code, wrong.status_code, right.status_code) == (401, 401, 200)
    assert "draggonnb_" not in without.text + wrong.text


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip"])
async def test_without_a_token_nothing_that_a_proxy_passed_on_reads(http: httpx.AsyncClient, header: str) -> None:
    near, passed_on = await http.get("/metrics"), await http.get("/metrics", headers={header: "127.0.0.1"})

    assert (near.status_code, passed_on.status_code) == (200, 403)
    assert "draggonnb_" not in passed_on.text


async def test_every_answer_carries_the_requests_id_and_so_do_its_log_lines(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "draggonnb_pipelines.api.app")

    given = await http.get("/docs", headers={"x-request-id": "from-the-proxy.7"})
    hostile = await http.get("/docs", headers={"x-request-id": "a" * 65})
    refused = await http.get("/there/is/no-such-page")

    assert given.headers["x-request-id"] == "from-the-proxy.7"
    assert re.fullmatch("[0-9a-f]{32}", hostile.headers["x-request-id"])
    assert re.fullmatch("[0-9a-f]{32}", refused.headers["x-request-id"])
    assert hostile.headers["x-request-id"] != refused.headers["x-request-id"]


def test_several_processes_add_up_their_counts(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from draggonnb_pipelines.api import metrics\n"
        "metrics.share_counts(Path(sys.argv[1]))\n"
        "import subprocess\n"
        "worker = 'from draggonnb_pipelines.api import metrics; '\n"
        'worker += \'metrics.count_request({"method": "GET"}, 200, 0.1)\'\n'
        "for _ in range(2): subprocess.run([sys.executable, '-c', worker], check=True)\n"
        "from prometheus_client import CollectorRegistry, generate_latest\n"
        "from prometheus_client.multiprocess import MultiProcessCollector\n"
        "registry = CollectorRegistry(); MultiProcessCollector(registry)\n"
        "print(generate_latest(registry).decode())\n"
    )
    (tmp_path / "counter_1.db").write_bytes(b"of an earlier start")

    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)

    assert samples(done.stdout)["draggonnb_http_requests_total", "GET", "none", "200"] == 2


def test_the_api_as_a_process_writes_json_lines_with_the_requests_id(api_settings: Settings, tmp_path: Path) -> None:
    code = (
        "import logging\n"
        "from draggonnb_pipelines.api.__main__ import worker_app\n"
        "from draggonnb_pipelines import logs\n"
        "worker_app()\n"
        "with logs.about(request_id='r-1'): logging.getLogger('draggonnb_pipelines.api').warning('password=hunter2')\n"
    )
    environment = {
        "PATH": "/usr/bin:/bin",
        "DRAGGONNB_STATE_DIR": str(tmp_path),
        "DRAGGONNB_MASTER_DSN": api_settings.dsn,
        "DRAGGONNB_MASTER_KEYS": api_settings.keys,
        "DRAGGONNB_LOG_FORMAT": "json",
    }

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)

    line = json.loads(done.stderr)
    assert (line["level"], line["request_id"], line["message"]) == ("WARNING", "r-1", "password=[redacted]")
