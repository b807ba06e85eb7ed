"""Vendors and ledger compared: both ways, and a vendor that cannot be read is no agreement."""

import asyncio

from draggonnb_pipelines.domain.provisioning import Client
from draggonnb_pipelines.workflows.provisioning.orphans import Finding, as_check, compare_with_vendors
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Made
from tests.sandbox_process import Sandbox
from tests.supabase_calls import new_project
from tests.workflows.client_desk import Desk
from tests.workflows.stood_up import SLUG, impatient, stand_up, with_marked_repo

REPO = f"draggonnb-{SLUG}"


def briefly(findings: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    return sorted((one.kind, one.vendor, one.name) for one in findings)


async def test_a_stack_that_stands_agrees_with_the_ledger(desk: Desk, supabase_sandbox: Sandbox):
    desk = await stand_up(desk, supabase_sandbox)
    await asyncio.to_thread(new_project, supabase_sandbox, "the-agencys-own")

    comparison = await compare_with_vendors(desk.stack)

    assert briefly(comparison.findings) == []
    assert comparison.seen == {"supabase": 1, "github": 1, "vercel": 1, "n8n": 3}
    check = as_check(comparison)
    assert (check.name, check.passed, check.description) == ("no_orphans", True, "all agree")


async def test_what_nobody_knows_of_is_found_at_every_vendor(desk: Desk, supabase_sandbox: Sandbox):
    desk = await stand_up(desk, supabase_sandbox)
    async with desk.stack.master.connection() as conn:
        await conn.execute("delete from stack_resources")

    comparison = await compare_with_vendors(desk.stack)

    assert briefly(comparison.findings) == [
        ("unknown", "github", REPO),
        ("unknown", "n8n", f"{SLUG}/analytics"),
        ("unknown", "n8n", f"{SLUG}/generate-content"),
        ("unknown", "n8n", f"{SLUG}/notifications"),
        ("unknown", "supabase", f"{SLUG}-db"),
        ("unknown", "vercel", REPO),
    ]
    check = as_check(comparison)
    assert (check.passed, check.severity, check.description) == (False, "warn", "6 differences")
    assert f"| unknown | supabase | {SLUG}-db |" in check.metadata["findings"].text.replace("\\", "")


async def test_a_second_project_of_one_name_is_found(desk: Desk, supabase_sandbox: Sandbox):
    desk = await stand_up(desk, supabase_sandbox)
    second = await asyncio.to_thread(new_project, supabase_sandbox, f"{SLUG}-db")

    [finding] = (await compare_with_vendors(desk.stack)).findings

    assert (finding.kind, finding.vendor, finding.vendor_id) == ("unknown", "supabase", second)


async def test_what_is_gone_at_the_vendor_is_found(desk: Desk, supabase_sandbox: Sandbox):
    desk = await stand_up(desk, supabase_sandbox)
    [project] = supabase_sandbox.public("supabase")
    await desk.stack.supabase.delete(project["ref"])
    await desk.stack.github.delete("draggonnb", REPO)

    findings = (await compare_with_vendors(desk.stack)).findings

    assert briefly(findings) == [("gone", "github", REPO), ("gone", "supabase", f"{SLUG}-db")]
    assert {one.slug for one in findings} == {SLUG}


async def test_what_a_call_without_an_answer_made_is_the_next_runs_and_no_finding(
    desk: Desk, supabase_sandbox: Sandbox
):
    await with_marked_repo(desk, supabase_sandbox, answered=False)

    comparison = await compare_with_vendors(desk.stack)

    assert (comparison.findings, comparison.seen["github"]) == ((), 1)


async def test_an_entry_that_answers_for_a_client_that_is_not_served_is_found(desk: Desk, supabase_sandbox: Sandbox):
    desk = await stand_up(desk, supabase_sandbox)
    async with desk.stack.master.connection() as conn:
        await conn.execute("update organizations set status = 'suspended' where slug = %s", (SLUG,))

    findings = (await compare_with_vendors(desk.stack)).findings

    assert briefly(findings) == [
        ("standing", "n8n", f"{SLUG}/{kind}") for kind in ("analytics", "generate-content", "notifications")
    ]


async def test_a_vendor_that_cannot_be_read_is_named_and_hides_no_other(desk: Desk, supabase_sandbox: Sandbox):
    desk = await stand_up(desk, supabase_sandbox)
    await desk.seal("supabase_project", "supabase", f"{SLUG}-db", Made("a" * 20))
    supabase_sandbox.faults("GET /vercel/v10/projects", {"kind": "status", "status": 500}, repeat=True)

    async with impatient(desk) as hasty:
        comparison = await compare_with_vendors(hasty.stack)

    assert set(comparison.unread) == {"vercel"}
    assert set(comparison.seen) == {"supabase", "github", "n8n"}
    assert {one.vendor for one in comparison.findings} == {"supabase"}
    check = as_check(comparison)
    assert not check.passed
    assert "vercel could not be read" in check.description


async def test_another_clients_mark_is_no_match(desk: Desk, supabase_sandbox: Sandbox):
    stranger = Client(desk.agency, None, "", "")
    supabase_sandbox.settings(github_copy_seconds=0.0)
    await desk.stack.github.create_from_template(
        "draggonnb/client-template", "draggonnb", "elsewhere", description=f"App {stranger.mark}"
    )

    [finding] = (await compare_with_vendors(desk.stack)).findings

    assert (finding.kind, finding.vendor, finding.name) == ("unknown", "github", "elsewhere")
