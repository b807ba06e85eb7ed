"""The doctor: right when all is right, precise when something is not, and useful when nothing runs."""

import base64
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from draggonnb_pipelines.cli import installation_probes, service_probes
from draggonnb_pipelines.cli.findings import Verdict, timed
from draggonnb_pipelines.cli.processes import free_port
from draggonnb_pipelines.cli.service_probes import model_finding, template_finding
from draggonnb_pipelines.resources.postgres import dsn_for
from draggonnb_pipelines.settings import Settings
from tests.cli.conftest import Cli, clean_environment
from tests.sandbox_process import Sandbox
from tests.servers import clock_behind

MakeTenant = Callable[[str], str]
RunApi = Callable[..., AbstractContextManager[None]]
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def verdicts(out: str) -> dict[str, tuple[str, str]]:
    """Check -> (verdict, what), of the table's lines that have a check."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if line.startswith("│")]
    return {check: (verdict, what) for check, verdict, what in rows if check}


def remedies(out: str) -> int:
    return sum("│ -> " in line for line in out.splitlines())


def test_what_answers_is_ok_and_the_sandbox_is_said_loudly(
    cli: Cli, tenant: MakeTenant, running_api: RunApi, sandbox: Sandbox
):
    tenant("worcester-seeds")

    with running_api(DRAGGONNB_SANDBOX_PORT=str(sandbox.port)):
        ended = cli("doctor", DRAGGONNB_SANDBOX_PORT=str(sandbox.port))

    found = verdicts(ended.out)
    names = "claude, whatsapp, mail, meta, linkedin, x, storage"
    assert found["vendors"][1].startswith(f"SANDBOX: {names}")
    for check in (
        *("Python", "packages", "settings", "state directory", "installation", "database server"),
        *("master migrations", "tenant template", "tenants", "master keys"),
        *("Claude (SANDBOX)", "WhatsApp (SANDBOX)", "SMTP (SANDBOX)", "Meta (SANDBOX)", "LinkedIn (SANDBOX)"),
        *("X (SANDBOX)", "media storage (SANDBOX)", "PayFast (SANDBOX)", "Supabase (SANDBOX)", "GitHub (SANDBOX)"),
        *("Vercel (SANDBOX)", "n8n (SANDBOX)"),
    ):
        assert found[check][0] == "ok", (check, ended.out)
    assert found["tenants"] == ("ok", "1 of 1 answer, none is behind")
    assert found["Claude (SANDBOX)"][1] == "the model claude-sonnet-5-5 is active"
    # Dagster does not run here, and that is all that is wrong; the API says so too.
    assert found["API"] == ("note", "unhealthy; inbox: 0 waiting, 0 dead")
    assert {check for check, (verdict, _) in found.items() if verdict == "FAULT"} == {"Dagster daemon", "Dagster UI"}
    assert ended.code == 1


def test_a_clock_that_is_wrong_is_named_with_its_remedy(cli: Cli, master_dsn: str):
    with clock_behind(master_dsn, seconds=7200):
        ended = cli("doctor")

    said = "this machine's clock is 7200 s ahead of the database's"
    assert verdicts(ended.out)["database server"] == ("FAULT", said)
    assert "set the clock (timedatectl) and restart the processes" in ended.out
    assert verdicts(cli("doctor").out)["database server"][0] == "ok"


def test_without_an_account_for_the_canary_it_is_noted():
    without = Settings(_env_file=None)  # pyright: ignore[reportCallIssue]
    account = uuid.uuid4()

    notes = [
        installation_probes.canary(one) for one in (without, without.model_copy(update={"canary_account": account}))
    ]

    assert [one.verdict for one in notes] == [Verdict.NOTE, Verdict.OK]
    assert "DRAGGONNB_CANARY_ACCOUNT" in notes[0].remedy
    assert str(account) in notes[1].what


async def test_a_broker_that_is_away_is_a_fault_and_one_of_files_needs_no_server():
    nobody = f"redis://:secret@127.0.0.1:{free_port()}/0"
    settings = [
        Settings(_env_file=None, celery_broker=broker)  # pyright: ignore[reportCallIssue]
        for broker in (nobody, "filesystem:///nowhere", None)
    ]

    away, files, children = [await timed("broker", service_probes.broker(one), "start it") for one in settings]

    assert (away.verdict, "Connection refused" in away.what, "secret" in away.what) == (Verdict.FAULT, True, False)
    assert [files.verdict, children.verdict] == [Verdict.SKIPPED, Verdict.SKIPPED]


def test_each_sandboxed_vendor_has_a_variable_that_makes_it_real():
    settings = Settings(_env_file=None)  # pyright: ignore[reportCallIssue]

    named = re.findall(r"DRAGGONNB_\w+", installation_probes.sandbox(settings).remedy)

    assert len(named) == len(set(named)) == len(settings.sandboxed_vendors)
    assert {name.removeprefix("DRAGGONNB_").lower() for name in named} <= set(Settings.model_fields)


def test_broken_things_are_named_with_a_remedy_each(cli: Cli, tenant: MakeTenant, sandbox: Sandbox):
    tenant("ceres-fruit")
    tenant("gone-for-good")
    cli.execute('drop database "tenant_gone_for_good" with (force)')
    other_key = "other:" + base64.b64encode(bytes(range(32))).decode()

    lost = cli("doctor", DRAGGONNB_SANDBOX_PORT=str(sandbox.port), DRAGGONNB_CLAUDE_MODEL="claude-sonnet-4-20250514")
    sealed = cli("doctor", DRAGGONNB_MASTER_KEYS=other_key)

    found = verdicts(lost.out)
    assert found["tenants"] == ("FAULT", "1 of 2 answer; 1 do not: gone-for-good")
    assert found["Claude (SANDBOX)"][0] == "FAULT"
    assert "is retired" in found["Claude (SANDBOX)"][1]
    assert verdicts(sealed.out)["master keys"] == (
        "FAULT",
        "do not open what is sealed for ceres-fruit, gone-for-good",
    )
    for ended in (lost, sealed):
        assert ended.code == 1
        assert remedies(ended.out) >= sum(verdict == "FAULT" for verdict, _ in verdicts(ended.out).values())


def test_a_tenant_that_lacks_a_migration_is_behind(cli: Cli, tenant: MakeTenant, master_dsn: str):
    tenant("george-golf")
    with psycopg.connect(dsn_for(master_dsn, "tenant_george_golf"), autocommit=True) as conn:
        conn.execute(
            "delete from supabase_migrations.schema_migrations"
            " where version = (select max(version) from supabase_migrations.schema_migrations)"
        )

    assert verdicts(cli("doctor").out)["tenants"] == ("FAULT", "1 of 1 answer; 1 are behind: george-golf")


def test_the_newest_backups_are_told_by_age_and_a_night_without_one_is_a_fault(cli: Cli, tenant: MakeTenant):
    tenant("knysna-boats")
    assert verdicts(cli("doctor").out)["backups"] == ("note", "none yet")
    cli.execute("update organizations set created_at = now() - interval '5 days'")
    assert verdicts(cli("doctor").out)["backups"] == (
        "FAULT",
        "master never; 1 clients, the oldest never; none of the last night: knysna-boats, master",
    )
    cli.execute(
        "insert into backups (id, kind, organization_id, database_name, state, started_at, ended_at, file_name, bytes,"
        " sha256, tables)"
        " select gen_random_uuid(), 'tenant', id, 'x', 'done', now() - h * interval '1 hour', now(), h::text, 1,"
        " sha256(''), '{}'::jsonb from organizations, (values (27), (49)) as v (h)"
        " union all select gen_random_uuid(), 'master', null, 'x', 'done', now() - interval '2 hours', now(), 'm', 1,"
        " sha256(''), '{}'::jsonb"
    )

    late = verdicts(cli("doctor").out)["backups"]
    cli.execute("update backups set started_at = started_at + interval '20 hours' where kind = 'tenant'")
    fresh = verdicts(cli("doctor").out)["backups"]

    told = "master 2.0 h ago; 1 clients, the oldest 27.0 h ago; none of the last night: knysna-boats"
    assert late == ("FAULT", told)
    assert fresh == ("ok", "master 2.0 h ago; 1 clients, the oldest 7.0 h ago")


def test_with_wrong_settings_it_names_the_variable(cli: Cli):
    ended = cli("doctor", DRAGGONNB_SHARDS="0")

    assert ended.code == 1
    assert verdicts(ended.out)["settings"][0] == "FAULT"
    assert "DRAGGONNB_SHARDS" in verdicts(ended.out)["settings"][1]


def test_with_a_dead_server_it_still_looks_at_the_rest(cli: Cli, sandbox: Sandbox):
    dead = "postgresql://me@127.0.0.1:1/nowhere"

    found = verdicts(cli("doctor", DRAGGONNB_MASTER_DSN=dead, DRAGGONNB_SANDBOX_PORT=str(sandbox.port)).out)

    assert found["database server"][0] == "FAULT"
    assert found["SMTP (SANDBOX)"][0] == "ok"


@pytest.fixture
def short_directory() -> Iterator[Path]:
    """Under /var/tmp: a socket's path is short, and Postgres must be able to pass its parents."""
    directory = Path(f"/var/tmp/draggonnb-cli-{os.getpid()}-{uuid.uuid4().hex[:6]}")
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def test_where_nothing_was_ever_started_it_says_so_and_makes_nothing(short_directory: Path, tmp_path: Path):
    cli = Cli(clean_environment(tmp_path, DRAGGONNB_POSTGRES_DIR=str(short_directory / "pg")))

    ended = cli("doctor")

    assert ended.code == 1
    assert "there is no database yet" in verdicts(ended.out)["installation"][1]
    assert not short_directory.exists()
    assert not (tmp_path / "state").exists()


