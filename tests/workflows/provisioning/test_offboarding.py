"""Leaving: the bundle, the days of grace, staying after all."""

import csv
import hashlib
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from draggonnb_pipelines.domain.provisioning import repo_name
from draggonnb_pipelines.errors import OperatorError, TenantUnavailable, VendorError
from draggonnb_pipelines.workflows.provisioning import export_bundle
from draggonnb_pipelines.workflows.provisioning.erasure import erase
from draggonnb_pipelines.workflows.provisioning.offboarding import GRACE, offboard, withdraw
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger
from tests.sandbox_process import Sandbox
from tests.workflows.client_desk import Desk, cut_at_each_reading, settled
from tests.workflows.lead_work import master_rows
from tests.workflows.stood_up import SLUG, impatient, stand_up, things_left

ROW = "select state, status_before, export_path, export_sha256, erase_after from offboardings"


@pytest.fixture
async def standing(desk: Desk, supabase_sandbox: Sandbox, tmp_path: Path) -> Desk:
    """A client that is served, whose exports go to a folder of the test."""
    desk.stack.settings.state_dir = tmp_path
    return await stand_up(desk, supabase_sandbox)


async def leaving(ledger: Ledger) -> Any:
    return await offboard(ledger.stack, SLUG, by="test", reason="moves away")


async def row_of(desk: Desk) -> dict[str, Any]:
    [row] = await master_rows(desk.stack, ROW)
    return row


async def status_of(desk: Desk) -> str:
    [row] = await master_rows(desk.stack, "select status from organizations where slug = %s", SLUG)
    return row["status"]


def files_of(desk: Desk) -> list[Path]:
    return sorted(export_bundle.exports_folder(desk.stack).iterdir())


