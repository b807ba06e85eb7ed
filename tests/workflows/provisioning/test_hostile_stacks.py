"""Setting clients up against bad days: endless trouble, runs beside runs, entries and rows that changed hands."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from draggonnb_pipelines.domain.provisioning import STEPS, stable_id
from draggonnb_pipelines.domain.reports import PartitionKey
from draggonnb_pipelines.errors import ErrorClass, TenantUnavailable, VendorError
from draggonnb_pipelines.resources.stack import Stack
from draggonnb_pipelines.workflows.billing.standing import align_standings, suspend
from draggonnb_pipelines.workflows.provisioning import provisioning
from draggonnb_pipelines.workflows.provisioning.github_repo import github_repo
from draggonnb_pipelines.workflows.provisioning.n8n_webhooks import n8n_webhooks
from draggonnb_pipelines.workflows.provisioning.onboarding_email import onboarding_email
from draggonnb_pipelines.workflows.provisioning.provisioning import MAX_ATTEMPTS, run_step, take_waiting
from draggonnb_pipelines.workflows.provisioning.provisioning_reports import set_up
from draggonnb_pipelines.workflows.provisioning.removal import abort
from draggonnb_pipelines.workflows.provisioning.stack_clients import ledger_of
from draggonnb_pipelines.workflows.provisioning.stack_ledger import Ledger, Made, NotYet
from draggonnb_pipelines.workflows.provisioning.supabase_project import supabase_project
from tests.sandbox_process import Sandbox
from tests.workflows.client_desk import Desk, settled
from tests.workflows.lead_work import master_rows, tenant_rows
from tests.workflows.paid_clients import open_client, states
from tests.workflows.project_work import Site, new_client, open_site
from tests.workflows.stood_up import SLUG, stand_up


def made_of(step: str) -> Any:
    async def work(ledger: Ledger) -> Any:
        row = await ledger.plan(step, "test", step)
        return row if row.is_ready else await ledger.ready(row, Made(f"{ledger.client.slug}/{step}"))

    return work


@pytest.fixture
def quick_steps(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Steps that make nothing but their rows; a test may break one."""
    steps = {step: made_of(step) for step in STEPS}
    monkeypatch.setattr(provisioning, "WORK", steps)
    return steps


async def run(stack: Stack, run_id: str) -> dict[str, str]:
    """A whole run of who waits; who was not done, and why."""
    slugs, undone = await take_waiting(stack, run_id), {}
    for step in STEPS:
        ends = await run_step(stack, run_id, step, slugs)
        undone |= {slug: end.reason or "" for slug, end in ends.items() if end.resource is None}
        slugs = [slug for slug in slugs if slug not in undone]
    return undone


async def test_trouble_that_never_passes_ends_with_a_person_although_earlier_steps_stand(
    desk: Desk, quick_steps: dict[str, Any]
) -> None:
    async def away(ledger: Ledger) -> Any:
        raise VendorError("vercel", ErrorClass.RETRY, "HTTP 503")

    quick_steps["vercel_deployment"] = away
    await open_client(desk.stack, "walmer-dental")
    for day in range(MAX_ATTEMPTS):
        assert await states(desk.stack) == {"walmer-dental": "waiting"}
        later = desk.at(desk.stack.now() + timedelta(days=day)).stack
        assert list(await run(later, f"run-{day}")) == ["walmer-dental"]

    assert await states(desk.stack) == {"walmer-dental": "failed"}
    [row] = await master_rows(desk.stack, "select last_step, last_error from provisionings")
    assert (row["last_step"], row["last_error"]) == ("vercel_deployment", "vercel: retry: HTTP 503")

    quick_steps["vercel_deployment"] = made_of("vercel_deployment")
    assert (await run_step(desk.stack, "run-x", "vercel_deployment", ["walmer-dental"]))["walmer-dental"].resource
    [row] = await master_rows(desk.stack, "select attempts from provisionings")
    assert row["attempts"] == 0


async def test_an_upgrade_that_a_database_missed_fails_for_who_stands_and_waits_for_who_does_not(
    desk: Desk, quick_steps: dict[str, Any]
) -> None:
    async def down(ledger: Ledger) -> Any:
        raise TenantUnavailable(ledger.client.slug, "OperationalError")

    for slug in ("kloof-done", "kloof-new"):
        await open_client(desk.stack, slug)
    await master_rows(
        desk.stack,
        "update provisionings set state = 'done', finished_at = now() from organizations o"
        " where o.id = organization_id and o.slug = 'kloof-done'",
    )
    keys = [PartitionKey(slug) for slug in ("kloof-done", "kloof-new", "draggonnb")]
    await run_step(desk.stack, "run-1", "supabase_project", ["kloof-new"])
    quick_steps["tenant_schema"] = down

    report = await set_up(desk.stack, "run-1", "tenant_schema", keys)

    assert sorted(key.slug for key in report.failed) == ["draggonnb", "kloof-done"]
    assert [key.slug for key in report.waiting] == ["kloof-new"]
    assert await states(desk.stack) == {"kloof-done": "done", "kloof-new": "waiting"}