def test_the_embedded_server_is_started_for_a_verb_and_stopped_after_it(short_directory: Path, tmp_path: Path):
    cli = Cli(clean_environment(tmp_path, DRAGGONNB_POSTGRES_DIR=str(short_directory / "pg")))

    created = cli.ok("tenant", "create", "embedded-one", "--name", "One", "--owner-email", "o@one.example")

    assert created.startswith("created embedded-one with the database tenant_embedded_one")
    assert not (short_directory / "pg" / "pg" / "postmaster.pid").exists()
    assert verdicts(cli("doctor").out)["tenants"] == ("ok", "1 of 1 answer, none is behind")
    assert (tmp_path / "state" / "master.keys").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("lifecycle", "retires_at", "verdict"),
    [
        ("active", None, Verdict.OK),
        ("active", "2027-06-01T00:00:00Z", Verdict.OK),
        ("active", "2026-11-20T00:00:00Z", Verdict.FAULT),
        ("deprecated", "2027-06-01T00:00:00Z", Verdict.NOTE),
        ("deprecated", "2026-11-20T00:00:00Z", Verdict.FAULT),
        ("retired", "2026-06-15T00:00:00Z", Verdict.FAULT),
    ],
)
def test_a_model_must_be_active_and_stay_so(lifecycle: str, retires_at: str | None, verdict: Verdict):
    models = [
        {"id": "ours", "lifecycle": lifecycle, "retires_at": retires_at},
        {"id": "newer", "lifecycle": "active", "retires_at": None},
    ]

    finding = model_finding("Claude", "ours", models, NOW)

    assert finding.verdict is verdict
    assert model_finding("Claude", "missing", models, NOW).verdict is Verdict.FAULT


def test_templates_count_only_approved_and_in_our_language():
    ours = {"name": "new_lead_analysed", "language": "en", "status": "APPROVED"}
    other = {"name": "lead_needs_review", "language": "af", "status": "APPROVED"}
    paused = {"name": "lead_needs_review", "language": "en", "status": "PAUSED"}
    good = {"name": "lead_needs_review", "language": "en", "status": "APPROVED"}

    report = {"name": "weekly_analytics_report", "language": "en", "status": "APPROVED"}

    assert template_finding("WhatsApp", [ours, good, report], "en").verdict is Verdict.OK
    assert "lead_needs_review (missing)" in template_finding("WhatsApp", [ours, other, report], "en").what
    assert "lead_needs_review (PAUSED)" in template_finding("WhatsApp", [ours, paused, report], "en").what
