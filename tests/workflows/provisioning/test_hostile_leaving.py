"""Who leaves, or stays after all, against kills and two at once: neither lost, nor erased, nor forgotten."""

import asyncio
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from draggonnb_pipelines.errors import OperatorError, VendorError
from draggonnb_pipelines.workflows.provisioning import export_bundle, offboarding
from draggonnb_pipelines.workflows.provisioning.erasure import erase
from draggonnb_pipelines.workflows.provisioning.offboarding import offboard, withdraw
from draggonnb_pipelines.workflows.provisioning.removal import abort
from draggonnb_pipelines.workflows.provisioning.stack_care import care_for_stacks
from draggonnb_pipelines.workflows.provisioning.stack_ledger import PROVISIONING, NotYet
from tests.sandbox_process import Sandbox
from tests.workflows.client_desk import Desk
from tests.workflows.lead_work import master_rows
from tests.workflows.stood_up import SLUG, impatient, stand_up, things_left


@pytest.fixture
async def standing(desk: Desk, supabase_sandbox: Sandbox, tmp_path: Path) -> Desk:
    desk.stack.settings.state_dir = tmp_path
    return await stand_up(desk, supabase_sandbox)


async def state_of(desk: Desk) -> tuple[str, str, str]:
    """Of the organization, of its leaving, of its being set up."""
    [row] = await master_rows(
        desk.stack,
        "select o.status, f.state as leaving, p.state from organizations o join offboardings f"
        " on f.organization_id = o.id join provisionings p on p.organization_id = o.id where o.slug = %s",
        SLUG,
    )
    return row["status"], row["leaving"], row["state"]


async def test_who_stays_is_never_taken_down_while_its_project_starts_again(
    standing: Desk, supabase_sandbox: Sandbox
) -> None:
    await offboard(standing.stack, SLUG, by="test")
    supabase_sandbox.faults("POST /supabase/v1/projects/{ref}/restore", {"kind": "status", "status": 503}, repeat=True)
    supabase_sandbox.faults("GET /supabase/v1/projects/{ref}", {"kind": "status", "status": 503}, repeat=True)
    async with impatient(standing) as hasty:
        with pytest.raises((VendorError, NotYet)):
            await withdraw(hasty.stack, SLUG, by="test")
        cared = await care_for_stacks(hasty.stack)
        with pytest.raises(OperatorError):
            await abort(hasty.stack, SLUG, by="test")

    assert f"{SLUG}: aborted" not in cared.done
    left = things_left(supabase_sandbox)
    assert (left["supabase"], len(left["github"]), len(left["n8n"])) == (["kloof-coffee-db"], 1, 3)
    supabase_sandbox.clear_faults()
    for _ in range(40):
        cared = await care_for_stacks(standing.stack)
        if f"{SLUG}: stays" in cared.done:
            break
        await asyncio.sleep(0.1)
    assert await state_of(standing) == ("active", "withdrawn", "done")
    assert (await care_for_stacks(standing.stack)).done == []