async def test_a_late_step_chosen_for_everybody_spoils_nobody_who_is_not_there_yet(
    desk: Desk, quick_steps: dict[str, Any]
) -> None:
    await open_client(desk.stack, "walmer-dental")

    report = await set_up(desk.stack, "run-1", "kickoff_call", [PartitionKey("walmer-dental")])

    assert list(report.waiting.values()) == ["kickoff_call comes after supabase_project, which is not done"]
    assert (report.done, report.failed) == ({}, {})
    assert await master_rows(desk.stack, "select 1 from stack_resources") == []
    assert await run(desk.stack, "run-2") == {}
    assert await states(desk.stack) == {"walmer-dental": "done"}


async def test_who_stopped_paying_while_it_was_set_up_is_not_served(desk: Desk, quick_steps: dict[str, Any]) -> None:
    for slug in ("walmer-dental", "walmer-paying"):
        await open_client(desk.stack, slug)
    plan = await master_rows(desk.stack, "select key from plans order by key limit 1")
    await master_rows(
        desk.stack,
        "insert into subscriptions (organization_id, plan_key, status, amount_cents, m_payment_id, suspended_at)"
        " select id, %s, 'suspended', 100000, 'DRG-1', now() from organizations where slug = 'walmer-dental'",
        plan[0]["key"],
    )

    assert await run(desk.stack, "run-1") == {}

    rows = await master_rows(desk.stack, "select slug, status from organizations where slug like 'walmer%%'")
    assert {row["slug"]: row["status"] for row in rows} == {"walmer-dental": "suspended", "walmer-paying": "active"}


async def test_a_run_that_was_taken_for_dead_begins_nothing_once_its_client_is_taken_down(desk: Desk) -> None:
    await open_client(desk.stack, "walmer-dental")
    client = await provisioning_client(desk, "walmer-dental")
    zombie = Ledger(desk.stack, client, "run-1")
    row = await zombie.plan("github_repo", "github", "draggonnb-walmer-dental")
    late = desk.at(desk.stack.now() + timedelta(hours=1))
    await abort(late.stack, "walmer-dental", by="test")

    with pytest.raises(NotYet):
        await zombie.begin(row)

    [left] = await master_rows(desk.stack, "select state from stack_resources")
    assert left["state"] == "removed"


async def provisioning_client(desk: Desk, slug: str) -> Any:
    return (await ledger_of(desk.stack, slug)).client


async def test_a_suspended_clients_entries_stay_silent_when_its_step_is_run_again(
    desk: Desk, supabase_sandbox: Sandbox
) -> None:
    standing = await stand_up(desk, supabase_sandbox)
    await suspend(standing.stack, SLUG, by="test", reason="unpaid")

    # The run has read its client before it was suspended.
    await n8n_webhooks(standing.ledger)

    assert [one["active"] for one in supabase_sandbox.public("n8n")] == [False] * 3
    assert await align_standings(standing.stack) == {}
    await master_rows(desk.stack, "update organizations set status = 'active' where slug = %s", SLUG)
    await align_standings(standing.stack)
    assert [one["active"] for one in supabase_sandbox.public("n8n")] == [True] * 3


async def test_an_entry_that_was_renamed_in_n8n_is_kept_and_removed_like_the_others(
    desk: Desk, supabase_sandbox: Sandbox
) -> None:
    standing = await stand_up(desk, supabase_sandbox)
    [row] = [row for row in await standing.ledger.resources() if row.name == f"{SLUG}/analytics"]
    workflow = await desk.stack.n8n.workflow(str(row.vendor_id))
    renamed = {"name": "their own name", "nodes": list(workflow.nodes), "connections": {}, "settings": {}}
    await desk.stack.n8n.update_workflow(workflow.id, renamed)

    await n8n_webhooks(standing.ledger)
    assert len(supabase_sandbox.public("n8n")) == 3

    await desk.stack.n8n.update_workflow(workflow.id, renamed)
    await master_rows(desk.stack, "update provisionings set state = 'failed', updated_at = now()")
    late = standing.at(standing.stack.now() + timedelta(hours=1))
    await abort(late.stack, SLUG, by="test")
    assert [one["name"] for one in supabase_sandbox.public("n8n") if not one["archived"]] == []


