"""What /api/health makes of what it probed: late is degraded, nobody at work is unhealthy, and each reason is named."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from draggonnb_pipelines.api import health_probes
from draggonnb_pipelines.api.health import Health
from draggonnb_pipelines.domain.organizations import Organization
from draggonnb_pipelines.resources.http import trusted_authorities
from draggonnb_pipelines.resources.postgres import MasterDb, dsn_for
from draggonnb_pipelines.settings import Settings
from tests.dagster_storage import Storage, dagster_storage
from tests.sandbox_process import Sandbox
from tests.servers import clock_behind, database_down
from tests.tls_servers import certificate_for, tls_server

WEEK = 7 * 86400


@pytest.fixture
def settings(api_settings: Settings, sandbox: Sandbox) -> Settings:
    """Every vendor's door opens."""
    return api_settings.model_copy(update={"sandbox_port": sandbox.port})


@pytest.fixture
def storage(settings: Settings, tmp_path: Path) -> Iterator[Storage]:
    """A daemon that lives and a sensor that ticks."""
    with dagster_storage(settings, tmp_path) as filled:
        filled.beat()
        filled.sensor("lead_inbox", ticked_seconds_ago=4)
        yield filled


async def look(settings: Settings) -> tuple[int, dict[str, Any]]:
    async with MasterDb(settings.dsn, max_connections=2) as master:
        health = Health(settings, master)
        await health.refresh()
        return health.report()


async def test_all_is_well_and_no_client_is_named(
    settings: Settings, storage: Storage, agency: Organization, outsider: Organization
) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    storage.schedule("check_leads_hourly", "0 * * * *", ticked_at=now.timestamp(), since=time.time() - WEEK)

    status, body = await look(settings)

    assert (status, body["status"], body["why"]) == (200, "healthy", [])
    assert (body["dagster"]["daemon"], body["dagster"]["code_location"]) == ("alive", "loaded")
    assert set(body["dagster"]["heartbeat_seconds"].values()) <= set(range(10))
    assert body["dagster"]["schedules"]["check_leads_hourly"] == {"last_good": now.isoformat(), "is_late": False}
    assert outsider.slug not in str(body)
    assert str(agency.id) not in str(body)


async def test_a_silent_daemon_is_unhealthy_although_the_api_takes_in_what_comes(
    settings: Settings, storage: Storage
) -> None:
    storage.beat("SENSOR", "SCHEDULER", seconds_ago=600)

    status, body = await look(settings)

    assert (status, body["status"]) == (200, "unhealthy")
    [why] = body["why"]
    assert why.startswith("no heartbeat of SCHEDULER, SENSOR for 60")
    assert (body["dagster"]["daemon"], body["dagster"]["code_location"]) == ("silent", "unknown")


async def test_a_code_location_that_does_not_load_is_unhealthy(settings: Settings, storage: Storage) -> None:
    with psycopg.connect(dagster_database_of(settings), autocommit=True) as conn:
        conn.execute("delete from job_ticks")

    _, body = await look(settings)

    assert (body["status"], body["dagster"]["code_location"]) == ("unhealthy", "silent")
    assert body["why"] == ["no sensor ticks: the daemon cannot load the code location"]


async def test_a_schedule_that_missed_its_time_is_named(settings: Settings, storage: Storage) -> None:
    storage.schedule("books_daily", "0 * * * *", ticked_at=time.time() - 2 * 86400, since=time.time() - WEEK)

    _, body = await look(settings)

    assert (body["status"], body["why"]) == ("degraded", ["books_daily is late"])
    assert body["dagster"]["schedules"]["books_daily"]["is_late"] is True


async def test_one_client_of_two_out_of_reach_is_degraded_and_both_unhealthy(
    settings: Settings, storage: Storage, agency: Organization, outsider: Organization, postgres_dsn: str
) -> None:
    with database_down(postgres_dsn, dsn_for(settings.dsn, str(outsider.database_name))):
        _, one = await look(settings)
        with database_down(postgres_dsn, dsn_for(settings.dsn, str(agency.database_name))):
            status, both = await look(settings)

    assert (one["status"], one["tenants"]) == ("degraded", {"sampled": 2, "answering": 1})
    assert one["why"] == ["1 of 2 sampled clients' databases do not answer"]
    assert (status, both["status"]) == (200, "unhealthy")
    assert both["why"] == ["2 of 2 sampled clients' databases do not answer"]