async def test_who_withdraws_while_the_bundle_is_written_keeps_a_running_project(
    standing: Desk, supabase_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(*args: Any) -> Any:
        bundle = await export_bundle.write_bundle(*args)
        written.set()
        await goes_on.wait()
        return bundle

    monkeypatch.setattr(offboarding, "write_bundle", slow)
    leaving = asyncio.create_task(offboard(standing.stack, SLUG, by="test"))
    await written.wait()
    assert await withdraw(standing.stack, SLUG, by="test") is True
    goes_on.set()
    with pytest.raises(OperatorError):
        await leaving

    assert await state_of(standing) == ("active", "withdrawn", "done")
    assert [one["status"] for one in supabase_sandbox.public("supabase")] == ["ACTIVE_HEALTHY"]
    assert list(export_bundle.exports_folder(standing.stack).iterdir()) == []


async def test_two_exports_at_once_leave_one_whole_bundle_that_is_the_one_on_record(standing: Desk) -> None:
    async with standing.stack.tenants.open(standing.client.organization) as tenant:
        await tenant.conn.execute(
            "insert into contacts (name, email) select repeat(md5(i::text), 20), i || '@b.example'"
            " from generate_series(1, 5000) i"
        )

    ends = await asyncio.gather(*(offboard(standing.stack, SLUG, by="test") for _ in range(3)), return_exceptions=True)

    assert [end for end in ends if isinstance(end, BaseException)] == []
    [row] = await master_rows(standing.stack, "select export_path, export_sha256 from offboardings")
    assert [str(one) for one in export_bundle.exports_folder(standing.stack).iterdir()] == [row["export_path"]]
    assert export_bundle._digest(Path(row["export_path"])) == row["export_sha256"]
    with zipfile.ZipFile(row["export_path"]) as bundle:
        assert bundle.testzip() is None


async def test_no_copy_of_a_clients_data_stays_behind_whatever_was_cut_off(standing: Desk) -> None:
    folder = export_bundle.exports_folder(standing.stack)
    folder.mkdir(parents=True)
    for name in (f"{SLUG}-20200101T000000Z-ab.part", f"{SLUG}-20200101T000000Z-0badcafe.zip"):
        (folder / name).write_bytes(b"left by a kill")
    other = folder / f"{SLUG}-two-20200101T000000Z-0badcafe.zip"
    other.write_bytes(b"another client's")
    await offboard(standing.stack, SLUG, by="test")

    over = standing.at(standing.stack.now() + timedelta(days=31))
    assert (await care_for_stacks(over.stack)).done == [f"{SLUG}: erased"]

    assert sorted(one.name for one in folder.iterdir()) == sorted(
        [other.name, f"{SLUG}-erasure-certificate.json", f"{SLUG}-erasure-certificate.md"]
    )


async def test_the_files_of_an_erased_client_are_gone_and_nobody_elses(standing: Desk, sandbox: Sandbox) -> None:
    storage = standing.stack.storage
    for name in (f"media-{SLUG}/menu.jpg", f"media-{SLUG}/2026/shop.jpg", f"media-{SLUG}-two/menu.jpg"):
        put(sandbox, name)
    await offboard(standing.stack, SLUG, by="test")
    over = standing.at(standing.stack.now() + timedelta(days=31))

    certificate = await erase(over.stack, SLUG, by="test")

    for gone in ("menu.jpg", "2026/shop.jpg"):
        with pytest.raises(VendorError, match="is not in the storage"):
            await storage.sign(f"media-{SLUG}", gone, seconds=60)
    assert await storage.sign(f"media-{SLUG}-two", "menu.jpg", seconds=60)
    [line] = [one for one in certificate["erased"] if one["where"] == "media storage"]
    assert (line["what"], line["how"]) == (f"bucket media-{SLUG} with its files", "deleted")


async def test_a_bucket_that_is_still_being_emptied_is_waited_for(standing: Desk, sandbox: Sandbox) -> None:
    put(sandbox, f"media-{SLUG}/menu.jpg")
    await offboard(standing.stack, SLUG, by="test")
    over = standing.at(standing.stack.now() + timedelta(days=31))
    sandbox.faults("POST /supabase/storage/v1/bucket/{bucket}/empty", {"kind": "status", "status": 200})

    with pytest.raises(VendorError, match="still being emptied") as raised:
        await erase(over.stack, SLUG, by="test")

    assert raised.value.is_transient
    [row] = await master_rows(over.stack, "select state from offboardings")
    assert row["state"] == "erasing"
    assert (await erase(over.stack, SLUG, by="test"))["certificate"] == "erasure"


def put(sandbox: Sandbox, name: str) -> None:
    headers = {"authorization": "Bearer sandbox", "content-type": "image/jpeg"}
    url = f"{sandbox.url}/supabase/storage/v1/object/{name}"
    httpx.post(url, content=b"a picture", headers=headers).raise_for_status()


@pytest.mark.parametrize(
    ("change", "is_stuck"),
    [
        ("state = 'exporting', created_at = now() - interval '2 hours'", True),
        ("state = 'erasing', erase_after = now() - interval '3 hours'", True),
        ("state = 'grace', erase_after = now() - interval '3 hours'", True),
        ("state = 'grace', erase_after = now() + interval '3 days', created_at = now() - interval '9 days'", False),
        ("state = 'withdrawn', finished_at = now(), created_at = now() - interval '9 days'", False),
    ],
)
async def test_who_is_stuck_on_the_way_out_is_seen_by_the_hourly_check(
    standing: Desk, change: str, is_stuck: bool
) -> None:
    await offboard(standing.stack, SLUG, by="test")
    await master_rows(standing.stack, f"update offboardings set {change}")

    async with standing.stack.master.connection() as conn:
        rows = [row["slug"] async for row in PROVISIONING.stuck_leavers(conn)]

    assert rows == ([SLUG] if is_stuck else [])


async def test_a_client_whose_disk_or_code_fails_stops_no_other(
    standing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await offboard(standing.stack, SLUG, by="test")
    monkeypatch.setattr(
        "draggonnb_pipelines.workflows.provisioning.stack_care.OFFBOARDING.open_exports",
        _rows("first-broken"),
        raising=False,
    )

    async def broken(stack: Any, slug: str, *, by: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("draggonnb_pipelines.workflows.provisioning.stack_care.offboard", broken)
    over = standing.at(standing.stack.now() + timedelta(days=31))

    cared = await care_for_stacks(over.stack)

    assert cared.done == [f"{SLUG}: erased"]
    assert list(cared.troubles) == ["first-broken"]


def _rows(*slugs: str) -> Any:
    async def rows(conn: Any, **_: Any) -> Any:
        for slug in slugs:
            yield {"slug": slug}

    return rows