async def test_a_repository_with_our_number_is_ours_without_its_mark_and_whatever_case_the_template_is_set_in(
    desk: Desk, supabase_sandbox: Sandbox
) -> None:
    settings = desk.stack.settings.model_copy(update={"github_template": "Draggonnb/Client-Template"})
    loud = replace(desk, stack=replace(desk.stack, settings=settings))
    standing = await stand_up(loud, supabase_sandbox)
    row = await standing.ledger.resource("github_repo", f"draggonnb-{SLUG}")
    await desk.stack.github.set_topics("draggonnb", f"draggonnb-{SLUG}", ["their-own"])
    async with standing.stack.master.connection() as conn:
        await conn.execute("update stack_resources set vendor_id = null, state = 'unknown' where id = %s", (row.id,))
        await conn.execute(
            'update stack_resources set details = details || \'{"template": "DRAGGONNB/client-template"}\''
            " where id = %s",
            (row.id,),
        )

    with pytest.raises(Exception, match="api_keys"):  # which come after the repository
        await settled(standing, github_repo)

    found = await standing.ledger.resource("github_repo", f"draggonnb-{SLUG}")
    assert (found.state, found.vendor_id) == ("ready", row.vendor_id)


async def test_an_owners_address_that_was_wrong_has_no_way_in_once_it_is_corrected(
    desk: Desk, supabase_sandbox: Sandbox
) -> None:
    await desk.with_project(supabase_sandbox)
    wrong = replace(desk, client=replace(desk.client, owner_email="stranger@elsewhere.example"))
    person = await wrong.ledger.plan("onboarding_email", "supabase_auth", "owner")
    auth = await _auth_of(wrong)
    stranger = await auth.create_user(
        stable_id(wrong.client, "stranger@elsewhere.example"), "stranger@elsewhere.example"
    )
    await wrong.ledger.ready(person, Made(stranger.id))
    async with desk.stack.tenants.open(desk.client.organization) as tenant:
        await tenant.conn.execute(
            "insert into users (email, role, notify_leads, auth_user_id) values ('stranger@elsewhere.example', 'owner',"
            " true, %s)",
            (stranger.id,),
        )

    await settled(desk, onboarding_email)

    assert await auth.find_user("stranger@elsewhere.example") is None
    assert await auth.find_user(desk.client.owner_email) is not None
    rows = await tenant_rows(
        desk.stack, desk.client.organization, "select email from users where notify_leads or is_active"
    )
    assert [row["email"] for row in rows] == [desk.client.owner_email]


async def _auth_of(desk: Desk) -> Any:
    project = await desk.ledger.resource("supabase_project", f"{SLUG}-db")
    key = await desk.ledger.resource("api_keys", "secret_agency")
    return desk.stack.supabase_auth(str(project.vendor_id), key.secrets["value"])


@pytest.fixture
async def site(supabase_sandbox: Sandbox, master_dsn: str) -> AsyncIterator[Site]:
    async with open_site(supabase_sandbox, master_dsn) as opened:
        yield await new_client(opened)


@pytest.mark.parametrize(
    ("route", "status", "words"),
    [
        ("GET /github/orgs/{owner}/repos", 401, "github.com/settings/personal-access-tokens"),
        ("GET /github/repos/{owner}/{name}", 404, "draggonnb/client-template cannot be seen or is no template"),
        ("GET /github/repos/{owner}/{name}/actions/secrets/public-key", 403, "Administration, Contents, Secrets"),
        ("GET /vercel/v10/projects", 403, "vercel.com/account/settings/tokens"),
        ("GET /n8n/api/v1/discover", 401, "make a new one at .*/settings/api"),
    ],
)
async def test_a_vendor_of_a_later_step_that_refuses_us_stops_before_anything_is_made(
    site: Site, supabase_sandbox: Sandbox, route: str, status: int, words: str
) -> None:
    supabase_sandbox.faults(route, {"kind": "status", "status": status})

    with pytest.raises(VendorError, match=words) as raised:
        await supabase_project(site.ledger)

    assert not raised.value.is_transient
    assert supabase_sandbox.public("supabase") == []
    [row] = await site.rows("supabase_project")
    assert (row.state, row.attempts) == ("failed", 0)


async def test_scopes_that_the_n8n_key_lacks_are_named_before_anything_is_made(
    site: Site, supabase_sandbox: Sandbox
) -> None:
    supabase_sandbox.settings(n8n_scopes="workflow:create,workflow:read,workflow:list,workflow:update,workflow:delete")
    with pytest.raises(VendorError, match=r"give the key credential:create, .*workflow:deactivate at"):
        await supabase_project(site.ledger)
    assert supabase_sandbox.public("supabase") == []


async def test_a_vendor_of_a_later_step_that_is_away_stops_nobody(site: Site, supabase_sandbox: Sandbox) -> None:
    supabase_sandbox.faults("GET /n8n/api/v1/discover", {"kind": "status", "status": 503}, repeat=True)

    with pytest.raises(NotYet, match="is coming up"):
        await supabase_project(site.ledger)

    assert len(supabase_sandbox.public("supabase")) == 1