async def test_a_post_a_delivery_and_a_message_that_wait_too_long_are_each_told(
    settings: Settings, storage: Storage, agency: Organization
) -> None:
    with psycopg.connect(settings.dsn, autocommit=True) as conn:
        conn.execute(
            "insert into publishing_agenda (organization_id, next_due_at) values (%s, now() - interval '10 minutes')",
            (agency.id,),
        )
    with psycopg.connect(dsn_for(settings.dsn, str(agency.database_name)), autocommit=True) as conn:
        conn.execute(
            "insert into notification_deliveries (event_key, recipient, channel, created_at)"
            " values ('a:1', 'a@b.example', 'email', now() - interval '2 hours'),"
            " ('a:2', 'a@b.example', 'email', now())"
        )
        conn.execute(
            "insert into notification_deliveries (event_key, recipient, channel, created_at, not_before)"
            " values ('a:3', 'a@b.example', 'email', now() - interval '1 day', 'infinity')"
        )

    _, body = await look(settings)

    assert body["status"] == "degraded"
    assert [why.rpartition(" for ")[0] for why in body["why"]] == [
        "the oldest due post has waited",
        "the oldest message has waited",
    ]
    assert body["publishing"]["clients_due"] == 1
    assert 600 <= body["publishing"]["oldest_due_seconds"] < 700
    assert body["outbox"]["waiting"] == 2  # what is held for a digest waits for its time, not for us
    assert 7200 <= body["outbox"]["oldest_seconds"] < 7300


async def test_a_dagster_database_that_hangs_costs_a_look_no_more_than_its_time(
    settings: Settings, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_probes, "DATABASE_TIMEOUT_SECONDS", 0.5)
    with psycopg.connect(dagster_database_of(settings)) as conn:
        conn.execute("lock table daemon_heartbeats")
        began = time.monotonic()
        status, body = await look(settings)
        took = time.monotonic() - began

    assert (status, body["status"], body["dagster"]["daemon"]) == (200, "unhealthy", "unreachable")
    assert 0.5 <= took < 5


async def test_a_wrong_clock_is_unhealthy_and_nothing_is_called_late_by_it(
    settings: Settings, storage: Storage, agency: Organization
) -> None:
    storage.schedule("books_daily", "0 * * * *", ticked_at=time.time() - 2 * 86400, since=time.time() - WEEK)

    with clock_behind(settings.dsn, seconds=3600):
        status, body = await look(settings)
    _, mended = await look(settings)

    assert (status, body["status"]) == (200, "unhealthy")
    assert body["why"] == ["this machine's clock is 3600 s ahead of the database's"]
    assert (mended["status"], mended["why"]) == ("degraded", ["books_daily is late"])


def dagster_database_of(settings: Settings) -> str:
    name = conninfo_to_dict(settings.dsn)["dbname"]
    return dsn_for(settings.dsn, f"{name}_dagster")


@pytest.mark.parametrize(("days_left", "why"), [(1, []), (-1, ["n8n has a certificate that is not valid"])])
async def test_a_vendors_certificate_that_has_expired_is_named(
    settings: Settings,
    storage: Storage,
    agency: Organization,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days_left: int,
    why: list[str],
) -> None:
    certificate = certificate_for("localhost", tmp_path / "n8n.pem", days_left=days_left)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusted_authorities.cache_clear()
    async with tls_server(certificate) as port:
        update = {"n8n_base_url": f"https://localhost:{port}", "n8n_api_key": SecretStr("k")}
        real = settings.model_copy(update=update)
        vars(real).pop("sandboxed_vendors", None)

        status, body = await look(real)

    trusted_authorities.cache_clear()
    assert (status, body["status"], body["why"]) == (200, "degraded" if why else "healthy", why)
    assert body["services"]["n8n"] == ("untrusted" if why else "connected")
    assert body["services"]["payfast"] == "sandbox"