def digest_of(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def retired(sandbox: Sandbox) -> tuple[str, bool, int]:
    """The project's status, whether the repository is archived, how many entries answer."""
    [project] = sandbox.public("supabase")
    [repo] = [one for one in sandbox.public("github") if one["full_name"] == f"draggonnb/{repo_name(SLUG)}"]
    return project["status"], repo["archived"], sum(one["active"] for one in sandbox.public("n8n"))


async def test_the_bundle_holds_every_table_with_counts_and_digests(standing: Desk):
    name = "Walmer \"Dental\"\nand Söns, 'Ltd'"
    async with standing.stack.tenants.open(standing.client.organization) as tenant:
        await tenant.conn.execute("insert into contacts (name, email) values (%s, 'a@b.example')", (name,))
        rows = await tenant.conn.execute("select tablename from pg_tables where schemaname = 'public'")
        tables = {row["tablename"] for row in await rows.fetchall()}

    row = await leaving(standing.ledger)

    path = Path(row["export_path"])
    assert digest_of(path) == row["export_sha256"]
    assert [(one.name, one.stat().st_mode & 0o777) for one in files_of(standing)] == [(path.name, 0o600)]
    with zipfile.ZipFile(path) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        assert {table["name"] for table in manifest["tables"]} >= tables
        for table in manifest["tables"]:
            content = bundle.read(table["file"])
            assert (hashlib.sha256(content).hexdigest(), len(content)) == (table["sha256"], table["bytes"])
            assert len(list(csv.reader(io.StringIO(content.decode(), newline="")))) == table["rows"] + 1, table
        [contact] = csv.DictReader(io.StringIO(bundle.read("contacts.csv").decode(), newline=""))
    assert (contact["name"], contact["email"]) == (name, "a@b.example")


async def test_a_large_table_goes_through_in_pieces(standing: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export_bundle, "CHUNK_BYTES", 1000)
    async with standing.stack.tenants.open(standing.client.organization) as tenant:
        await tenant.conn.execute(
            "insert into contacts (name, email) select 'n' || i, i || '@b.example' from generate_series(1, 500) i"
        )

    row = await leaving(standing.ledger)

    with zipfile.ZipFile(row["export_path"]) as bundle:
        text = bundle.read("contacts.csv").decode()
    assert {line["name"] for line in csv.DictReader(io.StringIO(text))} == {f"n{i}" for i in range(1, 501)}


async def test_in_the_days_of_grace_nothing_is_lost_and_nothing_served(standing: Desk, supabase_sandbox: Sandbox):
    row = await leaving(standing.ledger)
    again = await leaving(standing.ledger)

    assert again == row
    assert (row["state"], await status_of(standing)) == ("grace", "offboarding")
    assert row["erase_after"] - row["created_at"] == pytest.approx(GRACE, abs=timedelta(minutes=1))
    status, is_archived, answering = retired(supabase_sandbox)
    assert status in ("PAUSING", "INACTIVE")
    assert (is_archived, answering) == (True, 0)
    with pytest.raises(OperatorError, match="may stay until"):
        await erase(standing.stack, SLUG, by="test")
    assert things_left(supabase_sandbox)["supabase"] == ["kloof-coffee-db"]
    assert [row["state"] for row in await master_rows(standing.stack, "select state from provisionings")] == [
        "aborting"
    ]


async def test_cut_off_wherever_it_reads_the_clock_one_bundle_is_there(standing: Desk, supabase_sandbox: Sandbox):
    await cut_at_each_reading(standing, leaving)

    assert [path.suffix for path in files_of(standing)] == [".zip"]
    assert (await row_of(standing))["state"] == "grace"
    assert retired(supabase_sandbox)[1:] == (True, 0)


async def test_it_goes_on_after_a_vendor_was_silent(standing: Desk, supabase_sandbox: Sandbox):
    supabase_sandbox.faults("POST /supabase/v1/projects/{ref}/pause", {"kind": "accept_then_drop"}, repeat=True)
    async with impatient(standing) as hasty:
        with pytest.raises(VendorError):
            await leaving(hasty.ledger)
    supabase_sandbox.clear_faults()
    assert (await leaving(standing.ledger))["state"] == "grace"
    supabase_sandbox.faults("PATCH /github/repos/{owner}/{name}", {"kind": "drop_before_accept"}, repeat=True)
    await stay(standing, supabase_sandbox, fails=True)

    supabase_sandbox.clear_faults()
    await stay(standing, supabase_sandbox)

    assert await status_of(standing) == "active"


async def stay(desk: Desk, sandbox: Sandbox, *, fails: bool = False) -> None:
    async def staying(ledger: Ledger) -> Any:
        return await withdraw(ledger.stack, SLUG, by="test")

    if not fails:
        await settled(desk, staying)
        return
    async with impatient(desk) as hasty:
        with pytest.raises(VendorError):
            await settled(hasty, staying)


@pytest.mark.parametrize("before", ["active", "suspended"])
async def test_who_stays_after_all_is_what_it_was(standing: Desk, supabase_sandbox: Sandbox, before: str):
    async with standing.stack.master.connection() as conn:
        await conn.execute("update organizations set status = %s where slug = %s", (before, SLUG))
    row = await leaving(standing.ledger)

    await stay(standing, supabase_sandbox)
    again = await withdraw(standing.stack, SLUG, by="test")

    assert again is False
    assert await status_of(standing) == before
    assert retired(supabase_sandbox) == ("ACTIVE_HEALTHY", False, 3 if before == "active" else 0)
    assert row["export_path"]
    assert files_of(standing) == []
    assert [row["state"] for row in await master_rows(standing.stack, "select state from provisionings")] == ["done"]
    assert (await leaving(standing.ledger))["state"] == "grace"


async def test_a_database_that_is_away_leaves_no_bundle_and_no_grace(standing: Desk):
    database = standing.client.organization.database_name
    async with standing.stack.master.connection() as conn:
        await conn.execute("update organizations set database_name = 'not_there' where slug = %s", (SLUG,))
        await conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (database,))

    with pytest.raises(TenantUnavailable):
        await leaving(standing.ledger)

    assert (await row_of(standing))["state"] == "exporting"
    assert [path for path in files_of(standing) if path.suffix == ".zip"] == []
    async with standing.stack.master.connection() as conn:
        await conn.execute("update organizations set database_name = %s where slug = %s", (database, SLUG))
    assert (await leaving(standing.ledger))["state"] == "grace"


async def test_only_who_leaves_can_stay_and_only_who_is_served_can_leave(standing: Desk):
    with pytest.raises(OperatorError, match="not leaving"):
        await withdraw(standing.stack, SLUG, by="test")
    async with standing.stack.master.connection() as conn:
        await conn.execute("update organizations set status = 'closed' where slug = %s", (SLUG,))
    with pytest.raises(OperatorError, match="is closed"):
        await leaving(standing.ledger)

    assert await master_rows(standing.stack, ROW) == []
